//! The fixture guests of `tests/guests`, as plugin files and folders.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) use super::built::{guest as file, sample};
use super::{component::hostile, host::till};

/// A folder with a checkout and an inventory plugin.
#[derive(Debug)]
pub(crate) struct PluginFolder(TempDir);

impl PluginFolder {
    /// Returns a folder with these files and the built-in plugins of these kinds.
    pub(crate) fn of(files: &[&Path], built_in: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            std::fs::copy(file, folder.path().join(file.file_name().expect("a name"))).expect("the plugin is copied");
        }
        for kind in built_in {
            let exported = till().args(["plugin", "export", kind]).arg(folder.path().join("built_in.wasm")).status();
            assert!(exported.expect("till starts").success());
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        std::fs::read_dir(self.path()).into_iter().flatten().flatten().map(|entry| entry.path())
    }
}

/// Returns the guest's bytes, also of one that no compiler writes.
pub(crate) fn bytes_of(guest: &str) -> Vec<u8> {
    hostile(guest).unwrap_or_else(|| std::fs::read(file(guest)).expect("the guest is read"))
}

/// Returns a folder with this guest, named `checkout_…` or `inventory_…`, and the built-in plugin of the other kind.
pub(crate) fn built_in_and(guest: &str) -> PluginFolder {
    let other = if guest.starts_with("inventory") { "checkout" } else { "inventory" };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(format!("{guest}.wasm")), bytes_of(guest)).expect("the guest is copied");
    let exported = till().args(["plugin", "export", other]).arg(folder.path().join("built_in.wasm")).status();
    assert!(exported.expect("till starts").success());
    PluginFolder(folder)
}
