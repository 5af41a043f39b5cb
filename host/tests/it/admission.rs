//! Compiling in child processes: its limits, its leftovers, and the code that is kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use till::{
    config::{Settings, Sources},
    runtime::{CodeCache, Compiler, Engine},
    versions::{Candidate, Trial, admit, examine},
};

use crate::support::{
    component::{MODULE, checkout_with},
    eventually, guests,
};

/// An engine that compiles in children, and what it is set to.
struct Admission {
    engine: Arc<Engine>,
    settings: Settings,
    kept: CodeCache,
    folder: TempDir,
}

impl Admission {
    fn new(flags: &[&str]) -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder"), flags)
    }

    /// An engine on a folder that another one used, as after a restart.
    fn on(folder: TempDir, flags: &[&str]) -> Self {
        let mut sources = Sources::defaults();
        sources.add_flags(flags.iter()).expect("settings");
        let settings = Settings::load(&sources).expect("usable");
        let kept = CodeCache::open(folder.path()).expect("usable");
        let compiler = Compiler::with_child(env!("CARGO_BIN_EXE_till").into()).keeping(kept.clone());
        let engine = Arc::new(Engine::with(&settings.limits, compiler).expect("an engine"));
        Self { engine, settings, kept, folder }
    }

    async fn admit(&self, bytes: Vec<u8>) -> Result<(), String> {
        let candidate = Candidate { source: "it".into(), stem: "it".into(), bytes: bytes.into() };
        let admitted = async {
            let examined = examine(candidate, &self.settings.limits).await?;
            let trial = Trial::Anew { live: None, forced: false };
            admit(&self.engine, examined, &self.settings, &BTreeMap::new(), trial).await
        };
        admitted.await.map(drop).map_err(|refused| refused.to_string())
    }
}

/// A component that takes seconds and hundreds of MiB to compile.
fn bomb() -> Vec<u8> {
    checkout_with(MODULE, &format!("(module {})", "(func)".repeat(90_000)))
}

/// Returns the child that compiles into this folder.
fn child_of(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().expect("it is there");
    let is_child = |process: &PathBuf| {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        command.contains("compile-plugin") && command.contains(&*folder.to_string_lossy())
    };
    std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path()).find(is_child)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_or_too_much_to_compile_is_refused() {
    for (flags, reason) in [
        (&["limits.compile_ms=200"][..], "compiling it took more than 200 ms of processor time (limits.compile_ms)"),
        (
            &["limits.compile_memory_mib=300", "limits.compile_ms=300000"],
            "compiling it took more than 300 MiB of memory (limits.compile_memory_mib)",
        ),
    ] {
        let refused = Admission::new(flags).admit(bomb()).await.expect_err("a bomb");
        assert_eq!(refused, format!("it is refused: {reason}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_compile_is_refused_in_wasmtimes_words() {
    let refused =
        Admission::new(&[]).admit(checkout_with(MODULE, "(module (func (result i32)))")).await.expect_err("no plugin");
    assert!(refused.starts_with("it is refused: it doesn't compile: "), "{refused}");
    assert!(refused.contains("type mismatch"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_compile_that_is_cut_off_no_process_is_left() {
    // Ended by its deadline, and by a caller that went away.
    for (flags, waits) in [(&["limits.compile_wall_ms=2000"][..], true), (&["limits.compile_ms=300000"], false)] {
        let admission = Arc::new(Admission::new(flags));
        let admitting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.admit(bomb()).await }
        });
        let child = tokio::task::spawn_blocking({
            let admission = Arc::clone(&admission);
            move || eventually("a child", || child_of(admission.folder.path()))
        });
        let child = child.await.expect("found");
        if waits {
            admitting.await.expect("no panic").expect_err("a bomb");
            assert!(!child.exists(), "it has been waited for");
        } else {
            admitting.abort();
            let ended = move || eventually("its end", || (!child.exists()).then_some(()));
            tokio::task::spawn_blocking(ended).await.expect("it ends");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_child_has_compiled_the_host_loads_now_and_after_a_restart() {
    let plugin = std::fs::read(guests::file("checkout_discount")).expect("it was built");
    let admission = Admission::new(&[]);
    admission.admit(plugin.clone()).await.expect("a sound plugin");
    assert_eq!(admission.kept.loads(), 1, "the child's code is the host's");

    let restarted = Admission::on(admission.folder, &[]);
    restarted.admit(plugin).await.expect("a sound plugin");
    assert_eq!(restarted.kept.loads(), 1);

    // The settings of running change nothing about the code.
    let other = Admission::on(restarted.folder, &["limits.guest_memory_mib=32", "limits.concurrent_requests=8"]);
    let plugin = std::fs::read(guests::file("checkout_discount")).expect("it was built");
    other.admit(plugin).await.expect("a sound plugin");
    assert_eq!(other.kept.loads(), 1);
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = |folder: PathBuf| std::fs::read_dir(folder).expect("kept").flatten().map(|entry| entry.path());
    listed(folder.join("code/modules")).flat_map(listed).filter(|path| path.extension().is_none()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_kept_code_is_damaged_it_is_compiled_anew() {
    let plugin = std::fs::read(guests::file("checkout_discount")).expect("it was built");
    let admission = Admission::new(&[]);
    admission.admit(plugin.clone()).await.expect("a sound plugin");
    for file in entries(admission.folder.path()) {
        let mut whole = std::fs::read(&file).expect("a file");
        let at = whole.len() / 2;
        whole[at] ^= 1;
        std::fs::write(&file, whole).expect("a file");
    }
    let restarted = Admission::on(admission.folder, &[]);
    assert!(entries(restarted.folder.path()).is_empty(), "nobody is shown damaged code");
    restarted.admit(plugin).await.expect("a sound plugin");
    assert_eq!(restarted.kept.loads(), 1, "the child has mended it");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_program_nothing_is_compiled() {
    let mut admission = Admission::new(&[]);
    let compiler = Compiler::with_child("/nowhere/till".into());
    admission.engine = Arc::new(Engine::with(&admission.settings.limits, compiler).expect("an engine"));
    let refused = admission.admit(checkout_with(MODULE, "(module)")).await.expect_err("no child");
    assert!(refused.contains("it can't be tried out"), "{refused}");
}
