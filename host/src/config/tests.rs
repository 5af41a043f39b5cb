use super::*;
use crate::hooks::Kind;

fn load(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Settings, Unusable> {
    let mut sources = Sources::defaults();
    sources.add_file("till.toml", file)?;
    sources.add_environment(environment.iter().map(|(key, value)| ((*key).into(), (*value).into())))?;
    sources.add_flags(flags.iter().copied())?;
    Settings::load(&sources)
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let check = |file: &str, environment: &[(&str, &str)], flags: &[&str], expected: u64| {
        let settings = load(file, environment, flags).expect("usable");
        assert_eq!(settings.limits.guest_cpu_ms, expected);
    };
    let file = "[limits]\nguest_cpu_ms = 10";
    let environment = [("TILL_LIMITS_GUEST_CPU_MS", "20")];
    check("", &[], &[], 50);
    check(file, &[], &[], 10);
    check(file, &environment, &[], 20);
    check(file, &environment, &["limits.guest_cpu_ms=30"], 30);
}

#[test]
fn an_unusable_setting_is_named_with_its_source_and_what_would_do() {
    let check = |file: &str, environment: &[(&str, &str)], flags: &[&str], expected: &str| {
        let error = load(file, environment, flags).expect_err("unusable").to_string();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    };
    check("[limits]\nguest_cpu = 1", &[], &[], "limits.guest_cpu");
    check("[limits]\nguest_cpu = 1", &[], &[], "did you mean limits.guest_cpu_ms?");
    check("", &[("TILL_LIMITS_SPANS", "many")], &[], "TILL_LIMITS_SPANS");
    check("", &[], &["limits.spans"], "section.key=value");
    check("", &[], &["stock.headphones=-1"], "--set stock.headphones");
    check("", &[], &["prices.headphones=9.999"], "more decimals");
    check(
        "[prices]\ntea = \"2,80\"",
        &[],
        &[],
        "(till.toml) can't be used: the price has a comma; write a decimal point",
    );
    check("", &[], &["prices.tea=12.99 EUR"], "can't be used: the price is more than a number; leave out the currency");
    check("", &[], &["prices.tea="], "the price is empty; write a decimal number, such as 12.80");
    check("", &[], &["prices.tea=-1"], "the price is negative");
    check("[prices]\n\"caf\u{e9}\" = 1\n\"cafe\u{301}\" = 2", &[], &[], "stands there twice");
    check("", &[], &["shop.currency=XXQ"], "ISO 4217");
    check("", &[], &["shop.currency=HRK"], "Say EUR instead");
    check("", &[], &["limits.remote_call_ms=6000"], "less than limits.checkout_call_ms");
    check("[limits]\ngest_cpu_ms = 1", &[], &[], "did you mean limits.guest_cpu_ms?");
    check("[server]\nheader_ms = 1", &[], &[], "did you mean limits.header_ms?");
    check("", &[], &["traces.sent_percent=101"], "0 to 100");
    for origins in
        ["*", "shop.example", "https://shop.example/", "https://a.example https://b.example", "https://A.example"]
    {
        check("", &[], &[&format!("server.origins={origins}")], "https://shop.example, http://localhost:5173");
    }
    for hosts in ["*", "https://shop.example", "shop.example:8000", "shop.example/", "shop..example", "[::1]"] {
        check("", &[], &[&format!("server.hosts={hosts}")], "without scheme and port, such as shop.example");
    }
    check("", &[], &["inventory.reuse=0"], "1 (a fresh one for each) to 100000");
    check("not toml", &[], &[], "till.toml");
}

/// Issue 14.5: variables that Kubernetes sets for a Service named `till` or `till-…` stopped the start, or became
/// settings.
#[test]
fn service_links_are_no_settings() {
    let links = [
        ("TILL_SERVICE_HOST", "10.0.0.1"),
        ("TILL_SERVICE_PORT", "8000"),
        ("TILL_SERVICE_PORT_HTTP", "8000"),
        ("TILL_PORT", "tcp://10.0.0.1:8000"),
        ("TILL_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("TILL_PORT_8000_TCP_PROTO", "tcp"),
        ("TILL_PORT_8000_TCP_PORT", "8000"),
        ("TILL_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("TILL_PORT_8125_UDP_ADDR", "10.0.0.1"),
        ("TILL_ORDERS_SERVICE_PORT", "8000"),
        ("TILL_SERVER_PORT", "tcp://10.0.0.1:8000"),
        ("TILL_INVENTORY_SERVICE_HOST", "10.0.0.1"),
        ("TILL_INVENTORY_SERVICE_PORT_ADMIN", "8001"),
        ("TILL_CHECKOUT_PORT_8000_TCP_ADDR", "10.0.0.1"),
    ];
    let settings = load("", &links, &[]).expect("none of them is a setting");
    assert!(settings.of_plugins.iter().all(BTreeMap::is_empty));
    // A variable that only resembles a service link is a plugin's setting, or a mistake that is reported.
    let settings = load("", &[("TILL_CHECKOUT_PORT", "8000"), ("TILL_CHECKOUT_PORT_8000", "x")], &[]);
    assert_eq!(settings.expect("usable").of_plugins.of(Kind::Checkout).len(), 2);
    assert!(load("", &[("TILL_SERVER_PORT", "8000")], &[]).is_err());
}

/// cargo hands on what a build script sets to the program that it runs: `cargo run` didn't start with `TILL_WIT_0_1`.
#[test]
fn what_cargo_sets_for_a_run_is_no_setting() {
    let of_build = |value: &std::ffi::OsString| std::path::Path::new(value).starts_with(env!("OUT_DIR"));
    let set: Vec<_> = std::env::vars_os().filter(|(_, value)| of_build(value)).collect();
    assert_eq!(set.is_empty(), std::env::var_os("CARGO_PKG_NAME").is_none(), "a test has what a run has");
    let mut sources = Sources::defaults();
    sources.add_environment(set.into_iter()).expect("none of them is a setting");
    let settings = Settings::load(&sources).expect("usable");
    assert!(settings.of_plugins.iter().all(BTreeMap::is_empty));
}

/// rust-lang/rust#70251: `std::env::vars` panics on such a variable.
#[test]
fn what_is_no_utf_8_is_a_path_or_told() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    let bytes = || OsString::from_vec(b"/srv/t\xfcll".to_vec());
    let load = |variable: OsString| {
        let mut sources = Sources::defaults();
        sources.add_environment([(variable, bytes())].into_iter())?;
        Settings::load(&sources)
    };
    assert_eq!(load("TILL_SERVER_DATA".into()).expect("a path").server.data, PathBuf::from(bytes()));
    assert_eq!(load("TILL_SERVER_PLUGINS".into()).expect("a path").server.plugins, Some(bytes().into()));
    for variable in ["TILL_LOG_LEVEL", "TILL_LIMITS_SPANS", "TILL_STOCK_TEA", "TILL_CHECKOUT_SHIPPING"] {
        let error = load(variable.into()).expect_err("no text").to_string();
        assert!(error.contains(variable) && error.contains("UTF-8"), "{error}");
    }
    load(OsString::from_vec(b"TILL_\xfc".to_vec())).expect("nobody's variable");
    let mut sources = Sources::defaults();
    sources.add_flags([OsString::from_vec(b"server.data=\xfc".to_vec())].iter()).expect("a path");
}

#[test]
fn settings_are_printed_in_the_order_of_the_table() {
    let mut sources = Sources::defaults();
    sources.add_demo();
    let printed: Vec<_> = sources.iter().map(|(key, ..)| key).collect();
    let table: Vec<_> = ROWS.iter().map(|row| row.key).collect();
    assert_eq!(printed[..table.len()], table);
    assert!(printed[table.len()..].contains(&"stock.laptop"));
}

/// A reason is printed alone, so it can't refer to the row above.
#[test]
fn each_reason_stands_alone() {
    for row in ROWS {
        for word in [
            "likewise",
            "the same",
            "and so many",
            "that process",
            "that folder",
            "that till",
            "that choice",
            "one of those",
        ] {
            assert!(!row.reason.contains(word), "{}: {:?} speaks of another row", row.key, row.reason);
        }
    }
}

#[test]
fn an_item_is_the_same_in_every_source() {
    let settings = load("[prices]\n\"caf\u{e9}\" = 1", &[], &["prices.cafe\u{301}=2"]).expect("usable");
    let prices: Vec<_> = settings.prices.iter().map(|(item, price)| (item.as_str(), price.amount())).collect();
    assert_eq!(prices, [("caf\u{e9}", 200)]);
}

#[test]
fn the_demo_is_there_only_without_a_file() {
    let mut demo = Sources::defaults();
    demo.add_demo();
    let settings = Settings::load(&demo).expect("usable");
    assert_eq!(settings.of_plugins.of(Kind::Inventory).get("faults").map(String::as_str), Some("on"));
    assert!(settings.stock.keys().any(|item| item.as_str() == "headphones"));

    let settings = load("", &[], &[]).expect("usable");
    assert_eq!(settings.of_plugins.of(Kind::Inventory).get("faults"), None);
    assert!(settings.stock.is_empty());
}

/// A limit of 0 places serves nobody, and 255 % isn't a share.
#[test]
fn a_number_is_refused_outside_its_range_and_taken_at_both_ends() {
    for row in ROWS {
        let Some((least, most)) = row.range else {
            assert!(row.unit.is_empty(), "{} counts {} and has no range", row.key, row.unit);
            continue;
        };
        for fine in [least, most] {
            assert!(row.check(fine.to_string().as_ref()).is_ok(), "{} = {fine}", row.key);
        }
        assert!(row.check((row.default_value)().as_ref()).is_ok(), "{}: its default is out of range", row.key);
        let outside = [i64::from(least) - 1, i64::from(most) + 1];
        for outside in outside {
            let error = load("", &[], &[&format!("{}={outside}", row.key)]).expect_err("out of range").to_string();
            assert!(error.contains(row.key) && error.contains(&outside.to_string()), "{error}");
        }
    }
    let error = load("", &[], &["limits.connections=0"]).expect_err("nobody could come").to_string();
    assert!(error.ends_with("wanted connections from 1 to 1000000"), "{error}");
    let error = load("", &[], &["checkout.discount_max_percent=101"]).expect_err("more than all").to_string();
    assert!(error.ends_with("wanted a number from 0 to 100"), "{error}");
}

/// Each limit has to say what happens past it.
#[test]
fn each_limit_says_what_happens_past_it() {
    for row in ROWS.iter().filter(|row| row.key.starts_with("limits.") && row.range.is_some()) {
        assert!(!row.past.is_empty(), "{} doesn't say what happens past it", row.key);
    }
}
