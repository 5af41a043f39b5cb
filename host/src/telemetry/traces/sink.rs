//! Where ended spans go: recent traces get every recorded span; the tail sampler and the processors get the sampled ones.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TraceId;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use parking_lot::Mutex;

use super::super::recent::Recent;
use super::super::recorded::Recorded;
use super::super::sampling::TailSampler;

/// The name of the instrumentation scope of all spans of the host.
pub(in super::super) const SCOPE: &str = env!("CARGO_PKG_NAME");

#[derive(Debug)]
pub(in super::super) struct Sink {
    recent: Option<Recent>,
    tail: Option<TailSampler>,
    /// Only told of ends: a start has nothing to show, for a span isn't the SDK's before its end.
    processors: Vec<Box<dyn SpanProcessor>>,
    scope: InstrumentationScope,
}

impl Default for Sink {
    fn default() -> Self {
        Self::new(None, None, Vec::new())
    }
}

impl Sink {
    pub(in super::super) fn new(
        recent: Option<Recent>,
        tail: Option<TailSampler>,
        processors: Vec<Box<dyn SpanProcessor>>,
    ) -> Self {
        Self { recent, tail, processors, scope: scope() }
    }

    /// Takes note of a sampled local root that starts.
    pub(super) fn begin(&self, trace_id: TraceId) {
        if let Some(tail) = &self.tail {
            tail.begin(trace_id);
        }
    }

    pub(super) fn end(&self, span: Box<Recorded>) {
        if let Some(recent) = &self.recent {
            recent.keep(&span);
        }
        if !span.context.is_sampled() {
            return;
        }
        if let Some(tail) = &self.tail {
            let copies = self.processors.iter();
            copies.for_each(|processor| processor.on_end(Recorded::clone(&span).into_sdk(&self.scope)));
            tail.end(span);
        } else if let Some((last, others)) = self.processors.split_last() {
            let span = span.into_sdk(&self.scope);
            others.iter().for_each(|processor| processor.on_end(span.clone()));
            last.on_end(span);
        }
    }

    #[cfg(test)]
    pub(super) fn force_flush(&self) -> OTelSdkResult {
        self.each(|processor| processor.force_flush(), TailSampler::force_flush)
    }

    pub(super) fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.each(|processor| processor.shutdown_with_timeout(timeout), |tail| tail.shutdown_with_timeout(timeout))
    }

    /// Calls each of those that get spans, and returns the first error.
    fn each(
        &self,
        processor: impl Fn(&dyn SpanProcessor) -> OTelSdkResult,
        tail: impl Fn(&TailSampler) -> OTelSdkResult,
    ) -> OTelSdkResult {
        let mut results: Vec<_> = self.processors.iter().map(|own| processor(&**own)).collect();
        results.extend(self.tail.iter().map(tail));
        results.into_iter().collect()
    }
}

/// Returns the instrumentation scope of all spans of the host.
pub(in super::super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SCOPE).build()
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
