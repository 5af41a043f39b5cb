//! How spans, metrics and log lines leave the process: OTLP over gRPC or HTTP, or the console.
//!
//! Invariants: a dead back end costs nothing but the telemetry. Exporting happens on the SDK's own threads, never on a
//! runtime worker; `lost` counts and reports what gets lost.

mod lost;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Uri;
use opentelemetry_otlp::{WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader};
use tonic::transport::Channel;

use lost::WatchedExporter;
pub(super) use lost::{CountingLogProcessor, CountingProcessor, Lost, Room};

/// The kinds of telemetry that have exporters of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// Returns the signal's part of the variables' names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// Where a signal is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exporter {
    Otlp(Endpoint),
    /// Standard output, for a look at what would be sent.
    Console,
}

/// OTLP's two transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

impl Transport {
    pub(super) fn parse(protocol: &str) -> Option<Self> {
        match protocol {
            "grpc" => Some(Self::Grpc),
            "http/protobuf" => Some(Self::Http),
            _ => None,
        }
    }
}

/// Where OTLP goes: an absolute `http` URL that the exporter of its transport takes as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    url: String,
    transport: Transport,
    timeout: Duration,
}

impl Endpoint {
    /// Returns OpenTelemetry's default endpoint, on this machine.
    pub(super) fn default_of(signal: Signal, transport: Transport, timeout: Duration) -> Self {
        let url = match transport {
            Transport::Grpc => "http://localhost:4317".to_owned(),
            Transport::Http => format!("http://localhost:4318{}", signal.http_path()),
        };
        Self { url, transport, timeout }
    }

    /// Returns the endpoint that a variable names. A missing scheme means `http`; without a protocol port 4317
    /// means gRPC, since nothing else ever listens there. HTTP gets the signal's path, unless `whole`.
    ///
    /// # Errors
    /// Says why the address can't be used. `https` is refused, because the host has no TLS; a collector beside it does.
    pub(super) fn parse(
        text: &str,
        whole: bool,
        signal: Signal,
        transport: Option<Transport>,
        timeout: Duration,
    ) -> Result<Self, &'static str> {
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let address: Uri = url.parse().map_err(|_| "isn't an address like http://collector:4318")?;
        match address.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("TLS isn't built in; send to a collector beside the host, which has it"),
            _ => return Err("isn't an http address"),
        }
        let Some(authority) = address.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err("has no host");
        };
        // A port that is too large parses as no port, and would silently become 80.
        if authority.port_u16().is_none() && !authority.as_str().ends_with(authority.host()) {
            return Err("has a port that is none");
        }
        let by_port = if address.port_u16() == Some(4317) { Transport::Grpc } else { Transport::Http };
        let transport = transport.unwrap_or(by_port);
        let url = match transport {
            Transport::Http if !whole => format!("{}{}", url.trim_end_matches('/'), signal.http_path()),
            _ => url,
        };
        Ok(Self { url, transport, timeout })
    }

    #[cfg(test)]
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    #[cfg(test)]
    pub(super) const fn transport(&self) -> Transport {
        self.transport
    }

    #[cfg(test)]
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// Returns a processor that exports spans, with a queue bounded by `room`.
///
/// # Errors
/// If the exporter can't be built, or gRPC is wanted outside a tokio runtime.
pub(super) fn span_processor(exporter: &Exporter, room: Room, lost: &Arc<Lost>) -> anyhow::Result<CountingProcessor> {
    let lost = Arc::clone(lost);
    Ok(match exporter {
        // Not the simple processor: it prints on the request's thread, and panics there when stdout is closed.
        Exporter::Console => CountingProcessor::new(opentelemetry_stdout::SpanExporter::default(), room, lost),
        Exporter::Otlp(endpoint) => {
            let exporter = otlp_span_exporter(endpoint).with_context(|| format!("export spans to {}", endpoint.url))?;
            CountingProcessor::new(exporter, room, lost)
        }
    })
}

/// Adds an exporter to which metrics are pushed.
///
/// # Errors
/// If the exporter can't be built, or gRPC is wanted outside a tokio runtime.
pub(super) fn add_metric_exporter(
    builder: MeterProviderBuilder,
    exporter: &Exporter,
) -> anyhow::Result<MeterProviderBuilder> {
    Ok(match exporter {
        Exporter::Console => {
            builder.with_reader(PeriodicReader::builder(opentelemetry_stdout::MetricExporter::default()).build())
        }
        Exporter::Otlp(endpoint) => {
            let exporter =
                otlp_metric_exporter(endpoint).with_context(|| format!("export metrics to {}", endpoint.url))?;
            builder.with_reader(PeriodicReader::builder(WatchedExporter::new(exporter)).build())
        }
    })
}

/// Returns a processor that exports log lines, with a queue bounded by `room`; `None` for the console, which has the
/// lines anyway.
///
/// # Errors
/// The same as of [`span_processor`].
pub(super) fn log_processor(
    exporter: &Exporter,
    room: Room,
    lost: &Arc<Lost>,
) -> anyhow::Result<Option<CountingLogProcessor>> {
    let Exporter::Otlp(endpoint) = exporter else { return Ok(None) };
    let exporter = otlp_log_exporter(endpoint).with_context(|| format!("export log lines to {}", endpoint.url))?;
    Ok(Some(CountingLogProcessor::new(exporter, room, Arc::clone(lost))))
}

/// Builds the exporter of a signal's type that sends to the endpoint. The three types have nothing in common but the names
/// of their methods.
macro_rules! otlp {
    ($Exporter:ty, $endpoint:expr) => {{
        let Endpoint { url, transport, timeout } = $endpoint;
        let builder = <$Exporter>::builder();
        match transport {
            Transport::Grpc => {
                let channel = channel(url, *timeout)?;
                builder.with_tonic().with_channel(channel).with_timeout(*timeout).build()
            }
            Transport::Http => builder
                .with_http()
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_endpoint(url)
                .with_timeout(*timeout)
                .build(),
        }
        .map_err(anyhow::Error::from)
    }};
}

fn otlp_span_exporter(endpoint: &Endpoint) -> anyhow::Result<opentelemetry_otlp::SpanExporter> {
    otlp!(opentelemetry_otlp::SpanExporter, endpoint)
}

fn otlp_metric_exporter(endpoint: &Endpoint) -> anyhow::Result<opentelemetry_otlp::MetricExporter> {
    otlp!(opentelemetry_otlp::MetricExporter, endpoint)
}

fn otlp_log_exporter(endpoint: &Endpoint) -> anyhow::Result<opentelemetry_otlp::LogExporter> {
    otlp!(opentelemetry_otlp::LogExporter, endpoint)
}

/// Returns a channel that connects when it is first used, and gives up after `timeout`. The exporters' own channel has
/// no such limit: if no answer comes at all, it fails only after the kernel's two minutes.
fn channel(url: &str, timeout: Duration) -> anyhow::Result<Channel> {
    // tonic panics outside a runtime: the channel is a task.
    tokio::runtime::Handle::try_current().context("start OTLP over gRPC inside a tokio runtime")?;
    let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned()).context("read the endpoint")?;
    Ok(endpoint.timeout(timeout).connect_timeout(timeout).connect_lazy())
}
