//! Traces, metrics and logs, configured by OpenTelemetry's environment variables.
//!
//! A leaf: this module uses no other module of Till, and every other module may use it. Only the log is global, so a
//! test process may run several hosts. Invariants: telemetry never takes the shop down; its memory is bounded; a dead
//! back end costs nothing but the telemetry; nothing here blocks a runtime worker.

pub mod charts;
mod export;
pub mod latency;
mod logs;
pub mod metrics;
pub mod names;
pub mod propagation;
pub mod recent;
mod recorded;
mod root;
mod sampling;
pub mod settings;
pub mod traces;
mod tracestate;
mod weight;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_resource_detectors::{HostResourceDetector, OsResourceDetector};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::SpanProcessor;
use uuid::Uuid;

pub use logs::{flush_log, unwritten};
use metrics::LostOnTheWay;
pub use metrics::Metrics;
pub use propagation::Propagator;
pub use recent::Recent;
pub use sampling::TailLimits;
pub use settings::{LogFormat, Settings};
pub use traces::{FinishedSpans, Span, Tracer, in_span, with_span};

use crate::units::millis;

/// How long a provider may take to stop when nobody waits for it.
const DETACHED_STOP: Duration = Duration::from_secs(5);

/// The running telemetry of a host. Dropping it stops it in the background; [`Telemetry::shutdown`] waits for that.
#[derive(Debug)]
pub struct Telemetry {
    tracer: Tracer,
    metrics: Metrics,
    propagator: Propagator,
    recent: Option<Recent>,
    metric_provider: SdkMeterProvider,
    /// `None` when log lines stay on stderr.
    log_provider: Option<SdkLoggerProvider>,
}

impl Telemetry {
    /// Starts tracing, metrics and, if it is the first in the process, the log. Has to be called inside a tokio
    /// runtime when OTLP goes by gRPC.
    ///
    /// # Errors
    /// If an exporter can't be built. A back end that doesn't answer is no error, here or later.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        Self::start_with(settings, Vec::new())
    }

    /// Starts telemetry as [`Telemetry::start`] does, and passes every sampled span that ends to `processors` as well,
    /// for example to [`FinishedSpans`]. They aren't told of a span's start.
    ///
    /// # Errors
    /// The same as of [`Telemetry::start`].
    pub fn start_with(settings: &Settings, processors: Vec<Box<dyn SpanProcessor>>) -> anyhow::Result<Self> {
        let resource = resource(settings);
        let (lost, exemplars) = (LostOnTheWay::default(), Arc::default());
        let log_provider = logs::provider(settings, resource.clone(), &lost.records)?;
        logs::install(&settings.logs, log_provider.as_ref())?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        let recent = settings.recent_limits().map(|limits| Recent::new(limits, &resource));
        let (tracer, traces) =
            traces::tracer(settings, &resource, recent.clone(), processors, &lost.spans, &exemplars)?;
        let (metrics, metric_provider) = Metrics::start(settings, resource, lost, exemplars, traces)?;
        let of_lines = "Log lines that nobody read from stderr in time.";
        metrics.counter_from(names::metric::LOG_LINES_LOST, "{line}", of_lines, logs::lines_lost);
        Ok(Self { tracer, metrics, propagator: settings.propagator, recent, metric_provider, log_provider })
    }

    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    #[must_use]
    pub fn propagator(&self) -> &Propagator {
        &self.propagator
    }

    /// Returns the recent traces, `None` where none are kept.
    #[must_use]
    pub const fn recent(&self) -> Option<&Recent> {
        self.recent.as_ref()
    }

    /// Sends what is waiting and stops, within `deadline` whatever the back ends do. Spans that end later are
    /// lost; the metrics page is empty from then on. May be dropped midway, and called again.
    pub async fn shutdown(&self, deadline: Duration) {
        let (traces, metrics) = (self.tracer.clone(), self.metric_provider.clone());
        let logs = self.log_provider.clone();
        tokio::join!(
            stop("traces", deadline, move || traces.shutdown_with_timeout(deadline)),
            stop("metrics", deadline, move || metrics.shutdown_with_timeout(deadline)),
            stop("log lines", deadline, move || logs.map_or(Ok(()), |logs| logs.shutdown_with_timeout(deadline))),
        );
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Without this the last provider would flush when it is dropped, most likely on a runtime worker.
        let (traces, metrics) = (self.tracer.clone(), self.metric_provider.clone());
        let logs = self.log_provider.clone();
        let stopping = std::thread::Builder::new().name("telemetry-stop".to_owned()).spawn(move || {
            // Nobody is left to report an error to.
            drop((traces.shutdown_with_timeout(DETACHED_STOP), metrics.shutdown_with_timeout(DETACHED_STOP)));
            drop(logs.map(|logs| logs.shutdown_with_timeout(DETACHED_STOP)));
        });
        drop(stopping);
    }
}

/// Stops a provider on a thread of its own, which nobody joins. The SDK blocks, for longer than `deadline` if its
/// exporter is stuck, and a blocking task of the runtime would delay the end of the process.
async fn stop(what: &'static str, deadline: Duration, stop: impl FnOnce() -> OTelSdkResult + Send + 'static) {
    let (done, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("telemetry-stop".to_owned());
    if let Err(error) = thread.spawn(move || done.send(stop())) {
        tracing::warn!(%error, "can't stop {what}");
        return;
    }
    match tokio::time::timeout(deadline, stopped).await {
        Ok(Ok(Ok(()) | Err(OTelSdkError::AlreadyShutdown))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "{what} were not all sent"),
        Ok(Err(_)) => tracing::warn!("{what} were not all sent: their exporter broke"),
        Err(_) => {
            tracing::warn!(after_ms = millis(deadline), "{what} were not all sent in time");
        }
    }
}

/// Returns the resource: the machine's attributes, the host's own (not the process's arguments, which may hold
/// secrets), then the operator's. The service's name comes last, because the SDK lets `OTEL_RESOURCE_ATTRIBUTES` win
/// over `OTEL_SERVICE_NAME`.
fn resource(settings: &Settings) -> Resource {
    let own = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("process.runtime.name", "rustc"),
    ];
    let operators = settings.resource_attributes.iter();
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(HostResourceDetector::default()))
        .with_detector(Box::new(OsResourceDetector))
        .with_attributes(own)
        .with_attributes(operators.map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .with_service_name(settings.service_name.clone())
        .build()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::time::Instant;

    use http_body_util::{BodyExt as _, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper::{HeaderMap, Request, Response};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use opentelemetry::trace::SpanKind;
    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from_environment(variable, LogFormat::Json, "off,opentelemetry=off", "USD").unwrap()
    }

    fn make_span(telemetry: &Telemetry) {
        telemetry.tracer().start("work", SpanKind::Internal, None, vec![KeyValue::new("a", 1)]).end();
    }

    fn page(telemetry: &Telemetry) -> String {
        String::from_utf8(telemetry.metrics().render(metrics::Format::Text).unwrap()).unwrap()
    }

    fn local() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_hosts_in_one_process_do_not_mix() {
        let spans = [FinishedSpans::default(), FinishedSpans::default()];
        let [first, second] =
            spans.each_ref().map(|spans| Telemetry::start_with(&settings(&[]), vec![Box::new(spans.clone())]).unwrap());
        make_span(&first);
        make_span(&second);
        make_span(&second);
        first.metrics().checkout("laptop");
        assert_eq!(spans.each_ref().map(|spans| spans.take().len()), [1, 2]);
        assert!(page(&first).contains("order_checkouts_total"));
        assert!(!page(&second).contains("order_checkouts_total"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disabled_sdk_gives_ids_and_records_nothing() {
        let spans = FinishedSpans::default();
        let settings = settings(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "always_on")]);
        let telemetry = Telemetry::start_with(&settings, vec![Box::new(spans.clone())]).unwrap();
        let span = telemetry.tracer().start("work", SpanKind::Internal, None, Vec::new());
        assert!(span.context().is_valid() && !span.is_recording());
        drop(span);
        assert!(spans.take().is_empty());
        telemetry.shutdown(LONG).await;
    }

    /// The caller's flag once decided about the traces that the host keeps, too; opentelemetry-dotnet #5141 is the same
    /// bug.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_host_keeps_does_not_obey_a_strangers_flag_and_what_it_sends_does() {
        let check = |sampler: (&str, &str), flags: Option<&str>, kept: bool, sent: bool| {
            let spans = FinishedSpans::default();
            let variables = [("OTEL_TRACES_SAMPLER", sampler.0), ("OTEL_TRACES_SAMPLER_ARG", sampler.1)];
            let limits = recent::Limits { bytes_max: 1 << 20, line_bytes_max: 0, slow: LONG };
            let telemetry =
                Telemetry::start_with(&settings(&variables).keeping(limits), vec![Box::new(spans.clone())]).unwrap();
            let caller = flags.map(|flags| {
                let header = format!("00-{:032x}-b7ad6b7169203331-{flags}", u128::MAX >> 1);
                let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), header.parse().unwrap())]);
                telemetry.propagator().extract(&headers).span_context.unwrap()
            });
            let server = telemetry.tracer().start("server", SpanKind::Server, caller.as_ref(), Vec::new());
            let child = telemetry.tracer().start("child", SpanKind::Internal, Some(server.context()), Vec::new());
            let case = (sampler, flags);
            let is_recorded = || traces::recorded_now().is_some();
            assert_eq!(with_span(child.context(), is_recorded), kept, "{case:?}");
            let told = propagation::traceparent(child.context());
            assert_eq!(told.ends_with("1") || told.ends_with("3"), sent, "{case:?} {told}");
            let trace_id = server.context().trace_id();
            drop((child, server));
            let recent = telemetry
                .recent()
                .and_then(|recent| recent.trace(trace_id))
                .map_or(0, |trace| trace.spans.in_order().len());
            assert_eq!((recent, spans.take().len()), (if kept { 2 } else { 0 }, if sent { 2 } else { 0 }), "{case:?}");
        };
        for sampler in ["parentbased_always_on", "always_on"] {
            check((sampler, ""), None, true, true);
            check((sampler, ""), Some("01"), true, true);
        }
        check(("parentbased_always_on", ""), Some("00"), true, false);
        check(("parentbased_always_on", ""), Some("02"), true, false);
        // What the operator leaves out stays out, whoever asks; what callers ask for is recorded as before.
        check(("parentbased_always_off", ""), None, false, false);
        check(("parentbased_always_off", ""), Some("00"), false, false);
        check(("parentbased_always_off", ""), Some("01"), true, true);
        check(("always_off", ""), Some("01"), false, false);
        check(("parentbased_traceidratio", "0"), Some("00"), false, false);
        check(("parentbased_traceidratio", "1"), Some("00"), true, false);
    }

    #[tokio::test]
    async fn an_unrecorded_requests_work_is_recorded_for_nobody() {
        let limits = recent::Limits { bytes_max: 1 << 20, line_bytes_max: 0, slow: LONG };
        let telemetry = Telemetry::start(&settings(&[]).keeping(limits)).unwrap();
        let probe = telemetry.tracer().unrecorded(None);
        assert!(!telemetry.tracer().start("child", SpanKind::Internal, Some(&probe), Vec::new()).is_recording());
        assert!(with_span(&probe, || traces::recorded_now().is_none()));
    }

    #[tokio::test]
    async fn the_resource_names_the_service() {
        let variables = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,service.version=9"), ("OTEL_SERVICE_NAME", "b")];
        let page = page(&Telemetry::start(&settings(&variables)).unwrap());
        let info = page.lines().find(|line| line.starts_with("target_info{")).unwrap();
        for label in [r#"service_name="b""#, r#"service_version="9""#, "service_instance_id=", "telemetry_sdk_name="] {
            assert!(info.contains(label), "{label} is not in {info}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_and_metrics_arrive_over_http() {
        let (listener, address) = local();
        let (seen, mut requests) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            while let Ok((mut connection, _)) = listener.accept() {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    let count = connection.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..count]);
                }
                let head = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                let _ = seen.send(head);
            }
        });
        let endpoint = format!("http://{address}");
        let telemetry = Telemetry::start(&settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_METRICS_EXPORTER", "otlp"),
        ]))
        .unwrap();
        make_span(&telemetry);
        telemetry.metrics().checkout("laptop");
        telemetry.shutdown(LONG).await;
        let mut heads = [requests.recv().await.unwrap(), requests.recv().await.unwrap()];
        heads.sort();
        assert_eq!(heads, ["POST /v1/metrics HTTP/1.1", "POST /v1/traces HTTP/1.1"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_arrive_over_grpc() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let (seen, mut paths) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let _ = seen.send(request.uri().path().to_owned());
                async { Ok::<_, Infallible>(empty_grpc_answer()) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.serve_connection(TokioIo::new(stream), service).await
        });
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        let telemetry = Telemetry::start(&settings(&variables)).unwrap();
        make_span(&telemetry);
        telemetry.shutdown(LONG).await;
        let path = paths.try_recv().unwrap();
        assert_eq!(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    }

    fn empty_grpc_answer() -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send> {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(std::future::ready(Some(Ok(trailers))));
        Response::builder().header("content-type", "application/grpc").body(body).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dead_back_end_delays_no_shutdown() {
        // One back end accepts and never answers; the other doesn't listen.
        let (_silent_listener, silent) = local();
        let (closed_listener, closed) = local();
        drop(closed_listener);
        for address in [silent, closed] {
            for protocol in ["grpc", "http/protobuf"] {
                let endpoint = format!("http://{address}");
                let telemetry = Telemetry::start(&settings(&[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_METRICS_EXPORTER", "otlp"),
                ]))
                .unwrap();
                telemetry.metrics().checkout("laptop");
                make_span(&telemetry);
                let started = Instant::now();
                telemetry.shutdown(Duration::from_millis(100)).await;
                // Neither a second shutdown nor the drop blocks or panics.
                telemetry.shutdown(Duration::from_millis(100)).await;
                drop(telemetry);
                assert!(started.elapsed() < Duration::from_secs(2), "{protocol} to {address}: {:?}", started.elapsed());
            }
        }
    }
}
