//! The host's log: one line an event on stderr, as JSON or for people, with the ids of the trace it belongs to; by OTLP,
//! too, when asked.
//!
//! `tracing` is for events only; spans go through OpenTelemetry, which is four times as cheap.

mod formats;
mod lines;

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing::Subscriber;
use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use formats::{JsonLines, PrettyLines};
use lines::Lines;

use super::export::{self, Lost};
use super::recent;
use super::settings::{LogFormat, Settings};

/// The target of what guests log and print.
const GUEST: &str = "guest";

/// How the log looks and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogSettings {
    format: LogFormat,
    /// A filter that is known to be valid.
    filter: String,
}

impl LogSettings {
    /// `level` is a level, or a filter as of `tracing_subscriber::EnvFilter` ("info,till=debug"); `of_sdk` is the
    /// level of OpenTelemetry's own events, unless the filter names them.
    ///
    /// # Errors
    /// Says why `level` is no filter.
    pub(super) fn new(format: LogFormat, level: &str, of_sdk: &str) -> Result<Self, String> {
        // Later ones win. The target is a prefix: it means the SDK's other crates, too.
        // h2 warns of what a client does, which is the client's business.
        let filter = format!("opentelemetry={of_sdk},h2=error,{level}");
        EnvFilter::builder().parse(&filter).map_err(|error| error.to_string())?;
        Ok(Self { format, filter })
    }

    fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.filter)
    }
}

/// Returns the filter's word for a value of `OTEL_LOG_LEVEL`, `None` if it is no level.
pub(super) fn sdk_level(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "none" | "off" => Some("off"),
        "error" => Some("error"),
        "warn" | "warning" => Some("warn"),
        "info" => Some("info"),
        "debug" => Some("debug"),
        "verbose" | "trace" | "all" => Some("trace"),
        _ => None,
    }
}

/// What stderr is written through: one a process, as the log is.
static STDERR: OnceLock<Arc<Lines>> = OnceLock::new();

/// Makes this the process's log, on stderr and for whoever `provider` exports to. Only the first call does anything: a
/// process has one log.
///
/// # Errors
/// When the thread that writes can't be started.
pub(super) fn install(settings: &LogSettings, provider: Option<&SdkLoggerProvider>) -> io::Result<()> {
    if STDERR.get().is_some() {
        return Ok(());
    }
    let exported = provider.map(|provider| {
        // What exporting logs must not be exported, or a back end that is down would have ever more to say.
        let own = filter_fn(|event| event.target() == GUEST || event.target().starts_with(env!("CARGO_PKG_NAME")));
        OpenTelemetryTracingBridge::new(provider).with_filter(settings.filter().and(own))
    });
    let lines = Lines::start(io::stderr())?;
    let log = tracing_subscriber::registry().with(layer(settings, Arc::clone(&lines))).with(exported);
    if log.try_init().is_ok() {
        drop(STDERR.set(lines));
    }
    Ok(())
}

/// Returns how many log lines were lost because nobody read stderr.
pub(super) fn lines_lost() -> u64 {
    STDERR.get().map_or(0, |lines| lines.lost())
}

/// Waits until the log lines so far are on stderr, but no longer than `within`: for who is about to end the process.
pub fn flush_log(within: Duration) {
    if let Some(lines) = STDERR.get() {
        lines.flush(within);
    }
}

/// Makes what exports log lines; `None` when nobody is to have them.
///
/// # Errors
/// If an exporter can't be built.
pub(super) fn provider(
    settings: &Settings,
    resource: Resource,
    lost: &Arc<Lost>,
) -> anyhow::Result<Option<SdkLoggerProvider>> {
    let exporters = settings.log_exporters.iter();
    let processors = exporters.map(|exporter| export::log_processor(exporter, settings.record_room, lost));
    let processors: Vec<_> = processors.filter_map(Result::transpose).collect::<anyhow::Result<_>>()?;
    if processors.is_empty() {
        return Ok(None);
    }
    let builder = SdkLoggerProvider::builder().with_resource(resource);
    Ok(Some(processors.into_iter().fold(builder, |builder, processor| builder.with_log_processor(processor)).build()))
}

/// Runs the future with a log that isn't written: what guests log meanwhile, at any level, goes to the recent traces of
/// those who keep some.
pub fn unwritten<F: Future>(future: F) -> WithDispatch<F> {
    let of_guests = filter_fn(|event| event.target() == GUEST);
    future.with_subscriber(tracing_subscriber::registry().with(recent::Lines.with_filter(of_guests)))
}

fn layer<S, W>(settings: &LogSettings, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A log that can't be written must not be written about: the crate would do so on stderr, and panic there.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let filter = settings.filter().and(filter_fn(|event| !is_said_otherwise(event.name())));
    match settings.format {
        LogFormat::Json => lines.event_format(JsonLines).and_then(recent::Lines).with_filter(filter).boxed(),
        LogFormat::Pretty => lines.event_format(PrettyLines).and_then(recent::Lines).with_filter(filter).boxed(),
    }
}

/// Returns whether the host says by itself what this event of the SDK's says. The SDK logs an error for every batch that
/// it can't send, thousands in an outage of hours; the host says when one begins and when it ends (`export::Outage`), and
/// what a shutdown leaves unsent.
fn is_said_otherwise(event: &str) -> bool {
    event.starts_with("BatchSpanProcessor.Shutdown.")
        || matches!(event, "BatchSpanProcessor.ExportError" | "PeriodicReader.ExportError")
}

#[cfg(test)]
mod tests;
