//! The routes of both listeners against `openapi.json`, by a client that isn't ours: PyPI's `schemathesis` makes requests
//! of the document, sound and unsound ones, and holds every answer against it.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::{Value, json};
use till::http::problem::Code;

use crate::{
    approval,
    support::{Client, Host, guests::sample, host::till, http::DOCUMENT},
};

/// There are some 1,450 for the shop and some 2,200 for its operators; far fewer mean that something was left out.
const CASES_MIN: u64 = 1_000;
/// Of these some 100 are carts that can be sold.
const SALES_MIN: usize = 50;
/// Enough for every cart that is tried, also for a hundred lines of 10,000 pieces.
const STOCK: &str = "stock.headphones=4000000000";
/// A busy disk must not cause an undocumented answer, so a probe waits longer.
const PATIENT: &str = "limits.ready_ms=30000";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn every_route_of_the_shop_answers_as_documented() {
    let host = Host::plan().set(STOCK).set(PATIENT).start();
    let catalogue = json!([{"item": "headphones", "price": 99.99}]);
    assert_eq!(host.admin.post("/catalogue", &catalogue).status, 200);
    let report = schemathesis(&host, Listener::Shop, &[], &[]);
    check_whole(&report, 0);
    let sold = host.orders().iter().filter(|order| order["status"] == "COMPLETED").count();
    assert!(sold >= SALES_MIN, "{sold} orders were sold");
    host.stop();
}

#[test]
fn every_admin_route_answers_as_documented() {
    // Most of the files that are sent are no plugins, and each is a line in the log.
    let folder =
        approval::folder_with_approvals(&["limits", "age"], &std::fs::read(sample("cart_limits")).expect("the sample"));
    let host = Host::plan().folder(&folder).set(PATIENT).warns("no plugin was changed").start();
    for quantity in 1..=3 {
        assert_eq!(host.shop.buy("headphones", quantity).status, 200);
    }
    let plugin = host.folder.path().join("inventory.wasm");
    assert!(till().args(["plugin", "export", "inventory"]).arg(&plugin).status().expect("till starts").success());
    let plugin = plugin.to_str().expect("UTF-8");
    let discounts = sample("volume_discount");
    let discounts = discounts.to_str().expect("UTF-8");
    let plugins = [("INVENTORY", plugin), ("DISCOUNTS", discounts)];
    // What an operator buys is decided by plugins that are changed beside it. Its forms are tried at the shop's listener, its
    // answers in console.rs.
    check_whole(&schemathesis(&host, Listener::Admin, &["--exclude-path", "/buy"], &plugins), 1);

    // A refusal would be as documented, too: some of what was asked for was done.
    let history = host.admin.get("/plugins/history").json();
    let done: BTreeSet<_> =
        history["events"].as_array().expect("events").iter().filter_map(|event| event["action"].as_str()).collect();
    for action in ["set", "rollback", "rollout", "refuse", "install", "uninstall"] {
        assert!(done.contains(action), "no {action} among {done:?}");
    }
    // It is random which decision meets an open rollout.
    let decided = ["promote", "pause", "abort"].iter().any(|action| done.contains(action));
    assert!(decided, "no rollout was decided on: {done:?}");
    host.stop();
}

#[test]
fn a_documented_token_is_demanded() {
    for (listener, setting, group, operations) in [
        (Listener::Shop, "server.inventory_token_file", &["--include-tag", "inventory"][..], 4),
        (Listener::Admin, "server.admin_token_file", &[], 57),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).expect("the token is written");
        let host = Host::plan().set(STOCK).set(PATIENT).set(format!("{setting}={}", file.display())).start();
        let authorization = format!("Authorization: Bearer {TOKEN}");
        let checks = ["--checks", "ignored_auth", "--phases", "examples,coverage", "--header", &authorization];
        // Most requests are refused, because the host has no data yet; that doesn't matter here.
        let checks = [&checks[..], &["--warnings", "off"]].concat();
        let report = schemathesis(&host, listener, &[&checks, group].concat(), &[("CLOSED", "1")]);
        assert_eq!(report["operations"]["tested"], operations, "{report:#}");
        if listener == Listener::Admin {
            host.end()
        } else {
            host.stop()
        };
    }
}

#[test]
fn the_document_is_of_this_release_and_has_every_link() {
    let host = Host::start();
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for listener in [Listener::Shop, Listener::Admin] {
        let client = listener.client(&host);
        assert_eq!(client.get("/openapi.json").json(), document);
        let paths = &listener.document()["paths"];
        for (name, path) in client.get("/").json()["links"].as_object().expect("links") {
            let path = path.as_str().expect("a path");
            assert!(!paths[path].is_null(), "{name}: {path} is not among the paths of {listener:?}");
        }
    }
    host.stop();
}

#[test]
fn the_set_of_codes_is_that_of_all_answers() {
    fn collect(part: &Value, codes: &mut BTreeSet<String>) {
        let properties = &part["properties"];
        let status = &properties["status"];
        if status["minimum"].is_u64() && status["minimum"] == status["maximum"] {
            // Not narrowed by a `const`: PyPI's openapi-python-client 0.29.1 can't merge one with the type that it narrows,
            // and leaves the whole answer out.
            let constant = |name: &str| !properties[name]["const"].is_null();
            assert!(!constant("status") && !constant("code"), "{part}");
            let listed = properties["code"]["enum"].as_array().expect("codes");
            codes.extend(listed.iter().map(|code| code.as_str().expect("a code").to_owned()));
        }
        assert!(!properties["status"]["const"].is_u64(), "{part}");
        match part {
            Value::Object(members) => members.values().for_each(|part| collect(part, codes)),
            Value::Array(parts) => parts.iter().for_each(|part| collect(part, codes)),
            _ => {}
        }
    }
    let document = document();
    let mut codes = BTreeSet::new();
    collect(&document, &mut codes);
    let all = document["components"]["schemas"]["ProblemCode"]["enum"].as_array().expect("codes");
    let all: BTreeSet<String> = all.iter().map(|code| code.as_str().expect("a code").to_owned()).collect();
    assert_eq!(codes, all);
    assert_eq!(
        all,
        Code::ALL.iter().map(|code| code.name().to_owned()).collect(),
        "the document has other codes than the host"
    );
}

/// Who answers a path. A path says so in its `servers`; without, it is the shop's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    Shop,
    Admin,
}

impl Listener {
    const ADMIN_URL: &str = "http://127.0.0.1:8001";

    fn client(self, host: &Host) -> &Client {
        match self {
            Self::Shop => &host.shop,
            Self::Admin => &host.admin,
        }
    }

    /// Returns the document without the other listener's paths.
    fn document(self) -> Value {
        let mut document = document();
        let everywhere = document["servers"].clone();
        let answers = |item: &Value| {
            let servers = item.get("servers").unwrap_or(&everywhere).as_array().expect("a list");
            servers.iter().any(|server| (server["url"] == Self::ADMIN_URL) == (self == Self::Admin))
        };
        document["paths"].as_object_mut().expect("paths").retain(|_, item| answers(item));
        document
    }
}

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("JSON")
}

/// Checks that all operations but so many were tried, in every way.
fn check_whole(report: &Value, left_out: u64) {
    let of = |name: &str| report["operations"][name].as_u64().expect("a number");
    assert_eq!(of("tested") + left_out, of("total"), "{report:#}");
    for phase in ["examples", "coverage", "fuzzing", "stateful"] {
        assert_eq!(report["phases"][phase]["status"], "success", "{phase}: {report:#}");
    }
    assert!(report["test_cases"]["generated"].as_u64() >= Some(CASES_MIN), "{report:#}");
}

/// Tries a listener and returns the report, in which nothing was found.
fn schemathesis(host: &Host, listener: Listener, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let tools = tests.join(".tools/venv/bin");
    let program = tools.join("schemathesis");
    assert!(program.is_file(), "{} is missing; run make test, which installs it", program.display());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = folder.path().join("report.json");
    // From a file, for the route that a document comes from isn't tried.
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, listener.document().to_string()).expect("the document is written");

    let mut command = Command::new(&program);
    command.env_clear().env("PATH", &tools).envs(environment.iter().copied());
    command.env("LISTENER", format!("{listener:?}"));
    command.env("SCHEMATHESIS_HOOKS", tests.join("schemathesis/hooks.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--config-file").arg(tests.join("schemathesis/schemathesis.toml"));
    let url = format!("http://{}", listener.client(host).address);
    command.arg("run").arg(&document).args(["--url", &url, "--no-color"]);
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
