//! Traces in the form of Jaeger's query API, so that Jaeger's clients, such as Grafana or a Jaeger UI, can read a host.
//!
//! The shapes are those of Jaeger's HTTP JSON. A span is converted as Jaeger converts one from OTLP: its kind, status
//! and scope become tags, its events logs, its links references. Log lines become logs as well.

use std::borrow::Cow;
use std::collections::BTreeMap;

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use serde::Serialize;

use super::span::{self, Attribute, Event, Status, Value};
use super::{KeptTrace, Line, Process};
#[cfg(test)]
use crate::schema;

/// The one process of a trace.
const PROCESS: &str = "p1";
/// The largest integer that JavaScript holds exactly; Jaeger writes a larger one as text.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A trace in the form of Jaeger's query API; times in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerTrace"))]
pub struct Trace<'a> {
    #[serde(rename = "traceID")]
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    pub spans: Vec<Span<'a>>,
    pub processes: BTreeMap<&'static str, ProcessJson<'a>>,
    pub warnings: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerSpan"))]
pub struct Span<'a> {
    #[serde(rename = "traceID")]
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    #[cfg_attr(test, schemars(with = "schema::SpanId"))]
    pub span_id: String,
    /// 1 for sampled. W3C's other flags mean something else to Jaeger.
    #[cfg_attr(test, schemars(with = "schema::SampledFlag"))]
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
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerReference"))]
pub struct Reference {
    /// `CHILD_OF` or `FOLLOWS_FROM`.
    #[cfg_attr(test, schemars(with = "schema::ReferenceType"))]
    pub ref_type: &'static str,
    #[serde(rename = "traceID")]
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    #[cfg_attr(test, schemars(with = "schema::SpanId"))]
    pub span_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerTag"))]
pub struct Tag<'a> {
    pub key: &'a str,
    #[cfg_attr(test, schemars(with = "schema::TagType"))]
    pub r#type: &'static str,
    #[cfg_attr(test, schemars(with = "schema::TagValue"))]
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
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerLog"))]
pub struct Log<'a> {
    /// Microseconds since 1970.
    pub timestamp: u64,
    pub fields: Vec<Tag<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerProcess"))]
pub struct ProcessJson<'a> {
    pub service_name: &'a str,
    pub tags: Vec<Tag<'a>>,
}

impl<'a> Trace<'a> {
    /// Returns the trace in Jaeger's form, with its log lines among its spans' logs.
    #[must_use]
    pub fn with_lines(trace: &'a KeptTrace, process: &'a Process) -> Self {
        let mut own = Self::of(trace, process);
        for (span, written) in own.spans.iter_mut().zip(trace.spans.in_order()) {
            let lines = trace.lines.iter().filter(|line| line.span_id == written.id());
            span.logs.extend(lines.map(|line| Log::of_line(line)));
            span.logs.sort_by_key(|log| log.timestamp);
        }
        own
    }

    /// Returns the trace in Jaeger's form, without its log lines.
    #[must_use]
    pub fn of(trace: &'a KeptTrace, process: &'a Process) -> Self {
        let dropped = trace.spans_dropped;
        Self {
            trace_id: trace.trace_id.to_string(),
            spans: trace.spans.in_order().into_iter().map(|span| Span::of(trace.trace_id, span)).collect(),
            processes: BTreeMap::from([(PROCESS, ProcessJson::of(process))]),
            warnings: (dropped > 0).then(|| vec![format!("{dropped} more spans of this trace were not kept")]),
        }
    }
}

impl<'a> ProcessJson<'a> {
    /// Returns the process in Jaeger's form.
    #[must_use]
    pub fn of(process: &'a Process) -> Self {
        let attributes = process.attributes.iter();
        let tags = attributes.map(|attribute| Tag::of((attribute.key.as_str(), Value::of(&attribute.value))));
        Self { service_name: &process.service_name, tags: tags.collect() }
    }
}

impl<'a> Span<'a> {
    /// Returns the span in Jaeger's form.
    #[must_use]
    pub fn of(trace_id: TraceId, span: span::Span<'a>) -> Self {
        let dropped = (span.dropped > 0).then(|| format!("{} attributes and events were not recorded", span.dropped));
        let warnings: Vec<_> = dropped.into_iter().chain((!span.cut.is_none()).then(|| span.cut.to_string())).collect();
        Self {
            trace_id: trace_id.to_string(),
            span_id: span.id().to_string(),
            flags: u8::from(span.is_sampled),
            operation_name: span.name,
            references: references(trace_id, &span),
            start_time: span.start_us(),
            duration: span.duration_us(),
            process_id: PROCESS,
            warnings: (!warnings.is_empty()).then_some(warnings),
            logs: span.events.iter().map(Log::of).collect(),
            tags: tags(span),
        }
    }
}

fn references(trace_id: TraceId, span: &span::Span<'_>) -> Vec<Reference> {
    let reference = |ref_type, (trace_id, span_id): (TraceId, SpanId)| Reference {
        ref_type,
        trace_id: trace_id.to_string(),
        span_id: span_id.to_string(),
    };
    let parent = span.parent_id().map(|parent| reference("CHILD_OF", (trace_id, parent)));
    let links = span.links().map(|linked| reference("FOLLOWS_FROM", linked));
    parent.into_iter().chain(links).collect()
}

fn tags(span: span::Span<'_>) -> Vec<Tag<'_>> {
    let mut tags: Vec<_> = span.attributes.into_iter().map(Tag::of).collect();
    tags.push(Tag::text("span.kind", kind(&span.kind)));
    tags.push(Tag::text("otel.scope.name", span.scope));
    match span.status {
        Status::Unset => {}
        Status::Ok => tags.push(Tag::text("otel.status_code", "OK")),
        Status::Error { description } => {
            tags.push(Tag { key: "error", r#type: "bool", value: TagValue::Flag(true) });
            tags.push(Tag::text("otel.status_code", "ERROR"));
            if !description.is_empty() {
                tags.push(Tag::text("otel.status_description", description));
            }
        }
    }
    if !span.tracestate.is_empty() {
        tags.push(Tag::text("w3c.tracestate", span.tracestate));
    }
    tags.sort_by_key(|tag| tag.key);
    tags
}

/// Returns the kind as a value of Jaeger's tag `span.kind`.
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
    fn of(event: &Event<'a>) -> Self {
        let mut fields: Vec<_> = event.attributes.iter().cloned().map(Tag::of).collect();
        fields.sort_by_key(|field| field.key);
        fields.insert(0, Tag::text("event", event.name));
        Self { timestamp: event.time_ns / 1_000, fields }
    }

    fn of_line(line: &'a Line) -> Self {
        let mut fields: Vec<_> = line.fields.iter().map(|(key, value)| Tag::of((key, value.to_attribute()))).collect();
        fields.sort_by_key(|field| field.key);
        let said = [
            Tag::text("event", Line::EVENT),
            Tag::text("level", line.level),
            Tag::text("message", line.message.as_str()),
            Tag::text("target", line.target),
        ];
        Self { timestamp: line.unix_ns() / 1_000, fields: said.into_iter().chain(fields).collect() }
    }
}

impl<'a> Tag<'a> {
    fn text(key: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        Self { key, r#type: "string", value: TagValue::Text(text.into()) }
    }

    fn of((key, value): Attribute<'a>) -> Self {
        match value {
            Value::Flag(flag) => Self { key, r#type: "bool", value: TagValue::Flag(flag) },
            Value::Whole(number) if number.unsigned_abs() > SAFE_INTEGER_MAX => {
                Self { key, r#type: "int64", value: TagValue::Text(number.to_string().into()) }
            }
            Value::Whole(number) => Self { key, r#type: "int64", value: TagValue::Whole(number) },
            Value::Decimal(number) => Self { key, r#type: "float64", value: TagValue::Decimal(number) },
            Value::Text(text) => Self::text(key, text),
        }
    }

    /// Returns whether the value's text form equals `text`.
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
