use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

use super::*;
use crate::telemetry::settings::LogFormat;

fn start(currency_code: &str) -> (Metrics, SdkMeterProvider) {
    let settings = Settings::from_environment(|_| None, LogFormat::Json, "off", currency_code).unwrap();
    let resource = Resource::builder_empty().with_service_name("shop").build();
    Metrics::start(&settings, resource, LostOnTheWay::default(), Arc::default(), Traces::Kept).unwrap()
}

fn page(metrics: &Metrics) -> String {
    String::from_utf8(metrics.render(Format::Text).unwrap()).unwrap()
}

/// The page has all of these lines.
fn check(metrics: &Metrics, lines: &[&str]) {
    let page = page(metrics);
    for line in lines {
        assert!(page.lines().any(|found| found == *line), "{line}\nis not in\n{page}");
    }
}

#[test]
fn orders_come_out_under_their_names() {
    let (metrics, _provider) = start("USD");
    metrics.checkout("laptop");
    metrics.checkout("laptop");
    metrics.revenue("laptop", 1999.5);
    metrics.checkout_error("other", "insufficient_stock");
    check(
        &metrics,
        &[
            "# TYPE order_checkouts_total counter",
            r#"order_checkouts_total{item="laptop"} 2"#,
            r#"order_revenue_USD_total{item="laptop"} 1999.5"#,
            r#"order_checkout_errors_total{item="other",reason="insufficient_stock"} 1"#,
            r#"target_info{service_name="shop"} 1"#,
            r#"telemetry_spans_lost_total{reason="queue_full"} 0"#,
            r#"telemetry_spans_lost_total{reason="export_failed"} 0"#,
        ],
    );
    let (metrics, _provider) = start("JPY");
    metrics.revenue("laptop", 3.0);
    check(&metrics, &[r#"order_revenue_JPY_total{item="laptop"} 3"#]);
}

#[test]
fn requests_follow_the_semantic_conventions() {
    let (metrics, _provider) = start("USD");
    let request = HttpRequest {
        method: "POST",
        route: "/checkout",
        status: 200,
        version: "1.1",
        duration: Duration::from_millis(30),
    };
    let span = SpanContext::NONE;
    metrics.http_request(&span, request);
    metrics.http_request(&span, HttpRequest { status: 503, ..request });
    metrics.http_request(&span, HttpRequest { method: "BREW", route: "", status: 404, ..request });
    metrics.http_request(&span, HttpRequest { method: "BREW", route: "", status: 501, ..request });
    const OK: &str = concat!(
        r#"http_request_method="POST",http_response_status_code="200",http_route="/checkout","#,
        r#"network_protocol_version="1.1",url_scheme="http""#
    );
    check(
        &metrics,
        &[
            "# TYPE http_server_request_duration_seconds histogram",
            &format!(r#"http_server_request_duration_seconds_bucket{{{OK},le="0.025"}} 0"#),
            &format!(r#"http_server_request_duration_seconds_bucket{{{OK},le="0.05"}} 1"#),
            &format!(r#"http_server_request_duration_seconds_sum{{{OK}}} 0.03"#),
            &format!(r#"http_server_request_duration_seconds_count{{{OK}}} 1"#),
            concat!(
                r#"http_server_request_duration_seconds_count{error_type="503",http_request_method="POST","#,
                r#"http_response_status_code="503",http_route="/checkout",network_protocol_version="1.1",url_scheme="http"} 1"#
            ),
            concat!(
                r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="404","#,
                r#"network_protocol_version="1.1",url_scheme="http"} 1"#
            ),
            concat!(
                r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="501","#,
                r#"network_protocol_version="1.1",url_scheme="http"} 1"#
            ),
        ],
    );
    let bounds = |page: String| page.lines().filter(|line| line.contains(OK) && line.contains("le=")).count();
    assert_eq!(bounds(page(&metrics)), REQUEST_SECONDS.len() + 1);
}

#[test]
fn calls_of_plugins_have_finer_buckets() {
    let (metrics, _provider) = start("USD");
    let call = PluginCall {
        kind: "checkout",
        rollout: "active",
        outcome: "ok",
        duration: Duration::from_micros(20),
        memory_bytes: 100_000,
        fuel_used: Some(2_000),
        log_lines_dropped: 0,
    };
    metrics.plugin_call(&SpanContext::NONE, call);
    metrics.plugin_swaps("checkout", "published", 1);
    check(
        &metrics,
        &[
            r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="0.000005"} 0"#,
            r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="0.000025"} 1"#,
            r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="10"} 1"#,
            r#"plugin_memory_bytes_bucket{kind="checkout",le="65536"} 0"#,
            r#"plugin_memory_bytes_bucket{kind="checkout",le="131072"} 1"#,
            r#"plugin_memory_bytes_sum{kind="checkout"} 100000"#,
            r#"plugin_fuel_bucket{kind="checkout",le="1000"} 0"#,
            r#"plugin_fuel_bucket{kind="checkout",le="3000"} 1"#,
            r#"plugin_swaps_total{kind="checkout",result="published"} 1"#,
        ],
    );
}

#[test]
fn openmetrics_carries_the_last_trace_of_each_bucket() {
    let (metrics, _provider) = start("USD");
    let span = |trace_id: u128, flags| {
        let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(7));
        SpanContext::new(trace_id, span_id, flags, false, TraceState::NONE)
    };
    let call = |span: &SpanContext, duration_ms| {
        let duration = Duration::from_millis(duration_ms);
        let (kind, rollout, outcome) = ("checkout", "live", "ok");
        let call =
            PluginCall { kind, rollout, outcome, duration, memory_bytes: 1, fuel_used: None, log_lines_dropped: 0 };
        metrics.plugin_call(span, call);
    };
    call(&span(1, TraceFlags::SAMPLED), 3);
    call(&span(2, TraceFlags::SAMPLED), 4);
    call(&span(3, TraceFlags::NOT_SAMPLED), 4);
    call(&span(4, TraceFlags::SAMPLED), 60_000);
    metrics.checkout("a \"b\" \\c\n");
    let page = String::from_utf8(metrics.render(Format::OpenMetrics).unwrap()).unwrap();
    let bucket = |bound: &str| {
        let start = format!(
            r#"plugin_call_duration_seconds_bucket{{kind="checkout",outcome="ok",rollout="live",le="{bound}"}} "#
        );
        page.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
    };
    assert_eq!(bucket("0.0025"), "0");
    let ids = |trace_id: u128| format!(r#"# {{trace_id="{trace_id:032x}",span_id="0000000000000007"}}"#);
    let found = bucket("0.005");
    assert!(found.starts_with(&format!("3 {} 0.004 ", ids(2))), "{found}");
    assert_eq!(bucket("1.0"), "3");
    assert!(bucket("+Inf").starts_with(&format!("4 {} 60 ", ids(4))), "{page}");
    assert!(page.contains("# TYPE order_checkouts counter\n"), "{page}");
    assert!(page.contains(r#"order_checkouts_total{item="a \"b\" \\c\n"} 1"#), "{page}");
    assert!(page.ends_with("\n# EOF\n"), "{page}");
}

#[test]
fn a_plugin_that_is_unloaded_is_gone() {
    let (metrics, _provider) = start("USD");
    let plugin = |version: &str| PluginInfo {
        kind: "checkout",
        rollout: "live",
        plugin: "fair".to_owned(),
        version: version.to_owned(),
        digest: "abc".to_owned(),
    };
    metrics.set_plugins(vec![plugin("1.0.0")]);
    check(&metrics, &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",rollout="live",version="1.0.0"} 1"#]);
    metrics.set_plugins(vec![plugin("1.1.0")]);
    check(&metrics, &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",rollout="live",version="1.1.0"} 1"#]);
    assert!(!page(&metrics).contains("1.0.0"), "{}", page(&metrics));
}

#[test]
fn other_modules_show_their_values() {
    let (metrics, _provider) = start("USD");
    metrics.gauge("store.queue.depth", "{order}", "Writes that wait.", || 7);
    metrics.counter_from("store.commits", "", "Transactions.", || 9);
    metrics.gauge("store.size", "By", "The file.", || 4096);
    check(
        &metrics,
        &[
            "# HELP store_queue_depth Writes that wait.",
            "store_queue_depth 7",
            "store_commits_total 9",
            "store_size_bytes 4096",
        ],
    );
}

#[test]
fn every_family_is_on_the_page_once() {
    let (metrics, _provider) = start("USD");
    metrics.checkout("a");
    metrics.checkout("b");
    let page = page(&metrics);
    assert_eq!(page.matches("# TYPE order_checkouts_total").count(), 1, "{page}");
    assert!(!page.contains("otel_scope"), "{page}");
}
