//! The shop's routes against `openapi.json`, by a client that isn't ours: PyPI's `schemathesis` makes requests of the
//! document, sound and unsound ones, and holds every answer against it.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::support::{Host, http::DOCUMENT};

/// There are some 1,450; far fewer mean that something was left out.
const CASES_MIN: u64 = 1_000;
/// Of these some 100 are carts that can be sold.
const SALES_MIN: usize = 50;
/// Enough for every cart that is tried, also for a hundred lines of 10,000 pieces.
const STOCK: &str = "stock.headphones=4000000000";

#[test]
fn every_route_answers_as_documented() {
    let host = Host::plan().set(STOCK).start();
    let report = schemathesis(&host, &[], &[]);
    assert_eq!(report["operations"]["tested"], report["operations"]["total"], "{report:#}");
    for phase in ["examples", "coverage", "fuzzing", "stateful"] {
        assert_eq!(report["phases"][phase]["status"], "success", "{phase}: {report:#}");
    }
    assert!(report["test_cases"]["generated"].as_u64() >= Some(CASES_MIN), "{report:#}");
    let sold = host.orders().iter().filter(|order| order["status"] == "COMPLETED").count();
    assert!(sold >= SALES_MIN, "{sold} orders were sold");
    host.stop();
}

#[test]
fn a_documented_token_is_demanded() {
    let token = "0123456789abcdef0123456789abcdef";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, token).expect("the token is written");
    let host = Host::plan().set(STOCK).set(format!("server.inventory_token_file={}", file.display())).start();
    let authorization = format!("Authorization: Bearer {token}");
    let arguments = [
        ["--checks", "ignored_auth"],
        ["--phases", "examples,coverage"],
        ["--include-tag", "inventory"],
        ["--header", &authorization],
    ];
    let report = schemathesis(&host, arguments.as_flattened(), &[("INVENTORY_CLOSED", "1")]);
    assert_eq!(report["operations"]["tested"], 4, "{report:#}");
    host.stop();
}

#[test]
fn the_document_is_of_this_release_and_has_every_link() {
    let host = Host::start();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    assert_eq!(host.shop.get("/openapi.json").json(), document);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let home = host.shop.get("/").json();
    for (name, path) in home["links"].as_object().expect("links") {
        let path = path.as_str().expect("a path");
        assert!(!document["paths"][path].is_null(), "{name}: {path} is not in openapi.json");
    }
    host.stop();
}

/// Tries the host and returns the report, in which nothing was found.
fn schemathesis(host: &Host, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let tools = tests.join(".tools/venv/bin");
    let program = tools.join("schemathesis");
    assert!(program.is_file(), "{} is missing; run make test, which installs it", program.display());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = folder.path().join("report.json");
    // From a file, for the route that a document comes from isn't tried.
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, host.shop.get("/openapi.json").body).expect("the document is written");

    let mut command = Command::new(&program);
    command.env_clear().env("PATH", &tools).envs(environment.iter().copied());
    command.env("SCHEMATHESIS_HOOKS", tests.join("schemathesis/hooks.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--config-file").arg(tests.join("schemathesis/schemathesis.toml"));
    command.arg("run").arg(&document).args(["--url", &format!("http://{}", host.shop.address), "--no-color"]);
    command.args(["--report", "json", "--report-json-path"]).arg(&report).args(arguments);
    let run = command.current_dir(folder.path()).output().expect("schemathesis starts");
    let told = [run.stdout, run.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(run.status.success(), "{}\n{told}", run.status);

    let report = std::fs::read(report).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!((&report["complete"], &report["exit_code"]), (&true.into(), &0.into()), "{report:#}\n{told}");
    report
}
