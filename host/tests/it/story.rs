//! The way from a spike on a dashboard to the line that caused it, with the parts that run without containers: traffic
//! with slow smartphones, a real Prometheus, the host's own trace page in a browser.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    page::look,
    support::{Client, Host, eventually, prometheus::Prometheus},
};

/// A normal checkout takes far less; a slow smartphone adds at least 1 s.
const SPIKE_SECONDS: f64 = 1.0;
const SPIKE: &str = r#"histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{http_route="/checkout"}[15s])))"#;
const BUCKETS: &str = r#"http_server_request_duration_seconds_bucket{http_route="/checkout"}"#;

#[test]
fn a_spike_in_prometheus_leads_to_the_trace_and_its_log_lines() {
    let host = Host::plan_demo().set("stock.headphones=4000000000").set("stock.smartphone=4000000000").start();
    let prometheus = Prometheus::scraping(&host);
    buy_until(&host, Duration::from_secs(pictured_seconds()), |_| "headphones");
    prometheus.wait_for_scrape();

    // Somebody sells smartphones by the three.
    let seconds = eventually("a spike", || {
        buy_until(&host, Duration::from_secs(1), |at| if at % 20 == 0 { "smartphone" } else { "headphones" });
        prometheus.values(SPIKE).first().copied().filter(|seconds| *seconds > SPIKE_SECONDS)
    });
    let exemplar = eventually("an exemplar of the spike", || {
        let exemplars = prometheus.exemplars(BUCKETS);
        exemplars.into_iter().find(|(_, seconds)| *seconds > SPIKE_SECONDS)
    });
    let (trace_id, took) = exemplar;
    println!("p99 is {seconds:.2} s; trace {trace_id} took {took:.2} s");

    look(
        &host,
        "story",
        json!({
            "prometheus": format!("http://{}", prometheus.api.address),
            "expression": SPIKE,
            "path": format!("/traces/{trace_id}"),
            "span": "inventory_deduct_span",
        }),
    );

    let stopped = host.stop();
    let of_trace = |line: &&Value| line["trace_id"] == *trace_id;
    let lines: Vec<_> = stopped.log.iter().filter(of_trace).collect();
    assert!(
        lines.iter().any(|line| line["plugin"].as_str().is_some_and(|plugin| plugin.starts_with("inventory/"))
            && line["message"] == "simulating a slow inventory"),
        "{lines:?}"
    );
}

/// A picture wants a quiet stretch before the spike.
fn pictured_seconds() -> u64 {
    if std::env::var_os("TILL_PICTURES").is_some() { 60 } else { 3 }
}

/// Has some clients buy for so long, one piece of an item, or three of the slow one.
fn buy_until(host: &Host, duration: Duration, item: impl Fn(usize) -> &'static str + Sync) {
    let began = Instant::now();
    let buy = |shop: &Client, at: usize| {
        let item = item(at);
        let answer = shop.buy(item, if item == "smartphone" { 3 } else { 1 });
        assert_eq!(answer.status, 200, "{}", answer.text());
        std::thread::sleep(Duration::from_millis(20));
    };
    std::thread::scope(|clients| {
        for client in 0..4 {
            let buy = &buy;
            clients.spawn(move || {
                (client..).take_while(|_| began.elapsed() < duration).for_each(|at| buy(&host.shop, at));
            });
        }
    });
}
