//! Spans, made through OpenTelemetry's API and passed by value, not through a thread-local context.
//!
//! A span costs about half a microsecond this way, a quarter of what `tracing` takes. Invariants: every span has a
//! valid context, recorded or not, before and after the provider stops, so that a plugin never sees the difference; a
//! span has a key once; a text in a span is never longer than its limit.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator as _, RandomIdGenerator, SdkTracer, SdkTracerProvider, SpanData, SpanProcessor,
};
use parking_lot::Mutex;

use super::export::{self, Lost};
use super::metrics::{Traces, exemplars::Exemplars};
use super::names::attribute;
use super::propagation::RANDOM;
use super::recent::Recent;
use super::sampling::TailSampler;
use super::settings::Settings;

/// The instrumentation scope of all spans of the host.
const SCOPE: &str = env!("CARGO_PKG_NAME");

/// Marks a span that is recorded for the host's recent traces but isn't sampled. The standard reserves this flag: it
/// never leaves the process, and an incoming context can't have it (`propagation`).
const KEPT: TraceFlags = TraceFlags::new(0x80);

/// Marks a context whose span is kept, for what is logged meanwhile.
struct KeptSpan;

/// Returns whether the span is recorded although it isn't sampled.
pub(super) fn is_kept(context: &SpanContext) -> bool {
    context.trace_flags() & KEPT == KEPT
}

/// Starts spans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracer {
    sdk: SdkTracer,
    text_bytes_max: usize,
}

impl Tracer {
    pub(super) fn new(provider: &SdkTracerProvider, text_bytes_max: usize) -> Self {
        Self { sdk: provider.tracer(SCOPE), text_bytes_max }
    }

    /// Returns a tracer whose spans have ids but are never recorded.
    #[must_use]
    pub fn off() -> Self {
        let provider = SdkTracerProvider::builder().with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff).build();
        Self::new(&provider, 0)
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
        let parent_context = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.clone()),
            None => Context::new(),
        };
        let sdk = self.sdk.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &parent_context);
        let kept = sdk.is_recording() && !sdk.span_context().is_sampled();
        let context = complete(sdk.span_context(), parent, kept);
        let mut span = Span { sdk, context, attributes: Vec::new(), text_bytes_max: self.text_bytes_max };
        if span.is_recording() {
            span.attributes.reserve(attributes.len());
            for KeyValue { key, value, .. } in attributes {
                span.set(key, value);
            }
        }
        span
    }

    /// Returns fresh ids below `parent` for a request that is answered but not recorded.
    #[must_use]
    pub fn unrecorded(&self, parent: Option<&SpanContext>) -> SpanContext {
        complete(&SpanContext::NONE, parent.filter(|parent| parent.is_valid()), false)
    }
}

/// Completes a span's context: with ids of its own once the provider has stopped; with level 2's random bit, which a
/// new trace has (the SDK's ids are random) and a child inherits, sampled or not; and with the flag [`KEPT`].
fn complete(context: &SpanContext, parent: Option<&SpanContext>, kept: bool) -> SpanContext {
    let ids = RandomIdGenerator::default();
    let random = parent.map_or(RANDOM, |parent| parent.trace_flags() & RANDOM);
    if context.is_valid() {
        let sampled = context.trace_flags() & TraceFlags::SAMPLED;
        let flags = sampled | random | if kept { KEPT } else { TraceFlags::NOT_SAMPLED };
        let state = context.trace_state().clone();
        return SpanContext::new(context.trace_id(), context.span_id(), flags, false, state);
    }
    let trace_id = parent.map_or_else(|| ids.new_trace_id(), SpanContext::trace_id);
    let state = parent.map_or(TraceState::NONE, |parent| parent.trace_state().clone());
    SpanContext::new(trace_id, ids.new_span_id(), TraceFlags::NOT_SAMPLED | random, false, state)
}

/// One operation under way. The span ends when it is dropped.
pub struct Span {
    sdk: opentelemetry_sdk::trace::Span,
    context: SpanContext,
    // Kept here until the end, because the SDK would record a key that is set twice two times.
    attributes: Vec<KeyValue>,
    text_bytes_max: usize,
}

impl Span {
    /// Returns the span's ids and flags, to be the parent of spans below. Always valid.
    #[must_use]
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Returns whether what is set on the span is recorded. False if the trace is neither sampled nor kept.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.sdk.is_recording()
    }

    /// Sets an attribute, in place of an earlier value. Text past the limit is cut off.
    pub fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        if !self.is_recording() {
            return;
        }
        let key = key.into();
        let value = shortened_value(value.into(), self.text_bytes_max);
        match self.attributes.iter_mut().find(|attribute| attribute.key == key) {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(KeyValue::new(key, value)),
        }
    }

    /// Adds an event with the current time.
    pub fn event(&mut self, name: impl Into<Cow<'static, str>>, mut attributes: Vec<KeyValue>) {
        if !self.is_recording() {
            return;
        }
        for attribute in &mut attributes {
            let value = std::mem::replace(&mut attribute.value, Value::Bool(false));
            attribute.value = shortened_value(value, self.text_bytes_max);
        }
        self.sdk.add_event(shortened(name.into(), self.text_bytes_max), attributes);
    }

    /// Marks the span as failed. `error_type` is a word of a bounded set, like the name of an error's variant;
    /// `description` is for people.
    pub fn fail(&mut self, error_type: impl Into<Cow<'static, str>>, description: impl Into<Cow<'static, str>>) {
        if !self.is_recording() {
            return;
        }
        self.set(attribute::ERROR_TYPE, error_type.into());
        self.sdk.set_status(Status::error(shortened(description.into(), self.text_bytes_max)));
    }

    /// Renames the span, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if self.is_recording() {
            self.sdk.update_name(shortened(name.into(), self.text_bytes_max));
        }
    }

    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }
}

impl Span {
    /// Ends the span with that time: for a span whose end is learned later.
    pub fn end_at(mut self, at: SystemTime) {
        self.sdk.set_attributes(self.attributes.drain(..));
        self.sdk.end_with_timestamp(at);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.sdk.set_attributes(self.attributes.drain(..));
        self.sdk.end();
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Span").field("context", &self.context).finish_non_exhaustive()
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

/// Makes the provider of spans, and says which traces will be found.
///
/// # Errors
/// If one of the exporters can't be built.
pub(super) fn provider(
    settings: &Settings,
    resource: Resource,
    recent: Option<Recent>,
    mut processors: Vec<Box<dyn SpanProcessor>>,
    lost: &Arc<Lost>,
    exemplars: &Arc<Exemplars>,
) -> anyhow::Result<(SdkTracerProvider, Traces)> {
    let exports = settings.traces.iter().map(|exporter| export::span_processor(exporter, settings.span_room, lost));
    let exports = exports.collect::<anyhow::Result<Vec<_>>>()?;
    let traces = match settings.tail_limits() {
        Some(limits) => {
            let sampler = TailSampler::new(limits, Arc::clone(exemplars), exports);
            processors.push(Box::new(sampler.clone()));
            Traces::Decided(sampler)
        }
        None => {
            let are_kept = recent.is_some() || !exports.is_empty();
            processors.extend(exports.into_iter().map(|export| -> Box<dyn SpanProcessor> { Box::new(export) }));
            if are_kept { Traces::Kept } else { Traces::Unkept }
        }
    };
    let builder =
        SdkTracerProvider::builder().with_sampler(settings.sampling.head(recent.is_some())).with_resource(resource);
    Ok((builder.with_span_processor(Ended { recent, processors }).build(), traces))
}

/// The processor of ended spans: recent traces get every span, the others only sampled ones. The SDK gets one
/// processor, because it would copy the span for each of several.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) recent: Option<Recent>,
    pub(super) processors: Vec<Box<dyn SpanProcessor>>,
}

impl Ended {
    /// Calls `act` on each processor, and returns the first error.
    fn each(&self, act: impl Fn(&dyn SpanProcessor) -> OTelSdkResult) -> OTelSdkResult {
        let results: Vec<_> = self.processors.iter().map(|processor| act(&**processor)).collect();
        results.into_iter().collect()
    }
}

impl SpanProcessor for Ended {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &Context) {
        if !span.span_context().is_sampled() {
            return;
        }
        for processor in &self.processors {
            processor.on_start(span, context);
        }
    }

    fn on_end(&self, span: SpanData) {
        if let Some(recent) = &self.recent {
            recent.keep(&span);
        }
        // Recorded for the recent traces only.
        if !span.span_context.is_sampled() {
            return;
        }
        let Some((last, others)) = self.processors.split_last() else { return };
        for processor in others {
            processor.on_end(span.clone());
        }
        last.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.each(|processor| processor.force_flush())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.each(|processor| processor.shutdown_with_timeout(timeout))
    }

    fn set_resource(&mut self, resource: &Resource) {
        for processor in &mut self.processors {
            processor.set_resource(resource);
        }
    }
}

/// Collects ended spans, for tests: `Telemetry::start_with(&settings, vec![Box::new(spans.clone())])`.
#[derive(Debug, Clone, Default)]
pub struct FinishedSpans(Arc<Mutex<Vec<SpanData>>>);

impl FinishedSpans {
    /// The most collected spans; later ones are dropped.
    const SPANS_MAX: usize = 100_000;

    /// Returns the spans that ended since the last call, in the order they ended.
    #[must_use]
    pub fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl SpanProcessor for FinishedSpans {
    fn on_start(&self, _span: &mut opentelemetry_sdk::trace::Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut spans = self.0.lock();
        if spans.len() < Self::SPANS_MAX {
            spans.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::Sampler;

    use super::*;
    use crate::telemetry::propagation;

    fn tracer(sampler: Sampler) -> (Tracer, FinishedSpans, SdkTracerProvider) {
        let spans = FinishedSpans::default();
        let provider = SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(spans.clone()).build();
        (Tracer::new(&provider, 8), spans, provider)
    }

    fn attributes(span: &SpanData) -> Vec<(&str, String)> {
        span.attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.value.to_string())).collect()
    }

    #[test]
    fn a_child_hangs_below_its_parent() {
        let (tracer, spans, _provider) = tracer(Sampler::AlwaysOn);
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
        assert_eq!(attributes(parent), [("a", "1".to_owned())]);
        assert_eq!(child.events.iter().map(|event| event.name.as_ref()).collect::<Vec<_>>(), ["happened"]);
        assert!(child.end_time >= child.start_time);
    }

    #[test]
    fn a_key_is_recorded_once_and_text_is_cut() {
        let (tracer, spans, _provider) = tracer(Sampler::AlwaysOn);
        let mut span =
            tracer.start("s", SpanKind::Internal, None, vec![KeyValue::new("a", 1), KeyValue::new("b", "1234567ä")]);
        span.set("a", 2);
        span.set("c".to_owned(), "12345678");
        span.event("e", vec![KeyValue::new("d", "123456789")]);
        span.fail("deadline", "far too late");
        drop(span);

        let spans = spans.take();
        let expected = [("a", "2"), ("b", "1234567"), ("c", "12345678"), ("error.type", "deadline")];
        assert_eq!(attributes(&spans[0]), expected.map(|(key, value)| (key, value.to_owned())));
        assert_eq!(spans[0].status, Status::error("far too "));
        assert_eq!(spans[0].events[0].attributes, [KeyValue::new("d", "12345678")]);
    }

    #[test]
    fn unrecorded_spans_have_fresh_valid_contexts() {
        let (tracer, spans, _provider) = tracer(Sampler::AlwaysOff);
        let parent = tracer.start("parent", SpanKind::Internal, None, Vec::new());
        let mut child = tracer.start("child", SpanKind::Internal, Some(parent.context()), Vec::new());
        child.fail("nobody", "sees it");
        assert!(!child.is_recording());
        check_family(parent.context(), child.context());
        drop((parent, child));
        assert!(spans.take().is_empty());
    }

    #[test]
    fn spans_go_on_after_the_provider_stopped() {
        let (tracer, spans, provider) = tracer(Sampler::AlwaysOn);
        drop(provider.shutdown());
        let parent = tracer.start("parent", SpanKind::Internal, None, Vec::new());
        let child = tracer.start("child", SpanKind::Internal, Some(parent.context()), Vec::new());
        check_family(parent.context(), child.context());
        drop((parent, child));
        assert!(spans.take().is_empty());
    }

    fn check_family(parent: &SpanContext, child: &SpanContext) {
        assert!(parent.is_valid() && child.is_valid());
        assert!(!parent.is_sampled() && !child.is_sampled());
        assert_eq!(parent.trace_id(), child.trace_id());
        assert_ne!(parent.span_id(), child.span_id());
    }

    #[test]
    fn the_random_bit_is_set_for_new_traces_and_inherited() {
        for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
            let (tracer, _spans, _provider) = tracer(sampler);
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
        let (tracer, _spans, _provider) = tracer(Sampler::AlwaysOn);
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
