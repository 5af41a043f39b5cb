//! Plugins in other languages, built as their authors do: with the Makefile that `till plugin new` lays down.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::host::till;

/// Where `make plugins` has installed the tools.
fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/.tools");
    tools.canonicalize().unwrap_or_else(|_| panic!("{} is missing; make plugins installs it", tools.display()))
}

/// A folder of a new plugin.
#[derive(Debug)]
pub(crate) struct Project {
    folder: TempDir,
    name: String,
}

impl Project {
    /// Begins a checkout plugin of that name in that language, as `till plugin new` names it.
    pub(crate) fn checkout(name: &str, language: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut new = till();
        new.current_dir(folder.path()).args(["plugin", "new", name, "--kind", "checkout", "--lang", language]);
        let begun = new.output().expect("till starts");
        assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
        Self { folder, name: name.to_owned() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("the file is written");
    }

    /// Builds it, and returns the component.
    pub(crate) fn built(&self) -> PathBuf {
        self.build().unwrap_or_else(|said| panic!("{}: {said}", self.name))
    }

    /// Builds it, and returns the component or what the tools said.
    pub(crate) fn build(&self) -> Result<PathBuf, String> {
        let mut make = Command::new("make");
        make.arg("--directory").arg(self.path()).arg("--no-print-directory");
        // Not by its path in /proc, which names this process.
        make.env("TILL", env!("CARGO_BIN_EXE_till")).env("TILL_PLUGIN_TOOLS", tools());
        let made = make.output().expect("make starts");
        let said = format!("{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
        let component = self.path().join("build").join(&self.name).with_extension("wasm");
        if made.status.success() { Ok(component) } else { Err(said) }
    }
}
