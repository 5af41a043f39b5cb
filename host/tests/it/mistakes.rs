//! Ten mistakes of authors, in two languages at least: what `till plugin check` says of each, or `till plugin run` where the
//! file is taken. Each message says what was expected, what was found and what to change.
//!
//! | mistake | Rust, or by hand | JavaScript | Python, C |
//! |---|---|---|---|
//! | wrong export name | `neither_world` | `wrong_export_name` | |
//! | wrong type | `wrong_types` | `wrong_type` | |
//! | other package version | `other_version` | `other_version` | |
//! | core module | by hand | | C's `core.wasm` |
//! | missing function | by hand | `missing_function` | |
//! | panic or exception | `probe_trap` | `exception` | `exception` |
//! | endless loop | by hand | `endless_loop` | |
//! | importing a file system | `checkout_reads_file` | | `file_system` |
//! | forgotten span end | `checkout_span_left_open` | `span_left_open` | |
//! | result that doesn't add up | `checkout_bad_total` | `bad_total` | |

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::json;

use crate::support::{component, golden, guests, host::till, steady, toolchain::Project};

/// Returns what an author is told of the file, and of its first call.
fn told(name: &str, file: &Path) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wasm = format!("{name}.wasm");
    std::fs::copy(file, folder.path().join(&wasm)).expect("the plugin is copied");
    let case = json!({ "stock": { "tea": 10 }, "lines": [{ "item": "tea", "quantity": 2, "price": 4.5 }] });
    std::fs::write(folder.path().join("case.json"), case.to_string()).expect("the case is written");
    let till = |arguments: &[&str]| {
        let mut till = till();
        // For an endless loop long enough, and for a busy machine: compiling CPython takes it seconds, or minutes.
        till.env("TILL_LIMITS_GUEST_CPU_MS", "500").env("TILL_LIMITS_COMPILE_MS", "600000");
        till.arg("plugin").args(arguments).current_dir(folder.path());
        till.output().expect("till starts")
    };
    let checked = till(&["check", &wasm]);
    if !checked.status.success() {
        return shown(&format!("till plugin check {wasm}"), &checked);
    }
    shown(&format!("till plugin run {wasm} --input case.json"), &till(&["run", &wasm, "--input", "case.json"]))
}

fn shown(command: &str, output: &Output) -> String {
    let text = |bytes: &[u8]| steady::text(&String::from_utf8_lossy(bytes));
    format!("$ {command}\n{}{}\n", text(&output.stdout), text(&output.stderr))
}

#[test]
fn mistakes_in_rust_are_told_with_what_to_change() {
    let by_hand = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: Vec<u8>| {
        let path = by_hand.path().join(name);
        std::fs::write(&path, bytes).expect("the plugin is written");
        path
    };
    let hollow = r#"(component (instance $hollow) (export "till:plugin/checkout@0.1.0" (instance $hollow)))"#;
    let spinning = component::Code { call: component::SPIN, ..component::Code::default() };
    let files: [(&str, PathBuf); 10] = [
        ("wrong_export_name", guests::file("neither_world")),
        ("wrong_type", guests::file("wrong_types")),
        ("other_version", guests::file("other_version")),
        ("core_module", write("core", b"\0asm\x01\0\0\0".to_vec())),
        ("missing_function", write("hollow", wat::parse_str(hollow).expect("sound WAT"))),
        ("panic", guests::file("probe_trap")),
        ("endless_loop", write("spinning", component::checkout(spinning))),
        ("file_system", guests::file("checkout_reads_file")),
        ("span_left_open", guests::file("checkout_span_left_open")),
        ("bad_total", guests::file("checkout_bad_total")),
    ];
    let messages: String = files.iter().map(|(name, file)| told(name, file)).collect();
    golden::check("mistakes_rust.txt", &messages);
}

/// Returns a project in JavaScript that has this one mistake.
fn javascript(mistake: &str) -> Project {
    let project = Project::checkout(&mistake.replace('_', "-"), "js");
    project.write("checkout.js", &source(&format!("{mistake}.js")));
    project
}

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes").join(name);
    std::fs::read_to_string(path).expect("it is there")
}

#[test]
fn mistakes_in_javascript_are_told_with_what_to_change() {
    let mistakes = [
        "right",
        "wrong_export_name",
        "wrong_type",
        "missing_function",
        "exception",
        "endless_loop",
        "span_left_open",
        "bad_total",
    ];
    let mut messages: String = mistakes.iter().map(|mistake| told(mistake, &javascript(mistake).built())).collect();
    messages += &of_another_release();
    golden::check("mistakes_javascript.txt", &messages);
}

/// Builds against WIT of another release, and says what comes of it.
fn of_another_release() -> String {
    let project = javascript("right");
    for folder in ["wit/v0.1", "kits/js"] {
        for entry in std::fs::read_dir(project.path().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).expect("it is read");
                let text = text.replace("package till:plugin@0.1.0", "package till:plugin@0.2.0");
                let text = text.replace("@0.1.0\";", "@0.2.0\";");
                std::fs::write(&path, text).expect("it is written");
            }
        }
    }
    told("other_version", &project.built())
}

#[test]
fn mistakes_in_python_are_told_with_what_to_change() {
    let mistakes = ["exception", "file_system"].map(|mistake| {
        let project = Project::checkout(&mistake.replace('_', "-"), "python");
        project.write("checkout.py", &source(&format!("{mistake}.py")));
        told(mistake, &project.built())
    });
    golden::check("mistakes_python.txt", &mistakes.concat());
}

#[test]
fn what_a_c_compiler_leaves_is_told_with_the_step_that_is_missing() {
    let project = Project::checkout("unpacked", "c");
    project.built();
    let core = project.path().join("build/core.wasm");
    golden::check("mistakes_c.txt", &told("core", &core));
}
