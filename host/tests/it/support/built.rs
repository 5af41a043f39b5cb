//! Plugins that are built when somebody wants them: the fixture guests of `tests/guests`, and the samples in Rust.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

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

/// Returns a fixture guest; all of them are built first if need be.
pub(crate) fn guest(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(build).join(name).with_extension("wasm");
    assert!(path.is_file(), "there is no guest {name}");
    path
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
