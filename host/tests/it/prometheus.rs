//! The metrics as a real Prometheus sees them: scraped over HTTP, stored, and asked back in PromQL.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{
    Host, Protocol,
    collector::Collector,
    eventually,
    http::order_of,
    prometheus::{PACKAGE, Prometheus},
    rounds,
};

/// Clients that buy unknown items, so that the test waits for the host and not for one answer at a time.
const CLIENTS: usize = 8;

#[test]
fn prometheus_reads_what_the_requests_imply() {
    let host = Host::start();
    let prometheus = Prometheus::scraping(&host);
    let cart = json!({ "lines": [
        { "item": "headphones", "quantity": 2, "price": 99.99 },
        { "item": "laptop", "quantity": 1, "price": 1299 },
    ] });
    for (status, answer) in [
        (200, host.shop.buy("headphones", 1)),
        (200, host.shop.buy("headphones", 2)),
        (200, host.shop.post("/checkout", &cart)),
        (400, host.shop.buy("headphones", 1_000)),
        (400, host.shop.buy("unicorn", 1)),
        (422, host.shop.buy("headphones", 0)),
        (404, host.shop.get("/nowhere")),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    prometheus.wait_for_scrape();

    let calls = |kind: &str, outcome: &str| {
        format!(r#"plugin_call_duration_seconds_count{{kind="{kind}",outcome="{outcome}",rollout="live"}}"#)
    };
    let requests = |part: &str, labels: &str| {
        format!(
            "http_server_request_duration_seconds_{part}{{{labels},http_request_method=\"POST\",\
             http_route=\"/checkout\",network_protocol_version=\"1.1\",url_scheme=\"http\"}}"
        )
    };
    for (query, expected) in [
        // Every cart that was one counts as a checkout, whatever came of it; the one of zero pieces was none.
        (r#"order_checkouts_total{item="headphones"}"#.to_owned(), 3.0),
        (r#"order_checkouts_total{item="multiple"}"#.to_owned(), 1.0),
        (r#"order_checkouts_total{item="other"}"#.to_owned(), 1.0),
        ("count(order_checkouts_total)".to_owned(), 3.0),
        (r#"order_revenue_USD_total{item="headphones"}"#.to_owned(), 299.97),
        (r#"order_revenue_USD_total{item="multiple"}"#.to_owned(), 1_498.98),
        ("count(order_revenue_USD_total)".to_owned(), 2.0),
        (r#"order_checkout_errors_total{item="headphones",reason="insufficient_stock"}"#.to_owned(), 1.0),
        (r#"order_checkout_errors_total{item="other",reason="insufficient_stock"}"#.to_owned(), 1.0),
        ("count(order_checkout_errors_total)".to_owned(), 2.0),
        (requests("count", r#"http_response_status_code="200""#), 3.0),
        (requests("bucket", r#"http_response_status_code="200",le="10.0""#), 3.0),
        (requests("bucket", r#"http_response_status_code="200",le="+Inf""#), 3.0),
        (requests("count", r#"http_response_status_code="400""#), 2.0),
        (requests("count", r#"http_response_status_code="422""#), 1.0),
        (r#"http_server_request_duration_seconds_count{http_response_status_code="404"}"#.to_owned(), 1.0),
        // The semantic conventions' 14 bounds and the infinite one.
        (format!("count({})", requests("bucket", r#"http_response_status_code="200""#)), 15.0),
        (calls("checkout", "ok"), 3.0),
        (calls("inventory", "ok"), 3.0),
        (calls("checkout", "insufficient_stock"), 2.0),
        (calls("inventory", "insufficient_stock"), 2.0),
        ("count(plugin_info)".to_owned(), 2.0),
        (r#"count(plugin_info{kind="checkout",plugin="checkout"})"#.to_owned(), 1.0),
    ] {
        let found = prometheus.query(&query);
        assert!((found - expected).abs() < 1e-6, "{query} is {found}, not {expected}\n{}", metrics(&host));
    }
    host.stop();
}

#[test]
fn unknown_items_and_versions_add_no_series() {
    let (unknown_items, versions) = (rounds(3_000, 1_000_000), rounds(100, 10_000));
    let host = Host::start();
    let prometheus = Prometheus::scraping(&host);
    let buy = |client: usize, number: usize| {
        let answer = host.shop.post("/checkout", &order_of(&format!("unknown-{client}-{number}"), 1));
        assert_eq!(answer.status, 400, "{}", answer.text());
    };
    const SERIES: &str = r#"count({job="till"})"#;
    // The first one brings the series of the label `other`, and the first scrape brings its own route's.
    buy(CLIENTS, 0);
    // Two, so that the swap's own series is there.
    (0..2).for_each(|number| change(&host, number));
    prometheus.wait_for_scrape();
    prometheus.wait_for_scrape();
    let before = prometheus.query(SERIES);

    std::thread::scope(|clients| {
        for client in 0..CLIENTS {
            clients.spawn(move || (0..unknown_items / CLIENTS).for_each(|number| buy(client, number)));
        }
    });
    (2..versions).for_each(|number| change(&host, number));
    prometheus.wait_for_scrape();
    let after = prometheus.query(SERIES);
    assert!((after - before).abs() < 0.5, "{before} series became {after}\n{}", metrics(&host));
    let counted = prometheus.query(r#"order_checkouts_total{item="other"}"#);
    assert!((counted - unknown_items as f64 - 1.0).abs() < 0.5, "{counted} checkouts were counted");
    let swaps = prometheus.query("sum(plugin_swaps_total)");
    assert!((swaps - versions as f64).abs() < 0.5, "{swaps} swaps were counted");
    println!("{unknown_items} items and {versions} versions: {before} series became {after}");
    host.stop();
}

#[test]
fn promtool_finds_nothing_in_the_metrics() {
    let host = Host::start();
    host.shop.buy("headphones", 1);
    host.shop.buy("headphones", 1_000);
    let page = metrics(&host);
    host.stop();

    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = promtool.spawn().expect(PACKAGE);
    // Taken, so that it is closed and promtool sees the end.
    checking.stdin.take().expect("stdin is piped").write_all(page.as_bytes()).expect("promtool reads");
    let checked = checking.wait_with_output().expect("promtool ends");
    let found = [checked.stdout, checked.stderr].concat();
    let found = String::from_utf8_lossy(&found);
    assert!(checked.status.success() && found.trim().is_empty(), "{}\n{found}\n{page}", checked.status);
}

/// Makes another version of the inventory plugin live.
fn change(host: &Host, number: usize) {
    let settings = json!({ "set": { "number": number.to_string() }, "force": true });
    let answer = host.admin.post("/plugins/inventory/settings", &settings);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// At 5 % most requests have no trace that could be looked at. Those that are shown do.
#[test]
fn every_exemplar_leads_to_a_trace_that_was_sent() {
    let wanted = rounds(30, 100);
    let collector = Collector::start(Protocol::Grpc);
    let host = Host::plan_demo()
        .set("stock.headphones=4000000000")
        .set("stock.laptop=4000000000")
        .set("traces.sent_percent=5")
        .warns("checkout failed")
        .exporting_to(collector.endpoint(), Protocol::Grpc)
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "65536")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .start();
    let prometheus = Prometheus::scraping(&host);
    let mut exemplars = BTreeMap::new();
    eventually("so many exemplars", || {
        (0..200).for_each(|_| _ = host.shop.buy("headphones", 1));
        host.shop.buy("laptop", 2);
        for metric in ["http_server_request_duration_seconds_bucket", "plugin_call_duration_seconds_bucket"] {
            exemplars.extend(prometheus.exemplars(metric));
        }
        (exemplars.len() >= wanted).then_some(())
    });
    host.stop();
    let traces = collector.traces();
    let missing: Vec<_> = exemplars.keys().filter(|trace_id| !traces.contains_key(*trace_id)).collect();
    println!("{} of {} exemplars lead to a trace", exemplars.len() - missing.len(), exemplars.len());
    assert!(missing.is_empty(), "{} of {} lead nowhere: {missing:?}", missing.len(), exemplars.len());
    assert!(exemplars.values().all(|seconds| *seconds > 0.0), "{exemplars:?}");
}

fn metrics(host: &Host) -> String {
    let page = host.shop.get("/metrics");
    assert_eq!(page.status, 200, "{}", page.text());
    // Whole, with the line end that the format demands.
    page.text() + "\n"
}
