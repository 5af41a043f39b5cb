//! From an empty folder to live traffic in every language, with nothing but the program: `till plugin new`, the one
//! command that it prints, check, deploy, and a checkout that the new plugin decides.
//!
//! How long each step took is printed (`-- --nocapture`) and compared with nothing.

use std::{
    path::Path,
    process::{Command, Output},
    time::Instant,
};

use crate::support::{Host, host::till};

/// The tools that `make plugins` has installed; without them each folder would install its own.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/.tools");
/// A host that isn't optimised takes minutes for a Python.
const COMPILE_MS: &str = "600000";

#[test]
fn a_new_plugin_in_rust_sells() {
    check("rust");
}

#[test]
fn a_new_plugin_in_c_sells() {
    check("c");
}

#[test]
fn a_new_plugin_in_go_sells() {
    check("go");
}

#[test]
fn a_new_plugin_in_javascript_sells() {
    check("js");
}

#[test]
fn a_new_plugin_in_typescript_sells() {
    check("ts");
}

#[test]
fn a_new_plugin_in_python_sells() {
    check("python");
}

fn check(language: &str) {
    let host = Host::plan().set(format!("limits.compile_ms={COMPILE_MS}")).start();
    for (kind, span) in [("checkout", "checkout_transaction"), ("inventory", "inventory_deduct_span")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let name = format!("first-{kind}");
        let step =
            |what: &str, command: &mut Command| timed(&format!("{language} {kind}: {what}"), command, folder.path());

        let told = step("new", till().args(["plugin", "new", &name, "--kind", kind, "--lang", language]));
        let build = format!("make -C {name}");
        assert!(told.contains(&build), "{told}");
        let component = format!("{name}/build/{name}.wasm");
        step("make", &mut make(&build));
        // As an author does next: a second build finds what the first one left.
        let source = folder.path().join(&name).join(source(language, kind));
        std::fs::write(&source, std::fs::read_to_string(&source).expect("a source") + "\n").expect("it is changed");
        step("make again", &mut make(&build));
        let checked =
            step("check", till().args(["plugin", "check", &component]).env("TILL_LIMITS_COMPILE_MS", COMPILE_MS));
        assert!(checked.contains(&name), "{checked}");
        let admin = format!("http://{}", host.admin.address);
        step("deploy", till().args(["plugin", "deploy", &component, "--kind", kind, "--admin", &admin]));

        let began = Instant::now();
        let sold = host.shop.buy("headphones", 2);
        println!("{language} {kind}: checkout {:?}", began.elapsed());
        assert_eq!(sold.status, 200, "{}", sold.text());
        let trace = host.admin.get(&format!("/recent/traces/{}", sold.trace_id())).json();
        assert_eq!(plugin_of(&trace, span), name, "{trace:#}");
    }
    host.stop();
}

fn make(build: &str) -> Command {
    let mut make = Command::new("sh");
    make.args(["-c", build]).env("TILL", till().get_program()).env("TILL_PLUGIN_TOOLS", TOOLS);
    make
}

fn source(language: &str, kind: &str) -> String {
    match language {
        "rust" => "src/lib.rs".to_owned(),
        "python" => format!("{kind}.py"),
        other => format!("{kind}.{other}"),
    }
}

fn timed(step: &str, command: &mut Command, folder: &Path) -> String {
    let began = Instant::now();
    let Output { status, stdout, stderr } = command.current_dir(folder).output().expect("it starts");
    println!("{step} {:?}", began.elapsed());
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success(), "{step}: {status}\n{stdout}{stderr}");
    stdout
}

/// Returns the name of the plugin whose call the span is.
fn plugin_of(trace: &serde_json::Value, span: &str) -> String {
    let spans = trace["trace"]["spans"].as_array().expect("spans");
    let found = spans.iter().find(|found| found["operationName"] == span).expect("the plugin's span");
    let tags = found["tags"].as_array().expect("tags");
    let name = tags.iter().find(|tag| tag["key"] == "plugin.name").expect("its plugin's name");
    name["value"].as_str().expect("a name").to_owned()
}
