//! `till plugin run`, `test` and `wit`: what authors see of a plugin before any host has it.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{golden, guests::file, host::till, steady};

/// A folder with case files in it.
struct Cases(TempDir);

impl Cases {
    fn of(cases: &[(&str, Value)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, case) in cases {
            std::fs::write(folder.path().join(name), case.to_string()).expect("the case is written");
        }
        Self(folder)
    }

    /// Runs `till plugin` in the folder, with a second of CPU for guests: the machine may be busy.
    fn till(&self, arguments: &[&str]) -> Output {
        let mut till = till();
        till.arg("plugin").args(arguments).current_dir(self.0.path()).env("TILL_LIMITS_GUEST_CPU_MS", "1000");
        till.output().expect("till starts")
    }
}

fn path(guest: &str) -> String {
    file(guest).display().to_string()
}

fn said(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).expect("UTF-8")
}

fn order(item: &str, quantity: u32) -> Value {
    json!({ "stock": { "tea": 10 }, "lines": [{ "item": item, "quantity": quantity, "price": 5 }] })
}

#[test]
fn a_run_shows_all_of_a_call() {
    let mut discount = order("tea", 3);
    discount["set"] = json!({ "surcharge": "25" });
    let slow = json!({ "set": { "faults": "on" }, "random": [0.0], "stock": { "smartphone": 3 },
        "lines": [{ "item": "smartphone", "quantity": 3 }] });
    let cases = Cases::of(&[("discount.json", discount), ("slow.json", slow)]);
    assert!(cases.till(&["export", "inventory", "inventory.wasm"]).status.success());
    let mut shown = String::new();
    for arguments in [
        ["run", &path("checkout_pricing"), "--input", "discount.json"].as_slice(),
        &["run", "inventory.wasm", "--input", "slow.json"],
        &["run", "inventory.wasm", "--input", "slow.json", "--stock", "smartphone=2", "--set", "faults=off"],
        &["run", &path("checkout_spans"), "--input", "discount.json"],
        &["run", &path("checkout_trap"), "--input", "discount.json"],
    ] {
        let run = cases.till(arguments);
        let name = arguments[1].rsplit('/').next().unwrap_or_default();
        let code = run.status.code().expect("an exit code");
        shown +=
            &format!("$ till plugin run {name} {}\n{}\n", arguments[2..].join(" "), steady::text(&said(&run.stdout)));
        shown += &format!("{}exit code {code}\n\n", said(&run.stderr));
    }
    golden::check("plugin_run.txt", &shown);
}

#[test]
fn a_run_is_json_for_programs() {
    let cases = Cases::of(&[("case.json", order("tea", 11))]);
    let run = cases.till(&["run", &path("checkout_pricing"), "--input", "case.json", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let call: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!((&call["outcome"], &call["is_fault"]), (&json!("insufficient_stock"), &json!(false)));
    assert_eq!(call["asked"], json!({ "tea": 11 }));
    assert_eq!(call["spans"][0]["spans"][0]["name"], "price_cart");
    assert!(call["fuel_used"].as_u64().is_some_and(|fuel| fuel > 0), "{call}");
    assert!(call["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{call}");

    let run = cases.till(&["run", &path("checkout_bad_total"), "--input", "case.json", "--json", "--stock", "tea=11"]);
    let call: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!((&call["outcome"], &call["is_fault"]), (&json!("bad_output"), &json!(true)), "{call}");
}

#[test]
fn what_is_no_case_is_told_with_its_file() {
    let mut unknown = order("tea", 1);
    unknown["expected"] = json!({});
    let cases = Cases::of(&[
        ("unknown.json", unknown),
        ("none.json", json!([])),
        ("priceless.json", { json!({ "lines": [{ "item": "tea", "quantity": 1 }] }) }),
    ]);
    let plugin = path("checkout_pricing");
    let mut told = String::new();
    for input in ["unknown.json", "none.json", "absent.json"] {
        let run = cases.till(&["run", &plugin, "--input", input]);
        assert_eq!(run.status.code(), Some(2), "{input}");
        told += &said(&run.stderr);
    }
    let run = cases.till(&["run", &plugin, "--input", "priceless.json"]);
    assert_eq!(run.status.code(), Some(2));
    told += &said(&run.stderr);
    let run = cases.till(&["run", &plugin, "--input", "unknown.json", "--stock", "tea"]);
    assert_eq!(run.status.code(), Some(2));
    told += said(&run.stderr).lines().next().unwrap_or_default();
    golden::check("plugin_run_usage.txt", &told);
}

#[test]
fn a_test_says_what_is_not_as_expected() {
    let mut as_expected = order("tea", 3);
    as_expected["expect"] = json!({ "outcome": "ok", "asked": { "tea": 3 }, "receipt": { "total": 13.5, "adjustments": [
        { "effect": "subtract", "category": "discount", "label": "10 % off from 3 pieces", "amount": 1.5, "line": 0 }] } });
    let mut other_receipt = as_expected.clone();
    other_receipt["expect"]["receipt"]["total"] = json!(15);
    other_receipt["expect"]["spans"] = json!(["checkout_transaction", "  inventory_deduct_span", "    db_take_stock"]);
    let mut other_outcome = order("tea", 11);
    other_outcome["expect"] = json!({ "outcome": "rejected", "detail": "too much" });
    let cases =
        [("good.json", as_expected), ("other_receipt.json", other_receipt), ("other_outcome.json", other_outcome)];
    let folder = Cases::of(&cases);
    let test = folder.till(&["test", &path("checkout_pricing"), "."]);
    assert_eq!(test.status.code(), Some(1));
    golden::check("plugin_test.txt", &format!("{}{}", said(&test.stdout), said(&test.stderr)));

    let good = Cases::of(&cases[..1]);
    assert_eq!(good.till(&["test", &path("checkout_pricing"), "."]).status.code(), Some(0));
    let none = Cases::of(&[]).till(&["test", &path("checkout_pricing"), "."]);
    assert_eq!((none.status.code(), &*said(&none.stderr)), (Some(1), "till: there are no cases (*.json) in .\n"));
}

#[test]
fn a_case_says_what_shop_it_is_in_and_which_no_it_expects() {
    let line = json!([{ "item": "tea", "quantity": 1, "price": 10 }]);
    let half_off = json!({ "subtract discount": 600, "free": true });
    let with = |more: Value, expect: Value| {
        let mut case = json!({ "lines": line, "stock": { "tea": 1 }, "attributes": half_off, "expect": expect });
        case.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        case
    };
    let taken = json!([{ "effect": "subtract", "category": "discount", "label": "discount", "amount": 6 }]);
    let sold =
        json!({ "outcome": "ok", "receipt": { "total": 4, "adjustments": taken, "attributes": { "adjusted": 1 } } });
    let in_yen = json!({ "outcome": "ok", "receipt": { "total": 9_400, "adjustments": [
        { "effect": "subtract", "category": "discount", "label": "discount", "amount": 600 }] } });
    let mut other_attributes = sold.clone();
    other_attributes["receipt"]["attributes"] = json!({ "adjusted": 2 });
    let priced = json!([{ "item": "tea", "quantity": 1, "price": 10_000 }]);
    let cases = Cases::of(&[
        ("capped.json", with(json!({}), json!({ "outcome": "bad_output" }))),
        ("capped_in_yen.json", with(json!({ "shop": { "currency": "JPY" }, "lines": priced }), in_yen)),
        ("generous.json", with(json!({ "shop": { "discount_max_percent": 60 } }), sold)),
        ("other_attributes.json", with(json!({ "shop": { "discount_max_percent": 60 } }), other_attributes)),
    ]);
    let test = cases.till(&["test", &path("checkout_adjusts"), "."]);
    let mut shown = said(&test.stdout) + &said(&test.stderr);

    let refused = |expect: Value| {
        let mut case = json!({ "lines": line, "attributes": { "reject": "not to this address" } });
        case["expect"] = expect;
        case
    };
    let cases = Cases::of(&[
        ("no.json", refused(json!({ "outcome": "rejected", "rejection": "blocked" }))),
        ("other_no.json", refused(json!({ "outcome": "rejected", "rejection": "expired" }))),
    ]);
    let test = cases.till(&["test", &path("checkout_discount"), "."]);
    shown += &(said(&test.stdout) + &said(&test.stderr));
    golden::check("plugin_test_shop.txt", &shown);
}

#[test]
fn a_test_sets_the_plugins_settings_as_a_run_does() {
    let mut case = order("tea", 1);
    case["set"] = json!({ "surcharge": "1" });
    case["expect"] = json!({ "outcome": "ok", "receipt": { "total": 7.5, "adjustments": [
        { "effect": "add", "category": "surcharge", "label": "Surcharge", "amount": 2.5 },
        { "effect": "included", "category": "tax", "label": "25 % of 600", "amount": 1.5 }] } });
    let cases = Cases::of(&[("case.json", case)]);
    let test = |set: &[&str]| {
        let plugin = path("checkout_pricing");
        let set = set.iter().flat_map(|set| ["--set", *set]);
        let arguments: Vec<_> = ["test", &plugin, "."].into_iter().chain(set).collect();
        let test = cases.till(&arguments);
        (test.status.code(), said(&test.stdout) + &said(&test.stderr))
    };
    assert_eq!(test(&[]).0, Some(1));
    let (code, shown) = test(&["surcharge=250", "tax_percent=25", "checkout.discount_max_percent=1"]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(test(&["surcharge=250", "tax_percent=25", "checkout.added_max_percent=x"]).0, Some(64));
}

#[test]
fn a_failed_case_shows_what_the_plugin_logged() {
    let mut case = order("tea", 3);
    case["expect"] = json!({ "outcome": "rejected" });
    let folder = Cases::of(&[("fails.json", case.clone())]);
    let shown = |plugin: &str, folder: &Cases| said(&folder.till(&["test", &path(plugin), "."]).stdout);
    let failed = shown("checkout_trap", &folder);
    assert!(failed.contains("      log\n        INFO  thread") && failed.contains("no receipt for order"), "{failed}");
    // Where all is as expected it isn't asked for.
    case["expect"] = json!({ "outcome": "trap" });
    let passed = shown("checkout_trap", &Cases::of(&[("passes.json", case)]));
    assert!(passed.starts_with("ok") && !passed.contains("log"), "{passed}");
}

#[test]
fn a_plugin_meets_no_network() {
    let cases = Cases::of(&[("case.json", order("tea", 1))]);
    let run = cases.till(&["run", &path("checkout_opens_sockets"), "--input", "case.json", "--json"]);
    let call: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let lines = call["log"].as_array().expect("a list").iter();
    let lines: Vec<_> = lines.map(|line| line["message"].as_str().expect("a text")).collect();
    assert_eq!((&call["outcome"], lines.len()), (&json!("ok"), 4), "{call}");
    assert!(lines.iter().all(|line| line.contains(": refused, ")), "{lines:?}");
}

#[test]
fn a_rehearsal_counts_in_the_shops_currency() {
    let cases = Cases::of(&[("case.json", {
        json!({ "lines": [{ "item": "tea", "quantity": 1, "price": 1.234 }], "stock": { "tea": 1 } })
    })]);
    let run = |arguments: &[&str]| {
        let run = cases.till(&[&["run", &path("checkout_spans"), "--input", "case.json"], arguments].concat());
        (run.status.code(), said(&run.stdout) + &said(&run.stderr))
    };
    // Dollars have two decimals.
    assert_eq!(run(&[]).0, Some(2));
    let (code, shown) = run(&["--set", "shop.currency=KWD"]);
    assert!(code == Some(0) && shown.contains("total 1.234 KWD"), "{shown}");
    std::fs::write(cases.0.path().join("till.toml"), "[shop]\ncurrency = \"BHD\"\n[checkout]\nreject = \"all\"\n")
        .expect("written");
    let (code, shown) = run(&[]);
    assert!(code == Some(0) && shown.contains("total 1.234 BHD"), "{shown}");
    let (code, shown) = run(&["--set", "shop.currency=HRK"]);
    assert!(code == Some(64) && shown.contains("Say EUR instead"), "{shown}");
}

#[test]
fn the_same_bytes_are_compiled_once() {
    let cases = Cases::of(&[("case.json", order("tea", 1))]);
    let checked = |file: &str| {
        let checked = cases.till(&["check", "--json", file]);
        let described: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
        described["digest"].as_str().expect("a digest").to_owned()
    };
    // Bytes that no other test has.
    let mut bytes = std::fs::read(path("checkout_pricing")).expect("it was built");
    let name = format!("{:032x}", rand::random::<u128>());
    bytes.extend([0, 2 + 32, 1, b'x']);
    bytes.extend(name.bytes());
    std::fs::write(cases.0.path().join("own.wasm"), bytes).expect("written");
    assert!(cases.till(&["run", "own.wasm", "--input", "case.json"]).status.success());
    let cache =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/till").join(checked("own.wasm")).join("sums");
    let compiled = || std::fs::read_dir(&cache).expect("code").count();
    let after_two = compiled();
    assert!(after_two > 0);
    assert!(cases.till(&["run", "own.wasm", "--input", "case.json"]).status.success());
    assert_eq!(compiled(), after_two);
}

#[test]
fn a_checkout_can_be_given_another_inventory() {
    let cases = Cases::of(&[("case.json", order("tea", 1))]);
    let inventory = path("inventory_without_take");
    let run =
        cases.till(&["run", &path("checkout_pricing"), "--input", "case.json", "--inventory", &inventory, "--json"]);
    let call: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!((&call["outcome"], &call["is_fault"]), (&json!("bad_output"), &json!(true)), "{call}");
    assert!(call["detail"].as_str().is_some_and(|detail| detail.starts_with("the inventory plugin")), "{call}");
}

#[test]
fn a_check_says_what_a_plugin_is_and_takes() {
    let folder = Cases::of(&[]);
    assert!(folder.till(&["export", "checkout", "built_in.wasm"]).status.success());
    let checked = folder.till(&["check", "built_in.wasm"]);
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked.stderr));
    golden::check("plugin_check.txt", &steady::text(&said(&checked.stdout)));
    let checked = folder.till(&["check", "--json", "built_in.wasm"]);
    let described: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    assert_eq!((&described["kind"], &described["track"]), (&json!("checkout"), &json!("0.1")));
    assert_eq!(described["wasi"]["cli"].as_str().map(|text| text.contains("no environment")), Some(true));
    assert!(described["memory_bytes"].as_u64() >= described["memory_bytes_at_start"].as_u64(), "{described}");
}

#[test]
fn the_wit_is_printed_whole_or_for_a_kind() {
    let wit = |arguments: &[&str]| {
        let printed = till().args(["plugin", "wit"]).args(arguments).output().expect("till starts");
        assert!(printed.status.success());
        said(&printed.stdout)
    };
    let (all, checkout) = (wit(&[]), wit(&["--kind", "checkout"]));
    assert!(all.contains("world inventory-plugin {") && all.contains("world checkout-plugin {"));
    assert!(checkout.contains("world checkout-plugin {") && !checkout.contains("interface stock"));
}
