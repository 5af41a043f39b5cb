//! Adds log lines to the traces they belong to, and to the last lines of the log.
//!
//! The process has one log, and in tests several hosts, so a line goes to the traces of every host that is alive. A
//! host that doesn't have the line's trace gets a trace of that line only, which never ends there and is swept.

use std::fmt;
use std::mem::size_of;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId};
use parking_lot::RwLock;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer;

use super::{super::traces::recorded_now, Inner, span::Value};

/// The longest message or text of a field, bytes; a guest's is shorter by its own limits.
const TEXT_BYTES_MAX: usize = 4096;
const FIELDS_MAX: usize = 32;
/// A line's memory besides its own size: the counts of its `Arc` and its place in a list.
const LINE_OVERHEAD: usize = 48;
/// A text's memory on the heap besides its length: what an allocator rounds up.
const TEXT_OVERHEAD: usize = 8;

/// Global, like the log itself.
static LISTENERS: RwLock<Vec<Weak<Inner>>> = RwLock::new(Vec::new());

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub time: SystemTime,
    pub level: &'static str,
    pub message: String,
    pub target: &'static str,
    /// Invalid outside of a recorded span.
    pub span_id: SpanId,
    pub fields: Vec<(&'static str, FieldValue)>,
}

/// A field with its type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    Text(String),
    Whole(i64),
    Large(u64),
    Decimal(f64),
    Flag(bool),
}

impl FieldValue {
    /// Returns the field as a span attribute's value.
    pub(super) fn to_attribute(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text.into()),
            Self::Whole(number) => Value::Whole(*number),
            Self::Large(number) => Value::Text(number.to_string().into()),
            Self::Decimal(number) => Value::Decimal(*number),
            Self::Flag(flag) => Value::Flag(*flag),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Whole(number) => number.fmt(out),
            Self::Large(number) => number.fmt(out),
            Self::Decimal(number) => number.fmt(out),
            Self::Flag(flag) => flag.fmt(out),
        }
    }
}

/// Adds log lines to `traces` from now on, as long as they are alive.
pub(super) fn listen(traces: &Arc<Inner>) {
    let mut listeners = LISTENERS.write();
    listeners.retain(|listener| listener.strong_count() > 0);
    listeners.push(Arc::downgrade(traces));
}

/// The log's layer that keeps lines.
#[derive(Debug)]
pub(in super::super) struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let listeners = LISTENERS.read();
        let mut alive = listeners.iter().filter_map(Weak::upgrade).peekable();
        if alive.peek().is_none() {
            return;
        }
        // If the span isn't recorded, its line belongs to no kept trace.
        let span = recorded_now();
        let line = Arc::new(Line::of(event, span.as_ref().map_or(SpanId::INVALID, SpanContext::span_id)));
        for kept in alive {
            kept.keep_line(span.as_ref().map(SpanContext::trace_id), &line);
        }
    }
}

impl Line {
    /// The line's name as an event of its span.
    pub(super) const EVENT: &str = "log";

    /// Returns when the line was written, in nanoseconds since 1970.
    pub(super) fn unix_ns(&self) -> u64 {
        super::span::nanos(self.time)
    }

    fn of(event: &Event<'_>, span_id: SpanId) -> Self {
        let metadata = event.metadata();
        let mut line = Self {
            time: SystemTime::now(),
            level: level_name(*metadata.level()),
            message: String::new(),
            target: metadata.target(),
            span_id,
            fields: Vec::new(),
        };
        event.record(&mut line);
        if line.message.is_empty() {
            metadata.name().clone_into(&mut line.message);
        }
        line
    }

    /// Returns the memory that the line takes, estimated.
    pub(super) fn bytes(&self) -> usize {
        let of_field = |value: &FieldValue| if let FieldValue::Text(text) = value { text_bytes(text) } else { 0 };
        size_of::<Self>()
            + LINE_OVERHEAD
            + text_bytes(&self.message)
            + self.fields.capacity() * size_of::<(&str, FieldValue)>()
            + self.fields.iter().map(|(_, value)| of_field(value)).sum::<usize>()
    }

    fn add(&mut self, field: &Field, value: FieldValue) {
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, FieldValue::Decimal(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, FieldValue::Whole(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, FieldValue::Large(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, FieldValue::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = value.get(..value.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default().to_owned();
        if field.name() == "message" {
            self.message = text;
        } else {
            self.add(field, FieldValue::Text(text));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn text_bytes(text: &str) -> usize {
    if text.is_empty() { 0 } else { text.len() + TEXT_OVERHEAD }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}
