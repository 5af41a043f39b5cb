//! Mistakes of authors: what `till plugin check` says of each, or `till plugin run` where the file is taken. Each message
//! says what was expected, what was found and what to change, in the words of the author's language where it has some.
//!
//! | mistake | Rust, or by hand | JavaScript | Python, C, C++, Zig, Go |
//! |---|---|---|---|
//! | wrong export name | `neither_world` | `wrong_export_name` | |
//! | wrong type | `wrong_types` | `wrong_type` | |
//! | other package version | `other_version` | `other_version` | |
//! | core module | by hand | | C's `core.wasm` |
//! | missing function | by hand | `missing_function` | |
//! | panic | `probe_trap` | | |
//! | importing a file system | `checkout_reads_file` | | in `tries` |
//! | forgotten span end | `checkout_span_left_open` | in `tries` | |
//! | result that doesn't add up | `checkout_bad_total` | in `tries` | |
//! | exceptions, amounts that are none, attributes that don't fit | `checkout_tries` | `tries` | `tries` |

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};

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
        // Long enough to notice an endless loop, and for a busy machine, on which compiling CPython may take minutes.
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
    let mistakes = ["right", "wrong_export_name", "missing_function"];
    let mut messages: String = mistakes.iter().map(|mistake| told(mistake, &javascript(mistake).built())).collect();
    messages += &of_another_release();
    golden::check("mistakes_javascript.txt", &messages);
}

#[test]
fn a_build_in_javascript_checks_types() {
    let said = javascript("wrong_type").build().expect_err("a text where the interface has a number");
    assert!(
        said.contains("checkout.js(") && said.contains("Type 'string' is not assignable to type 'number'"),
        "{said}"
    );
}

/// Mistakes that every language has a `tries` for; the setting `do` names them.
const OF_ALL: [&str; 4] = ["telemetry", "too_large", "adjustment", "minus"];
/// Mistakes that only a language without types lets pass.
const OF_UNTYPED: [&str; 10] =
    ["clock", "exception", "negative", "text", "fraction", "not_a_number", "left_out", "line", "percent", "quantity"];

#[test]
fn what_cannot_be_handed_over_is_told_in_javascript() {
    let of_javascript =
        ["undefined_name", "bigint", "effect", "label", "rounding", "bad_total", "endless_loop", "span_left_open"];
    let mistakes = [&OF_ALL[..], &OF_UNTYPED, &of_javascript].concat();
    golden::check("tries_javascript.txt", &tried(&javascript("tries").built(), &mistakes));
}

#[test]
fn what_cannot_be_handed_over_is_told_in_python() {
    let of_python =
        ["print", "strptime", "import_within", "import_rarely", "import_by_name", "codec", "file_system", "rounding"];
    let mistakes = [&OF_ALL[..], &OF_UNTYPED, &of_python].concat();
    golden::check("tries_python.txt", &tried(&project("python", "py").built(), &mistakes));
}

#[test]
fn what_cannot_be_handed_over_is_told_in_compiled_languages() {
    let typed = [&OF_ALL[..], &["wrapped"]].concat();
    let rust = [&typed[..], &["percent"]].concat();
    golden::check("tries_rust.txt", &tried(&guests::file("checkout_tries"), &rust));
    let c = [&typed[..], &["rounding"]].concat();
    golden::check("tries_c.txt", &tried(&project("c", "c").built(), &c));
    // Neither lets a number that is no rounding through.
    golden::check("tries_cpp.txt", &tried(&project("cpp", "cpp").built(), &[&typed[..], &["index"]].concat()));
    golden::check("tries_zig.txt", &tried(&project("zig", "zig").built(), &[&typed[..], &["overflow"]].concat()));
    let go = [&typed[..], &["effect", "rounding"]].concat();
    golden::check("tries_go.txt", &tried(&project("go", "go").built(), &go));
}

/// Returns a project whose source is `tries` in that language.
fn project(language: &str, extension: &str) -> Project {
    let project = Project::checkout("tries", language);
    project.write(&format!("checkout.{extension}"), &source(&format!("tries.{extension}")));
    project
}

/// Makes a call for each mistake, and returns what its author sees of it: the decision, the first line of each log line and
/// what stands on the spans. Without what is printed beside an error that was logged, which is the toolchains' own.
fn tried(file: &Path, mistakes: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let case = json!({ "stock": { "tea": 10 }, "lines": [{ "item": "tea", "quantity": 2, "price": 4.5 }] });
    std::fs::write(folder.path().join("case.json"), case.to_string()).expect("the case is written");
    let call = |mistake: &&str| {
        let mut run = till();
        run.current_dir(folder.path()).args(["plugin", "run", "--json", "--input", "case.json"]);
        run.arg("--set").arg(format!("do={mistake}")).arg(file).env("TILL_LIMITS_GUEST_CPU_MS", "500");
        let ran = run.output().expect("till starts");
        let call: Value = serde_json::from_slice(&ran.stdout)
            .unwrap_or_else(|_| panic!("{mistake}: {}", String::from_utf8_lossy(&ran.stderr)));
        let mut shown = format!("{mistake}: {}\n", call["outcome"].as_str().expect("a word"));
        shown += &call["detail"].as_str().map(|detail| format!("  because {detail}\n")).unwrap_or_default();
        let lines = call["log"].as_array().expect("a list");
        let has_error = lines.iter().any(|line| line["level"] == "ERROR");
        for line in lines.iter().filter(|line| !has_error || line["attributes"]["stream"].is_null()) {
            let message = line["message"].as_str().expect("a text").lines().next().unwrap_or_default();
            shown += &format!("  {} {message}{}\n", line["level"].as_str().expect("a level"), attributes(line));
        }
        call["spans"].as_array().expect("a list").iter().for_each(|span| shown += &spans(span, 1));
        steady::text(&shown)
    };
    mistakes.iter().map(call).collect()
}

fn spans(span: &Value, depth: usize) -> String {
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let mut shown = format!("{}{}{}\n", "  ".repeat(depth), name(span), attributes(span));
    for event in span["events"].as_array().expect("a list") {
        shown += &format!("{}* {}{}\n", "  ".repeat(depth + 1), name(event), attributes(event));
    }
    span["spans"].as_array().expect("a list").iter().fold(shown, |shown, below| shown + &spans(below, depth + 1))
}

/// Returns the attributes that the plugin has set, or caused.
fn attributes(of: &Value) -> String {
    let attributes = of["attributes"].as_object().expect("an object");
    let is_hosts = |key: &str| ["plugin.", "inventory.", "error.", "db."].iter().any(|prefix| key.starts_with(prefix));
    let own = attributes.iter().filter(|(key, _)| !is_hosts(key) || key.contains("dropped"));
    own.map(|(key, value)| format!(" {key}={value}")).collect()
}

/// Builds against the WIT of another release, and returns the outcome.
fn of_another_release() -> String {
    let project = javascript("right");
    // The types are of this release.
    std::fs::remove_file(project.path().join("jsconfig.json")).expect("it is there");
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
fn what_a_c_compiler_leaves_is_told_with_the_step_that_is_missing() {
    let project = Project::checkout("unpacked", "c");
    project.built();
    let core = project.path().join("build/core.wasm");
    golden::check("mistakes_c.txt", &told("core", &core));
}
