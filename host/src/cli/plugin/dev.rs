//! `till plugin dev`: from a saved file to the running host, again and again.
//!
//! ```text
//! make -C DIR ─ DIR/build/*.wasm ─ DIR/cases ─ deploy ─ wait for a change ─┐
//!      └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The compiler's output goes to the author unchanged, so that an error shows its place. After any failure the command
//! waits for the next change.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use clap::Args;

use super::{
    super::{client::Admin, print},
    author::Author,
    live::deploy,
    read,
    rehearse::Test,
    rollout::Try,
    shop::Shop,
    sign::signed,
};
use crate::{trust::PrivateKey, versions::Candidate};

/// How often the sources are polled. Polling works on every file system and however an editor saves, and costs next to
/// nothing for a plugin's few files.
const LOOK: Duration = Duration::from_millis(200);
/// Folders that a build writes or that hold no sources of the plugin.
const NOT_SOURCES: [&str; 5] = ["build", "gen", "node_modules", "target", "__pycache__"];
/// The most files to poll; a folder with more holds something else than a plugin's sources.
const FILES_MAX: usize = 10_000;

/// Runs `make` in the folder, tests its `cases`, if there are any, and deploys `build/*.wasm` to the running host; then
/// again at every change. If make fails, a case isn't as expected or the host refuses, the command says so and waits
/// for the next change.
#[derive(Debug, Args)]
#[command(
    after_help = "Start a host first: till serve. Looked at is all but build, gen, node_modules, target and names that begin with a dot."
)]
pub(in super::super) struct Dev {
    /// The folder with the plugin's sources and its Makefile.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Does this once, and ends with 1 if anything failed.
    #[arg(long)]
    once: bool,
    /// Signs each build with this key, for a host that takes signed plugins only.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    shop: Shop,
    #[command(flatten)]
    admin: Admin,
}

/// The files of a folder, with their times and sizes.
type Sources = BTreeMap<PathBuf, (SystemTime, u64)>;

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut deployed = Vec::new();
        let mut is_repeated = false;
        loop {
            let before = sources(&self.folder)?;
            let done = self.round(&mut deployed);
            if self.once {
                return done;
            }
            if let Err(error) = done {
                writeln!(std::io::stderr(), "till: {error:#}")?;
            }
            // If sources changed during a build, it is repeated once. Not more often, because a build that writes
            // beside its sources changes them each time.
            let changed_meanwhile = !is_repeated && sources(&self.folder)? != before;
            is_repeated = changed_meanwhile;
            if !changed_meanwhile {
                print(&format!("waiting for a change in {}", self.folder.display()))?;
                wait_for_change(&self.folder)?;
            }
        }
    }

    fn round(&self, deployed: &mut Vec<u8>) -> anyhow::Result<()> {
        make(&self.folder)?;
        let file = component(&self.folder)?;
        let cases = self.folder.join("cases");
        if cases.is_dir() {
            // A key that isn't the host's would count as the plugin's.
            self.shop.settings()?;
            Test::of(&file, &cases, &self.shop, self.admin.json).run()?;
        }
        let bytes = read(&file)?;
        if bytes == *deployed {
            return print(&format!("{} is as it was, and live", file.display()));
        }
        let sent = match &self.key {
            Some(key) => signed(&file, &bytes, &PrivateKey::read(key)?, &self.shop.settings()?.limits)?.0,
            None => bytes.clone(),
        };
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let candidate = Candidate { source: file.display().to_string(), stem, bytes: sent.into() };
        deploy(candidate, None, &Try::default(), &Author::user(), &self.admin)?;
        *deployed = bytes;
        Ok(())
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        folder.join("Makefile").is_file(),
        "{} has no Makefile; its default target has to build one component into build/",
        folder.display()
    );
    let mut make = Command::new("make");
    make.arg("-C").arg(folder);
    // The Makefiles of new plugins call till by this name.
    if let Ok(own) = std::env::current_exe() {
        make.env("TILL", own);
    }
    let status = make.status().context("run make, which has to be installed")?;
    anyhow::ensure!(status.success(), "make -C {} failed ({status}); what it said stands above", folder.display());
    Ok(())
}

/// Returns the built component: the one named after the folder, or else the only one. Tools may leave other components
/// beside it.
fn component(folder: &Path) -> anyhow::Result<PathBuf> {
    let build = folder.join("build");
    let named =
        folder.canonicalize().ok().and_then(|folder| Some(build.join(folder.file_name()?).with_extension("wasm")));
    if let Some(named) = named.filter(|named| named.is_file()) {
        return Ok(named);
    }
    let mut built: Vec<PathBuf> = std::fs::read_dir(&build)
        .with_context(|| format!("read {}, where make has to leave the component", build.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    match (built.pop(), built.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => anyhow::bail!(
            "make left several *.wasm in {}, none of them named after the folder; which is the plugin?",
            build.display()
        ),
        (None, _) => anyhow::bail!("make left no *.wasm in {}", build.display()),
    }
}

/// Returns once something has changed and then stayed the same for one poll.
fn wait_for_change(folder: &Path) -> anyhow::Result<()> {
    let (before, mut last) = (sources(folder)?, None);
    loop {
        std::thread::sleep(LOOK);
        let now = sources(folder)?;
        if now != before && last.as_ref() == Some(&now) {
            return Ok(());
        }
        last = Some(now);
    }
}

fn sources(folder: &Path) -> anyhow::Result<Sources> {
    let mut found = Sources::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A folder may be gone before it is read.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.filter_map(Result::ok).filter(|entry| is_source(&entry.file_name())) {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), (metadata.modified()?, metadata.len()));
            }
        }
        anyhow::ensure!(found.len() <= FILES_MAX, "{} has more than {FILES_MAX} files", folder.display());
    }
    Ok(found)
}

fn is_source(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    !name.starts_with('.') && !NOT_SOURCES.contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_is_the_component_named_after_its_folder() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("offers");
        let write = |name: &str| std::fs::write(folder.join("build").join(name), "").expect("written");
        std::fs::create_dir_all(folder.join("build")).expect("made");
        assert!(component(&folder).is_err());
        write("core.wasm");
        assert_eq!(component(&folder).expect("the only one"), folder.join("build/core.wasm"));
        write("nameless.wasm");
        assert!(component(&folder).expect_err("which?").to_string().contains("several"));
        write("offers.wasm");
        assert_eq!(component(&folder).expect("its own"), folder.join("build/offers.wasm"));
    }

    #[test]
    fn what_a_build_writes_is_no_source() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "").expect("written");
        };
        ["app.py", "cases/one.json", "build/app.wasm", ".tools/x", "node_modules/y/z.js", "src/gen/checkout.c"]
            .into_iter()
            .for_each(write);
        let found = sources(folder.path()).expect("read");
        let names: Vec<_> = found.keys().map(|path| path.strip_prefix(folder.path()).expect("within")).collect();
        assert_eq!(names, [Path::new("app.py"), Path::new("cases/one.json")]);
    }
}
