//! A span as the host records it, until it is written for the page, exported or dropped.
//!
//! OpenTelemetry's SDK would record it at several times the cost: each span holds its tracer, and is copied into what
//! the processors get. [`SpanData`] is made of a span only for a processor that gets it.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, Key, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The places for attributes that a span gets with its first one; most spans of a checkout need no more.
const ATTRIBUTES_USUAL: usize = 12;
/// The most attributes of one event; OpenTelemetry's default.
const EVENT_ATTRIBUTES_MAX: usize = 128;

/// How much a span may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// The longest text, bytes.
    pub(super) text_bytes_max: usize,
    pub(super) attributes_max: usize,
    pub(super) events_max: usize,
}

impl Default for Limits {
    /// OpenTelemetry's defaults, except that it doesn't limit texts, and guests write some.
    fn default() -> Self {
        Self { text_bytes_max: 4096, attributes_max: 128, events_max: 128 }
    }
}

/// A span under way, or one that has ended.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) context: SpanContext,
    /// Invalid if there is no parent.
    pub(super) parent_id: SpanId,
    pub(super) parent_is_remote: bool,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) start: SystemTime,
    /// The start as well, until the span has ended.
    pub(super) end: SystemTime,
    /// Each key once.
    pub(super) attributes: Vec<KeyValue>,
    pub(super) attributes_dropped: u32,
    pub(super) events: Vec<Event>,
    pub(super) events_dropped: u32,
    pub(super) status: Status,
}

impl Recorded {
    /// Returns a span that starts now. `parent` is valid if there is one.
    pub(super) fn start(
        context: SpanContext,
        parent: Option<&SpanContext>,
        name: Cow<'static, str>,
        kind: SpanKind,
    ) -> Self {
        let start = SystemTime::now();
        Self {
            context,
            parent_id: parent.map_or(SpanId::INVALID, SpanContext::span_id),
            parent_is_remote: parent.is_some_and(SpanContext::is_remote),
            kind,
            name,
            start,
            end: start,
            attributes: Vec::new(),
            attributes_dropped: 0,
            events: Vec::new(),
            events_dropped: 0,
            status: Status::Unset,
        }
    }

    /// Returns whether it is the first span of its trace in this process.
    pub(super) fn is_local_root(&self) -> bool {
        self.parent_is_remote || self.parent_id == SpanId::INVALID
    }

    pub(super) const fn is_error(&self) -> bool {
        matches!(self.status, Status::Error { .. })
    }

    /// Sets an attribute, in place of an earlier value.
    pub(super) fn set(&mut self, key: Key, value: Value) {
        match self.attributes.iter_mut().find(|attribute| attribute.key == key) {
            Some(attribute) => attribute.value = value,
            None => {
                if self.attributes.capacity() == 0 {
                    self.attributes.reserve_exact(ATTRIBUTES_USUAL);
                }
                self.attributes.push(KeyValue::new(key, value));
            }
        }
    }

    /// Adds an event with the current time, within the limits.
    pub(super) fn event(&mut self, name: Cow<'static, str>, mut attributes: Vec<KeyValue>, limits: Limits) {
        if self.events.len() >= limits.events_max {
            self.events_dropped = self.events_dropped.saturating_add(1);
            return;
        }
        let dropped = truncate(&mut attributes, EVENT_ATTRIBUTES_MAX);
        self.events.push(Event::new(name, SystemTime::now(), attributes, dropped));
    }

    /// Marks the span as failed. Of two descriptions the greater one stays, as in the SDK.
    pub(super) fn fail(&mut self, description: Cow<'static, str>) {
        let status = Status::error(description);
        if status > self.status {
            self.status = status;
        }
    }

    /// Ends the span. Attributes past the limit are dropped only now, because until then each may be set again.
    pub(super) fn end(&mut self, at: SystemTime, limits: Limits) {
        self.end = at;
        self.attributes_dropped = truncate(&mut self.attributes, limits.attributes_max);
    }

    /// Returns the span in the SDK's form.
    pub(super) fn into_sdk(self, scope: &InstrumentationScope) -> SpanData {
        let mut events = SpanEvents::default();
        (events.events, events.dropped_count) = (self.events, self.events_dropped);
        SpanData {
            span_context: self.context,
            parent_span_id: self.parent_id,
            parent_span_is_remote: self.parent_is_remote,
            span_kind: self.kind,
            name: self.name,
            start_time: self.start,
            end_time: self.end,
            attributes: self.attributes,
            dropped_attributes_count: self.attributes_dropped,
            events,
            // The host links no spans.
            links: SpanLinks::default(),
            status: self.status,
            instrumentation_scope: scope.clone(),
        }
    }
}

/// Drops what is past the limit, and returns how many that were.
fn truncate<T>(all: &mut Vec<T>, max: usize) -> u32 {
    let dropped = all.len().saturating_sub(max);
    all.truncate(max);
    u32::try_from(dropped).unwrap_or(u32::MAX)
}
