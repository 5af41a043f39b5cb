//! The fixture guests of `tests/guests`, as plugin files and folders.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use super::{component::hostile, host::till};

/// The sample plugins that are written in Rust.
const SAMPLES: [&str; 7] = [
    "percent-with-code",
    "volume-discount",
    "free-delivery",
    "bundle-expand",
    "cart-limits",
    "province-tax",
    "carrier-rates",
];

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
}

/// Returns the guest's file, which is built first if need be.
pub(crate) fn file(guest: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(build).join(guest).with_extension("wasm");
    assert!(path.is_file(), "there is no guest {guest}");
    path
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

/// Returns a sample plugin of `plugins/examples` that is written in Rust; all of them are built first if need be.
pub(crate) fn sample(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let packages = SAMPLES.iter().flat_map(|sample| ["--package", sample]);
        cargo(&packages.chain(["--lib"]).collect::<Vec<_>>())
    });
    let path = built.join(name.replace('-', "_")).with_extension("wasm");
    assert!(path.is_file(), "there is no sample {name}");
    path
}

/// Builds all guests and returns where they are.
fn build() -> PathBuf {
    cargo(&["--package", "till-test-guests", "--examples"]).join("examples")
}

/// Builds plugins, as `host/build.rs` builds the built-in ones, and returns where they are.
fn cargo(what: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked"]).args(what);
    cargo.args(["--target", "wasm32-wasip2", "--profile", "plugin", "--target-dir"]).arg(&target);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.contains("RUSTFLAGS") || name.contains("RUSTC_") || name.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(&variable);
        }
    }
    assert!(cargo.status().expect("cargo runs").success(), "the plugins don't build");
    target.join("wasm32-wasip2/plugin")
}
