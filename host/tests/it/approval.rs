//! The two-person rule: who deploys isn't who promotes, whichever way a version comes.

use std::{fs, process::Output, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    page::look,
    support::{Answer, Host, Plan, built_in_and, eventually, guests::bytes_of, host::till},
    tokens::{Tokens, with_token},
};

/// A host that takes two persons, and the tokens of two who may deploy.
struct TwoPersons {
    tokens: Tokens,
    ci: String,
    ada: String,
}

impl TwoPersons {
    fn new() -> Self {
        let tokens = Tokens::new();
        let (ci, ada) = (tokens.add("ci", "deploy"), tokens.add("ada", "deploy"));
        Self { tokens, ci, ada }
    }

    fn plan(&self, plan: Plan) -> Plan {
        self.tokens.of(plan).set("plugins.approval=on")
    }
}

/// Returns the folder of a host that took two persons: these validation plugins were installed, and another order of them waits.
pub(crate) fn folder_with_approvals(names: &[&str], file: &[u8]) -> Arc<TempDir> {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    for (number, name) in std::iter::zip(1.., names) {
        let asked = install(&host, &two.ci, name, "bert", file);
        assert_eq!(asked.json()["approval"], number, "{}", asked.text());
        let approved = decide(&host, &two.ada, number, "approve");
        assert_eq!(approved.status, 200, "{}", approved.text());
    }
    let order: Vec<_> = names.iter().rev().collect();
    let asked = post(&host, &two.ci, "/plugins/validation/order", json!({ "installations": order }));
    assert!(asked.json()["approval"].is_number(), "{}", asked.text());
    host.stop().folder
}

fn deploy(host: &Host, token: &str, guest: &str, how: Option<&Value>) -> Answer {
    let how: String =
        how.map(|how| how.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()).unwrap_or_default();
    let how = if how.is_empty() { how } else { format!("&try={how}") };
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/wasm")];
    let path = format!("/plugins?name={guest}&by=bert{how}");
    host.admin.send("POST", &path, &headers, Some(&bytes_of(guest))).expect("the host answers")
}

/// Asks for a validation plugin.
fn install(host: &Host, token: &str, name: &str, by: &str, file: &[u8]) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/wasm")];
    let path = format!("/plugins/install?kind=validation&installation={name}&name=limits&by={by}&reason=rush");
    host.admin.send("POST", &path, &headers, Some(file)).expect("the host answers")
}

fn decide(host: &Host, token: &str, number: u64, decision: &str) -> Answer {
    let body = json!({ "decision": decision, "reason": "looked at" });
    post(host, token, &format!("/plugins/approvals/{number}"), body)
}

fn post(host: &Host, token: &str, path: &str, body: Value) -> Answer {
    with_token(&host.admin, token, "POST", path, Some(&body))
}

fn get(host: &Host, token: &str, path: &str) -> Value {
    with_token(&host.admin, token, "GET", path, None).json()
}

fn live(host: &Host) -> String {
    host.shop.get("/").header("till-plugins").to_owned()
}

/// Checks a refusal that takes another person.
fn check_refused(answer: &Answer, says: &str) {
    assert_eq!((answer.status, answer.code()), (403, "second_person".to_owned()), "{}", answer.text());
    let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.contains(says), "{detail}");
}

#[test]
fn a_version_waits_until_another_person_promotes_it() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    let before = live(&host);
    let deployed = deploy(&host, &two.ci, "checkout_spans", None);
    assert_eq!((deployed.status, &deployed.json()["result"]), (200, &json!("waiting")), "{}", deployed.text());
    let waiting = get(&host, &two.ci, "/plugins/rollout");
    assert_eq!((&waiting["state"], &waiting["started_by"]), (&json!("paused"), &json!("ci (bert)")));
    assert_eq!(waiting["reason"], "waits for another person than ci to promote it");
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    assert_eq!(live(&host), before, "it runs on no request");
    let refused = post(&host, &two.ci, "/plugins/rollout/promote", json!({ "by": "ada" }));
    check_refused(
        &refused,
        "ci began this rollout, so another person has to promote it: with any other token of the scope deploy",
    );
    assert_eq!(live(&host), before);
    let promoted = post(&host, &two.ada, "/plugins/rollout/promote", json!({}));
    assert_eq!((promoted.status, &promoted.json()["state"]), (200, &json!("promoted")), "{}", promoted.text());
    assert_ne!(live(&host), before);

    // Settings are a change like any other; to withdraw it takes one person.
    let set = || post(&host, &two.ada, "/plugins/inventory/settings", json!({ "set": { "faults": "on" } }));
    assert_eq!(set().json()["result"], "waiting");
    check_refused(&post(&host, &two.ada, "/plugins/rollout/promote", json!({})), "ada began this rollout");
    // Resumed it is a shadow, which has no effect.
    assert_eq!(post(&host, &two.ada, "/plugins/rollout/resume", json!({})).json()["mode"], "shadow");
    assert_eq!(post(&host, &two.ada, "/plugins/rollout/abort", json!({})).status, 200);
    // What is live already needs nobody.
    let again = deploy(&host, &two.ci, "checkout_spans", None);
    assert_eq!(again.json()["result"], "unchanged", "{}", again.text());
    // And neither does an emergency.
    let back = post(&host, &two.ci, "/plugins/checkout/rollback", json!({}));
    assert_eq!((back.status, &back.json()["result"]), (200, &json!("published")), "{}", back.text());
    assert_eq!(live(&host), before);
    let history = get(&host, &two.ci, "/plugins/history");
    let events = history["events"].as_array().expect("events").iter().rev().skip(2);
    let told: Vec<_> =
        events.map(|event| format!("{} {}", event["action"], event["changed_by"]).replace('"', "")).collect();
    let expected = [
        "rollout ci (bert)",
        "pause ci (bert)",
        "promote ada",
        "rollout ada",
        "pause ada",
        "resume ada",
        "abort ada",
        "rollback ci",
    ];
    assert_eq!(told, expected);
    host.stop();
}

#[test]
fn there_is_no_way_around_the_second_person() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    let before = live(&host);
    let half = deploy(&host, &two.ci, "checkout_spans", Some(&json!({ "canary": 50 })));
    check_refused(&half, "a canary that nobody else has seen runs on 10 % of the requests at most");
    assert_eq!(deploy(&host, &two.ci, "checkout_spans", None).json()["result"], "waiting");
    let number = get(&host, &two.ci, "/plugins/rollout")["version"]["id"].clone();
    assert_eq!(post(&host, &two.ci, "/plugins/rollout/abort", json!({})).status, 200);
    let back = post(&host, &two.ci, "/plugins/checkout/rollback", json!({ "to": number }));
    check_refused(&back, "was never live, so that going back to it would need no second person");
    assert_eq!(live(&host), before);
    host.stop();
}

#[test]
fn what_is_installed_and_taken_off_waits_for_another_person() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    let before = live(&host);
    let file = bytes_of("hook_validation");
    let install = |token: &str, name: &str| install(&host, token, name, "bert", &file);
    let decided = |token: &str, number: u64, decision: &str| decide(&host, token, number, decision);
    let asked = install(&two.ci, "first");
    assert_eq!((asked.status, &asked.json()["result"]), (200, &json!("waiting")), "{}", asked.text());
    assert_eq!((&asked.json()["approval"], &asked.json()["version"]["state"]), (&json!(1), &json!("candidate")));
    assert_eq!(live(&host), before, "it is asked for no cart");
    let listed = get(&host, &two.ci, "/plugins/approvals")["approvals"][0].clone();
    assert_eq!(
        (&listed["state"], &listed["action"], &listed["asked_by"], &listed["reason"]),
        (&json!("waiting"), &json!("install"), &json!("ci (bert)"), &json!("limits.wasm: rush"))
    );

    check_refused(&decided(&two.ci, 1, "approve"), "ci asked for this, so another person has to approve it");
    let approved = decided(&two.ada, 1, "approve");
    assert_eq!((approved.status, &approved.json()["state"]), (200, &json!("approved")), "{}", approved.text());
    assert_eq!(approved.json()["version"]["state"], "live");
    assert!(live(&host).contains("validation"), "{}", live(&host));
    let again = decided(&two.ada, 1, "approve");
    assert_eq!((again.status, again.code()), (409, "not_waiting".to_owned()), "{}", again.text());
    let unknown = decided(&two.ada, 9, "approve");
    assert_eq!((unknown.status, unknown.code()), (404, "not_found".to_owned()));
    assert_eq!(decided(&two.ada, 1, "promote").status, 422);

    // Whoever asked may take it back, and what can't be carried out waits on.
    assert_eq!(install(&two.ada, "second").json()["approval"], 2);
    assert_eq!(install(&two.ci, "second").json()["approval"], 3);
    assert_eq!(decided(&two.ci, 2, "approve").json()["state"], "approved");
    let taken = decided(&two.ada, 3, "approve");
    assert_eq!((taken.status, taken.code()), (409, "not_installable".to_owned()), "{}", taken.text());
    assert_eq!(get(&host, &two.ci, "/plugins/approvals")["approvals"][0]["state"], "waiting");
    let rejected = decided(&two.ci, 3, "reject");
    assert_eq!((&rejected.json()["state"], &rejected.json()["reason"]), (&json!("rejected"), &json!("looked at")));
    assert_eq!(rejected.json()["version"]["state"], "live", "the same version is live there by another approval");

    let order = post(&host, &two.ci, "/plugins/validation/order", json!({ "installations": ["second", "first"] }));
    assert_eq!((&order.json()["approval"], &order.json()["installations"]), (&json!(4), &json!(["first", "second"])));
    let data = Arc::clone(&host.folder);
    host.stop();

    // They wait in the store.
    let host = two.plan(Host::plan()).folder(&data).start();
    assert_eq!(decide(&host, &two.ada, 4, "approve").json()["installations"], json!(["second", "first"]));
    let off = post(&host, &two.ada, "/plugins/validation/uninstall", json!({ "installation": "first" }));
    assert_eq!((&off.json()["approval"], &off.json()["installations"]), (&json!(5), &json!(["second", "first"])));
    check_refused(&decide(&host, &two.ada, 5, "approve"), "ada asked for this");
    assert_eq!(decide(&host, &two.ci, 5, "approve").json()["state"], "approved");
    let plugins = get(&host, &two.ci, "/plugins");
    let plugins = plugins["plugins"].as_array().expect("plugins").iter();
    let names: Vec<_> = plugins.filter_map(|plugin| plugin["installation"].as_str()).collect();
    assert_eq!(names, ["second"]);
    let history = get(&host, &two.ci, "/plugins/history");
    let events = history["events"].as_array().expect("events").iter();
    let told: Vec<_> = events
        .map(|event| format!("{} {} {}", event["action"], event["changed_by"], event["detail"]).replace('"', ""))
        .filter(|told| ["uninstall", "order", "install"].iter().any(|action| told.starts_with(action)))
        .collect();
    let expected = [
        "uninstall ci approval 5, asked for by ada: looked at",
        "order ada second first: approval 4, asked for by ci: looked at",
        "install ci approval 2, asked for by ada (bert): looked at",
        "install ada approval 1, asked for by ci (bert): looked at",
    ];
    assert_eq!(told, expected);
    host.stop();
}

#[test]
fn the_console_shows_what_waits_and_takes_the_decision() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    let file = bytes_of("hook_validation");
    assert_eq!(install(&host, &two.ci, "first", "bert", &file).json()["approval"], 1);
    let approved = decide(&host, &two.ada, 1, "approve");
    assert_eq!(approved.json()["state"], "approved", "{}", approved.text());
    for name in ["third", "second"] {
        let asked = install(&host, &two.ci, name, "%3Cb%3Ebert%3C%2Fb%3E", &file);
        assert_eq!(asked.json()["result"], "waiting", "{}", asked.text());
    }
    let off = post(&host, &two.ada, "/plugins/validation/uninstall", json!({ "installation": "first" }));
    assert_eq!(off.json()["approval"], 4, "{}", off.text());
    look(&host, "approvals", json!({ "path": "/console/plugins", "token": two.ada }));
    host.stop();
}

#[test]
fn gates_are_nobody_s_second_person() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).set("plugins.approval_canary_percent_max=100").start();
    let before = live(&host);
    let gates = json!({ "canary": 100, "gates": { "calls_min": 10, "duration_ms": 1, "promote": true } });
    let tried = deploy(&host, &two.ci, "checkout_spans", Some(&gates));
    assert_eq!(tried.json()["result"], "candidate", "{}", tried.text());
    assert_eq!(get(&host, &two.ci, "/plugins/rollout")["gates"]["promote"], false);
    let paused = eventually("a pause", || {
        host.shop.buy("headphones", 1);
        Some(get(&host, &two.ci, "/plugins/rollout")).filter(|rollout| rollout["state"] != "running")
    });
    assert_eq!((&paused["state"], &paused["changed_by"]), (&json!("paused"), &json!("gates")), "{paused:#}");
    assert_eq!(live(&host), before);
    check_refused(&post(&host, &two.ci, "/plugins/rollout/promote", json!({})), "ci began this rollout");
    assert_eq!(post(&host, &two.ada, "/plugins/rollout/promote", json!({})).status, 200);
    assert_ne!(live(&host), before);
    host.stop();
}

#[test]
fn the_commands_say_who_has_to_promote() {
    let two = TwoPersons::new();
    let host = two.plan(Host::plan()).start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("spans.wasm");
    fs::write(&file, bytes_of("checkout_spans")).expect("it is written");
    let plugin = |token: &str, arguments: &[&str]| {
        let token_file = folder.path().join("token");
        fs::write(&token_file, token).expect("it is written");
        let admin = format!("http://{}", host.admin.address);
        let mut command = till();
        command.arg("plugin").args(arguments).args(["--admin", &admin, "--token-file"]).arg(&token_file);
        command.output().expect("till starts")
    };
    let said = |output: &Output| String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    let deployed = plugin(&two.ci, &["deploy", file.to_str().expect("UTF-8")]);
    let waits = "waits for another person, who makes it live with `till plugin rollout promote`";
    assert!(deployed.status.success() && said(&deployed).contains(waits), "{}", said(&deployed));
    let refused = plugin(&two.ci, &["rollout", "promote"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("ci began this rollout, so another person has to promote it"),
        "{}",
        said(&refused)
    );
    let promoted = plugin(&two.ada, &["rollout", "promote"]);
    assert!(promoted.status.success(), "{}", said(&promoted));

    let limits = folder.path().join("limits.wasm");
    fs::write(&limits, bytes_of("hook_validation")).expect("it is written");
    let asked = plugin(&two.ci, &["install", limits.to_str().expect("UTF-8"), "--as", "limits"]);
    let waits = "waits for another person, who carries it out with `till plugin approve 1`";
    assert!(asked.status.success() && said(&asked).contains(waits), "{}", said(&asked));
    let status = plugin(&two.ada, &["status"]);
    assert!(said(&status).ends_with("a change waits for another person: till plugin approvals\n"), "{}", said(&status));
    let listed = plugin(&two.ada, &["approvals"]);
    assert!(said(&listed).contains("validation/limits"), "{}", said(&listed));
    let approved = plugin(&two.ada, &["approve", "1", "--why", "looked at"]);
    assert!(approved.status.success() && said(&approved).contains("approved"), "{}", said(&approved));
    for (command, told) in [
        (vec!["order", "validation", "limits"], "`till plugin approve 2`"),
        (vec!["uninstall", "validation/limits"], "`till plugin approve 3`"),
    ] {
        let asked = plugin(&two.ci, &command);
        assert!(asked.status.success() && said(&asked).contains(told), "{}", said(&asked));
    }
    let rejected = plugin(&two.ci, &["reject", "3"]);
    assert!(rejected.status.success() && said(&rejected).contains("rejected"), "{}", said(&rejected));
    host.stop();
}

#[test]
fn a_file_of_the_folder_waits_for_a_person_also_at_a_start() {
    let two = TwoPersons::new();
    let folder = built_in_and("checkout_discount");
    let path = folder.path().join("checkout_discount.wasm");
    let host = two.plan(Host::plan()).plugins(folder).start();
    let before = live(&host);
    fs::write(&path, bytes_of("checkout_spans")).expect("it is written");
    let waiting = eventually("a rollout", || {
        Some(get(&host, &two.ci, "/plugins/rollout")).filter(|rollout| rollout["state"] == "paused")
    });
    assert_eq!(waiting["started_by"], "folder");
    assert_eq!(live(&host), before);
    assert_eq!(post(&host, &two.ci, "/plugins/rollout/abort", json!({})).status, 200);
    let data = Arc::clone(&host.folder);
    host.stop();

    let folder = built_in_and("checkout_tells");
    let host = two.plan(Host::plan()).plugins(folder).folder(&data).start();
    assert_eq!(live(&host), before, "a start takes nothing new");
    let waiting = eventually("a rollout", || {
        Some(get(&host, &two.ci, "/plugins/rollout")).filter(|rollout| rollout["state"] == "paused")
    });
    assert_eq!(waiting["started_by"], "folder");
    assert_eq!(
        post(&host, &two.ci, "/plugins/rollout/promote", json!({})).status,
        200,
        "one person and the folder are two"
    );
    let promoted = live(&host);
    assert_ne!(promoted, before);
    host.stop();

    let folder = built_in_and("checkout_tells");
    let host = two.plan(Host::plan()).plugins(folder).folder(&data).start();
    assert_eq!(live(&host), promoted);
    host.stop();
}

#[test]
fn a_host_that_takes_two_persons_takes_names() {
    let refused = Host::plan().set("plugins.approval=on").command().output().expect("till starts");
    assert_eq!(refused.status.code(), Some(64));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("plugins.approval = on takes tokens with names"), "{said}");
    assert!(said.contains("set server.admin_tokens_file, made with till token new"), "{said}");
}
