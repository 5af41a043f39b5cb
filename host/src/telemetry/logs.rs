//! The host's log: one line an event on stderr, as JSON or for people, with the event's trace and span ids; optionally
//! by OTLP as well.
//!
//! The ids come from OpenTelemetry's current context (`traces::in_span`), so no caller passes them. `tracing` is for
//! events only; spans go through OpenTelemetry, at a quarter of the cost.
//!
//! Invariant: an event is one line, whatever a guest wrote into it.

mod lines;

use std::fmt::{self, Write as _};
use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde::Serializer as _;
use serde::ser::SerializeMap;
use tracing::field::{Field, Visit};
use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use lines::Lines;

use super::export::{self, Lost};
use super::recent;
use super::settings::{LogFormat, Settings};

/// The target of events for what guests log and print.
const GUEST: &str = "guest";

/// The keys of a JSON line that are the host's own; a field with such a name is left out.
const RESERVED: [&str; 6] = ["timestamp", "level", "message", "target", "trace_id", "span_id"];

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
        // of clients' mistakes, which need no action here.
        let filter = format!("opentelemetry={of_sdk},h2=error,{level}");
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
    let filter = settings.filter().and(filter_fn(|event| !is_said_otherwise(event.name())));
    match settings.format {
        LogFormat::Json => lines.event_format(JsonLines).and_then(recent::Lines).with_filter(filter).boxed(),
        LogFormat::Pretty => lines.event_format(PrettyLines).and_then(recent::Lines).with_filter(filter).boxed(),
    }
}

/// Returns whether the host itself already logs what this event of the SDK says. The SDK logs an error for every batch
/// that it can't send, thousands in an outage of hours. The host logs when an outage begins and ends
/// (`export::Outage`), and what a shutdown leaves unsent.
fn is_said_otherwise(event: &str) -> bool {
    event.starts_with("BatchSpanProcessor.Shutdown.")
        || matches!(event, "BatchSpanProcessor.ExportError" | "PeriodicReader.ExportError")
}

/// Runs `write` with the current context's span, if there is one.
fn with_current_span<R>(write: impl FnOnce(Option<&SpanContext>) -> R) -> R {
    Context::map_current(|context| {
        let span = context.span();
        write(Some(span.span_context()).filter(|span| span.is_valid()))
    })
}

fn timestamp() -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(32);
    SystemTime.format_time(&mut Writer::new(&mut text))?;
    Ok(text)
}

/// `{"timestamp":…,"level":…,"message":…,"target":…,"trace_id":…,"span_id":…,` fields `}`
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Vec::with_capacity(256);
        write_json(&mut line, event, &timestamp()?).map_err(|_| fmt::Error)?;
        out.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)?;
        out.write_char('\n')
    }
}

fn write_json(line: &mut Vec<u8>, event: &Event<'_>, timestamp: &str) -> Result<(), serde_json::Error> {
    let metadata = event.metadata();
    let message = Message::of(event);

    let mut serializer = serde_json::Serializer::new(line);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("timestamp", timestamp)?;
    map.serialize_entry("level", metadata.level().as_str())?;
    map.serialize_entry("message", &message.0)?;
    map.serialize_entry("target", metadata.target())?;
    with_current_span(|span| match span {
        Some(span) => {
            map.serialize_entry("trace_id", &format_args!("{}", span.trace_id()))?;
            map.serialize_entry("span_id", &format_args!("{}", span.span_id()))
        }
        None => Ok(()),
    })?;
    let mut fields = JsonFields { map, result: Ok(()) };
    event.record(&mut fields);
    fields.result?;
    fields.map.end()
}

/// A visitor that takes only the message.
struct Message(String);

impl Message {
    /// Returns the event's message, or its name if it has no message, as OpenTelemetry's own events.
    fn of(event: &Event<'_>) -> Self {
        let mut message = Self(String::new());
        event.record(&mut message);
        if message.0.is_empty() { Self(event.metadata().name().to_owned()) } else { message }
    }
}

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// A visitor that adds the other fields, with their types.
struct JsonFields<M: SerializeMap> {
    map: M,
    result: Result<(), M::Error>,
}

impl<M: SerializeMap> JsonFields<M> {
    fn add(&mut self, field: &Field, value: &(impl serde::Serialize + ?Sized)) {
        if self.result.is_ok() && !RESERVED.contains(&field.name()) {
            self.result = self.map.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap> Visit for JsonFields<M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format_args!("{value:?}"));
    }
}

/// `2026-01-31T12:00:00.000000Z  INFO till::app: message key=value trace=0af76519`
struct PrettyLines;

impl<S, N> FormatEvent<S, N> for PrettyLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let message = Message::of(event);
        let mut fields = PrettyFields(String::new());
        event.record(&mut fields);

        let level = metadata.level().as_str();
        write!(out, "{} {level:>5} {}: {}{}", timestamp()?, metadata.target(), Escaped(&message.0), fields.0)?;
        with_current_span(|span| match span {
            // The first eight digits find a trace, and leave room on the line.
            Some(span) => write!(out, " trace={:.8}", span.trace_id().to_string()),
            None => Ok(()),
        })?;
        out.write_char('\n')
    }
}

/// ` key=value` for every field but the message.
struct PrettyFields(String);

impl Visit for PrettyFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            // Writing to a string can't fail.
            let _ = write!(self.0, " {}={}", field.name(), Escaped(value));
        }
    }
}

/// Text that can't end a line or steer a terminal, whoever wrote it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            // Besides control characters: those that break lines or reverse the writing direction.
            let steers = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if letter.is_control() || steers {
                write!(out, "{}", letter.escape_default())?;
            } else {
                out.write_char(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;
    use crate::telemetry::traces::with_span;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log written by `work`, without the timestamp of each line.
    fn log(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let settings = LogSettings::new(format, level, "warn").unwrap();
        let subscriber = tracing_subscriber::registry().with(layer(&settings, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    fn span() -> SpanContext {
        let trace_id = TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128);
        SpanContext::new(
            trace_id,
            SpanId::from(0xb7ad_6b71_6920_3331_u64),
            TraceFlags::NOT_SAMPLED,
            false,
            TraceState::NONE,
        )
    }

    #[test]
    fn a_json_line_has_everything_flat() {
        let text = log(LogFormat::Json, "info", || {
            with_span(&span(), || {
                let error = io::Error::other("disk \"gone\"");
                tracing::warn!(target: "till::test", plugin = "a@1", count = 3_u64, share = 0.5, on = true, error = %error, "order {} late", 7);
            });
        });
        let (_, line) = text.split_once("Z\",").unwrap();
        assert_eq!(
            line,
            concat!(
                r#""level":"WARN","message":"order 7 late","target":"till::test","#,
                r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","#,
                r#""plugin":"a@1","count":3,"share":0.5,"on":true,"error":"disk \"gone\""}"#,
                "\n"
            )
        );
        assert!(text.starts_with("{\"timestamp\":\"20"), "{text}");
    }

    #[test]
    fn outside_of_a_span_there_are_no_ids() {
        let text = log(LogFormat::Json, "info", || tracing::info!(trace_id = "forged", level = "forged", "hello"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (line["message"].as_str(), line["level"].as_str(), line.get("trace_id")),
            (Some("hello"), Some("INFO"), None)
        );
    }

    #[test]
    fn guests_cannot_break_a_line() {
        const EVIL: &str = "a\r\nb\u{1b}[2Jc\0d\u{9b}e\u{202e}f";
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let text = log(format, "info", || tracing::info!(plugin = EVIL, shown = %EVIL, "{EVIL}"));
            let (line, rest) = text.split_once('\n').unwrap();
            assert_eq!(rest, "");
            assert!(!line.contains(['\r', '\u{1b}', '\0']), "{line:?}");
        }
        let text = log(LogFormat::Pretty, "info", || tracing::info!(target: "t", plugin = EVIL, "ü {EVIL}"));
        let shown = r"a\r\nb\u{1b}[2Jc\u{0}d\u{9b}e\u{202e}f";
        assert!(text.ends_with(&format!("Z  INFO t: ü {shown} plugin={shown}\n")), "{text}");
    }

    #[test]
    fn the_pretty_line_has_the_short_trace_id() {
        let text = log(LogFormat::Pretty, "info", || {
            with_span(&span(), || tracing::error!(target: "t", after_ms = 5, why = ?Some("x"), "no"));
        });
        assert!(text.ends_with("Z ERROR t: no after_ms=5 why=Some(\"x\") trace=0af76519\n"), "{text}");
    }

    #[test]
    fn the_filter_keeps_the_sdk_quiet() {
        let lines = |level: &str| {
            let text = log(LogFormat::Pretty, level, || {
                tracing::info!(target: "till::app", "own");
                tracing::debug!(target: "till::app", "detail");
                tracing::info!(target: "opentelemetry-otlp", "chatter");
                tracing::warn!(target: "opentelemetry_sdk", "trouble");
            });
            text.lines().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(lines("info"), ["own", "trouble"]);
        assert_eq!(lines("warn,till=debug"), ["own", "detail", "trouble"]);
        assert_eq!(lines("info,opentelemetry=info"), ["own", "chatter", "trouble"]);
        assert_eq!(lines("off,opentelemetry=off"), Vec::<String>::new());
    }

    #[test]
    fn what_the_host_says_by_itself_is_left_out() {
        let text = log(LogFormat::Pretty, "info", || {
            tracing::error!(name: "BatchSpanProcessor.ExportError", target: "opentelemetry_sdk", "lost");
            tracing::error!(name: "BatchSpanProcessor.Shutdown.Timeout", target: "opentelemetry_sdk", "unsent");
            tracing::warn!(name: "TonicTracesClient.PartialSuccess", target: "opentelemetry-otlp", "rejected");
        });
        assert!(text.ends_with(" opentelemetry-otlp: rejected\n") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn lines_of_recorded_spans_reach_the_recent_traces_whatever_the_format() {
        use opentelemetry_sdk::trace::SdkTracerProvider;
        use std::time::Duration;

        for format in [LogFormat::Json, LogFormat::Pretty] {
            let limits = recent::Limits { bytes_max: 1 << 20, slow: Duration::from_secs(1) };
            let kept = recent::Recent::new(limits, &opentelemetry_sdk::Resource::builder_empty().build());
            let ended = crate::telemetry::traces::Ended { recent: Some(kept.clone()), processors: Vec::new() };
            let provider = SdkTracerProvider::builder().with_span_processor(ended).build();
            let root = crate::telemetry::Tracer::new(&provider, 100).start(
                "root",
                opentelemetry::trace::SpanKind::Server,
                None,
                Vec::new(),
            );
            let context = root.context().clone();
            log(format, "info", || {
                tracing::warn!("of no span");
                with_span(&span(), || tracing::warn!("of a span that isn't recorded"));
                with_span(&context, || {
                    tracing::debug!("below the level");
                    tracing::warn!(target: "guest", plugin = "checkout/a@1", count = 3_u64, on = true, "said \u{1b}<b>");
                });
            });
            root.end();
            let trace = kept.trace(context.trace_id()).unwrap();
            let [line] = &trace.lines[..] else { panic!("{:?}", trace.lines) };
            assert_eq!((line.level, &*line.message, line.target), ("WARN", "said \u{1b}<b>", "guest"));
            assert_eq!(line.span_id, context.span_id());
            let fields = [
                ("plugin", recent::FieldValue::Text("checkout/a@1".to_owned())),
                ("count", recent::FieldValue::Large(3)),
                ("on", recent::FieldValue::Flag(true)),
            ];
            assert_eq!(line.fields, fields);
        }
    }
}
