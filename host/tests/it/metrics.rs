//! `GET /metrics`: the seed's counters with the right figures, and no label that a client could make grow.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{Host, built_in_and, eventually};

/// Returns every series with its value, by its text.
fn series(host: &Host) -> BTreeMap<String, f64> {
    let answer = host.shop.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer.header("content-type").starts_with("text/plain; version=0.0.4"),
        "{}",
        answer.header("content-type")
    );
    let text = answer.text();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        (series.to_owned(), value.parse().expect("a number"))
    };
    samples.map(sample).collect()
}

#[test]
fn the_seeds_counters_count() {
    let host = Host::start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    assert_eq!(host.shop.buy("headphones", 2).status, 200);
    assert_eq!(host.shop.buy("headphones", 500).status, 400);
    assert_eq!(host.shop.buy("unheard-of", 1).status, 400);
    let two = json!({ "lines": [
        { "item": "headphones", "quantity": 1, "price": 0.5 },
        { "item": "laptop", "quantity": 1, "price": 1000 },
    ] });
    assert_eq!(host.shop.post("/checkout", &two).status, 200);
    assert_eq!(host.shop.buy("", 1).status, 422, "no checkout: it never became an order");

    let series = series(&host);
    let orders: BTreeMap<&str, f64> = series
        .iter()
        .filter(|(name, _)| name.starts_with("order_"))
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let expected = [
        (r#"order_checkout_errors_total{item="headphones",reason="insufficient_stock"}"#, 1.0),
        (r#"order_checkout_errors_total{item="other",reason="insufficient_stock"}"#, 1.0),
        (r#"order_checkouts_total{item="headphones"}"#, 3.0),
        (r#"order_checkouts_total{item="multiple"}"#, 1.0),
        (r#"order_checkouts_total{item="other"}"#, 1.0),
        (r#"order_revenue_USD_total{item="headphones"}"#, 299.97),
        (r#"order_revenue_USD_total{item="multiple"}"#, 1000.5),
    ];
    assert_eq!(orders.keys().copied().collect::<Vec<_>>(), expected.map(|(name, _)| name));
    for (name, value) in expected {
        assert!((orders[name] - value).abs() < 1e-9, "{name} {}", orders[name]);
    }
    let sum = |prefix: &str, label: &str| -> f64 {
        series.iter().filter(|(name, _)| name.starts_with(prefix) && name.contains(label)).map(|(_, value)| value).sum()
    };
    assert!((sum("http_server_request_duration_seconds_count", "http_route=\"/checkout\"") - 6.0).abs() < 1e-9);
    assert!((sum("plugin_call_duration_seconds_count", "kind=\"inventory\"") - 5.0).abs() < 1e-9);
    assert!((sum("plugin_call_duration_seconds_count", "outcome=\"insufficient_stock\"") - 4.0).abs() < 1e-9);
    assert!((sum("plugin_info", "") - 2.0).abs() < 1e-9);
    let seconds: Vec<&str> = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
        .iter()
        .map(|bound| if series.keys().any(|name| name.contains(&format!("le=\"{bound}\""))) { "" } else { "missing" })
        .collect();
    assert!(seconds.iter().all(|missing| missing.is_empty()), "{seconds:?}");
    host.stop();
}

#[test]
fn what_clients_make_up_makes_no_series() {
    let host = Host::start();
    let ask = |number: u32| {
        let item = format!("item-{number}");
        assert_eq!(host.shop.buy(&item, 1).status, 400);
        assert_eq!(host.shop.get(&format!("/nowhere/{number}")).status, 404);
        assert_eq!(host.shop.get(&format!("/inventory/{item}")).status, 404);
        assert_eq!(host.shop.get(&format!("/orders/{item}")).status, 404);
    };
    ask(0);
    series(&host);
    let before: Vec<String> = series(&host).into_keys().collect();
    (1..=1_000).for_each(ask);
    let after: Vec<String> = series(&host).into_keys().collect();
    assert_eq!(before, after);
    host.stop();
}

#[test]
fn the_charts_show_the_last_minutes_with_swaps_and_faults() {
    let host = Host::plan().plugins(built_in_and("checkout_trap")).warns("checkout failed").start();
    assert_eq!(host.shop.buy("headphones", 1).status, 502);
    let set = host.admin.post("/plugins/checkout/settings", &json!({ "set": { "reuse": "1" }, "by": "ann" }));
    assert_eq!(set.status, 200, "{}", set.text());
    // A sample may be taken between two of them.
    let has = |charts: &serde_json::Value, list: &str, wanted: &dyn Fn(&serde_json::Value) -> bool| {
        charts[list].as_array().expect("a list").iter().any(wanted)
    };
    let charts = eventually("a sample with each of them", || {
        let charts = host.admin.get("/recent/charts").json();
        let is_whole = has(&charts, "routes", &|route| route["route"] == "/checkout")
            && has(&charts, "plugin_calls", &|calls| calls["outcome"] == "trap")
            && has(&charts, "stock", &|_| true)
            && ["fault", "swap"].iter().all(|kind| has(&charts, "marks", &|mark| mark["kind"] == *kind));
        is_whole.then_some(charts)
    });
    let samples = charts["times"].as_array().expect("times").len();
    let route = charts["routes"].as_array().unwrap().iter().find(|route| route["route"] == "/checkout").unwrap();
    let sum = |values: &serde_json::Value| {
        let values = values.as_array().expect("values");
        assert_eq!(values.len(), samples);
        values.iter().filter_map(serde_json::Value::as_f64).sum::<f64>()
    };
    assert!(sum(&route["requests"]) > 0.0 && sum(&route["errors"]) > 0.0 && sum(&route["p99_ms"]) > 0.0, "{route:#}");
    let calls = charts["plugin_calls"].as_array().expect("calls");
    assert!(calls.iter().any(|calls| calls["outcome"] == "trap" && sum(&calls["calls"]) > 0.0), "{calls:#?}");
    let stock = &charts["stock"][0];
    let on_hand = stock["on_hand"].as_array().expect("values").iter().filter(|pieces| !pieces.is_null());
    let on_hand: BTreeSet<_> = on_hand.map(|pieces| pieces.as_u64().expect("pieces")).collect();
    assert_eq!((&stock["item"], on_hand), (&json!("headphones"), BTreeSet::from([200])), "{charts:#}");
    let marks = charts["marks"].as_array().expect("marks");
    let mark = |kind: &str, text: &str| {
        marks.iter().any(|mark| mark["kind"] == kind && mark["text"].as_str().expect("words").contains(text))
    };
    assert!(mark("fault", "checkout trap") && mark("swap", "with other settings) by ann"), "{marks:#?}");
    host.stop();
}

#[test]
fn every_route_of_both_listeners_has_its_rate_errors_and_duration() {
    let host = Host::start();
    host.shop.get("/inventory");
    host.admin.get("/orders");
    host.admin.get("/orders/77");
    host.admin.get("/nowhere");
    let series = series(&host);
    for (count, labels) in [
        ("http_server_request_duration_seconds_count", [r#"http_route="/inventory""#, r#"status_code="200""#]),
        ("admin_request_duration_seconds_count", [r#"http_route="/orders""#, r#"status_code="200""#]),
        ("admin_request_duration_seconds_count", [r#"http_route="/orders/{reference}""#, r#"status_code="404""#]),
        ("admin_request_duration_seconds_count", [r#"http_request_method="GET""#, r#"status_code="404""#]),
    ] {
        let is_meant = |name: &str| name.starts_with(count) && labels.iter().all(|label| name.contains(label));
        assert!(series.keys().any(|name| is_meant(name)), "{count} {labels:?} is not among {series:#?}");
    }
    assert!(!series.keys().any(|name| name.contains("nowhere") || name.contains("/77")), "{series:#?}");
    host.stop();
}
