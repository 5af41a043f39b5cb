//! From an empty folder to live traffic in every language, with nothing but the program: `till plugin new`, the one
//! command that it prints, check, run, test, deploy, and a checkout that the new plugin decides.
//!
//! How long each step took is printed (`-- --nocapture`) and compared with nothing.

use std::{
    process::{Command, Output},
    time::Instant,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Host, Plan, host::till};

/// The tools that `make plugins` has installed; without them each folder would install its own.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/.tools");
/// A host that isn't optimised takes minutes for a Python, and a slow core more than 10 ms to begin one.
const LIMITS: [(&str, &str); 3] = [("compile_ms", "600000"), ("guest_cpu_ms", "1000"), ("hook_cpu_ms", "1000")];

const NAME: &str = "first";
const BUILD: &str = "make -C first";
const COMPONENT: &str = "first/build/first.wasm";

#[test]
fn a_new_plugin_in_rust_sells() {
    check("rust");
}

#[test]
fn a_new_plugin_in_c_sells() {
    check("c");
}

#[test]
fn a_new_plugin_in_cpp_sells() {
    check("cpp");
}

#[test]
fn a_new_plugin_in_zig_sells() {
    check("zig");
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
    let limits = LIMITS.map(|(name, value)| format!("limits.{name}={value}"));
    let host = limits.into_iter().fold(Host::plan(), Plan::set).start();
    // What a crate's first build compiles of others' is compiled once: the first plugin is built as a newcomer does.
    let built = tempfile::tempdir().expect("a temporary folder");
    for (kind, span) in [("checkout", "checkout_transaction"), ("inventory", "inventory_deduct_span")] {
        let author = Author { language, kind, folder: tempfile::tempdir().expect("a temporary folder") };
        author.begin();
        if kind == "checkout" {
            author.build_twice();
        } else {
            author.build_within(&built);
        }
        author.try_out(span);
        author.deploy(&host);

        let began = Instant::now();
        let sold = host.shop.buy("headphones", 2);
        println!("{language} {kind}: checkout {:?}", began.elapsed());
        assert_eq!(sold.status, 200, "{}", sold.text());
        let trace = host.admin.get(&format!("/recent/traces/{}", sold.trace_id())).json();
        assert_eq!(plugin_of(&trace, span), NAME, "{trace:#}");
    }
    let author = Author { language, kind: "validation", folder: tempfile::tempdir().expect("a temporary folder") };
    author.begin();
    author.build_within(&built);
    author.check_and_test();
    author.install(&host, "validation/most");
    let refused = host.shop.buy("headphones", 11);
    assert_eq!((refused.status, &*refused.code()), (422, "cart_refused"), "{}", refused.text());
    let wrong = &refused.json()["errors"];
    // The request is its only line, so that the line is the whole of it.
    assert_eq!((&wrong[0]["code"], &wrong[0]["field"]), (&json!("too-many"), &json!("")), "{wrong}");
    assert_eq!(host.shop.buy("headphones", 10).status, 200);
    host.stop();
}

#[test]
fn each_hooks_template_in_rust_decides_its_cases() {
    check_hooks("rust");
}

#[test]
fn each_hooks_template_in_javascript_decides_its_cases() {
    check_hooks("js");
}

/// Begins, builds and tests a plugin of each kind that has cases for a new plugin, but for those that `check` deploys.
fn check_hooks(language: &str) {
    let kinds = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/templates/kinds")).expect("kinds");
    let kinds = kinds.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let hooks: Vec<String> = kinds.filter(|kind| !["checkout", "inventory", "validation"].contains(&&**kind)).collect();
    assert_eq!(hooks.len(), 7, "{hooks:?}");
    let built = tempfile::tempdir().expect("a temporary folder");
    for kind in &hooks {
        let author = Author { language, kind, folder: tempfile::tempdir().expect("a temporary folder") };
        author.begin();
        // What all of them depend on is built once.
        author.build_within(&built);
        author.check_and_test();
    }
}

/// Who writes a plugin named `first` in a folder of its own.
struct Author<'a> {
    language: &'a str,
    kind: &'a str,
    folder: TempDir,
}

impl Author<'_> {
    fn begin(&self) {
        let told = self.step("new", till().args(["plugin", "new", NAME, "--kind", self.kind, "--lang", self.language]));
        assert!(told.contains(BUILD), "{told}");
    }

    fn build_twice(&self) {
        self.step("make", &mut make());
        // As an author does next: a second build finds what the first one left.
        let source = self.folder.path().join(NAME).join(self.source());
        std::fs::write(&source, std::fs::read_to_string(&source).expect("a source") + "\n").expect("it is changed");
        self.step("make again", &mut make());
    }

    /// Builds it with what others have built in that folder of what plugins depend on.
    fn build_within(&self, built: &TempDir) {
        self.step("make", make().env("TARGET_FOLDER", built.path()));
    }

    fn try_out(&self, span: &str) {
        let ran = self.step("run", &mut plugin(&["run", COMPONENT, "--input", "first/cases/success.json"]));
        assert!(ran.contains(span), "{ran}");
        self.check_and_test();
    }

    fn check_and_test(&self) {
        let checked = self.step("check", &mut plugin(&["check", COMPONENT]));
        assert!(checked.contains(NAME), "{checked}");
        self.step("test", &mut plugin(&["test", COMPONENT, "first/cases"]));
    }

    fn install(&self, host: &Host, at: &str) {
        let (hook, name) = at.split_once('/').expect("HOOK/NAME");
        let url = self.admin_with_code(host);
        let mut install = plugin(&["install", COMPONENT, "--hook", hook, "--as", name, "--admin", &url]);
        self.step("install", &mut install);
    }

    fn deploy(&self, host: &Host) {
        let url = self.admin_with_code(host);
        self.step("deploy", till().args(["plugin", "deploy", COMPONENT, "--kind", self.kind, "--admin", &url]));
    }

    /// Returns where the host is asked, which finds the code that `check` has compiled.
    fn admin_with_code(&self, host: &Host) -> String {
        host.takes_code_of(&self.folder.path().join(COMPONENT));
        format!("http://{}", host.admin.address)
    }

    fn source(&self) -> String {
        match self.language {
            "rust" => "src/lib.rs".to_owned(),
            "python" => format!("{}.py", self.kind),
            other => format!("{}.{other}", self.kind),
        }
    }

    fn step(&self, what: &str, command: &mut Command) -> String {
        let step = format!("{} {}: {what}", self.language, self.kind);
        let began = Instant::now();
        let Output { status, stdout, stderr } = command.current_dir(&self.folder).output().expect("it starts");
        println!("{step} {:?}", began.elapsed());
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(status.success(), "{step}: {status}\n{stdout}{stderr}");
        stdout
    }
}

fn plugin(arguments: &[&str]) -> Command {
    let mut command = till();
    let limits = LIMITS.map(|(name, value)| (format!("TILL_LIMITS_{}", name.to_uppercase()), value));
    command.arg("plugin").args(arguments).envs(limits);
    command
}

fn make() -> Command {
    let mut make = Command::new("sh");
    make.args(["-c", BUILD]).env("TILL", till().get_program()).env("TILL_PLUGIN_TOOLS", TOOLS);
    make
}

/// Returns the name of the plugin whose call the span is.
fn plugin_of(trace: &serde_json::Value, span: &str) -> String {
    let spans = trace["trace"]["spans"].as_array().expect("spans");
    let found = spans.iter().find(|found| found["operationName"] == span).expect("the plugin's span");
    let tags = found["tags"].as_array().expect("tags");
    let name = tags.iter().find(|tag| tag["key"] == "plugin.name").expect("its plugin's name");
    name["value"].as_str().expect("a name").to_owned()
}
