//! Traces in the form that Jaeger's query API has them, so that what reads Jaeger reads a host: Grafana, a Jaeger UI.
//!
//! The shapes are those of Jaeger's HTTP JSON, and what becomes of a span is what Jaeger makes of one that came by OTLP:
//! its kind, status and scope are tags, its events are logs, its links are references.

use std::borrow::Cow;
use std::collections::BTreeMap;

use opentelemetry::trace::{Event, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use serde::Serialize;

use super::summary::{duration_us, micros};
use super::{Kept, Process};

/// The one process of a trace.
const PROCESS: &str = "p1";
/// The largest whole number that JavaScript can tell from its neighbours; past it Jaeger writes a text.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    pub spans: Vec<Span<'a>>,
    pub processes: BTreeMap<&'static str, ProcessJson<'a>>,
    pub warnings: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// 1 for sampled. W3C's other flags mean something else to Jaeger.
    pub flags: u8,
    pub operation_name: &'a str,
    pub references: Vec<Reference>,
    /// Microseconds since 1970.
    pub start_time: u64,
    /// Microseconds.
    pub duration: u64,
    pub tags: Vec<Tag<'a>>,
    pub logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    pub process_id: &'static str,
    pub warnings: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `CHILD_OF` or `FOLLOWS_FROM`.
    pub ref_type: &'static str,
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag<'a> {
    pub key: &'a str,
    pub r#type: &'static str,
    pub value: TagValue<'a>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TagValue<'a> {
    Text(Cow<'a, str>),
    Whole(i64),
    Decimal(f64),
    Flag(bool),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Log<'a> {
    /// Microseconds since 1970.
    pub timestamp: u64,
    pub fields: Vec<Tag<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessJson<'a> {
    pub service_name: &'a str,
    pub tags: Vec<Tag<'a>>,
}

impl<'a> Trace<'a> {
    /// Returns the trace as Jaeger has it.
    #[must_use]
    pub fn of(trace: &'a Kept, process: &'a Process) -> Self {
        let dropped = trace.spans_dropped;
        Self {
            trace_id: trace.trace_id.to_string(),
            spans: trace.spans.iter().map(|span| Span::of(span)).collect(),
            processes: BTreeMap::from([(PROCESS, ProcessJson::of(process))]),
            warnings: (dropped > 0).then(|| vec![format!("{dropped} more spans of this trace were not kept")]),
        }
    }
}

impl<'a> ProcessJson<'a> {
    /// Returns the process as Jaeger has it.
    #[must_use]
    pub fn of(process: &'a Process) -> Self {
        Self { service_name: &process.service_name, tags: process.attributes.iter().map(Tag::of).collect() }
    }
}

impl<'a> Span<'a> {
    /// Returns the span as Jaeger has it.
    #[must_use]
    pub fn of(span: &'a SpanData) -> Self {
        let dropped = u64::from(span.dropped_attributes_count) + u64::from(span.events.dropped_count);
        Self {
            trace_id: span.span_context.trace_id().to_string(),
            span_id: span.span_context.span_id().to_string(),
            flags: u8::from(span.span_context.is_sampled()),
            operation_name: &span.name,
            references: references(span),
            start_time: micros(span.start_time),
            duration: duration_us(span),
            tags: tags(span),
            logs: span.events.iter().map(Log::of).collect(),
            process_id: PROCESS,
            warnings: (dropped > 0).then(|| vec![format!("{dropped} attributes and events were not recorded")]),
        }
    }
}

fn references(span: &SpanData) -> Vec<Reference> {
    let reference = |ref_type, trace_id: String, span_id: String| Reference { ref_type, trace_id, span_id };
    let parent = Some(span.parent_span_id).filter(|parent| *parent != opentelemetry::trace::SpanId::INVALID);
    let trace_id = span.span_context.trace_id();
    let parent = parent.map(|parent| reference("CHILD_OF", trace_id.to_string(), parent.to_string()));
    let links = span.links.iter().map(|link| &link.span_context);
    let links =
        links.map(|linked| reference("FOLLOWS_FROM", linked.trace_id().to_string(), linked.span_id().to_string()));
    parent.into_iter().chain(links).collect()
}

fn tags(span: &SpanData) -> Vec<Tag<'_>> {
    let mut tags: Vec<_> = span.attributes.iter().map(Tag::of).collect();
    tags.push(Tag::text("span.kind", kind(&span.span_kind)));
    tags.push(Tag::text("otel.scope.name", span.instrumentation_scope.name()));
    match &span.status {
        Status::Unset => {}
        Status::Ok => tags.push(Tag::text("otel.status_code", "OK")),
        Status::Error { description } => {
            tags.push(Tag { key: "error", r#type: "bool", value: TagValue::Flag(true) });
            tags.push(Tag::text("otel.status_code", "ERROR"));
            if !description.is_empty() {
                tags.push(Tag::text("otel.status_description", &**description));
            }
        }
    }
    let state = span.span_context.trace_state().header();
    if !state.is_empty() {
        tags.push(Tag::text("w3c.tracestate", state));
    }
    tags.sort_by(|one, other| one.key.cmp(other.key));
    tags
}

/// Returns the kind as Jaeger's tag `span.kind` has it.
#[must_use]
pub const fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

impl<'a> Log<'a> {
    fn of(event: &'a Event) -> Self {
        let mut fields: Vec<_> = event.attributes.iter().map(Tag::of).collect();
        fields.sort_by(|one, other| one.key.cmp(other.key));
        fields.insert(0, Tag::text("event", &*event.name));
        Self { timestamp: micros(event.timestamp), fields }
    }
}

impl<'a> Tag<'a> {
    fn text(key: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        Self { key, r#type: "string", value: TagValue::Text(text.into()) }
    }

    fn of(attribute: &'a KeyValue) -> Self {
        let key = attribute.key.as_str();
        match &attribute.value {
            Value::Bool(flag) => Self { key, r#type: "bool", value: TagValue::Flag(*flag) },
            Value::I64(number) if number.unsigned_abs() > SAFE_INTEGER_MAX => {
                Self { key, r#type: "int64", value: TagValue::Text(number.to_string().into()) }
            }
            Value::I64(number) => Self { key, r#type: "int64", value: TagValue::Whole(*number) },
            Value::F64(number) => Self { key, r#type: "float64", value: TagValue::Decimal(*number) },
            // A list is the text that it is written as.
            other => Self::text(key, other.as_str()),
        }
    }

    /// Returns whether the value, written as text, is this one.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match &self.value {
            TagValue::Text(own) => own == text,
            TagValue::Whole(number) => number.to_string() == text,
            TagValue::Decimal(number) => number.to_string() == text,
            TagValue::Flag(flag) => flag.to_string() == text,
        }
    }
}
