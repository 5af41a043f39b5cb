//! Counts what isn't exported. Spans and log lines wait in bounded queues, and each one that doesn't arrive is counted.
//! The log says when an outage begins and ends, not what happened to each batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use super::super::weight;

/// How much may wait for its export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Room {
    /// How many spans or log lines.
    pub(in super::super) places: usize,
    /// The memory they take, estimated, including those that are being sent.
    pub(in super::super) bytes: usize,
}

/// How many spans or log lines never arrived, and why.
#[derive(Debug, Default)]
pub(in super::super) struct Lost {
    queue_full: AtomicU64,
    export_failed: AtomicU64,
}

impl Lost {
    /// Returns the counts by reason, since the start.
    pub(in super::super) fn by_reason(&self) -> [(&'static str, u64); 2] {
        [
            ("queue_full", self.queue_full.load(Ordering::Relaxed)),
            ("export_failed", self.export_failed.load(Ordering::Relaxed)),
        ]
    }
}

/// The SDK's batch processor with a count of dropped spans, which the SDK reports only at shutdown.
#[derive(Debug)]
pub(in super::super) struct CountingProcessor {
    inner: BatchSpanProcessor,
    queue: Arc<Queue>,
}

/// The SDK's batch processor of log lines, with the same count.
#[derive(Debug)]
pub(in super::super) struct CountingLogProcessor {
    inner: BatchLogProcessor,
    queue: Arc<Queue>,
}

fn counting<E>(exporter: E, room: Room, lost: Arc<Lost>) -> (Arc<Queue>, CountingExporter<E>) {
    let (waiting, bytes, turned_away) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let queue = Arc::new(Queue { waiting, bytes, room, turned_away, lost });
    let exporter = CountingExporter { inner: exporter, queue: Arc::clone(&queue), outage: Outage::default() };
    (queue, exporter)
}

/// An outside count of the SDK's queue. `waiting` goes down only after a batch has left the queue, so it is never less
/// than the queue's length, and the SDK never drops anything uncounted.
#[derive(Debug)]
struct Queue {
    waiting: AtomicUsize,
    /// The memory of the waiting entries and of the batch that is being sent, which stays in memory until the back end
    /// has it.
    bytes: AtomicUsize,
    room: Room,
    /// Entries refused since the last batch.
    turned_away: AtomicU64,
    lost: Arc<Lost>,
}

impl CountingProcessor {
    pub(in super::super) fn new(exporter: impl SpanExporter + 'static, room: Room, lost: Arc<Lost>) -> Self {
        let (queue, exporter) = counting(exporter, room, lost);
        let config = BatchConfigBuilder::default().with_max_queue_size(room.places).build();
        Self { inner: BatchSpanProcessor::builder(exporter).with_batch_config(config).build(), queue }
    }
}

impl CountingProcessor {
    /// Queues `count` spans of `bytes`, which `spans` makes, and returns true; or makes none, counts them as lost and
    /// returns false.
    pub(in super::super) fn queue_whole(
        &self,
        count: usize,
        bytes: usize,
        spans: impl FnOnce() -> Vec<SpanData>,
    ) -> bool {
        let has_room = self.queue.reserve(count, bytes);
        if has_room {
            spans().into_iter().for_each(|span| self.inner.on_end(span));
        }
        has_room
    }
}

impl Queue {
    /// Reserves `places` and `bytes` and returns true; or counts `places` as lost and returns false.
    fn reserve(&self, places: usize, bytes: usize) -> bool {
        let places_before = self.waiting.fetch_add(places, Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let has_room = places_before.saturating_add(places) <= self.room.places
            && bytes_before.saturating_add(bytes) <= self.room.bytes;
        if !has_room {
            self.waiting.fetch_sub(places, Ordering::AcqRel);
            self.bytes.fetch_sub(bytes, Ordering::AcqRel);
            let lost = places as u64;
            self.lost.queue_full.fetch_add(lost, Ordering::Relaxed);
            // The exporter's thread logs this: a request never waits for the log.
            self.turned_away.fetch_add(lost, Ordering::Relaxed);
        }
        has_room
    }

    /// Counts the result of a batch that left the queue.
    fn exported(&self, what: &'static str, count: usize, bytes: usize, result: &OTelSdkResult, outage: &Outage) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        let failed = if result.is_err() { count as u64 } else { 0 };
        self.lost.export_failed.fetch_add(failed, Ordering::Relaxed);
        let turned_away = self.turned_away.swap(0, Ordering::Relaxed);
        outage.note(what, failed.saturating_add(turned_away), result.as_ref().err());
    }
}

impl CountingLogProcessor {
    pub(super) fn new(exporter: impl LogExporter + 'static, room: Room, lost: Arc<Lost>) -> Self {
        let (queue, exporter) = counting(exporter, room, lost);
        let config = opentelemetry_sdk::logs::BatchConfigBuilder::default().with_max_queue_size(room.places).build();
        Self { inner: BatchLogProcessor::builder(exporter).with_batch_config(config).build(), queue }
    }
}

impl LogProcessor for CountingLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.queue.reserve(1, weight::of_record(record)) {
            self.inner.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl SpanProcessor for CountingProcessor {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.queue.reserve(1, weight::of_span(&span)) {
            self.inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Whether an exporter is losing what it is given. Only the exporter's own thread reads and writes this.
#[derive(Debug, Default)]
struct Outage {
    /// Spans or batches lost since the outage began; 0 when there is no outage.
    lost: AtomicU64,
}

impl Outage {
    /// Adds the losses of one export, and logs the beginning or the end of an outage.
    fn note(&self, what: &'static str, lost: u64, error: Option<&OTelSdkError>) {
        let before = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            self.lost.store(before.saturating_add(lost), Ordering::Relaxed);
            if before == 0 {
                let reason = error.map_or_else(|| "more of them than can be sent".to_owned(), ToString::to_string);
                tracing::warn!(reason, "{what} are being lost; this is said once, until all of them arrive again");
            }
        } else if before > 0 {
            self.lost.store(0, Ordering::Relaxed);
            tracing::info!(lost = before, "{what} arrive again");
        }
    }
}

/// An exporter of metrics whose outages are noted.
pub(super) struct WatchedExporter<E> {
    inner: E,
    outage: Outage,
}

impl<E> WatchedExporter<E> {
    pub(super) fn new(inner: E) -> Self {
        Self { inner, outage: Outage::default() }
    }
}

impl<E: PushMetricExporter> PushMetricExporter for WatchedExporter<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.outage.note("metrics", u64::from(result.is_err()), result.as_ref().err());
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[derive(Debug)]
struct CountingExporter<E> {
    inner: E,
    queue: Arc<Queue>,
    outage: Outage,
}

impl<E: SpanExporter> SpanExporter for CountingExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (count, bytes) = (batch.len(), batch.iter().map(weight::of_span).sum());
        self.queue.waiting.fetch_sub(count, Ordering::AcqRel);
        let result = self.inner.export(batch).await;
        self.queue.exported("spans", count, bytes, &result, &self.outage);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    // The OTLP exporter does its work in this method, not in the one above.
    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for CountingExporter<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let (count, bytes) = (batch.iter().count(), batch.iter().map(|(record, _)| weight::of_record(record)).sum());
        self.queue.waiting.fetch_sub(count, Ordering::AcqRel);
        let result = self.inner.export(batch).await;
        self.queue.exported("log lines", count, bytes, &result, &self.outage);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use opentelemetry::KeyValue;
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Blocks every batch until the test releases it, then fails it.
    #[derive(Debug, Clone, Default)]
    struct StuckExporter(Arc<(Mutex<Stage>, Condvar)>);

    #[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
    enum Stage {
        #[default]
        Idle,
        Exporting,
        Released,
    }

    impl StuckExporter {
        fn wait_for(&self, wanted: Stage) {
            let (stage, changed) = &*self.0;
            drop(changed.wait_while(stage.lock().unwrap(), |stage| *stage != wanted).unwrap());
        }

        fn set(&self, next: Stage) {
            *self.0.0.lock().unwrap() = next;
            self.0.1.notify_all();
        }
    }

    impl SpanExporter for StuckExporter {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            if *self.0.0.lock().unwrap() == Stage::Idle {
                self.set(Stage::Exporting);
                self.wait_for(Stage::Released);
            }
            Err(OTelSdkError::InternalFailure("nobody there".to_owned()))
        }
    }

    #[test]
    fn a_stuck_back_end_loses_spans_and_counts_them() {
        const QUEUE_MAX: usize = 4;
        let exporter = StuckExporter::default();
        let lost = Arc::new(Lost::default());
        let room = Room { places: QUEUE_MAX, bytes: usize::MAX };
        let processor = CountingProcessor::new(exporter.clone(), room, Arc::clone(&lost));
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("test");

        // A full queue is a full batch. The batch leaves the queue and gets stuck, and the next four spans fill the
        // queue.
        for _ in 0..QUEUE_MAX {
            tracer.start("first batch");
        }
        exporter.wait_for(Stage::Exporting);
        for _ in 0..QUEUE_MAX + 3 {
            tracer.start("second batch");
        }
        assert_eq!(lost.by_reason(), [("queue_full", 3), ("export_failed", 0)]);

        exporter.set(Stage::Released);
        drop(provider.shutdown());
        assert_eq!(lost.by_reason(), [("queue_full", 3), ("export_failed", 8)]);
    }
    /// Issue 15.6: a queue of 2,048 spans didn't bound the bytes that a plugin puts on them, and neither did the batch
    /// being sent.
    #[test]
    fn what_waits_has_a_bound_in_bytes_and_the_batch_on_its_way_counts() {
        let exporter = StuckExporter::default();
        let lost = Arc::new(Lost::default());
        let room = Room { places: 8, bytes: 100_000 };
        let processor = CountingProcessor::new(exporter.clone(), room, Arc::clone(&lost));
        let bytes = Arc::clone(&processor.queue);
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("test");
        let long = |bytes: usize| {
            let event = KeyValue::new("text", "x".repeat(bytes));
            let mut span = tracer.start("long");
            span.add_event("event", vec![event]);
            span.end();
        };
        // A full queue is a full batch, which gets stuck.
        (0..8).for_each(|_| long(8_000));
        exporter.wait_for(Stage::Exporting);
        assert_eq!(lost.by_reason(), [("queue_full", 0), ("export_failed", 0)]);
        // Of eight places there is room for two.
        (0..8).for_each(|_| long(12_000));
        assert_eq!(lost.by_reason(), [("queue_full", 6), ("export_failed", 0)]);
        assert!((90_000..=100_000).contains(&bytes.bytes.load(Ordering::Relaxed)), "{bytes:?}");

        exporter.set(Stage::Released);
        drop(provider.shutdown());
        assert_eq!(lost.by_reason(), [("queue_full", 6), ("export_failed", 10)]);
        assert_eq!(bytes.bytes.load(Ordering::Relaxed), 0, "all of it is given back");
    }
}
