//! Compiled code for the hosts of tests that aren't about compiling: authors' commands keep it, a host finds it in its data.
//!
//! It is kept by the component's bytes (`cli/plugin/code.rs`) in the cache of all tests, and is compiled anew by a host
//! that has other limits, or doesn't find it.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{host::till, registry::digest};

/// What all tests' commands have as `XDG_CACHE_HOME`.
pub(crate) const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");

/// From this size on, a component isn't compiled for each host.
const LARGE_BYTES: u64 = 1 << 20;

/// Gives a host with this data the built-in plugins' code.
pub(crate) fn give_built_in(data: &Path) {
    static BUILT_IN: OnceLock<[PathBuf; 2]> = OnceLock::new();
    let built_in = BUILT_IN.get_or_init(|| {
        ["checkout", "inventory"].map(|kind| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let component = folder.path().join("built_in.wasm");
            for arguments in [&["plugin", "export", kind][..], &["plugin", "check"]] {
                let ended = till().args(arguments).arg(&component).output().expect("till starts");
                assert!(ended.status.success(), "{ended:?}");
            }
            kept(&component)
        })
    });
    for kept in built_in {
        copy_code(kept, data);
    }
}

/// Gives a host with this data the code of a component that takes seconds to compile, as those of JavaScript and Python do. It is
/// compiled by the first test that wants it.
pub(crate) fn give_large(data: &Path, component: &Path) {
    if fs::metadata(component).is_ok_and(|file| file.len() >= LARGE_BYTES) {
        let kept = kept(component);
        if !kept.join("sums").exists() {
            // Whether a host takes it is the test's question.
            _ = till().args(["plugin", "check", "--set", "limits.compile_ms=600000"]).arg(component).output();
        }
        copy_code(&kept, data);
    }
}

/// Gives a host with this data the code of a component that an author's command has compiled.
pub(crate) fn give(data: &Path, component: &Path) {
    copy_code(&kept(component), data);
}

/// Returns the folder of a component's code, where an author's command keeps it.
fn kept(component: &Path) -> PathBuf {
    let digest = digest(&fs::read(component).expect("the component is read"));
    Path::new(CACHE).join("till").join(digest.trim_start_matches("sha256:"))
}

fn copy_code(kept: &Path, data: &Path) {
    for part in ["code", "sums"] {
        copy(&kept.join(part), &data.join("compiled").join(part));
    }
}

/// Copies what is there; commands may delete it meanwhile.
fn copy(from: &Path, to: &Path) {
    _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(to);
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else if !to.exists() {
            _ = fs::copy(from, to);
        }
    }
}
