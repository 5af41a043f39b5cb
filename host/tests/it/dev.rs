//! `till plugin dev`: from a saved file to the running host.
//!
//! The compiler of these folders is a line of shell that takes the name of a component for its source; all else is real.

use std::{
    fs::File,
    path::Path,
    process::{Child, Output, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Host, eventually, guests::file, host::till};

const MAKEFILE: &str = "\
build/plugin.wasm: source.txt
\t@mkdir -p build
\t@grep -q '^/' source.txt || { echo 'source.txt:1: error: a path was expected' >&2; exit 1; }
\t@cp $$(cat source.txt) $@
";

/// A folder with a plugin's sources.
struct Sources(TempDir);

impl Sources {
    fn of(guest: &str) -> Self {
        let sources = Self(tempfile::tempdir().expect("a temporary folder"));
        sources.write("Makefile", MAKEFILE);
        sources.save(&file(guest).display().to_string());
        sources
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
    }

    /// Saves the source as an editor does: beside it first.
    fn save(&self, text: &str) {
        self.write(".source.txt.new", text);
        std::fs::rename(self.path().join(".source.txt.new"), self.path().join("source.txt")).expect("renamed");
    }

    fn case(&self, outcome: &str) {
        let case = json!({ "stock": { "tea": 1 }, "lines": [{ "item": "tea", "quantity": 1, "price": 5 }],
            "expect": { "outcome": outcome } });
        self.write("cases/tea.json", &case.to_string());
    }

    fn once(&self, host: &Host) -> Output {
        let admin = format!("http://{}", host.admin.address);
        let mut dev = till();
        dev.args(["plugin", "dev", "--once", "--admin", &admin]).arg(self.path());
        dev.env("TILL_LIMITS_GUEST_CPU_MS", "1000").output().expect("till starts")
    }
}

fn live(host: &Host) -> String {
    let listed = host.admin.get("/plugins").json();
    let plugins = listed["plugins"].as_array().expect("a list").clone();
    let checkout = plugins.iter().find(|plugin| plugin["kind"] == "checkout").expect("a checkout");
    checkout["digest"].as_str().expect("a digest").to_owned()
}

fn said(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).expect("UTF-8")
}

#[test]
fn once_builds_tests_and_deploys_or_says_what_failed() {
    let host = Host::start();
    let built_in = live(&host);
    let sources = Sources::of("checkout_pricing");
    sources.case("rejected");
    let failed = sources.once(&host);
    assert_eq!(failed.status.code(), Some(1));
    assert!(said(&failed.stdout).contains("- rejected"), "{}", said(&failed.stdout));
    assert!(said(&failed.stderr).contains("1 of 1 cases aren't as expected"), "{}", said(&failed.stderr));
    assert_eq!(live(&host), built_in, "what fails its cases isn't deployed");

    sources.case("ok");
    let done = sources.once(&host);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done.stderr));
    assert!(said(&done.stdout).contains("ok    tea.json") && said(&done.stdout).contains("is live"));
    let pricing = live(&host);
    assert_ne!(pricing, built_in);

    sources.save("no path");
    let failed = sources.once(&host);
    assert_eq!(failed.status.code(), Some(1));
    let stderr = said(&failed.stderr);
    assert!(stderr.contains("source.txt:1: error: a path was expected"), "{stderr}");
    assert!(stderr.contains("what it said stands above"), "{stderr}");
    assert_eq!(live(&host), pricing);

    let empty = tempfile::tempdir().expect("a temporary folder");
    let refused = till().args(["plugin", "dev", "--once"]).arg(empty.path()).output().expect("till starts");
    assert!(said(&refused.stderr).contains("has no Makefile"), "{}", said(&refused.stderr));
    host.stop();
}

/// A `till plugin dev` that goes on.
struct Watching {
    child: Child,
    told: TempDir,
}

impl Watching {
    fn start(sources: &Sources, host: &Host) -> Self {
        let told = tempfile::tempdir().expect("a temporary folder");
        let file = File::create(told.path().join("told")).expect("a file");
        let admin = format!("http://{}", host.admin.address);
        let mut dev = till();
        dev.args(["plugin", "dev", "--admin", &admin]).arg(sources.path()).env("TILL_LIMITS_GUEST_CPU_MS", "1000");
        dev.stdout(file.try_clone().expect("a file")).stderr(file).stdin(Stdio::null());
        Self { child: dev.spawn().expect("till starts"), told }
    }

    /// Waits until it has said that, and has waited for a change so often.
    fn has_told(&self, text: &str, rounds: usize) {
        eventually(text, || {
            let told = std::fs::read_to_string(self.told.path().join("told")).expect("it tells");
            (told.contains(text) && told.matches("waiting for a change").count() >= rounds).then_some(())
        });
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_change_is_live_by_itself_and_no_failure_ends_it() {
    let host = Host::plan().warns("no plugin was changed: plugin.wasm is refused").start();
    let built_in = live(&host);
    let sources = Sources::of("checkout_pricing");
    let watching = Watching::start(&sources, &host);
    watching.has_told("waiting for a change", 1);
    let pricing = live(&host);
    assert_ne!(pricing, built_in);

    sources.save("no path");
    watching.has_told("source.txt:1: error: a path was expected", 2);
    sources.save(&file("probe_trap").display().to_string());
    watching.has_told("no receipt for order 1", 3);
    assert_eq!(live(&host), pricing, "what fails isn't live");
    sources.save(&file("checkout_discount").display().to_string());
    eventually("the next version", || (live(&host) != pricing).then_some(()));
    drop(watching);
    host.stop();
}
