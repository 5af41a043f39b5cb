//! What a span takes of memory, about. Errs on the large side: a text counts even where it is a constant.

use std::mem::size_of;

use opentelemetry::trace::{Event, Link, SpanContext, Status};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Of a span beside its own size: the counts of its `Arc`, its place in a list that grows by doubling, and what an
/// allocator rounds up.
const SPAN_OVERHEAD: usize = 64;
/// Of a text on the heap, likewise.
const TEXT_OVERHEAD: usize = 8;

/// Returns the bytes of a span that is kept.
pub(super) fn of_span(span: &SpanData) -> usize {
    let description = if let Status::Error { description } = &span.status { of_text(description) } else { 0 };
    size_of::<SpanData>()
        + SPAN_OVERHEAD
        + of_text(&span.name)
        + description
        + of_context(&span.span_context)
        + of_attributes(&span.attributes)
        + span.events.events.capacity() * size_of::<Event>()
        + span.events.iter().map(|event| of_text(&event.name) + of_attributes(&event.attributes)).sum::<usize>()
        + span.links.links.capacity() * size_of::<Link>()
        + span.links.iter().map(|link| of_context(&link.span_context) + of_attributes(&link.attributes)).sum::<usize>()
}

/// Returns the bytes of a text on the heap.
pub(super) fn of_text(text: &str) -> usize {
    if text.is_empty() { 0 } else { text.len() + TEXT_OVERHEAD }
}

fn of_attributes(attributes: &Vec<KeyValue>) -> usize {
    attributes.capacity() * size_of::<KeyValue>()
        + attributes.iter().map(|attribute| of_text(attribute.key.as_str()) + of_value(&attribute.value)).sum::<usize>()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => of_text(text.as_str()),
        Value::Array(Array::Bool(values)) => values.capacity(),
        Value::Array(Array::I64(values)) => values.capacity() * size_of::<i64>(),
        Value::Array(Array::F64(values)) => values.capacity() * size_of::<f64>(),
        Value::Array(Array::String(values)) => {
            values.capacity() * size_of::<StringValue>()
                + values.iter().map(|text| of_text(text.as_str())).sum::<usize>()
        }
        _ => 0,
    }
}

/// The caller's `tracestate`, which its spans have in common; each counts as if it had its own.
fn of_context(context: &SpanContext) -> usize {
    of_text(&context.trace_state().header())
}
