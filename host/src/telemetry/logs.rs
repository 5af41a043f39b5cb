//! The host's log: one line an event on stderr, as JSON or for people, with the event's trace and span ids; optionally
//! by OTLP as well.
//!
//! `tracing` is for events only; spans go through OpenTelemetry, at a quarter of the cost.

mod formats;
mod lines;

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, filter_fn};
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

/// The target of events for what guests log and print.
const GUEST: &str = "guest";

/// The log's format and filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogSettings {
    format: LogFormat,
    /// A filter that is known to be valid.
    filter: String,
}

impl LogSettings {
    /// `level` is a level, or a filter of `tracing_subscriber::EnvFilter` ("info,till=debug"); `of_sdk` is the level of
    /// OpenTelemetry's own events, unless the filter names them.
    ///
    /// # Errors
    /// Says why `level` is no filter.
    pub(super) fn new(format: LogFormat, level: &str, of_sdk: &str) -> Result<Self, String> {
        // Later directives win. A target is a prefix, so `opentelemetry` covers the SDK's other crates, too. h2 warns
        // of clients' mistakes, which need no action here. The store says itself what a database's notices mean.
        let filter = format!("opentelemetry={of_sdk},h2=error,tokio_postgres=error,{level}");
        EnvFilter::builder().parse(&filter).map_err(|error| error.to_string())?;
        Ok(Self { format, filter })
    }

    fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.filter)
    }
}

/// Returns the filter's level for a value of `OTEL_LOG_LEVEL`; `None` if the value isn't a level.
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

/// The process's only writer to stderr.
static STDERR: OnceLock<Arc<Lines>> = OnceLock::new();

/// Installs the process's log, on stderr and through `provider`. Only the first call has an effect, because a process
/// has one log.
///
/// # Errors
/// If the writing thread can't be started.
pub(super) fn install(settings: &LogSettings, provider: Option<&SdkLoggerProvider>) -> io::Result<()> {
    if STDERR.get().is_some() {
        return Ok(());
    }
    let exported = provider.map(|provider| {
        // Events of the exporting itself must not be exported, or a back end that is down would cause more and more of
        // them.
        let own = filter_fn(|event| event.target() == GUEST || event.target().starts_with(env!("CARGO_PKG_NAME")));
        OpenTelemetryTracingBridge::new(provider).with_filter(settings.filter().and(any_level(own)))
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

/// Waits until all log lines so far are on stderr, at most `within`. Called before the process ends.
pub fn flush_log(within: Duration) {
    if let Some(lines) = STDERR.get() {
        lines.flush(within);
    }
}

/// Makes the provider that exports log lines; `None` if there is no exporter for them.
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

/// Runs the future without writing its log to stderr: what guests log meanwhile, at any level, goes only to the recent
/// traces of hosts that keep some.
pub fn unwritten<F: Future>(future: F) -> WithDispatch<F> {
    let of_guests = filter_fn(|event| event.target() == GUEST);
    future.with_subscriber(tracing_subscriber::registry().with(recent::Lines.with_filter(of_guests)))
}

fn layer<S, W>(settings: &LogSettings, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // The crate must not log its own write errors: it would write them to stderr, and panic there.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let filter = settings.filter().and(any_level(filter_fn(|event| !is_said_otherwise(event.name()))));
    match settings.format {
        LogFormat::Json => lines.event_format(JsonLines).and_then(recent::Lines).with_filter(filter).boxed(),
        LogFormat::Pretty => lines.event_format(PrettyLines).and_then(recent::Lines).with_filter(filter).boxed(),
    }
}

/// Says of a filter that it lets no level through by itself. A filter that says nothing takes away what the one beside it
/// says, and then each line that a library would log at any level is made, to be thrown away.
fn any_level<F>(filter: FilterFn<F>) -> FilterFn<F>
where
    F: Fn(&Metadata<'_>) -> bool,
{
    filter.with_max_level_hint(LevelFilter::TRACE)
}

/// Returns whether the host itself already logs what this event of the SDK says. The SDK logs an error for every batch
/// that it can't send, thousands in an outage of hours. The host logs when an outage begins and ends
/// (`export::Outage`), and what a shutdown leaves unsent.
fn is_said_otherwise(event: &str) -> bool {
    event.starts_with("BatchSpanProcessor.Shutdown.")
        || matches!(event, "BatchSpanProcessor.ExportError" | "PeriodicReader.ExportError")
}

#[cfg(test)]
mod tests;
