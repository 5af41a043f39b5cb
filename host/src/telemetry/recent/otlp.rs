//! Traces as OTLP's JSON, for clients of version 3 of Jaeger's query API.
//!
//! The encoding is OTLP 1.x's: ids in hex, 64-bit numbers as texts, enums as numbers. A kept trace's log lines become
//! events of their spans; in version 1 of the query API they become logs.

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use serde::Serialize;

use super::span::{self, Attribute, Event, Status, Value};
use super::{KeptTrace, Line, Process, SERVICE_NAME};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans<'a> {
    pub resource: Resource<'a>,
    pub scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource<'a> {
    pub attributes: Vec<KeyValue<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScopeSpans<'a> {
    pub scope: Scope<'a>,
    pub spans: Vec<Span<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scope<'a> {
    pub name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span<'a> {
    pub trace_id: String,
    pub span_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub trace_state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// W3C's flags: 1 for sampled.
    pub flags: u8,
    pub name: &'a str,
    pub kind: u8,
    pub start_time_unix_nano: String,
    pub end_time_unix_nano: String,
    pub attributes: Vec<KeyValue<'a>>,
    pub dropped_attributes_count: u64,
    pub dropped_events_count: u64,
    pub events: Vec<EventJson<'a>>,
    pub links: Vec<Link>,
    pub status: StatusJson<'a>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventJson<'a> {
    pub time_unix_nano: String,
    pub name: &'a str,
    pub attributes: Vec<KeyValue<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusJson<'a> {
    pub code: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyValue<'a> {
    pub key: &'a str,
    pub value: AnyValue<'a>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AnyValue<'a> {
    StringValue(std::borrow::Cow<'a, str>),
    IntValue(String),
    DoubleValue(f64),
    BoolValue(bool),
}

impl<'a> ResourceSpans<'a> {
    /// Returns the trace in OTLP's form: one resource, with its spans by scope, in the order they started.
    #[must_use]
    pub fn of(trace: &'a KeptTrace, process: &'a Process) -> Self {
        let mut scopes: Vec<ScopeSpans<'a>> = Vec::new();
        for span in trace.spans.in_order() {
            let name = span.scope;
            let span = Span::of(trace.trace_id, span, &trace.lines);
            match scopes.iter_mut().find(|scope| scope.scope.name == name) {
                Some(scope) => scope.spans.push(span),
                None => scopes.push(ScopeSpans { scope: Scope { name }, spans: vec![span] }),
            }
        }
        let service = KeyValue::text(SERVICE_NAME, &process.service_name);
        let others = process.attributes.iter().map(|own| KeyValue::of((own.key.as_str(), Value::of(&own.value))));
        Self { resource: Resource { attributes: [service].into_iter().chain(others).collect() }, scope_spans: scopes }
    }
}

impl<'a> Span<'a> {
    fn of(trace_id: TraceId, span: span::Span<'a>, lines: &'a [std::sync::Arc<Line>]) -> Self {
        let own = lines.iter().filter(|line| line.span_id == span.id());
        let mut events: Vec<_> = span.events.iter().map(Event::clone).map(timed).collect();
        events.extend(own.map(|line| (line.unix_ns(), EventJson::of_line(line))));
        events.sort_by_key(|(at_ns, _)| *at_ns);
        Self {
            trace_id: trace_id.to_string(),
            span_id: span.id().to_string(),
            trace_state: span.tracestate.to_string(),
            parent_span_id: span.parent_id().map(|parent| parent.to_string()),
            flags: u8::from(span.is_sampled),
            name: span.name,
            kind: kind(&span.kind),
            start_time_unix_nano: span.start_ns.to_string(),
            end_time_unix_nano: span.end_ns().to_string(),
            dropped_attributes_count: span.dropped + span.cut.attributes,
            dropped_events_count: span.cut.events,
            events: events.into_iter().map(|(_, event)| event).collect(),
            links: span.links().map(Link::of).collect(),
            status: StatusJson::of(span.status),
            attributes: span.attributes.into_iter().map(KeyValue::of).collect(),
        }
    }
}

fn timed(event: Event<'_>) -> (u64, EventJson<'_>) {
    let attributes = event.attributes.into_iter().map(KeyValue::of).collect();
    (event.time_ns, EventJson { time_unix_nano: event.time_ns.to_string(), name: event.name, attributes })
}

impl<'a> EventJson<'a> {
    fn of_line(line: &'a Line) -> Self {
        let said = [
            KeyValue::text("level", line.level),
            KeyValue::text("message", &line.message),
            KeyValue::text("target", line.target),
        ];
        let fields = line.fields.iter().map(|(key, value)| KeyValue::of((key, value.to_attribute())));
        let attributes = said.into_iter().chain(fields).collect();
        Self { time_unix_nano: line.unix_ns().to_string(), name: Line::EVENT, attributes }
    }
}

impl Link {
    fn of((trace_id, span_id): (TraceId, SpanId)) -> Self {
        Self { trace_id: trace_id.to_string(), span_id: span_id.to_string() }
    }
}

impl<'a> StatusJson<'a> {
    const fn of(status: Status<'a>) -> Self {
        match status {
            Status::Unset => Self { code: 0, message: "" },
            Status::Ok => Self { code: 1, message: "" },
            Status::Error { description } => Self { code: 2, message: description },
        }
    }
}

impl<'a> KeyValue<'a> {
    fn text(key: &'a str, text: &'a str) -> Self {
        Self { key, value: AnyValue::StringValue(text.into()) }
    }

    fn of((key, value): Attribute<'a>) -> Self {
        let value = match value {
            Value::Flag(flag) => AnyValue::BoolValue(flag),
            Value::Whole(number) => AnyValue::IntValue(number.to_string()),
            Value::Decimal(number) => AnyValue::DoubleValue(number),
            Value::Text(text) => AnyValue::StringValue(text),
        };
        Self { key, value }
    }
}

const fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}
