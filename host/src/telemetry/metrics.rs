//! The host's metrics, made with OpenTelemetry's API, read by Prometheus and optionally pushed by OTLP.
//!
//! Methods take telemetry's own types, because this module depends on none of the shop's. Invariant: every label is
//! bounded. The caller names only items that the shop knows; all other labels are constants of the code.

pub(super) mod exemplars;
mod format;
mod measured;
mod openmetrics;

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use parking_lot::Mutex;
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::charts::{Charts, Requests};
use super::export::{self, Lost};
use super::names::{label, metric};
use super::sampling::TailSampler;
use super::settings::Settings;
use exemplars::Exemplars;
pub use format::Format;
pub use measured::{HttpRequest, PluginCall, PluginInfo};

/// Seconds; the buckets that the semantic conventions want for `http.server.request.duration`, which aren't the SDK's
/// default.
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

/// When a measurement may become an exemplar: once its trace is certain to be found.
#[derive(Debug, Clone)]
pub(super) enum Traces {
    /// No trace is kept anywhere.
    Unkept,
    /// Every sampled trace is kept.
    Kept,
    /// The tail sampler decides at the end of each trace.
    Decided(TailSampler),
}

/// The spans and log lines that weren't exported.
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
    quotes: Counter<u64>,
    request_seconds: Histogram<f64>,
    /// The shop's requests, for the host's own charts.
    requests: Requests,
    admin_seconds: Histogram<f64>,
    call_seconds: Histogram<f64>,
    call_memory_bytes: Histogram<u64>,
    call_fuel: Histogram<u64>,
    log_lines_dropped: Counter<u64>,
    swaps: Counter<u64>,
    shadow_differences: Counter<u64>,
    breaker_openings: Counter<u64>,
    plugins: Arc<Mutex<Vec<PluginInfo>>>,
    stock: Arc<Mutex<Vec<(String, u32)>>>,
    exemplars: Arc<Exemplars>,
    traces: Traces,
}

impl Metrics {
    /// Makes the instruments and their provider, which has to be shut down.
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
        // The scope is always this crate, so labels for it would only be noise. The resource is `target_info`, for
        // joins.
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

    /// Counts a requested checkout, whatever its result.
    pub fn checkout(&self, item: &str) {
        self.0.checkouts.add(1, &[KeyValue::new(label::ITEM, item.to_owned())]);
    }

    /// Adds an order's revenue, in major units of the shop's currency.
    pub fn revenue(&self, item: &str, amount: f64) {
        self.0.revenue.add(amount, &[KeyValue::new(label::ITEM, item.to_owned())]);
    }

    /// Counts a quote. `outcome` is `ok` or an error's code.
    pub fn quote(&self, outcome: &'static str) {
        self.0.quotes.add(1, &[KeyValue::new(label::OUTCOME, outcome)]);
    }

    /// Counts an order that failed. `reason` is an error's code.
    pub fn checkout_error(&self, item: &str, reason: &'static str) {
        let labels = [KeyValue::new(label::ITEM, item.to_owned()), KeyValue::new(label::REASON, reason)];
        self.0.checkout_errors.add(1, &labels);
    }

    /// Records an answered request. To be called before its span ends. 5xx are errors, except 501, which is the
    /// client's mistake as 4xx are.
    pub fn http_request(&self, span: &SpanContext, request: HttpRequest) {
        let labels = request.labels();
        let seconds = request.duration.as_secs_f64();
        self.0.request_seconds.record(seconds, &labels);
        self.0.requests.record(request.route, request.is_error(), request.duration);
        self.0.exemplify("http_server_request_duration_seconds", labels, &REQUEST_SECONDS, seconds, span);
    }

    /// Records a request of the admin listener, apart from the shop's requests, on which alerts are based.
    pub fn admin_request(&self, request: HttpRequest) {
        self.0.admin_seconds.record(request.duration.as_secs_f64(), &request.labels());
    }

    /// Records a call of a plugin. To be called before its span ends.
    pub fn plugin_call(&self, span: &SpanContext, call: PluginCall) {
        let PluginCall { kind, rollout, outcome, duration, memory_bytes, fuel_used, log_lines_dropped } = call;
        let labels = [
            KeyValue::new(label::KIND, kind),
            KeyValue::new(label::ROLLOUT, rollout),
            KeyValue::new(label::OUTCOME, outcome),
        ];
        let seconds = duration.as_secs_f64();
        self.0.call_seconds.record(seconds, &labels);
        self.0.exemplify("plugin_call_duration_seconds", labels, &CALL_SECONDS, seconds, span);
        let of_kind = [KeyValue::new(label::KIND, kind)];
        self.0.call_memory_bytes.record(memory_bytes, &of_kind);
        if let Some(fuel) = fuel_used {
            self.0.call_fuel.record(fuel, &of_kind);
        }
        if log_lines_dropped > 0 {
            self.0.log_lines_dropped.add(log_lines_dropped, &of_kind);
        }
    }

    /// Counts attempts to replace a plugin, by result.
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

    /// Replaces the list of loaded plugins; a plugin that isn't in the new list is no longer in the metrics.
    pub fn set_plugins(&self, plugins: Vec<PluginInfo>) {
        *self.0.plugins.lock() = plugins;
    }

    /// Replaces the pieces on hand of some items. The caller bounds how many items there are.
    pub fn set_stock(&self, on_hand: Vec<(String, u32)>) {
        *self.0.stock.lock() = on_hand;
    }

    /// Exposes for each kind of plugin whether the live version's breaker is open.
    pub fn watch_breakers(&self, observe: impl Fn() -> Vec<(&'static str, bool)> + Send + Sync + 'static) {
        let gauge = self.0.meter.u64_observable_gauge(metric::BREAKER_OPEN);
        gauge
            .with_description("Whether calls of the live plugin are refused for its faults.")
            .with_callback(move |observer| {
                for (kind, is_open) in observe() {
                    observer.observe(u64::from(is_open), &[KeyValue::new(label::KIND, kind)]);
                }
            })
            .build();
    }

    /// Exposes a gauge: a value of another module that goes up and down. `observe` is called whenever metrics are read,
    /// and must not block. A unit "By" or "s" becomes a part of the exposed name; `{…}` and "" don't. A name may be
    /// used once.
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

    /// Exposes a time that another module measures, s.
    pub fn gauge_of_seconds(
        &self,
        name: &'static str,
        description: &'static str,
        observe: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let gauge = self.0.meter.f64_observable_gauge(name).with_unit("s").with_description(description);
        gauge.with_callback(move |observer| observer.observe(observe(), &[])).build();
    }

    /// Exposes a counter: a value of another module that only grows. Prometheus sees the name with `_total`.
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

    /// Exposes a counter with a label for the reason. The reasons are constants of the code.
    pub fn counter_by_reason<const REASONS: usize>(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        observe: impl Fn() -> [(&'static str, u64); REASONS] + Send + Sync + 'static,
    ) {
        let counter = self.0.meter.u64_observable_counter(name).with_unit(unit).with_description(description);
        counter
            .with_callback(move |observer| {
                for (reason, count) in observe() {
                    observer.observe(count, &[KeyValue::new(label::REASON, reason)]);
                }
            })
            .build();
    }

    /// Adds a sample of all metrics to the charts, at `at_s` (Unix time in seconds). Returns the items that sold most
    /// lately.
    pub fn sample(&self, charts: &Charts, at_s: u64) -> Vec<String> {
        charts.add(at_s, &self.0.registry.gather(), &self.0.requests)
    }

    /// Returns all metrics in `format`.
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
        let counter = |name, description| meter.u64_counter(name).with_description(description).build();
        let seconds = |name, bounds: &[f64], description| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        Self {
            registry,
            checkouts: counter(metric::CHECKOUTS, "Checkouts that were asked for."),
            revenue: meter
                .f64_counter(format!("{}{currency_code}", metric::REVENUE_PREFIX))
                .with_description("What completed orders brought in, in the shop's currency.")
                .build(),
            checkout_errors: counter(metric::CHECKOUT_ERRORS, "Checkouts that failed, by the reason."),
            quotes: counter(metric::QUOTES, "Quotes that were asked for, by how they ended."),
            request_seconds: seconds(
                metric::HTTP_REQUEST_DURATION,
                &REQUEST_SECONDS,
                "Duration of HTTP server requests.",
            ),
            requests: Requests::default(),
            admin_seconds: seconds(
                metric::ADMIN_REQUEST_DURATION,
                &REQUEST_SECONDS,
                "Duration of the admin listener's requests.",
            ),
            call_seconds: seconds(
                metric::PLUGIN_CALL_DURATION,
                &CALL_SECONDS,
                "Duration of plugin calls, host calls included.",
            ),
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
            log_lines_dropped: counter(
                metric::PLUGIN_LOG_LINES_DROPPED,
                "Log lines of plugins that a limit kept out of the log.",
            ),
            swaps: counter(metric::PLUGIN_SWAPS, "Attempts to replace a plugin, by what came of them."),
            shadow_differences: counter(
                metric::SHADOW_DIFFERENCES,
                "Parts of decisions in which a shadow differed from the live version.",
            ),
            breaker_openings: counter(metric::BREAKER_OPENINGS, "Breakers of plugins that opened."),
            plugins,
            stock,
            exemplars,
            traces,
            meter,
        }
    }
}

fn observe_plugins(meter: &Meter, plugins: Arc<Mutex<Vec<PluginInfo>>>) {
    let gauge = meter.u64_observable_gauge(metric::PLUGIN_INFO).with_description("The plugins that are loaded.");
    gauge
        .with_callback(move |observer| {
            for loaded in plugins.lock().iter() {
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
            for (item, on_hand) in stock.lock().iter() {
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
mod tests;
