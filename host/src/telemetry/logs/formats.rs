//! The formats of an event in the log: a JSON object, or a line for people.
//!
//! The ids come from OpenTelemetry's current context (`traces::in_span`), so no caller passes them.
//!
//! Invariant: an event is one line, whatever a guest wrote into it.

use std::fmt::{self, Write as _};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use serde::Serializer as _;
use serde::ser::SerializeMap;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The keys of a JSON line that are the host's own; a field with such a name is left out.
const RESERVED: [&str; 6] = ["timestamp", "level", "message", "target", "trace_id", "span_id"];

/// `{"timestamp":…,"level":…,"message":…,"target":…,"trace_id":…,"span_id":…,` fields `}`
pub(super) struct JsonLines;

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
pub(super) struct PrettyLines;

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
