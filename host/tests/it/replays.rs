//! Recorded calls repeated on the host: with the version that made them, another one and a file; their profiles; the console's views of
//! them and of the plugins.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    page::look,
    support::{Host, Plan, built_in_and, guests::bytes_of, guests::file, host::run, http::order_of},
};

/// A busy machine isn't what this is about: a call is repeated at the lowest priority.
fn plan() -> Plan {
    Host::plan().set("stock.headphones=9000").set("limits.guest_cpu_ms=5000")
}

/// Returns the newest recording of a checkout.
fn newest(host: &Host) -> Value {
    host.admin.get("/recordings?plugin=checkout&limit=1").json()["recordings"][0].clone()
}

/// Repeats a call, as soon as no other is repeated.
fn repeated(host: &Host, id: &Value, body: &Value) -> Value {
    let answer = host.admin.post(&format!("/recordings/{id}/replay"), body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn cart() -> Value {
    json!({
        "lines": [{ "item": "headphones", "quantity": 3, "price": 99.99 }],
        "attributes": { "customer_email": "ada@example.com", "note": "<img src=x onerror=alert(1)>" },
    })
}

#[test]
fn a_recorded_call_is_repeated_with_its_version_another_one_and_a_file() {
    let host = plan().plugins(built_in_and("checkout_spans")).start();
    assert_eq!(host.shop.post("/checkout", &cart()).status, 200);
    let made = newest(&host);
    let same = repeated(&host, &made["id"], &json!({}));
    assert_eq!((&same["compared"], &same["differences"]), (&json!(true), &json!([])), "{same:#}");
    assert_eq!(same["recorded"]["decision"], same["repeated"]["decision"], "{same:#}");
    assert_eq!(same["recorded"]["asked"], json!({ "headphones": 3 }));
    let names =
        |call: &Value| call["spans"].as_array().map(|spans| spans.iter().map(|span| span["name"].clone()).collect());
    let spans: Option<Vec<Value>> = names(&same["recorded"]);
    assert_eq!(spans, names(&same["repeated"]));
    assert_eq!(spans, Some(vec![json!("price_cart"), json!("take_stock")]));
    assert!(same["repeated"]["fuel_used"].as_u64() > Some(0), "{same:#}");

    let tenth = host.admin.deploy("tenth", "", &bytes_of("checkout_tenth_down")).json();
    let other = repeated(&host, &made["id"], &json!({ "version": tenth["version"]["id"] }));
    let parts = |answer: &Value| {
        answer["differences"].as_array().map(|all| all.iter().map(|one| one["part"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(parts(&other), Some(vec![json!("receipt"), json!("spans")]), "{other:#}");
    assert_eq!(other["number"], tenth["version"]["id"]);
    let path = format!("/recordings/{}/replay", made["id"]);
    let wasm = [("content-type", "application/wasm")];
    let sent = host.admin.send("POST", &path, &wasm, Some(&bytes_of("checkout_tenth_down"))).expect("the host answers");
    assert_eq!(parts(&sent.json()), parts(&other), "{}", sent.text());

    // What can't repeat it is said.
    let inventory = host.admin.get("/plugins").json()["plugins"][1]["number"].clone();
    for (body, says) in [
        (json!({ "version": inventory }), "is a inventory plugin, and the recorded call is one of checkout"),
        (json!({ "version": 99 }), "there is no version 99"),
        (json!({ "versoin": 1 }), "unknown field"),
    ] {
        let refused = host.admin.post(&path, &body);
        assert_eq!(refused.status, 422, "{body}");
        assert!(refused.text().contains(says), "{body}: {}", refused.text());
    }
    let refused = host.admin.send("POST", &path, &wasm, Some(b"no plugin")).expect("the host answers");
    assert_eq!(refused.code(), "unacceptable", "{}", refused.text());
    assert_eq!(host.admin.post("/recordings/1/replay", &json!({})).status, 404);
    // Nothing of it had an effect.
    assert_eq!(host.on_hand("headphones"), 9000 - 3);
    host.stop();
}

#[test]
fn one_call_is_repeated_at_a_time() {
    let host = plan().start();
    assert_eq!(host.shop.post("/checkout", &cart()).status, 200);
    let path = format!("/recordings/{}", newest(&host)["id"]);
    let profile = || host.admin.post(&format!("{path}/profile"), &json!({}));
    let mut answers =
        std::thread::scope(|scope| [scope.spawn(profile), scope.spawn(profile)].map(|asked| asked.join()));
    answers.sort_by_key(|answer| answer.as_ref().map_or(0, |answer| answer.status));
    let [Ok(profile), Ok(busy)] = answers else { panic!("a request panicked") };
    assert_eq!((profile.status, busy.status), (200, 503), "{}", profile.text());
    assert_eq!((busy.code().as_str(), busy.header("retry-after")), ("overloaded", "1"));
    let profile = profile.json();
    assert!(profile["root"]["samples"].as_u64() > Some(0), "{profile:#}");
    assert_eq!(profile["has_names"], false, "the built-in plugin has no names");
    check_sums(&profile["root"]);
    host.stop();
}

/// Checks that no function has fewer samples than what it called.
fn check_sums(function: &Value) {
    let called = function["children"].as_array().expect("a list");
    let sum: u64 = called.iter().filter_map(|called| called["samples"].as_u64()).sum();
    assert!(function["samples"].as_u64() >= Some(sum), "{function:#}");
    called.iter().for_each(check_sums);
}

#[test]
fn a_profile_is_printed_and_saved_for_a_flame_graph() {
    let host = plan().start();
    assert_eq!(host.shop.post("/checkout", &cart()).status, 200);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (id, admin) = (newest(&host)["id"].to_string(), format!("http://{}", host.admin.address));
    let output = run(&["plugin", "profile", &id, "--save", &path("stacks.txt"), "--admin", &admin]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("doesn't name its functions") && printed.contains("ITSELF"), "{printed}");
    let stacks = std::fs::read_to_string(path("stacks.txt")).expect("it is there");
    let is_stack = |line: &str| {
        line.rsplit_once(' ').is_some_and(|(_, samples)| samples.parse().is_ok_and(|samples: u64| samples > 0))
    };
    assert!(!stacks.is_empty() && stacks.lines().all(is_stack), "{stacks}");
    // A saved case needs no host, but the plugin.
    let saved = run(&["plugin", "replay", &id, "--save", &path("case.json"), "--admin", &admin]);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    host.stop();
    let output = run(&["plugin", "profile", &path("case.json")]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a case names no plugin"), "{output:?}");
    let plugin = file("checkout_spans");
    let output = run(&["plugin", "profile", &path("case.json"), plugin.to_str().expect("UTF-8"), "--json"]);
    let profile: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(profile["root"]["samples"].as_u64() > Some(0), "{profile:#}");
}

#[test]
fn who_changed_a_plugin_and_why_is_in_the_history() {
    let host = plan().start();
    let admin = format!("http://{}", host.admin.address);
    let plugin = file("checkout_discount");
    let till = |arguments: &[&str]| {
        let output =
            run(&[&["plugin"], arguments, &["--by", "ana", "--reason", "the spring offers", "--admin", &admin]]
                .concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    till(&["deploy", plugin.to_str().expect("UTF-8")]);
    till(&["set", "checkout", "percent=20", "--force"]);
    till(&["rollback", "checkout"]);
    let events = host.admin.get("/plugins/history").json()["events"].clone();
    for (index, action) in ["rollback", "set", "deploy"].into_iter().enumerate() {
        let event = &events[index];
        assert_eq!((&event["action"], &event["changed_by"]), (&json!(action), &json!("ana")), "{event:#}");
        assert!(event["detail"].as_str().is_some_and(|detail| detail.ends_with(": the spring offers")), "{event:#}");
    }
    let long = json!({ "reason": "x".repeat(1025) });
    assert_eq!(host.admin.post("/plugins/checkout/rollback", &long).status, 422);
    host.stop();
}

#[test]
fn each_versions_calls_are_counted_since_the_start() {
    let host = plan().set("breaker.fault_percent=100").set("breaker.faults=10000").warns("checkout failed").start();
    let first = host.admin.get("/plugins").json()["plugins"][0]["number"].clone();
    (0..3).for_each(|_| assert_eq!(host.shop.buy("headphones", 1).status, 200));
    assert_eq!(host.shop.buy("headphones", 9_999).status, 400);
    let trap = host.admin.deploy("trap", "", &bytes_of("checkout_unlucky")).json();
    let calls = |number: &Value| host.admin.get(&format!("/plugins/versions/{number}")).json()["calls"].clone();
    assert_eq!(calls(&first), json!({ "sold": 3, "refused": 1, "failed": 0, "faults": 0 }));
    let number = &trap["version"]["id"];
    let ends = |status: u16| (0..30).filter(|_| host.shop.buy("headphones", 1).status == status).count();
    let failed = ends(502);
    let counted = calls(number);
    assert_eq!((&counted["failed"], &counted["faults"]), (&json!(failed), &json!(failed)), "{counted:#} {trap:#}");
    host.stop();
}

#[test]
fn a_trace_repeats_its_calls_by_keyboard() {
    let host = plan().start();
    let first = host.admin.get("/plugins").json()["plugins"][0]["number"].clone();
    let markup = host.admin.deploy("markup", "", &bytes_of("checkout_tenth_down")).json();
    let sold = host.shop.post("/checkout", &cart());
    assert_eq!(sold.status, 200, "{}", sold.text());
    let made = newest(&host);
    let case = host.admin.get(&format!("/recordings/{}", made["id"])).json()["case"].clone();
    let given = json!({
        "path": format!("/traces/{}", sold.trace_id()),
        "recording": made["id"], "made": markup["version"]["id"], "other": first, "case": case, "personal": "ada@example.com",
    });
    look(&host, "replay", given);
    host.stop();
}

#[test]
fn plugins_are_shown_and_changed_by_keyboard() {
    let host = plan().warns("no plugin was changed").start();
    let hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    let live = host.admin.deploy("spans", &format!("&by=ana&reason={hostile}"), &bytes_of("checkout_spans")).json();
    assert_eq!(live["result"], "published", "{live:#}");
    let tried = "&try=%7B%22canary%22%3A100%2C%22gates%22%3A%7B%22calls_min%22%3A100%7D%7D";
    let candidate = host.admin.deploy("tenth", tried, &bytes_of("checkout_tenth_down")).json();
    assert_eq!(candidate["result"], "candidate", "{candidate:#}");
    (0..4).for_each(|_| assert_eq!(host.shop.post("/checkout", &order_of("headphones", 1)).status, 200));
    let given = json!({
        "live": "spans@", "by": "ana", "reason": "<img src=x onerror=alert(1)>",
        "calls": 4, "candidate": candidate["version"]["id"], "before": 1, "file": path_of(&file("checkout_discount")),
    });
    look(&host, "plugins", given);
    host.stop();
}

fn path_of(file: &Path) -> &str {
    file.to_str().expect("UTF-8")
}
