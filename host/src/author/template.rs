//! A folder to begin a plugin in: source, build, cases, the interface's WIT and the kit of its language.
//!
//! The binary contains all of it, and nothing twice: the kits are those of our own plugins, the WIT is the host's. The
//! files that only a new folder has are in `plugins/templates`, in layers that are copied over each other:
//!
//! ```text
//! all/             Makefile, README
//! hooks/           the same for track 0.2
//! kinds/KIND/      cases
//! LANGUAGE/all/    what its tools want
//! LANGUAGE/hooks/  the same for track 0.2
//! LANGUAGE/KIND/   the decision
//! ```

use std::path::{Path, PathBuf};

use anyhow::Context;
use include_dir::{Dir, include_dir};

use crate::hooks::{Kind, Track, info, wit};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates");
static KITS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/kits");
/// Rust's kit, which our own plugins have under another name.
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk");

/// The layers of track 0.2.
const HOOKS: &str = "hooks";

/// The languages that there is a kit for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    C,
    Cpp,
    Zig,
    Go,
    JavaScript,
    TypeScript,
    Python,
}

impl Language {
    pub const ALL: [Self; 8] =
        [Self::Rust, Self::C, Self::Cpp, Self::Zig, Self::Go, Self::JavaScript, Self::TypeScript, Self::Python];

    /// Returns the language's name, that of its templates and that of its kit.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Rust => ("Rust", "rust", "rust"),
            Self::C => ("C", "c", "c"),
            Self::Cpp => ("C++", "cpp", "cpp"),
            Self::Zig => ("Zig", "zig", "zig"),
            Self::Go => ("Go", "go", "go"),
            Self::JavaScript => ("JavaScript", "js", "js"),
            Self::TypeScript => ("TypeScript", "ts", "js"),
            Self::Python => ("Python", "python", "python"),
        }
    }

    /// Returns the kit that the language's own kit is built on.
    fn base(self) -> Option<&'static str> {
        (self == Self::Cpp).then_some("c")
    }

    /// Returns whether there is a template of a plugin of that kind in the language.
    fn has(self, kind: Kind) -> bool {
        let (_, templates, _) = self.names();
        TEMPLATES.get_dir(format!("{templates}/{kind}")).is_some()
    }

    /// Returns the file that the decision is in.
    fn source(self, kind: Kind) -> String {
        match self {
            Self::Rust => "src/lib.rs".to_owned(),
            Self::C => format!("{kind}.c"),
            Self::Cpp => format!("{kind}.cpp"),
            Self::Zig => format!("{kind}.zig"),
            Self::Go => format!("{kind}.go"),
            Self::JavaScript => format!("{kind}.js"),
            Self::TypeScript => format!("{kind}.ts"),
            Self::Python => format!("{kind}.py"),
        }
    }
}

/// A new plugin.
#[derive(Debug)]
pub struct Template<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub language: Language,
}

impl Template<'_> {
    /// Writes the folder, which must be new or empty.
    ///
    /// # Errors
    /// When the name can't be a plugin's, when the folder isn't empty, or when a file can't be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        check_name(self.name)?;
        check_empty(folder)?;
        if !self.language.has(self.kind) {
            let (language, ..) = self.language.names();
            let others = Language::ALL.into_iter().filter(|other| other.has(self.kind));
            let others: Vec<_> = others.map(|other| other.names().0).collect();
            anyhow::bail!(
                "there is no template of a {} plugin in {language}; there is one in {}",
                self.kind,
                others.join(", ")
            );
        }
        let (_, templates, kit) = self.language.names();
        let of_hooks = if self.kind.is_required() { "" } else { HOOKS };
        for layer in ["all", of_hooks, &format!("kinds/{}", self.kind)] {
            self.lay(TEMPLATES.get_dir(layer).filter(|_| !layer.is_empty()), folder)?;
        }
        for layer in ["all", of_hooks, self.kind.as_str()] {
            self.lay(TEMPLATES.get_dir(format!("{templates}/{layer}")).filter(|_| !layer.is_empty()), folder)?;
        }
        let kits = folder.join("kits");
        KITS.files().try_for_each(|file| copy(file.path(), file.contents(), &kits))?;
        copy_folder(if kit == "rust" { Some(&SDK) } else { KITS.get_dir(kit) }, &kits.join(kit))?;
        if let Some(base) = self.language.base() {
            copy_folder(KITS.get_dir(base), &kits.join(base))?;
        }
        self.tracks().try_for_each(|track| {
            let wit = folder.join(track.folder());
            create(&wit)?;
            wit::write(track, &wit).with_context(|| format!("write {}", wit.display()))
        })
    }

    /// Returns the tracks whose WIT the build reads: the plugin's own, and for a hook in Rust both, for the kit has the bindings of
    /// track 0.1 in any case.
    fn tracks(&self) -> impl Iterator<Item = &'static Track> {
        let own = info(self.kind).track;
        let has_all = self.language == Language::Rust && !self.kind.is_required();
        Track::ALL.into_iter().filter(move |track| has_all || *track == own)
    }

    /// Copies a layer's files into the folder, with their placeholders filled in.
    fn lay(&self, layer: Option<&Dir<'_>>, folder: &Path) -> anyhow::Result<()> {
        let Some(layer) = layer else { return Ok(()) };
        files(layer).try_for_each(|(path, bytes)| {
            let text = std::str::from_utf8(bytes).context("read a template")?;
            copy(&path, self.filled(text).as_bytes(), folder)
        })
    }

    fn filled(&self, text: &str) -> String {
        let (language, _, kit) = self.language.names();
        text.replace("{{name}}", self.name)
            .replace("{{kind}}", &self.kind.to_string())
            .replace("{{language}}", language)
            .replace("{{kit}}", kit)
            .replace("{{source}}", &self.language.source(self.kind))
    }
}

/// Checks that the name can also be that of a crate and of a Go module, and stand in a header.
fn check_name(name: &str) -> anyhow::Result<()> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let fits = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    anyhow::ensure!(
        begins && fits && name.len() <= 64,
        "{name:?} is no plugin's name; wanted up to 64 lower-case letters, digits and hyphens, a letter first"
    );
    Ok(())
}

fn check_empty(folder: &Path) -> anyhow::Result<()> {
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
    };
    anyhow::ensure!(is_empty, "{} is not empty; nothing was written", folder.display());
    Ok(())
}

fn copy_folder(from: Option<&Dir<'_>>, to: &Path) -> anyhow::Result<()> {
    from.into_iter().flat_map(files).try_for_each(|(path, bytes)| copy(&path, bytes, to))
}

/// Returns the files of a folder and below, by their paths in it, without what tools leave behind.
fn files<'a>(folder: &'a Dir<'_>) -> impl Iterator<Item = (PathBuf, &'a [u8])> {
    let mut left = vec![folder];
    let mut all = Vec::new();
    while let Some(next) = left.pop() {
        left.extend(next.dirs().filter(|dir| !dir.path().ends_with("__pycache__")));
        all.extend(next.files());
    }
    all.into_iter().map(|file| (file.path().strip_prefix(folder.path()).unwrap_or(file.path()).into(), file.contents()))
}

fn copy(path: &Path, bytes: &[u8], folder: &Path) -> anyhow::Result<()> {
    let to = folder.join(path);
    to.parent().map_or(Ok(()), create)?;
    std::fs::write(&to, bytes).with_context(|| format!("write {}", to.display()))
}

fn create(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{order::Currency, versions::Case};

    #[test]
    fn a_new_folder_has_its_source_and_no_blank_left() {
        for language in Language::ALL {
            for kind in Kind::ALL {
                if !language.has(kind) {
                    let in_all = kind.is_required() || kind == Kind::Validation;
                    assert!(
                        !in_all && !matches!(language, Language::Rust | Language::JavaScript),
                        "{language:?} {kind}"
                    );
                    continue;
                }
                let folder = tempfile::tempdir().expect("a folder");
                let template = Template { name: "offers", kind, language };
                template.write(folder.path()).expect("a plugin's folder");
                let worlds = format!("{}/worlds.wit", info(kind).track.folder());
                for file in ["Makefile", "README.md", &worlds, "kits/component.mk"] {
                    assert!(folder.path().join(file).is_file(), "{language:?} {kind}: {file}");
                }
                let cases = std::fs::read_dir(folder.path().join("cases")).expect("cases");
                for case in cases {
                    let text = std::fs::read_to_string(case.expect("a case").path()).expect("a case");
                    Case::parse(&text, kind, Currency::of_code("USD").expect("a code")).expect("a sound case");
                }
                let source = std::fs::read_to_string(folder.path().join(language.source(kind)));
                source.unwrap_or_else(|error| panic!("{language:?} {kind}: {error}"));
                let makefile = std::fs::read_to_string(folder.path().join("Makefile")).expect("a Makefile");
                assert!(makefile.contains(&format!("KIND := {kind}\n")), "{makefile}");
                let readme = std::fs::read_to_string(folder.path().join("README.md")).expect("a README");
                assert!(!readme.contains("{{") && readme.contains("# offers"), "{readme}");
            }
        }
    }

    /// Otherwise `make plugins` would install it twice.
    #[test]
    fn zig_is_built_with_the_release_that_c_is() {
        let pins = |kit: &str| KITS.get_file(format!("{kit}/requirements.txt")).expect("pins").contents();
        assert_eq!(pins("zig"), pins("c"));
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("notes.txt"), "mine").expect("a file");
        let template = Template { name: "offers", kind: Kind::Checkout, language: Language::C };
        let refused = template.write(folder.path()).expect_err("it isn't empty");
        assert!(refused.to_string().contains("is not empty; nothing was written"), "{refused}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_name_serves_everywhere() {
        let check = |name: &str, is_fine: bool| assert_eq!(check_name(name).is_ok(), is_fine, "{name}");
        check("offers-2", true);
        check("2offers", false);
        check("Offers", false);
        check("our offers", false);
        check("", false);
        check(&"a".repeat(65), false);
    }
}
