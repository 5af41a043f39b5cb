//! Estimates the memory of a waiting span or log line. The estimate errs on the large side.
//!
//! A number of spans doesn't bound a queue's memory: a plugin's span may have as much text as a call may pass, a
//! thousand times an ordinary span's.

use std::mem::size_of;

use opentelemetry::trace::{Event, Link, SpanContext, Status};
use opentelemetry::{Array, Key, KeyValue, Value, logs::AnyValue};
use opentelemetry_sdk::{logs::SdkLogRecord, trace::SpanData};

use super::recorded::Recorded;

/// What the allocator and list entries add to each allocation, bytes.
const PIECE_BYTES: usize = 32;

pub(super) fn of_span(span: &SpanData) -> usize {
    let SpanData { name, attributes, events, links, status, span_context, .. } = span;
    let of_link = |link: &Link| piece(size_of::<Link>()) + of_attributes(&link.attributes);
    of_parts(name, status, span_context, attributes, events) + links.iter().map(of_link).sum::<usize>()
}

/// Returns what the span takes in the SDK's form, which isn't less than it takes in the host's.
pub(super) fn of_recorded(span: &Recorded) -> usize {
    let Recorded { name, attributes, events, status, context, .. } = span;
    of_parts(name, status, context, attributes, events)
}

fn of_parts(name: &str, status: &Status, context: &SpanContext, attributes: &[KeyValue], events: &[Event]) -> usize {
    let of_event = |event: &Event| piece(size_of::<Event>() + event.name.len()) + of_attributes(&event.attributes);
    let description = if let Status::Error { description } = status { description.len() } else { 0 };
    size_of::<SpanData>()
        + piece(name.len())
        + piece(description)
        + piece(context.trace_state().header().len())
        + of_attributes(attributes)
        + events.iter().map(of_event).sum::<usize>()
}

pub(super) fn of_record(record: &SdkLogRecord) -> usize {
    let of_attribute =
        |(key, value): &(Key, AnyValue)| piece(size_of::<(Key, AnyValue)>() + key.as_str().len()) + of_any(value);
    size_of::<SdkLogRecord>()
        + record.body().map_or(0, of_any)
        + record.attributes_iter().map(of_attribute).sum::<usize>()
}

fn of_attributes(attributes: &[KeyValue]) -> usize {
    let of_one =
        |attribute: &KeyValue| piece(size_of::<KeyValue>() + attribute.key.as_str().len()) + of_value(&attribute.value);
    attributes.iter().map(of_one).sum()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => piece(text.as_str().len()),
        Value::Array(Array::String(texts)) => {
            texts.iter().map(|text| piece(size_of_val(text) + text.as_str().len())).sum()
        }
        Value::Array(Array::Bool(flags)) => piece(size_of_val(flags.as_slice())),
        Value::Array(Array::I64(numbers)) => piece(size_of_val(numbers.as_slice())),
        Value::Array(Array::F64(numbers)) => piece(size_of_val(numbers.as_slice())),
        _ => 0,
    }
}

fn of_any(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(text) => piece(text.as_str().len()),
        AnyValue::Bytes(bytes) => piece(bytes.len()),
        AnyValue::ListAny(values) => values.iter().map(|value| piece(size_of::<AnyValue>()) + of_any(value)).sum(),
        AnyValue::Map(members) => members
            .iter()
            .map(|(key, value)| piece(size_of::<(Key, AnyValue)>() + key.as_str().len()) + of_any(value))
            .sum(),
        _ => 0,
    }
}

const fn piece(bytes: usize) -> usize {
    bytes + PIECE_BYTES
}
