//! The host's metrics, made with OpenTelemetry's API, read by Prometheus and pushed by OTLP when asked.
//!
//! Methods take the words of telemetry, not the shop's types: this module depends on none. Invariant: every label
//! is bounded. The caller names items only as far as the shop knows them; the rest are constants of the code.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::charts::Charts;
use super::export::{self, LostSpans};
use super::names::{self, attribute, label, metric};
use super::settings::Settings;

/// The content type of what [`Metrics::render`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Seconds; the semantic conventions' for `http.server.request.duration`, which aren't the SDK's default.
const REQUEST_SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Seconds. A compiled plugin takes tens of microseconds, an interpreted one milliseconds, the demo's slow one
/// seconds; the deadline is 6 s.
const CALL_SECONDS: [f64; 20] = [
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Bytes: 64 KiB, one page of WebAssembly, up to the limit of a call, 64 MiB.
const MEMORY_BYTES: [f64; 11] = [
    65_536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
];

/// Counts and measures. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Instruments>);

struct Instruments {
    registry: Registry,
    meter: Meter,
    checkouts: Counter<u64>,
    revenue: Counter<f64>,
    checkout_errors: Counter<u64>,
    request_seconds: Histogram<f64>,
    call_seconds: Histogram<f64>,
    call_memory_bytes: Histogram<u64>,
    swaps: Counter<u64>,
    shadow_differences: Counter<u64>,
    breaker_openings: Counter<u64>,
    plugins: Arc<Mutex<Vec<PluginInfo>>>,
}

/// An HTTP request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpRequest {
    /// As of [`names::http_method`].
    pub method: &'static str,
    /// The route that matched ("/orders/{reference}"), never the path; empty if none did.
    pub route: &'static str,
    pub status: u16,
    /// Of HTTP: "1.1", "2".
    pub version: &'static str,
    pub duration: Duration,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub kind: &'static str,
    pub plugin: String,
    pub version: String,
    pub digest: String,
}

impl Metrics {
    /// Makes the instruments and the provider behind them, which has to be shut down.
    ///
    /// # Errors
    /// If an exporter can't be built.
    pub(super) fn start(
        settings: &Settings,
        resource: Resource,
        lost: Arc<LostSpans>,
    ) -> anyhow::Result<(Self, SdkMeterProvider)> {
        let registry = Registry::new();
        // The scope is always this crate: as labels it would only be noise. The resource is `target_info`, for joins.
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .context("register metrics for Prometheus")?;
        let mut builder = SdkMeterProvider::builder().with_resource(resource).with_reader(prometheus);
        for exporter in &settings.metrics {
            builder = export::add_metric_exporter(builder, exporter)?;
        }
        let provider = builder.build();
        let instruments = Instruments::new(registry, provider.meter(env!("CARGO_PKG_NAME")), &settings.currency_code);
        observe_lost_spans(&instruments.meter, lost);
        Ok((Self(Arc::new(instruments)), provider))
    }

    /// Counts a checkout that was asked for, whatever comes of it.
    pub fn checkout(&self, item: &str) {
        self.0.checkouts.add(1, &[KeyValue::new(label::ITEM, item.to_owned())]);
    }

    /// Adds what an order brought in, in major units of the shop's currency.
    pub fn revenue(&self, item: &str, amount: f64) {
        self.0.revenue.add(amount, &[KeyValue::new(label::ITEM, item.to_owned())]);
    }

    /// Counts an order that failed. `reason` is an error's code.
    pub fn checkout_error(&self, item: &str, reason: &'static str) {
        let labels = [KeyValue::new(label::ITEM, item.to_owned()), KeyValue::new(label::REASON, reason)];
        self.0.checkout_errors.add(1, &labels);
    }

    /// Records a request that was answered. 5xx are errors, 4xx are the client's own.
    pub fn http_request(&self, request: HttpRequest) {
        let status = i64::from(request.status);
        let mut labels = Vec::with_capacity(6);
        labels.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, names::http_method(request.method)));
        labels.push(KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, status));
        labels.push(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, request.version));
        labels.push(KeyValue::new(attribute::URL_SCHEME, "http"));
        if !request.route.is_empty() {
            labels.push(KeyValue::new(attribute::HTTP_ROUTE, request.route));
        }
        if request.status >= 500 {
            labels.push(KeyValue::new(attribute::ERROR_TYPE, request.status.to_string()));
        }
        self.0.request_seconds.record(request.duration.as_secs_f64(), &labels);
    }

    /// Records a call of a plugin: how it ended, how long it took and the most memory it had.
    pub fn plugin_call(
        &self,
        kind: &'static str,
        rollout: &'static str,
        outcome: &'static str,
        duration: Duration,
        memory_bytes: u64,
    ) {
        let labels = [
            KeyValue::new(label::KIND, kind),
            KeyValue::new(label::ROLLOUT, rollout),
            KeyValue::new(label::OUTCOME, outcome),
        ];
        self.0.call_seconds.record(duration.as_secs_f64(), &labels);
        self.0.call_memory_bytes.record(memory_bytes, &[KeyValue::new(label::KIND, kind)]);
    }

    /// Counts an attempt to replace a plugin, with what came of it.
    pub fn plugin_swap(&self, kind: &'static str, result: &'static str) {
        self.0.swaps.add(1, &[KeyValue::new(label::KIND, kind), KeyValue::new(label::RESULT, result)]);
    }

    /// Counts a part of a decision in which a shadow differed from the live version.
    pub fn shadow_difference(&self, kind: &'static str, part: &'static str) {
        self.0.shadow_differences.add(1, &[KeyValue::new(label::KIND, kind), KeyValue::new(label::PART, part)]);
    }

    /// Counts that the breaker of a live plugin opened.
    pub fn breaker_opened(&self, kind: &'static str) {
        self.0.breaker_openings.add(1, &[KeyValue::new(label::KIND, kind)]);
    }

    /// Says what is loaded from now on; what isn't among it is gone from the metrics.
    pub fn set_plugins(&self, plugins: Vec<PluginInfo>) {
        *self.0.plugins.lock().unwrap_or_else(PoisonError::into_inner) = plugins;
    }

    /// Shows a value of another module that goes up and down. `observe` is called whenever metrics are read, and
    /// must not block. A unit "By" or "s" becomes a part of the exposed name; `{…}` and "" don't. Once a name.
    pub fn gauge(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        observe: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let gauge = self.0.meter.u64_observable_gauge(name).with_unit(unit).with_description(description);
        gauge.with_callback(move |observer| observer.observe(observe(), &[])).build();
    }

    /// Does the same for a value that only grows; Prometheus sees it with `_total`.
    pub fn counter_from(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        observe: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let counter = self.0.meter.u64_observable_counter(name).with_unit(unit).with_description(description);
        counter.with_callback(move |observer| observer.observe(observe(), &[])).build();
    }

    /// Has the charts take in what is counted up to now, Unix time in seconds, and returns the items that sold most lately.
    pub fn sample(&self, charts: &Charts, at_s: u64) -> Vec<String> {
        charts.add(at_s, &self.0.registry.gather())
    }

    /// Returns all metrics in Prometheus's text format, of type [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// If a metric can't be written in it.
    pub fn render(&self) -> anyhow::Result<Vec<u8>> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut page).context("write metrics")?;
        Ok(page)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Instruments {
    fn new(registry: Registry, meter: Meter, currency_code: &str) -> Self {
        let plugins = Arc::new(Mutex::new(Vec::new()));
        observe_plugins(&meter, Arc::clone(&plugins));
        Self {
            registry,
            checkouts: meter.u64_counter(metric::CHECKOUTS).with_description("Checkouts that were asked for.").build(),
            revenue: meter
                .f64_counter(format!("{}{currency_code}", metric::REVENUE_PREFIX))
                .with_description("What completed orders brought in, in the shop's currency.")
                .build(),
            checkout_errors: meter
                .u64_counter(metric::CHECKOUT_ERRORS)
                .with_description("Checkouts that failed, by the reason.")
                .build(),
            request_seconds: meter
                .f64_histogram(metric::HTTP_REQUEST_DURATION)
                .with_unit("s")
                .with_description("Duration of HTTP server requests.")
                .with_boundaries(REQUEST_SECONDS.to_vec())
                .build(),
            call_seconds: meter
                .f64_histogram(metric::PLUGIN_CALL_DURATION)
                .with_unit("s")
                .with_description("Duration of plugin calls, host calls included.")
                .with_boundaries(CALL_SECONDS.to_vec())
                .build(),
            call_memory_bytes: meter
                .u64_histogram(metric::PLUGIN_MEMORY)
                .with_unit("By")
                .with_description("The most linear memory of a plugin call.")
                .with_boundaries(MEMORY_BYTES.to_vec())
                .build(),
            swaps: meter
                .u64_counter(metric::PLUGIN_SWAPS)
                .with_description("Attempts to replace a plugin, by what came of them.")
                .build(),
            shadow_differences: meter
                .u64_counter(metric::SHADOW_DIFFERENCES)
                .with_description("Parts of decisions in which a shadow differed from the live version.")
                .build(),
            breaker_openings: meter
                .u64_counter(metric::BREAKER_OPENINGS)
                .with_description("Breakers of plugins that opened.")
                .build(),
            plugins,
            meter,
        }
    }
}

fn observe_plugins(meter: &Meter, plugins: Arc<Mutex<Vec<PluginInfo>>>) {
    let gauge = meter.u64_observable_gauge(metric::PLUGIN_INFO).with_description("The plugins that are loaded.");
    gauge
        .with_callback(move |observer| {
            for loaded in plugins.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let labels = [
                    KeyValue::new(label::KIND, loaded.kind),
                    KeyValue::new(label::PLUGIN, loaded.plugin.clone()),
                    KeyValue::new(label::VERSION, loaded.version.clone()),
                    KeyValue::new(label::DIGEST, loaded.digest.clone()),
                ];
                observer.observe(1, &labels);
            }
        })
        .build();
}

fn observe_lost_spans(meter: &Meter, lost: Arc<LostSpans>) {
    let counter = meter.u64_observable_counter(metric::SPANS_LOST);
    counter
        .with_description("Spans that never reached their back end, by the reason.")
        .with_callback(move |observer| {
            for (reason, count) in lost.by_reason() {
                observer.observe(count, &[KeyValue::new(label::REASON, reason)]);
            }
        })
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::settings::LogFormat;

    fn start(currency_code: &str) -> (Metrics, SdkMeterProvider) {
        let settings = Settings::from_environment(|_| None, LogFormat::Json, "off", currency_code).unwrap();
        let resource = Resource::builder_empty().with_service_name("shop").build();
        Metrics::start(&settings, resource, Arc::default()).unwrap()
    }

    fn page(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().unwrap()).unwrap()
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
        metrics.http_request(request);
        metrics.http_request(HttpRequest { status: 503, ..request });
        metrics.http_request(HttpRequest { method: "BREW", route: "", status: 404, ..request });
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
            ],
        );
        let bounds = |page: String| page.lines().filter(|line| line.contains(OK) && line.contains("le=")).count();
        assert_eq!(bounds(page(&metrics)), REQUEST_SECONDS.len() + 1);
    }

    #[test]
    fn calls_of_plugins_have_finer_buckets() {
        let (metrics, _provider) = start("USD");
        metrics.plugin_call("checkout", "active", "ok", Duration::from_micros(20), 100_000);
        metrics.plugin_swap("checkout", "published");
        check(
            &metrics,
            &[
                r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="0.000005"} 0"#,
                r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="0.000025"} 1"#,
                r#"plugin_call_duration_seconds_bucket{kind="checkout",outcome="ok",rollout="active",le="10"} 1"#,
                r#"plugin_memory_bytes_bucket{kind="checkout",le="65536"} 0"#,
                r#"plugin_memory_bytes_bucket{kind="checkout",le="131072"} 1"#,
                r#"plugin_memory_bytes_sum{kind="checkout"} 100000"#,
                r#"plugin_swaps_total{kind="checkout",result="published"} 1"#,
            ],
        );
    }

    #[test]
    fn a_plugin_that_is_unloaded_is_gone() {
        let (metrics, _provider) = start("USD");
        let plugin = |version: &str| PluginInfo {
            kind: "checkout",
            plugin: "fair".to_owned(),
            version: version.to_owned(),
            digest: "abc".to_owned(),
        };
        metrics.set_plugins(vec![plugin("1.0.0")]);
        check(&metrics, &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",version="1.0.0"} 1"#]);
        metrics.set_plugins(vec![plugin("1.1.0")]);
        check(&metrics, &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",version="1.1.0"} 1"#]);
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
}
