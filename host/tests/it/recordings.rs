//! Recorded calls: each repeats to the byte with its own version, another version's differences are found, and nothing personal is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Output,
};

use rand::RngExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    conformance, quoted_carts,
    support::{
        Host, Plan, PluginFolder, built_in_and, dice,
        guests::file,
        host::{run, till},
        rounds,
    },
};

/// A busy machine isn't what this is about.
const PATIENT: [&str; 4] = [
    "limits.guest_cpu_ms=5000",
    "limits.hook_cpu_ms=5000",
    "limits.hook_call_ms=30000",
    "limits.hook_http_call_ms=30000",
];

fn plan() -> Plan {
    let plan =
        Host::plan().set("stock.headphones=4000000000").set("stock.laptop=4000000000").set("recordings.kept_mib=512");
    PATIENT.iter().fold(plan, |plan, limit| plan.set(*limit))
}

/// Runs `till plugin replay` against a host.
fn replay(host: &Host, arguments: &[&str]) -> Output {
    let admin = format!("http://{}", host.admin.address);
    let patient: Vec<&str> = PATIENT.iter().flat_map(|limit| ["--set", limit]).collect();
    run(&[&["plugin", "replay"], arguments, &patient, &["--admin", &admin]].concat())
}

/// Returns the report of a comparison.
fn compared(host: &Host, plugin: &str, more: &[&str]) -> Value {
    let output = replay(host, &[&["--since=1h", plugin, "--json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(file: &Path) -> &str {
    file.to_str().expect("UTF-8")
}

/// Returns the rows of the host's recordings, newest first.
fn recorded(host: &Host, query: &str) -> Vec<Value> {
    let listed = host.admin.get(&format!("/recordings?{query}"));
    assert_eq!(listed.status, 200, "{}", listed.text());
    listed.json()["recordings"].as_array().expect("a list").clone()
}

/// Checks that every live plugin decides its recorded calls as it did. Returns how many were compared, by installation.
fn check_all_repeat(host: &Host) -> BTreeMap<String, u64> {
    let live = host.admin.get("/plugins").json();
    let mut compared_calls = BTreeMap::new();
    for plugin in live["plugins"].as_array().expect("plugins") {
        let number = plugin["number"].to_string();
        let report = compared(host, &number, &[]);
        println!("recordings: {} {} a second", report["at"], report["calls_per_second"]);
        assert_eq!((&report["otherwise"], &report["unreadable"]), (&json!(0), &json!(0)), "{report:#}");
        compared_calls
            .insert(report["at"].as_str().expect("a text").to_owned(), report["compared"].as_u64().expect("a count"));
    }
    compared_calls
}

#[test]
fn checkouts_and_deducts_repeat_to_the_byte() {
    let mut dice = dice("recordings");
    let orders = rounds(300, 10_000);
    // Chance decides here: what a checkout takes off, and whether a laptop's deduct ends in a deadlock.
    let plan = plan().set("inventory.faults=on").warns("checkout failed: Database deadlock conflict during write");
    let host = plan.plugins(built_in_and("checkout_dicey")).start();
    let mut ends = BTreeSet::new();
    for _ in 0..orders {
        let item = if dice.random_bool(0.3) { "laptop" } else { "headphones" };
        let item = if dice.random_bool(0.05) { "nothing-of-it" } else { item };
        let hundredth = dice.random_bool(0.5);
        let lines = [json!({ "item": item, "quantity": dice.random_range(1..3), "price": 9.99 })];
        ends.insert(
            host.shop.post("/checkout", &json!({ "lines": lines, "attributes": { "hundredth": hundredth } })).status,
        );
    }
    assert_eq!(ends, BTreeSet::from([200, 400, 500]));
    let compared = check_all_repeat(&host);
    let orders = u64::try_from(orders).expect("a count");
    assert_eq!(compared, BTreeMap::from([("checkout".to_owned(), orders), ("inventory".to_owned(), orders)]));
    host.stop();
}

#[test]
fn every_language_repeats_to_the_byte() {
    let mut dice = dice("recordings in every language");
    for language in ["c", "cpp", "zig", "go", "js", "ts", "python"] {
        let plugins = ["checkout", "inventory"].map(|kind| conformance::built(&format!("{kind}-{language}")));
        let plan = plan().set("inventory.faults=on").set("checkout.tax_percent=19").set("checkout.voucher=101");
        let plan = plan.warns("checkout failed: Database deadlock conflict during write");
        let host = plan.plugins(PluginFolder::of(&plugins.each_ref().map(|file| &**file), &[])).start();
        let orders = rounds(30, 10_000);
        for _ in 0..orders {
            let item = if dice.random_bool(0.5) { "laptop" } else { "headphones" };
            let line = |quantity: u32| json!({ "item": item, "quantity": quantity, "price": 9.99 });
            host.shop.post("/checkout", &json!({ "lines": [line(dice.random_range(1..5)), line(1)] }));
        }
        println!("recordings: {language}");
        let compared = check_all_repeat(&host);
        let orders = u64::try_from(orders).expect("a count");
        assert_eq!(
            compared,
            BTreeMap::from([("checkout".to_owned(), orders), ("inventory".to_owned(), orders)]),
            "{language}"
        );
        host.stop();
    }
}

#[test]
fn all_hooks_repeat_to_the_byte() {
    let mut dice = dice("recordings of hooks");
    let plan = PATIENT.iter().fold(quoted_carts::plan(), |plan, limit| plan.set(*limit));
    let host = plan.set("recordings.kept_mib=1024").start();
    quoted_carts::import_first(&host);
    quoted_carts::install_all(&host, &quoted_carts::carrier());
    let carts = rounds(150, 10_000);
    for _ in 0..carts {
        let cart = quoted_carts::random_cart(&mut dice);
        assert!(host.shop.post("/quote", &cart).status < 500);
        assert!(host.shop.post("/checkout", &cart).status < 500);
    }
    let compared = check_all_repeat(&host);
    let of_hooks = compared.iter().filter(|(at, _)| at.contains('/'));
    let few: Vec<_> = of_hooks.clone().filter(|(_, calls)| **calls < carts as u64 / 2).collect();
    assert_eq!((of_hooks.count(), few), (12, Vec::new()), "{compared:?}");
    host.stop();
}

#[test]
fn a_version_that_rounds_otherwise_differs_in_exactly_those_carts() {
    let orders = rounds(300, 10_000);
    let host = plan().plugins(built_in_and("checkout_tenth")).start();
    let mut otherwise = Vec::new();
    for number in 1..=orders {
        // A tenth of each sum ends in half a cent.
        let pieces = if number % 100 == 0 { 100 } else { u32::try_from(number % 97).expect("few") + 2 };
        let first = 99 * (pieces - 1);
        let last = 1_005 - first % 1_000;
        let line = |quantity: u32, cents: u32| json!({ "item": "headphones", "quantity": quantity, "price": f64::from(cents) / 100.0 });
        let sold = host.shop.post("/checkout", &json!({ "lines": [line(pieces - 1, 99), line(1, last)] }));
        assert_eq!(sold.status, 200, "{}", sold.text());
        if number % 100 == 0 {
            otherwise.push(sold.trace_id());
        }
    }
    let candidate = file("checkout_tenth_down");
    let report = compared(&host, path(&candidate), &[]);
    let count = otherwise.len();
    assert_eq!((&report["compared"], &report["otherwise"]), (&json!(orders), &json!(count)), "{report:#}");
    // A cent less off, so a cent more to pay.
    assert_eq!((&report["money"], &report["groups"][0]["calls"]), (&json!(count), &json!(count)), "{report:#}");
    let first: Vec<_> =
        report["groups"][0]["first"].as_array().expect("a list").iter().map(|of| &of["trace_id"]).collect();
    assert_eq!(first, otherwise.iter().take(3).map(|id| json!(id)).collect::<Vec<_>>().iter().collect::<Vec<_>>());

    // For people, and as a condition of a deploy.
    let told = replay(&host, &["--since", "1h", path(&candidate)]);
    assert_eq!(told.status.code(), Some(1));
    assert!(stdout(&told).contains(&format!("/traces/{}", otherwise[0])), "{}", stdout(&told));
    let admin = format!("http://{}", host.admin.address);
    let deploy = |plugin: &Path| run(&["plugin", "deploy", path(plugin), "--after-replay=1h", "--admin", &admin]);
    let refused = deploy(&candidate);
    assert_eq!(refused.status.code(), Some(1), "{}", stdout(&refused));
    assert!(stderr(&refused).contains("nothing was deployed"), "{}", stderr(&refused));
    let taken = deploy(&file("checkout_tenth"));
    assert!(taken.status.success(), "{}", stderr(&taken));
    host.stop();
}

#[test]
fn a_call_is_found_by_its_trace_or_order_and_becomes_a_test() {
    let host = plan().plugins(built_in_and("checkout_tenth")).start();
    let lines = json!([{ "item": "headphones", "quantity": 99, "price": 1.01 }, { "item": "headphones", "quantity": 1, "price": 0.06 }]);
    let sold = host.shop.post("/checkout", &json!({ "lines": lines }));
    let (trace, reference) = (sold.trace_id(), sold.reference());
    host.shop.buy("headphones", 1);

    for call in [&trace, &reference] {
        let repeated = replay(&host, &[call, "--json"]);
        assert!(repeated.status.success(), "{}", stderr(&repeated));
        let calls: Value = serde_json::from_slice(&repeated.stdout).expect("JSON");
        let kinds: Vec<_> =
            calls["calls"].as_array().expect("calls").iter().map(|call| &call["recording"]["kind"]).collect();
        assert_eq!(kinds, ["inventory", "checkout"], "{calls:#}");
        assert_eq!(calls["calls"][1]["call"]["receipt"]["total"], "90.04", "{calls:#}");
    }

    let folder = TempDir::new().expect("a folder");
    let case = folder.path().join("case.json");
    let candidate = file("checkout_tenth_down");
    let several = replay(&host, &[&reference, "--save", path(&case)]);
    assert!(stderr(&several).contains("say which with --kind"), "{}", stderr(&several));
    let otherwise = replay(&host, &[&reference, path(&candidate), "--save", path(&case)]);
    assert_eq!(otherwise.status.code(), Some(1), "{}", stdout(&otherwise));
    let told = stdout(&otherwise);
    assert!(told.contains("- total 90.04 USD") && told.contains("+ total 90.05 USD"), "{told}");

    let test = |plugin: &Path| {
        let cases = path(folder.path());
        till().args(["plugin", "test", path(plugin), cases, "--set", PATIENT[0]]).output().expect("till starts")
    };
    let green = test(&file("checkout_tenth"));
    assert!(green.status.success(), "{}{}", stdout(&green), stderr(&green));
    assert_eq!(test(&candidate).status.code(), Some(1));

    let none = replay(&host, &["0123456789abcdef0123456789abcdef"]);
    assert!(stderr(&none).contains("no call of 0123456789abcdef0123456789abcdef is recorded"), "{}", stderr(&none));
    host.stop();
}

#[test]
fn recordings_on_the_disk_outlive_the_host() {
    let plan = |folder: Option<&std::sync::Arc<TempDir>>| {
        let plan = plan().set("recordings.disk_percent=100");
        folder.into_iter().fold(plan, |plan, folder| plan.folder(folder))
    };
    let host = plan(None).start();
    let references: Vec<String> = (1..4).map(|pieces| host.shop.buy("headphones", pieces).reference()).collect();
    let before = recorded(&host, "sort=oldest");
    assert_eq!(before.len(), 6);
    let folder = host.stop().folder;

    let host = plan(Some(&folder)).start();
    host.shop.buy("headphones", 4);
    let after = recorded(&host, "sort=oldest");
    assert_eq!((after.len(), &after[..6]), (8, before.as_slice()));
    let repeated = replay(&host, &[&references[1]]);
    assert!(repeated.status.success(), "{}", stderr(&repeated));
    assert_eq!(stdout(&repeated).matches("the same decision").count(), 2, "{}", stdout(&repeated));
    assert!(check_all_repeat(&host).values().all(|compared| *compared == 4));
    host.stop();
}

#[test]
fn what_the_host_or_another_plugin_ended_is_recorded_but_not_compared() {
    let folder = PluginFolder::of(&[&file("inventory_trap_after_take")], &["checkout"]);
    let host = plan().plugins(folder).warns("checkout failed: the inventory plugin trapped").start();
    let failed = host.shop.buy("headphones", 1);
    assert_eq!(failed.status, 502, "{}", failed.text());
    let rows = recorded(&host, "errors=true&sort=oldest");
    let told: Vec<_> = rows.iter().map(|row| (&row["kind"], &row["outcome"], &row["decided"])).collect();
    let (inventory, checkout, trap) = (json!("inventory"), json!("checkout"), json!("trap"));
    assert_eq!(told, [(&inventory, &trap, &json!(true)), (&checkout, &trap, &json!(false))], "{rows:#?}");
    let number = rows[0]["number"].to_string();
    let report = compared(&host, &number, &[]);
    assert_eq!((&report["compared"], &report["otherwise"]), (&json!(1), &json!(0)), "{report:#}");
    host.stop();
}

#[test]
fn a_host_without_memory_for_them_records_nothing() {
    let host = Host::plan().set("recordings.kept_mib=0").start();
    host.shop.buy("headphones", 1);
    let listed = host.admin.get("/recordings");
    assert_eq!((listed.status, &*listed.code()), (404, "not_found"));
    host.stop();
}

/// What no recording may have in it.
const PERSONAL: [&str; 6] = [
    "ada@example.com",
    "4111 1111 1111 1111",
    "378282246310005",
    "+49 30 901820",
    "sk_live_51H8xY2eZvKYlo2C0aBcD",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
];

#[test]
fn nothing_personal_is_recorded_whatever_its_field() {
    let recording = plan().set("recordings.disk_percent=100");
    let host = recording.set("log.level=till=debug,guest=info").plugins(built_in_and("checkout_tells")).start();
    let installed = file("delivery_options_flat");
    let installed = std::fs::read(installed).expect("it is read");
    let set = json!({ "options": "standard=4.99" });
    assert_eq!(host.admin.install("delivery-options/flat", "", &set, &installed).status, 200);
    let line = |item: &str| json!({ "item": item, "quantity": 1, "price": 9.99 });
    for secret in PERSONAL {
        let fields = [
            ("attributes", json!({ "note": secret })),
            ("attributes", json!({ "note": format!("please ask {secret}, thanks") })),
            ("attributes", json!({ secret: "x" })),
            ("attributes", json!({ "json": json!({ "deep": [secret] }).to_string() })),
            (
                "lines",
                json!([{ "item": "headphones", "quantity": 1, "price": 9.99, "attributes": { "engraving": secret } }]),
            ),
            ("lines", json!([{ "item": "headphones", "quantity": 1, "price": 9.99, "attributes": { secret: true } }])),
            ("lines", json!([line(secret)])),
            ("codes", json!([secret])),
            ("shipping_address", json!({ "country_code": "DE", "lines": [secret], "city": secret, "name": secret })),
            ("shipping_address", json!({ "country_code": "DE", "postal_code": secret.get(..20), "phone": secret })),
            ("billing_address", json!({ "country_code": "DE", "company": secret })),
            ("customer_token", json!(secret)),
        ];
        for (field, value) in fields {
            let mut body = json!({ "lines": [line("headphones")] });
            body[field] = value;
            let answer = host.shop.post("/checkout", &body);
            assert!(answer.status < 500, "{body}: {}", answer.text());
            assert!(host.shop.post("/quote", &body).status < 500);
        }
    }
    // A name has no form of its own: its key says what it is.
    let named =
        json!({ "lines": [line("headphones")], "attributes": { "customer_name": "Ada Lovelace", "city": "London" } });
    assert_eq!(host.shop.post("/checkout", &named).status, 200);

    let kept = host.admin.get("/recordings?limit=500&cases=true").text();
    assert!(!kept.contains("Ada Lovelace"), "also where the plugin says it again");
    assert!(
        kept.contains("London") && kept.contains("headphones") && kept.contains("9.99"),
        "what isn't personal stays"
    );
    let listed = host.admin.get("/recent/traces?limit=500");
    let ids = listed.json()["traces"].as_array().expect("traces").clone();
    let ids = ids.iter().map(|trace| trace["trace_id"].as_str().expect("an id").to_owned());
    let traces: String = ids.map(|id| host.admin.get(&format!("/recent/traces/{id}")).text()).collect();
    assert!(traces.contains("the customer says masked") && traces.contains("order.item"), "the plugin said something");
    let traces = traces + &listed.text();
    let log = serde_json::to_string(&host.log()).expect("JSON");
    let folder = host.stop().folder;
    let files = std::fs::read_dir(folder.path().join("data").join("recordings")).expect("a folder");
    let disk: String = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text")).collect();
    assert!(disk.matches("headphones").count() > 100, "all are on the disk: {} bytes", disk.len());
    for (what, text) in [("recordings", &kept), ("traces", &traces), ("log", &log), ("files", &disk)] {
        for secret in PERSONAL {
            assert!(!text.contains(secret), "{secret} is in the {what}");
        }
    }
}
