//! Spans, passed by value, not through a thread-local context.
//!
//! The host records its spans itself (`Recorded`) and makes the SDK's of those that a processor gets. Invariants: every
//! span has a valid context, recorded or not, before and after the tracer stops, so that a plugin never sees the
//! difference; a span has a key once; a text in a span is never longer than its limit; a span below another of this
//! process is recorded and sampled if that one is.

mod sink;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanProcessor};

use super::export::{self, Lost};
use super::metrics::{Traces, exemplars::Exemplars};
use super::names::attribute;
use super::propagation::RANDOM;
use super::recent::Recent;
use super::recorded::{Limits, Recorded};
use super::sampling::{Decision, Head, TailSampler};
use super::settings::Settings;
pub use sink::FinishedSpans;
pub(super) use sink::{SCOPE, Sink, scope};

/// Marks a span that is recorded for the host's recent traces but isn't sampled. The standard reserves this flag: it
/// never leaves the process, and an incoming context can't have it (`propagation`).
const KEPT: TraceFlags = TraceFlags::new(0x80);

/// How long a tracer may take to stop that is dropped without a shutdown.
const DROPPED_STOP: Duration = Duration::from_secs(5);

/// Marks a context whose span is kept, for what is logged meanwhile.
struct KeptSpan;

/// Returns whether the span is recorded although it isn't sampled.
pub(super) fn is_kept(context: &SpanContext) -> bool {
    context.trace_flags() & KEPT == KEPT
}

/// Starts spans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    head: Head,
    limits: Limits,
    sink: Sink,
    is_stopped: AtomicBool,
}

impl Tracer {
    pub(super) fn new(head: Head, limits: Limits, sink: Sink) -> Self {
        Self(Arc::new(Shared { head, limits, sink, is_stopped: AtomicBool::new(false) }))
    }

    /// Returns a tracer whose spans have ids but are never recorded.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Head::OFF, Limits::default(), Sink::default())
    }

    /// Returns a tracer that samples every trace, and hands its spans to `sink`.
    #[cfg(test)]
    pub(super) fn recording(sink: Sink) -> Self {
        Self::new(super::sampling::Sampling::On.head(false), Limits::default(), sink)
    }

    /// Starts a span below `parent`, or a new trace. The span ends when it is dropped.
    pub fn start(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        attributes: Vec<KeyValue>,
    ) -> Span {
        let parent = parent.filter(|parent| parent.is_valid());
        let trace_id = parent.map_or_else(new_trace_id, SpanContext::trace_id);
        let decision = self.0.decide(parent, trace_id);
        let context = new_context(trace_id, parent, decision);
        if decision == Decision::Dropped {
            return Span(State::Unrecorded(context));
        }
        let recorded = Box::new(Recorded::start(context, parent, name.into(), kind));
        if decision == Decision::Sampled && recorded.is_local_root() {
            self.0.sink.begin(trace_id);
        }
        let mut span = Span(State::Recorded { recorded, tracer: self.clone() });
        for KeyValue { key, value, .. } in attributes {
            span.set(key, value);
        }
        span
    }

    /// Returns fresh ids below `parent` for a request that is answered but not recorded.
    #[must_use]
    pub fn unrecorded(&self, parent: Option<&SpanContext>) -> SpanContext {
        let parent = parent.filter(|parent| parent.is_valid());
        let trace_id = parent.map_or_else(new_trace_id, SpanContext::trace_id);
        new_context(trace_id, parent, Decision::Dropped)
    }

    /// Has the processors send what waits.
    #[cfg(test)]
    pub(super) fn force_flush(&self) -> OTelSdkResult {
        self.0.sink.force_flush()
    }

    /// Stops recording, and has the processors send what waits, within `timeout`.
    ///
    /// # Errors
    /// If a processor couldn't send everything, or the tracer has stopped before.
    pub(super) fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.0.is_stopped.swap(true, Ordering::SeqCst) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.0.sink.shutdown(timeout)
    }
}

impl Shared {
    /// Returns the decision of a local parent, which has its trace's; a local root asks the sampler.
    fn decide(&self, parent: Option<&SpanContext>, trace_id: TraceId) -> Decision {
        if self.is_stopped() {
            return Decision::Dropped;
        }
        match parent {
            Some(parent) if !parent.is_remote() => Decision::of(parent),
            caller => self.head.decide(caller, trace_id),
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !*self.is_stopped.get_mut() {
            // Nobody is left to report an error to.
            drop(self.sink.shutdown(DROPPED_STOP));
        }
    }
}

impl Decision {
    /// Returns the decision about a span of this process.
    fn of(context: &SpanContext) -> Self {
        match () {
            () if context.is_sampled() => Self::Sampled,
            () if is_kept(context) => Self::Kept,
            () => Self::Dropped,
        }
    }

    const fn flags(self) -> TraceFlags {
        match self {
            Self::Sampled => TraceFlags::SAMPLED,
            Self::Kept => KEPT,
            Self::Dropped => TraceFlags::NOT_SAMPLED,
        }
    }
}

/// Returns the context of a new span. It has level 2's random bit in a new trace, because the ids are random; a child
/// inherits the bit, sampled or not.
fn new_context(trace_id: TraceId, parent: Option<&SpanContext>, decision: Decision) -> SpanContext {
    let random = parent.map_or(RANDOM, |parent| parent.trace_flags() & RANDOM);
    let state = parent.map_or(TraceState::NONE, |parent| parent.trace_state().clone());
    let span_id = RandomIdGenerator::default().new_span_id();
    SpanContext::new(trace_id, span_id, decision.flags() | random, false, state)
}

fn new_trace_id() -> TraceId {
    RandomIdGenerator::default().new_trace_id()
}

/// One operation under way. The span ends when it is dropped.
pub struct Span(State);

enum State {
    Unrecorded(SpanContext),
    Recorded { recorded: Box<Recorded>, tracer: Tracer },
}

impl Span {
    /// Returns the span's ids and flags, to be the parent of spans below. Always valid.
    #[must_use]
    pub const fn context(&self) -> &SpanContext {
        match &self.0 {
            State::Unrecorded(context) => context,
            State::Recorded { recorded, .. } => &recorded.context,
        }
    }

    /// Returns whether what is set on the span is recorded. False if the trace is neither sampled nor kept.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        matches!(self.0, State::Recorded { .. })
    }

    /// Sets an attribute, in place of an earlier value. Text past the limit is cut off.
    pub fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        if let Some((recorded, limits)) = self.recorded() {
            recorded.set(key.into(), shortened_value(value.into(), limits.text_bytes_max));
        }
    }

    /// Adds an event with the current time.
    pub fn event(&mut self, name: impl Into<Cow<'static, str>>, mut attributes: Vec<KeyValue>) {
        let Some((recorded, limits)) = self.recorded() else { return };
        for attribute in &mut attributes {
            let value = std::mem::replace(&mut attribute.value, Value::Bool(false));
            attribute.value = shortened_value(value, limits.text_bytes_max);
        }
        recorded.event(shortened(name.into(), limits.text_bytes_max), attributes, limits);
    }

    /// Marks the span as failed. `error_type` is a word of a bounded set, like the name of an error's variant;
    /// `description` is for people.
    pub fn fail(&mut self, error_type: impl Into<Cow<'static, str>>, description: impl Into<Cow<'static, str>>) {
        self.set(attribute::ERROR_TYPE, error_type.into());
        if let Some((recorded, limits)) = self.recorded() {
            recorded.fail(shortened(description.into(), limits.text_bytes_max));
        }
    }

    /// Renames the span, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some((recorded, limits)) = self.recorded() {
            recorded.name = shortened(name.into(), limits.text_bytes_max);
        }
    }

    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }

    /// Ends the span with a time that became known only later. A time before the span's start counts as the start.
    pub fn end_at(mut self, at: SystemTime) {
        self.hand_over(|start| at.max(start));
    }

    fn recorded(&mut self) -> Option<(&mut Recorded, Limits)> {
        match &mut self.0 {
            State::Unrecorded(_) => None,
            State::Recorded { recorded, tracer } => Some((recorded, tracer.0.limits)),
        }
    }

    /// Hands the span over to the sink. `end` returns when the span ended, of when it started.
    fn hand_over(&mut self, end: impl FnOnce(SystemTime) -> SystemTime) {
        let State::Recorded { mut recorded, tracer } =
            std::mem::replace(&mut self.0, State::Unrecorded(SpanContext::NONE))
        else {
            return;
        };
        if !tracer.0.is_stopped() {
            recorded.end(end(recorded.start), tracer.0.limits);
            tracer.0.sink.end(recorded);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.hand_over(|_| SystemTime::now());
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Span").field("context", self.context()).finish_non_exhaustive()
    }
}

/// Runs `future` as the work of a span: whatever is logged while it is polled carries the span's ids.
pub fn in_span<F: Future>(context: &SpanContext, future: F) -> impl Future<Output = F::Output> + use<F> {
    future.with_context(at_work(context))
}

/// Runs a closure as the work of a span, on the current thread.
pub fn with_span<R>(context: &SpanContext, work: impl FnOnce() -> R) -> R {
    let _attached = at_work(context).attach();
    work()
}

/// Returns the current span if it is recorded, sampled or only kept.
pub(super) fn recorded_now() -> Option<SpanContext> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        let recorded = span.is_valid() && (span.is_sampled() || context.get::<KeptSpan>().is_some());
        recorded.then(|| span.clone())
    })
}

fn at_work(span: &SpanContext) -> Context {
    if !is_kept(span) {
        return Context::new().with_remote_span_context(span.clone());
    }
    // Exported log lines carry the context's flags, so `KEPT` is removed here.
    let flags = span.trace_flags() & RANDOM;
    let (state, remote) = (span.trace_state().clone(), span.is_remote());
    let span = SpanContext::new(span.trace_id(), span.span_id(), flags, remote, state);
    Context::new().with_remote_span_context(span).with_value(KeptSpan)
}

fn shortened_value(value: Value, bytes_max: usize) -> Value {
    match value {
        Value::String(text) if text.as_str().len() > bytes_max => Value::String(cut(text.as_str(), bytes_max).into()),
        other => other,
    }
}

fn shortened(text: Cow<'static, str>, bytes_max: usize) -> Cow<'static, str> {
    if text.len() > bytes_max { Cow::Owned(cut(&text, bytes_max)) } else { text }
}

/// Returns at most `bytes_max` bytes of the text, whole characters only.
fn cut(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().to_owned()
}

/// Makes the tracer of a host, and says which traces will be found.
///
/// # Errors
/// If one of the exporters can't be built.
pub(super) fn tracer(
    settings: &Settings,
    resource: &Resource,
    recent: Option<Recent>,
    mut processors: Vec<Box<dyn SpanProcessor>>,
    lost: &Arc<Lost>,
    exemplars: &Arc<Exemplars>,
) -> anyhow::Result<(Tracer, Traces)> {
    let exports = settings.traces.iter().map(|exporter| export::span_processor(exporter, settings.span_room, lost));
    let mut exports = exports.collect::<anyhow::Result<Vec<_>>>()?;
    exports.iter_mut().for_each(|export| export.set_resource(resource));
    processors.iter_mut().for_each(|processor| processor.set_resource(resource));
    let head = settings.sampling.head(recent.is_some());
    let (tail, traces) = match settings.tail_limits() {
        Some(limits) => {
            let sampler = TailSampler::new(limits, Arc::clone(exemplars), scope(), exports);
            (Some(sampler.clone()), Traces::Decided(sampler))
        }
        None => {
            let are_kept = recent.is_some() || !exports.is_empty();
            processors.extend(exports.into_iter().map(|export| -> Box<dyn SpanProcessor> { Box::new(export) }));
            (None, if are_kept { Traces::Kept } else { Traces::Unkept })
        }
    };
    Ok((Tracer::new(head, settings.span_limits, Sink::new(recent, tail, processors)), traces))
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Status;
    use opentelemetry_sdk::trace::SpanData;

    use super::*;
    use crate::telemetry::propagation;
    use crate::telemetry::sampling::Sampling;

    const LIMITS: Limits = Limits { text_bytes_max: 8, attributes_max: 4, events_max: 2 };

    fn tracer(sampling: Sampling) -> (Tracer, FinishedSpans) {
        let spans = FinishedSpans::default();
        let sink = Sink::new(None, None, vec![Box::new(spans.clone())]);
        (Tracer::new(sampling.head(false), LIMITS, sink), spans)
    }

    fn attributes_of(span: &SpanData) -> Vec<(&str, String)> {
        span.attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.value.to_string())).collect()
    }

    #[test]
    fn a_child_hangs_below_its_parent() {
        let (tracer, spans) = tracer(Sampling::On);
        let parent = tracer.start("parent", SpanKind::Server, None, vec![KeyValue::new("a", 1)]);
        let mut child = tracer.start("child", SpanKind::Internal, Some(parent.context()), Vec::new());
        child.rename("renamed");
        child.event("happened", vec![KeyValue::new("b", true)]);
        child.end();
        drop(parent);

        let spans = spans.take();
        let [child, parent] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((child.name.as_ref(), parent.name.as_ref()), ("renamed", "parent"));
        assert_eq!(child.parent_span_id, parent.span_context.span_id());
        assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id());
        assert!(!child.parent_span_is_remote);
        assert_eq!(attributes_of(parent), [("a", "1".to_owned())]);
        assert_eq!(child.events.iter().map(|event| event.name.as_ref()).collect::<Vec<_>>(), ["happened"]);
        assert!(child.end_time >= child.start_time);
    }

    #[test]
    fn a_key_is_recorded_once_and_text_is_cut() {
        let (tracer, spans) = tracer(Sampling::On);
        let mut span =
            tracer.start("s", SpanKind::Internal, None, vec![KeyValue::new("a", 1), KeyValue::new("b", "1234567ä")]);
        span.set("a", 2);
        span.set("c".to_owned(), "12345678");
        span.event("e", vec![KeyValue::new("d", "123456789")]);
        span.fail("deadline", "far too late");
        drop(span);

        let spans = spans.take();
        let expected = [("a", "2"), ("b", "1234567"), ("c", "12345678"), ("error.type", "deadline")];
        assert_eq!(attributes_of(&spans[0]), expected.map(|(key, value)| (key, value.to_owned())));
        assert_eq!(spans[0].status, Status::error("far too "));
        assert_eq!(spans[0].events[0].attributes, [KeyValue::new("d", "12345678")]);
    }

    #[test]
    fn unrecorded_spans_have_fresh_valid_contexts() {
        let (tracer, spans) = tracer(Sampling::Off);
        let parent = tracer.start("parent", SpanKind::Internal, None, Vec::new());
        let mut child = tracer.start("child", SpanKind::Internal, Some(parent.context()), Vec::new());
        child.fail("nobody", "sees it");
        assert!(!child.is_recording());
        check_family(parent.context(), child.context());
        drop((parent, child));
        assert!(spans.take().is_empty());
    }

    #[test]
    fn spans_go_on_after_the_tracer_stopped() {
        let (tracer, spans) = tracer(Sampling::On);
        let early = tracer.start("early", SpanKind::Internal, None, Vec::new());
        tracer.shutdown_with_timeout(DROPPED_STOP).unwrap();
        assert!(matches!(tracer.shutdown_with_timeout(DROPPED_STOP), Err(OTelSdkError::AlreadyShutdown)));
        let parent = tracer.start("parent", SpanKind::Internal, None, Vec::new());
        let child = tracer.start("child", SpanKind::Internal, Some(parent.context()), Vec::new());
        check_family(parent.context(), child.context());
        let late = tracer.start("late", SpanKind::Internal, Some(early.context()), Vec::new());
        assert!(!late.is_recording() && !late.context().is_sampled());
        drop((parent, child, late, early));
        assert!(spans.take().is_empty());
    }

    #[test]
    fn a_child_follows_its_parent_whatever_the_sampler_says() {
        let (tracer, spans) = tracer(Sampling::On);
        let unrecorded = tracer.unrecorded(None);
        assert!(!tracer.start("child", SpanKind::Internal, Some(&unrecorded), Vec::new()).is_recording());
        // As of another process, the same context is one that the sampler decides about.
        let (trace_id, id) = (unrecorded.trace_id(), unrecorded.span_id());
        let remote = SpanContext::new(trace_id, id, unrecorded.trace_flags(), true, TraceState::NONE);
        assert!(tracer.start("root", SpanKind::Server, Some(&remote), Vec::new()).is_recording());
        for flags in [TraceFlags::SAMPLED, KEPT] {
            let parent = SpanContext::new(trace_id, id, flags, false, TraceState::NONE);
            let span = tracer.start("child", SpanKind::Internal, Some(&parent), Vec::new());
            assert_eq!((span.is_recording(), span.context().trace_flags()), (true, flags));
        }
        assert_eq!(spans.take().len(), 2, "a kept span isn't sent on");
    }

    #[test]
    fn a_spans_counts_are_limited() {
        let (tracer, spans) = tracer(Sampling::On);
        let attributes = (0..6).map(|at| KeyValue::new(format!("k{at}"), at)).collect();
        let mut span = tracer.start("s", SpanKind::Internal, None, attributes);
        span.set("k5", 50);
        span.set("k0", 10);
        span.event("e", (0..130).map(|at| KeyValue::new("k", at)).collect());
        span.event("e", Vec::new());
        span.event("e", Vec::new());
        span.end();
        let [span] = &spans.take()[..] else { panic!("one span") };
        let expected = [("k0", "10"), ("k1", "1"), ("k2", "2"), ("k3", "3")];
        assert_eq!(attributes_of(span), expected.map(|(key, value)| (key, value.to_owned())));
        assert_eq!((span.dropped_attributes_count, span.events.len(), span.events.dropped_count), (2, 2, 1));
        let event = &span.events[0];
        assert_eq!((event.attributes.len(), event.dropped_attributes_count), (128, 2));
    }

    #[test]
    fn a_span_may_end_at_a_time_that_has_passed() {
        let (tracer, spans) = tracer(Sampling::On);
        let start = |name| tracer.start(name, SpanKind::Internal, None, Vec::new());
        let (now, span) = (SystemTime::now(), start("s"));
        span.end_at(now + Duration::from_secs(1));
        start("s").end_at(now - Duration::from_secs(1));
        let [span, early] = &spans.take()[..] else { panic!("two spans") };
        assert_eq!(span.end_time, now + Duration::from_secs(1));
        assert_eq!(early.end_time, early.start_time);
    }

    fn check_family(parent: &SpanContext, child: &SpanContext) {
        assert!(parent.is_valid() && child.is_valid());
        assert!(!parent.is_sampled() && !child.is_sampled());
        assert_eq!(parent.trace_id(), child.trace_id());
        assert_ne!(parent.span_id(), child.span_id());
    }

    #[test]
    fn the_random_bit_is_set_for_new_traces_and_inherited() {
        for sampling in [Sampling::On, Sampling::Off] {
            let (tracer, _spans) = tracer(sampling);
            let flags = |parent: Option<&SpanContext>| {
                tracer.start("s", SpanKind::Internal, parent, Vec::new()).context().trace_flags() & RANDOM
            };
            let remote = |flags| {
                let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
                propagation::parse(&parent, "").unwrap()
            };
            assert_eq!(flags(None), RANDOM);
            assert_eq!(flags(Some(&remote("03"))), RANDOM);
            assert_eq!(flags(Some(&remote("01"))), TraceFlags::NOT_SAMPLED);
        }
    }

    #[tokio::test]
    async fn the_current_span_is_the_one_at_work() {
        let (tracer, _spans) = tracer(Sampling::On);
        let current = || Context::map_current(|context| context.span().span_context().span_id());
        let span = tracer.start("s", SpanKind::Internal, None, Vec::new());
        let id = span.context().span_id();

        assert_eq!(with_span(span.context(), current), id);
        let inside = in_span(span.context(), async {
            tokio::task::yield_now().await;
            current()
        });
        assert_eq!(inside.await, id);
        assert_ne!(current(), id);
    }
}
