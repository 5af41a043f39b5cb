//! Builds the default plugins for WebAssembly, so that the binary can carry them, and encodes the WIT that others are
//! compared with.
//!
//! The plugins go into a target folder of their own: cargo holds a lock on the one that is being built into now.

#![expect(clippy::expect_used, reason = "a build script's panic is its message")]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "plugin";

fn main() {
    require_target();
    let manifest_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = manifest_folder.parent().expect("the host lies in the workspace").to_owned();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("plugins");
    // Of the plugins not the whole folders: what their Makefiles build there is no reason to build the host again.
    for changed in [
        "plugins/checkout/src",
        "plugins/checkout/Cargo.toml",
        "plugins/inventory/src",
        "plugins/inventory/Cargo.toml",
        "plugins/sdk",
        "plugins/kits",
        "plugins/templates",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        "host/src/admin/page",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(changed).display());
    }
    build(&workspace, &out);
    for (variable, track) in [("BUILT_WIT_0_1", "v0.1"), ("BUILT_WIT_0_2", "v0.2")] {
        let wit = out.with_file_name(format!("wit-{track}.wasm"));
        std::fs::write(&wit, encoded(&workspace.join("wit").join(track))).expect("the encoded WIT is written");
        println!("cargo::rustc-env={variable}={}", wit.display());
    }
    for (variable, file) in [("BUILT_CHECKOUT_PLUGIN", "till_checkout"), ("BUILT_INVENTORY_PLUGIN", "till_inventory")] {
        let path = out.join(TARGET).join(PROFILE).join(file).with_extension("wasm");
        println!("cargo::rustc-env={variable}={}", path.display());
    }
}

/// Says what is missing before anything is built that needs it. rustup adds the target by itself where it may: not with
/// `RUSTUP_AUTO_INSTALL=0`.
fn require_target() {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets it"));
    let libraries = rustc.args(["--print", "target-libdir", "--target", TARGET]).output().expect("cargo runs rustc");
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    assert!(
        libraries.is_dir(),
        "this toolchain can't build for {TARGET}, which the built-in plugins are built for; add it with: rustup target \
         add {TARGET} (`make` does that by itself)"
    );
}

fn encoded(wit: &Path) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit).expect("the WIT is sound");
    wit_component::encode(&resolve, package).expect("the WIT is encoded")
}

fn build(workspace: &Path, out: &Path) {
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    cargo.args(["build", "--locked", "--package", "till-checkout", "--package", "till-inventory"]);
    cargo.args(["--target", TARGET, "--profile", PROFILE]).arg("--target-dir").arg(out).current_dir(workspace);
    // What is set for the host's build (a linter as compiler, flags for the processor) isn't for the guests'.
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        if name.contains("RUSTFLAGS") || name.contains("RUSTC_") || name.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(&variable);
        }
    }
    let status = cargo.status().expect("cargo runs cargo");
    assert!(status.success(), "the default plugins don't build");
}
