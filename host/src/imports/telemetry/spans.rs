//! The spans and log lines of one call: the contexts that it gave out, the open spans, and what the limits dropped.

use std::{borrow::Cow, sync::Arc};

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanContext, SpanId, SpanKind},
};
use parking_lot::{Mutex, MutexGuard};

use super::{
    Level,
    guest_log::{DroppedLog, GuestLog, Prints, written_bytes},
};
use crate::{
    config::Limits,
    imports::bindings::types::{Attribute, AttributeValue, TraceContext},
    recordings::impersonal,
    telemetry::{
        names::{attribute, event},
        propagation,
        traces::{Span, Tracer, with_span},
    },
    units::i64_of,
};

/// Prefixes of keys that only the host sets on a call's own span; otherwise a guest could forge them.
const RESERVED_PREFIXES: [&str; 3] = ["plugin.", "order.", "db."];
/// The length of `version-traceid-spanid` in a traceparent; the flags after it aren't part of the address.
const ADDRESS_BYTES: usize = 2 + 1 + 32 + 1 + 16;

/// The spans and log lines of one call.
#[derive(Debug)]
pub struct CallSpans {
    tracer: Tracer,
    /// The call's own span; it outlives the guest.
    span: Span,
    own: Address,
    guests: Vec<GuestSpan>,
    events: usize,
    dropped: Dropped,
    bounds: Bounds,
    prints: Arc<Mutex<Prints>>,
    /// The last error that the guest logged.
    error: Option<String>,
    log: Arc<GuestLog>,
}

/// The context by which the guest addresses a span.
#[derive(Debug)]
struct Address {
    context: SpanContext,
    traceparent: String,
    /// How many attributes the guest has set.
    attributes: usize,
}

/// A span that the guest started.
#[derive(Debug)]
struct GuestSpan {
    address: Address,
    state: GuestSpanState,
}

#[derive(Debug)]
enum GuestSpanState {
    Open(Box<Span>),
    Ended,
    /// Not started because of the limit on spans. What the guest records on it is dropped, not added to the parent.
    Dropped,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    spans: usize,
    events: usize,
    attributes: usize,
    texts: Texts,
}

/// How a guest's texts are written.
#[derive(Debug, Clone, Copy)]
struct Texts {
    bytes_max: usize,
    /// Whether what looks personal is masked.
    is_masked: bool,
}

impl Texts {
    /// Masks the text and cuts it to its limit, between two characters.
    fn fit(self, text: String) -> String {
        let mut text = match self.masked(&text) {
            Cow::Owned(masked) => masked,
            Cow::Borrowed(_) => text,
        };
        if text.len() > self.bytes_max {
            text.truncate(text.floor_char_boundary(self.bytes_max));
        }
        text
    }

    fn masked(self, text: &str) -> Cow<'_, str> {
        if self.is_masked { impersonal(text) } else { text.into() }
    }
}

/// What the limits dropped, recorded on the call's span at its end.
#[derive(Debug, Default)]
struct Dropped {
    spans: i64,
    events: i64,
    attributes: i64,
}

/// How a call ended, for the spans that its guest left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Returned,
    Trapped,
}

impl CallSpans {
    /// Wraps the call's own span; `log` is where its guest logs and prints.
    #[must_use]
    pub fn new(tracer: Tracer, span: Span, log: Arc<GuestLog>, limits: &Limits) -> Self {
        Self {
            tracer,
            own: Address::new(span.context().clone()),
            span,
            guests: Vec::new(),
            events: 0,
            dropped: Dropped::default(),
            bounds: Bounds {
                spans: limits.spans,
                events: limits.events,
                attributes: limits.attributes,
                texts: Texts { bytes_max: limits.attribute_bytes, is_masked: limits.guest_telemetry_masked },
            },
            prints: Arc::new(Mutex::new(Prints::new(limits))),
            error: None,
            log,
        }
    }

    /// Returns the context that the guest gets for its call.
    #[must_use]
    pub fn own_context(&self) -> TraceContext {
        self.own.to_guest()
    }

    #[must_use]
    pub fn span_context(&self) -> &SpanContext {
        self.span.context()
    }

    #[must_use]
    pub const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Returns what the guest has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.lock_prints().text().to_owned()
    }

    /// Returns the last error that the guest has logged.
    #[must_use]
    pub fn logged_error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    pub(in crate::imports) fn prints(&self) -> Arc<Mutex<Prints>> {
        Arc::clone(&self.prints)
    }

    /// Swaps print buffers with the previous call, because the instance keeps writing to that one. The previous call
    /// keeps its printed text.
    pub(in crate::imports) fn take_over_prints(&mut self, before: &mut Self) {
        {
            let [mut own, mut others] = [&self.prints, &before.prints].map(|prints| prints.lock());
            std::mem::swap(&mut *own, &mut *others);
        }
        std::mem::swap(&mut self.prints, &mut before.prints);
    }

    /// Returns the parent span for work of the guest: the named span, or the call's own if the named one isn't of this
    /// call.
    pub(in crate::imports) fn parent(&mut self, named: &TraceContext) -> SpanContext {
        let of_guest = self.find(named).and_then(|index| self.guests.get(index));
        of_guest.map_or(&self.own, |guest| &guest.address).context.clone()
    }

    pub(super) fn start(&mut self, parent: &TraceContext, name: String) -> TraceContext {
        let parent = self.parent(parent);
        let started = self.guests.iter().filter(|guest| !matches!(guest.state, GuestSpanState::Dropped)).count();
        let guest = if started >= self.bounds.spans {
            self.dropped.spans += 1;
            GuestSpan::dropped(&parent)
        } else {
            let name = self.bounds.texts.fit(name);
            let mut span = self.tracer.start(name, SpanKind::Internal, Some(&parent), Vec::new());
            span.set(attribute::PLUGIN_SPAN, true);
            GuestSpan::open(span)
        };
        let context = guest.address.to_guest();
        self.guests.push(guest);
        context
    }

    pub(super) fn annotate(&mut self, named: &TraceContext, attributes: Vec<Attribute>) {
        let index = self.find(named);
        let room = self.bounds.attributes.saturating_sub(self.address_at(index).attributes);
        let kept = self.admit(attributes, room, index.is_none());
        self.address_at(index).attributes += kept.len();
        if let Some(span) = self.span_at(index) {
            for attribute in kept {
                span.set(attribute.key, attribute.value);
            }
        }
    }

    pub(super) fn event(&mut self, named: &TraceContext, name: String, attributes: Vec<Attribute>) {
        let index = self.find(named);
        if self.events >= self.bounds.events {
            self.dropped.events += 1;
            return;
        }
        let kept = self.admit(attributes, self.bounds.attributes, false);
        let name = self.bounds.texts.fit(name);
        if let Some(span) = self.span_at(index) {
            span.event(name, kept);
            self.events += 1;
        }
    }

    pub(super) fn fail(&mut self, named: &TraceContext, message: String) {
        let message = self.bounds.texts.fit(message);
        let index = self.find(named);
        if let Some(span) = self.span_at(index) {
            span.fail("plugin", message);
        }
    }

    /// Ends a span of the guest. The call's own span stays open until the host has finished the call.
    pub(super) fn end(&mut self, named: &TraceContext) {
        let guest = self.find(named).and_then(|index| self.guests.get_mut(index));
        if let Some(guest) = guest.filter(|guest| matches!(guest.state, GuestSpanState::Open(_))) {
            // Replacing it drops the span, which ends it.
            guest.state = GuestSpanState::Ended;
        }
    }

    pub(super) fn log(&mut self, named: &TraceContext, level: Level, message: String, attributes: Vec<Attribute>) {
        let context = self.parent(named);
        let message = self.bounds.texts.fit(message);
        let attributes = attributes_json(&self.admit(attributes, self.bounds.attributes, false));
        let bytes = written_bytes(&message) + attributes.as_deref().map_or(0, written_bytes);
        if !self.lock_prints().admits_line(bytes) {
            return;
        }
        // A line of a level that isn't written doesn't count towards the plugin's limits.
        if !is_logged(level) || self.log.admits(bytes) {
            with_span(&context, || log_line(self.log.plugin(), level, &message, attributes.as_deref()));
        } else {
            self.lock_prints().drop_line(bytes);
        }
        if level == Level::Error {
            self.error = Some(message);
        }
    }

    fn lock_prints(&self) -> MutexGuard<'_, Prints> {
        self.prints.lock()
    }

    /// Ends the spans that the guest left open and writes its prints to the log. Returns the call's own span and the
    /// number of dropped log lines.
    #[must_use]
    pub fn finish(mut self, end: End) -> (Span, u64) {
        let mark = if end == End::Trapped { attribute::TRAPPED } else { attribute::ABANDONED };
        // Children end before their parents, as in a well-behaved guest.
        for guest in self.guests.drain(..).rev() {
            if let GuestSpanState::Open(mut span) = guest.state {
                span.set(mark, true);
                span.end();
            }
        }
        let dropped_log = self.write_prints();
        let rows = self.dropped.rows().into_iter().chain(dropped_log_rows(dropped_log));
        for (key, count) in rows.filter(|(_, count)| *count > 0) {
            self.span.set(key, count);
        }
        (self.span, dropped_log.lines as u64)
    }

    /// Writes the printed lines, and returns what of the call's log was dropped.
    fn write_prints(&self) -> DroppedLog {
        let text = self.lock_prints().take();
        let is_logged = is_logged(Level::Info);
        for line in text.lines().filter(|line| is_logged && !line.trim().is_empty()) {
            let line = self.bounds.texts.masked(line);
            let bytes = written_bytes(&line);
            if self.log.admits(bytes) {
                with_span(&self.own.context, || {
                    tracing::info!(target: "guest", plugin = self.log.plugin(), stream = "print", "{line}");
                });
            } else {
                self.lock_prints().drop_line(bytes);
            }
        }
        self.lock_prints().dropped()
    }

    /// Returns the index of the guest's span that `named` addresses; `None` is the call's own span, also for a refused
    /// context.
    fn find(&mut self, named: &TraceContext) -> Option<usize> {
        let index = self.guests.iter().rposition(|guest| guest.address.is(named));
        if index.is_none() && !self.own.is(named) {
            self.event_on_own(event::CONTEXT_REFUSED, Vec::new());
        }
        index
    }

    /// Returns the span at the index of [`find`](Self::find); `None` if it has ended or never started.
    fn span_at(&mut self, index: Option<usize>) -> Option<&mut Span> {
        match index {
            None => Some(&mut self.span),
            Some(index) => match &mut self.guests.get_mut(index)?.state {
                GuestSpanState::Open(span) => Some(span),
                GuestSpanState::Ended | GuestSpanState::Dropped => None,
            },
        }
    }

    fn address_at(&mut self, index: Option<usize>) -> &mut Address {
        match index.and_then(|index| self.guests.get_mut(index)) {
            Some(guest) => &mut guest.address,
            None => &mut self.own,
        }
    }

    fn event_on_own(&mut self, name: &'static str, attributes: Vec<KeyValue>) {
        if self.events >= self.bounds.events {
            self.dropped.events += 1;
        } else {
            self.events += 1;
            self.span.event(name, attributes);
        }
    }

    /// Returns the attributes that fit on a span, event or line, and counts the others as dropped.
    fn admit(&mut self, attributes: Vec<Attribute>, room: usize, reserved: bool) -> Vec<KeyValue> {
        let offered = attributes.len();
        let texts = self.bounds.texts;
        let kept: Vec<KeyValue> = attributes
            .into_iter()
            .filter(|kept| !kept.key.is_empty())
            .filter(|kept| !reserved || !RESERVED_PREFIXES.iter().any(|prefix| kept.key.starts_with(prefix)))
            .filter_map(|kept| Some(KeyValue::new(texts.fit(kept.key), value(kept.value, texts)?)))
            .take(room)
            .collect();
        self.dropped.attributes += i64_of((offered - kept.len()) as u64);
        kept
    }
}

impl Address {
    fn new(context: SpanContext) -> Self {
        Self { traceparent: propagation::traceparent(&context), context, attributes: 0 }
    }

    fn is(&self, named: &TraceContext) -> bool {
        self.traceparent == named.traceparent
            || (propagation::parse(&named.traceparent, "").is_some()
                && self.traceparent.get(3..ADDRESS_BYTES) == named.traceparent.get(3..ADDRESS_BYTES))
    }

    fn to_guest(&self) -> TraceContext {
        TraceContext { traceparent: self.traceparent.clone(), tracestate: self.context.trace_state().header() }
    }
}

/// Returns a span's context as guests and others get it.
pub(in crate::imports) fn context_to_guest(context: &SpanContext) -> TraceContext {
    Address::new(context.clone()).to_guest()
}

impl GuestSpan {
    fn open(span: Span) -> Self {
        Self { address: Address::new(span.context().clone()), state: GuestSpanState::Open(Box::new(span)) }
    }

    fn dropped(parent: &SpanContext) -> Self {
        let (trace_id, span_id) = (parent.trace_id(), SpanId::from_bytes(rand::random()));
        let state = parent.trace_state().clone();
        let context = SpanContext::new(trace_id, span_id, parent.trace_flags(), false, state);
        Self { address: Address::new(context), state: GuestSpanState::Dropped }
    }
}

impl Dropped {
    fn rows(&self) -> [(&'static str, i64); 3] {
        [
            (attribute::DROPPED_SPANS, self.spans),
            (attribute::DROPPED_EVENTS, self.events),
            (attribute::DROPPED_ATTRIBUTES, self.attributes),
        ]
    }
}

fn dropped_log_rows(DroppedLog { lines, bytes }: DroppedLog) -> [(&'static str, i64); 2] {
    [(attribute::DROPPED_LOG_LINES, lines), (attribute::DROPPED_LOG_BYTES, bytes)]
        .map(|(key, count)| (key, i64_of(count as u64)))
}

/// Returns whether the log writes lines of that level.
fn is_logged(level: Level) -> bool {
    match level {
        Level::Debug => tracing::enabled!(target: "guest", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "guest", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "guest", tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: "guest", tracing::Level::ERROR),
    }
}

fn log_line(plugin: &str, level: Level, message: &str, attributes: Option<&str>) {
    match level {
        Level::Debug => tracing::debug!(target: "guest", plugin, attributes, "{message}"),
        Level::Info => tracing::info!(target: "guest", plugin, attributes, "{message}"),
        Level::Warn => tracing::warn!(target: "guest", plugin, attributes, "{message}"),
        Level::Error => tracing::error!(target: "guest", plugin, attributes, "{message}"),
    }
}

/// Returns the attributes of a log line as a JSON object; `None` if there are none.
fn attributes_json(attributes: &[KeyValue]) -> Option<String> {
    let fields = attributes.iter().map(|kept| (kept.key.to_string(), json(&kept.value)));
    (!attributes.is_empty()).then(|| serde_json::Value::Object(fields.collect()).to_string())
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::I64(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        other => other.as_str().into_owned().into(),
    }
}

/// Returns the value for telemetry; `None` for a number that isn't finite.
fn value(value: AttributeValue, texts: Texts) -> Option<Value> {
    match value {
        AttributeValue::Text(text) => Some(texts.fit(text).into()),
        AttributeValue::Integer(number) => Some(i64::from(number).into()),
        AttributeValue::Decimal(number) => number.is_finite().then(|| number.into()),
        AttributeValue::Flag(flag) => Some(flag.into()),
    }
}
