//! The host's metrics, made with OpenTelemetry's API, read by Prometheus and pushed by OTLP when asked.
//!
//! Methods take the words of telemetry, not the shop's types: this module depends on none. Invariant: every label
//! is bounded. The caller names items only as far as the shop knows them; the rest are constants of the code.

pub(super) mod exemplars;
mod openmetrics;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::charts::Charts;
use super::export::{self, Lost};
use super::names::{self, attribute, label, metric};
use super::sampling::TailSampler;
use super::settings::Settings;
use exemplars::{Exemplar, Exemplars, Observation};

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

/// How metrics are written for whoever reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's own, which every tool reads.
    Text,
    /// The standard that has exemplars.
    OpenMetrics,
}

impl Format {
    /// Returns the format that an `Accept` header likes best of the two.
    #[must_use]
    pub fn of_accept(accept: &str) -> Self {
        let mut liked = [(Self::Text, 0.0_f32), (Self::OpenMetrics, 0.0)];
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
            for (format, best) in &mut liked {
                let is_named = media.eq_ignore_ascii_case(format.media());
                let is_meant = is_named || *format == Self::Text && matches!(media, "*/*" | "text/*");
                if is_meant {
                    *best = best.max(weight.unwrap_or_default());
                }
            }
        }
        let [(_, text), (_, openmetrics)] = liked;
        if openmetrics > 0.0 && openmetrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
        }
    }

    /// Returns the content type of what [`Metrics::render`] returns in it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus::TEXT_FORMAT,
            Self::OpenMetrics => openmetrics::CONTENT_TYPE,
        }
    }
}

/// When what was measured may be shown as an exemplar: once its trace is sure to be found.
#[derive(Debug, Clone)]
pub(super) enum Traces {
    /// No trace is kept anywhere.
    Unkept,
    /// Every sampled one is.
    Kept,
    /// That is decided at their ends.
    Decided(TailSampler),
}

/// What was lost on its way out, by signal.
#[derive(Debug, Default)]
pub(super) struct LostOnTheWay {
    pub(super) spans: Arc<Lost>,
    pub(super) records: Arc<Lost>,
}

/// Instructions, roughly: a compiled plugin executes some thousands, an interpreted one some millions.
const FUEL: [f64; 10] = [1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 1e8];

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
    admin_seconds: Histogram<f64>,
    call_seconds: Histogram<f64>,
    call_memory_bytes: Histogram<u64>,
    call_fuel: Histogram<u64>,
    swaps: Counter<u64>,
    shadow_differences: Counter<u64>,
    breaker_openings: Counter<u64>,
    plugins: Arc<Mutex<Vec<PluginInfo>>>,
    stock: Arc<Mutex<Vec<(String, u32)>>>,
    exemplars: Arc<Exemplars>,
    traces: Traces,
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

impl HttpRequest {
    /// Returns the attributes of `http.server.request.duration`.
    fn labels(&self) -> Vec<KeyValue> {
        let status = i64::from(self.status);
        let mut labels = Vec::with_capacity(6);
        labels.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, names::http_method(self.method)));
        labels.push(KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, status));
        labels.push(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, self.version));
        labels.push(KeyValue::new(attribute::URL_SCHEME, "http"));
        if !self.route.is_empty() {
            labels.push(KeyValue::new(attribute::HTTP_ROUTE, self.route));
        }
        if self.status >= 500 {
            labels.push(KeyValue::new(attribute::ERROR_TYPE, self.status.to_string()));
        }
        labels
    }
}

/// A call of a plugin that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginCall {
    pub kind: &'static str,
    /// As what it was called: live, canary, shadow.
    pub rollout: &'static str,
    pub outcome: &'static str,
    pub duration: Duration,
    /// The most that it had.
    pub memory_bytes: u64,
    /// `None` where it isn't counted.
    pub fuel_used: Option<u64>,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub kind: &'static str,
    /// As what it is called.
    pub rollout: &'static str,
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
        lost: LostOnTheWay,
        exemplars: Arc<Exemplars>,
        traces: Traces,
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
        let meter = provider.meter(env!("CARGO_PKG_NAME"));
        observe_lost(&meter, metric::SPANS_LOST, "Spans that never reached their back end, by the reason.", lost.spans);
        let of_records = "Log lines that never reached their back end, by the reason.";
        observe_lost(&meter, metric::RECORDS_LOST, of_records, lost.records);
        if let Traces::Decided(sampler) = &traces {
            observe_decisions(&meter, sampler.clone());
        }
        let instruments = Instruments::new(registry, meter, &settings.currency_code, exemplars, traces);
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

    /// Records a request that was answered, before its span ends. 5xx are errors, 4xx are the client's own.
    pub fn http_request(&self, span: &SpanContext, request: HttpRequest) {
        let labels = request.labels();
        let seconds = request.duration.as_secs_f64();
        self.0.request_seconds.record(seconds, &labels);
        self.0.exemplify("http_server_request_duration_seconds", labels, &REQUEST_SECONDS, seconds, span);
    }

    /// Records a request of the admin listener, apart from the shop's, which an alert is about.
    pub fn admin_request(&self, request: HttpRequest) {
        self.0.admin_seconds.record(request.duration.as_secs_f64(), &request.labels());
    }

    /// Records a call of a plugin, before its span ends.
    pub fn plugin_call(&self, span: &SpanContext, call: PluginCall) {
        let PluginCall { kind, rollout, outcome, duration, memory_bytes, fuel_used } = call;
        let labels = [
            KeyValue::new(label::KIND, kind),
            KeyValue::new(label::ROLLOUT, rollout),
            KeyValue::new(label::OUTCOME, outcome),
        ];
        let seconds = duration.as_secs_f64();
        self.0.call_seconds.record(seconds, &labels);
        self.0.exemplify("plugin_call_duration_seconds", labels.into(), &CALL_SECONDS, seconds, span);
        let of_kind = [KeyValue::new(label::KIND, kind)];
        self.0.call_memory_bytes.record(memory_bytes, &of_kind);
        if let Some(fuel) = fuel_used {
            self.0.call_fuel.record(fuel, &of_kind);
        }
    }

    /// Counts so many attempts to replace a plugin, with what came of them.
    pub fn plugin_swaps(&self, kind: &'static str, result: &'static str, count: u64) {
        self.0.swaps.add(count, &[KeyValue::new(label::KIND, kind), KeyValue::new(label::RESULT, result)]);
    }

    /// Counts a part of a decision in which a shadow differed from the live version.
    pub fn shadow_difference(&self, kind: &'static str, part: &'static str) {
        self.0.shadow_differences.add(1, &[KeyValue::new(label::KIND, kind), KeyValue::new(label::PART, part)]);
    }

    /// Counts how often the breaker of a live plugin opened.
    pub fn breakers_opened(&self, kind: &'static str, count: u64) {
        self.0.breaker_openings.add(count, &[KeyValue::new(label::KIND, kind)]);
    }

    /// Says what is loaded from now on; what isn't among it is gone from the metrics.
    pub fn set_plugins(&self, plugins: Vec<PluginInfo>) {
        *self.0.plugins.lock().unwrap_or_else(PoisonError::into_inner) = plugins;
    }

    /// Says how many pieces there are of some items from now on. The caller bounds how many items.
    pub fn set_stock(&self, on_hand: Vec<(String, u32)>) {
        *self.0.stock.lock().unwrap_or_else(PoisonError::into_inner) = on_hand;
    }

    /// Shows for each kind of plugin whether calls of the live one are refused for the faults of earlier ones.
    pub fn watch_breakers<const KINDS: usize>(
        &self,
        observe: impl Fn() -> Option<[(&'static str, bool); KINDS]> + Send + Sync + 'static,
    ) {
        let gauge = self.0.meter.u64_observable_gauge(metric::BREAKER_OPEN);
        gauge
            .with_description("Whether calls of the live plugin are refused for its faults.")
            .with_callback(move |observer| {
                for (kind, is_open) in observe().into_iter().flatten() {
                    observer.observe(u64::from(is_open), &[KeyValue::new(label::KIND, kind)]);
                }
            })
            .build();
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

    /// Returns all metrics in that format.
    ///
    /// # Errors
    /// If a metric can't be written in it.
    pub fn render(&self, format: Format) -> anyhow::Result<Vec<u8>> {
        let families = self.0.registry.gather();
        match format {
            Format::Text => {
                let mut page = Vec::new();
                TextEncoder::new().encode(&families, &mut page).context("write metrics")?;
                Ok(page)
            }
            Format::OpenMetrics => Ok(openmetrics::write(&families, &self.0.exemplars).into_bytes()),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Instruments {
    fn new(registry: Registry, meter: Meter, currency_code: &str, exemplars: Arc<Exemplars>, traces: Traces) -> Self {
        let plugins = Arc::new(Mutex::new(Vec::new()));
        observe_plugins(&meter, Arc::clone(&plugins));
        let stock = Arc::new(Mutex::new(Vec::new()));
        observe_stock(&meter, Arc::clone(&stock));
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
            admin_seconds: meter
                .f64_histogram(metric::ADMIN_REQUEST_DURATION)
                .with_unit("s")
                .with_description("Duration of the admin listener's requests.")
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
            call_fuel: meter
                .u64_histogram(metric::PLUGIN_FUEL)
                .with_description("What a plugin call executed, in WebAssembly instructions, about.")
                .with_boundaries(FUEL.to_vec())
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
            stock,
            exemplars,
            traces,
            meter,
        }
    }

    /// Offers what was recorded as the exemplar of its bucket. `metric` is Prometheus's name of it.
    fn exemplify(
        &self,
        metric: &'static str,
        labels: Vec<KeyValue>,
        bounds: &'static [f64],
        value: f64,
        span: &SpanContext,
    ) {
        let exemplar = Exemplar { trace_id: span.trace_id(), span_id: span.span_id(), value, at: SystemTime::now() };
        let observation = Observation { metric, labels, bounds, exemplar };
        match &self.traces {
            _ if !span.is_sampled() => {}
            Traces::Unkept => {}
            Traces::Kept => self.exemplars.put(&observation),
            Traces::Decided(sampler) => sampler.attach(observation),
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
                    KeyValue::new(label::ROLLOUT, loaded.rollout),
                    KeyValue::new(label::PLUGIN, loaded.plugin.clone()),
                    KeyValue::new(label::VERSION, loaded.version.clone()),
                    KeyValue::new(label::DIGEST, loaded.digest.clone()),
                ];
                observer.observe(1, &labels);
            }
        })
        .build();
}

fn observe_stock(meter: &Meter, stock: Arc<Mutex<Vec<(String, u32)>>>) {
    let gauge = meter.u64_observable_gauge(metric::STOCK_ON_HAND);
    gauge
        .with_description("Pieces of the items of which there are the fewest.")
        .with_callback(move |observer| {
            for (item, on_hand) in stock.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                observer.observe(u64::from(*on_hand), &[KeyValue::new(label::ITEM, item.clone())]);
            }
        })
        .build();
}

fn observe_lost(meter: &Meter, name: &'static str, description: &'static str, lost: Arc<Lost>) {
    let counter = meter.u64_observable_counter(name);
    counter
        .with_description(description)
        .with_callback(move |observer| {
            for (reason, count) in lost.by_reason() {
                observer.observe(count, &[KeyValue::new(label::REASON, reason)]);
            }
        })
        .build();
}

fn observe_decisions(meter: &Meter, sampler: TailSampler) {
    let held = sampler.clone();
    let gauge = meter.u64_observable_gauge(metric::SPANS_HELD);
    gauge
        .with_description("Spans of traces that aren't decided on yet.")
        .with_callback(move |observer| observer.observe(held.held_spans(), &[]))
        .build();
    let counter = meter.u64_observable_counter(metric::TRACES_SAMPLED);
    counter
        .with_description("Traces that ended, by whether they were sent on or why not.")
        .with_callback(move |observer| {
            for (decision, count) in sampler.by_decision() {
                observer.observe(count, &[KeyValue::new(label::DECISION, decision)]);
            }
        })
        .build();
}

#[cfg(test)]
mod tests {
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
        let call = PluginCall {
            kind: "checkout",
            rollout: "active",
            outcome: "ok",
            duration: Duration::from_micros(20),
            memory_bytes: 100_000,
            fuel_used: Some(2_000),
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
            let call = PluginCall { kind, rollout, outcome, duration, memory_bytes: 1, fuel_used: None };
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
    fn whoever_asks_for_openmetrics_gets_it() {
        const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("text/html", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (PROMETHEUS, Format::OpenMetrics),
            ("application/openmetrics-text;q=0.3,text/plain", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=many", Format::Text),
        ] {
            assert_eq!(Format::of_accept(accept), format, "{accept}");
        }
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
        check(
            &metrics,
            &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",rollout="live",version="1.0.0"} 1"#],
        );
        metrics.set_plugins(vec![plugin("1.1.0")]);
        check(
            &metrics,
            &[r#"plugin_info{digest="abc",kind="checkout",plugin="fair",rollout="live",version="1.1.0"} 1"#],
        );
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
