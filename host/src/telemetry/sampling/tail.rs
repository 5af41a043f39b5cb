//! The decision at the end of a trace: with an error or slow it is always sent on, if it isn't a mistake of its client's;
//! else as a share by trace id.
//!
//! The spans of a trace wait here until its last local root (a span whose parent isn't in this process) has ended.
//! Invariants: a trace goes on whole or not at all; what waits is bounded, by spans and by age; every trace has one
//! decision, and it is counted. The head of the trace has to be sampled, or there is nothing to decide on.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::{
    Context,
    trace::{SpanContext, Status, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use parking_lot::{Mutex, MutexGuard};

use super::super::{
    export::CountingProcessor,
    metrics::exemplars::{Exemplars, Observation},
    root::{Asked, LocalRoot},
    weight,
};

/// Requests of a few cores hardly ever meet in one of so many.
const SHARDS: usize = 16;
/// A request and what it leaves behind end well within their deadlines of some seconds.
const HELD_MAX: Duration = Duration::from_secs(60);
/// Of a checkout of the demo's; a guest may add more.
const SPANS_USUAL: usize = 8;
/// The request and two calls of plugins.
const OBSERVATIONS_USUAL: usize = 3;
/// How often a shard is searched for traces that never end.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Decisions that a trace id alone doesn't tell, kept for spans that end after their root.
const REMEMBERED_MAX: usize = 1024;

/// What is sent on, and what may wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailLimits {
    /// Of the traces without an error that aren't slow, 0 to 1.
    pub share: f64,
    /// A local root in which the host takes so long makes its trace a slow one.
    pub slow: Duration,
    /// Spans that wait. Past it a new trace isn't held: its id decides when it begins, and its errors may be lost.
    pub spans_max: usize,
    /// What they take in memory, about. Past it the trace that grows isn't held any longer, as if it never had been.
    pub bytes_max: usize,
}

impl TailLimits {
    /// Returns whether the id is among the share. As the SDK's sampler does, so that other processes agree.
    fn keeps(&self, trace_id: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace_id.to_bytes();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        #[expect(clippy::cast_precision_loss, reason = "the 53 bits that stay are more than a share has")]
        let place = number as f64 / (1_u64 << 63) as f64;
        place < self.share
    }
}

/// Traces by what was decided.
#[derive(Debug, Default)]
struct Decisions {
    kept: AtomicU64,
    dropped: AtomicU64,
    /// Dropped, though an error or a slow one, because the queue of the exporter had no room for all of it.
    queue_full: AtomicU64,
    /// Decided by their ids when they began, because too many spans were held.
    not_held: AtomicU64,
    /// Dropped because they had no end.
    unfinished: AtomicU64,
}

/// Holds traces until they are decided on. Cheap to clone.
#[derive(Debug, Clone)]
pub(in super::super) struct TailSampler(Arc<Tail>);

#[derive(Debug)]
struct Tail {
    limits: TailLimits,
    shards: [Mutex<Shard>; SHARDS],
    held_spans: AtomicUsize,
    held_bytes: AtomicUsize,
    decisions: Decisions,
    exemplars: Arc<Exemplars>,
    next: Vec<CountingProcessor>,
}

#[derive(Debug)]
struct Shard {
    held: HashMap<TraceId, Held>,
    remembered: Remembered,
    swept: Instant,
}

/// A trace that isn't decided yet.
#[derive(Debug)]
struct Held {
    spans: Vec<SpanData>,
    bytes: usize,
    /// Of what was measured below it, to be shown if it is kept.
    observations: Vec<Observation>,
    roots_open: u32,
    has_error: bool,
    is_slow: bool,
    /// The most that any of its local roots was asked.
    asked: Asked,
    since: Instant,
}

/// The last decisions that are other than the trace ids'.
#[derive(Debug, Default)]
struct Remembered {
    kept: HashMap<TraceId, bool>,
    oldest_first: VecDeque<TraceId>,
}

impl Remembered {
    fn add(&mut self, trace_id: TraceId, kept: bool) {
        if self.kept.insert(trace_id, kept).is_none() {
            self.oldest_first.push_back(trace_id);
        }
        if self.oldest_first.len() > REMEMBERED_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.kept.remove(&oldest);
        }
    }
}

impl TailSampler {
    pub(in super::super) fn new(limits: TailLimits, exemplars: Arc<Exemplars>, next: Vec<CountingProcessor>) -> Self {
        let shard = || Shard { held: HashMap::new(), remembered: Remembered::default(), swept: Instant::now() };
        Self(Arc::new(Tail {
            limits,
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            held_spans: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            decisions: Decisions::default(),
            exemplars,
            next,
        }))
    }

    /// Shows what was measured as an exemplar, once its trace is kept.
    pub(in super::super) fn attach(&self, observation: Observation) {
        let trace_id = observation.exemplar.trace_id;
        let mut shard = self.0.shard(trace_id);
        if let Some(held) = shard.held.get_mut(&trace_id) {
            held.observations.push(observation);
        } else if self.0.was_kept(&shard, trace_id) {
            self.0.exemplars.put(&observation);
        }
    }

    /// Returns the spans that wait.
    pub(in super::super) fn held_spans(&self) -> u64 {
        self.0.held_spans.load(Ordering::Relaxed).try_into().unwrap_or(u64::MAX)
    }

    /// Returns the traces by decision, since the start.
    pub(in super::super) fn by_decision(&self) -> [(&'static str, u64); 5] {
        let Decisions { kept, dropped, queue_full, not_held, unfinished } = &self.0.decisions;
        [
            ("kept", kept),
            ("dropped", dropped),
            ("queue_full", queue_full),
            ("not_held", not_held),
            ("unfinished", unfinished),
        ]
        .map(|(decision, count)| (decision, count.load(Ordering::Relaxed)))
    }
}

impl Tail {
    fn shard(&self, trace_id: TraceId) -> MutexGuard<'_, Shard> {
        let [.., last] = trace_id.to_bytes();
        let shard = self.shards.get(usize::from(last) % SHARDS).unwrap_or(&self.shards[0]);
        shard.lock()
    }

    fn begin(&self, trace_id: TraceId) {
        let now = Instant::now();
        let mut shard = self.shard(trace_id);
        if now.duration_since(shard.swept) >= SWEEP_EVERY {
            shard.swept = now;
            self.sweep(&mut shard, now);
        }
        match shard.held.entry(trace_id) {
            Entry::Occupied(mut held) => held.get_mut().roots_open += 1,
            Entry::Vacant(_) if self.held_spans.load(Ordering::Relaxed) >= self.limits.spans_max => {
                self.decisions.not_held.fetch_add(1, Ordering::Relaxed);
            }
            Entry::Vacant(place) => {
                place.insert(Held::since(now));
            }
        }
    }

    /// Lets go of traces that were begun long ago. What of them still ends is dropped, too.
    fn sweep(&self, shard: &mut Shard, now: Instant) {
        let Shard { held, remembered, .. } = shard;
        held.retain(|trace_id, trace| {
            let goes_on = now.duration_since(trace.since) < HELD_MAX;
            if !goes_on {
                self.let_go(trace);
                self.decisions.unfinished.fetch_add(1, Ordering::Relaxed);
                remembered.add(*trace_id, false);
            }
            goes_on
        });
    }

    fn end(&self, span: SpanData) {
        let trace_id = span.span_context.trace_id();
        let mut shard = self.shard(trace_id);
        let Entry::Occupied(mut entry) = shard.held.entry(trace_id) else {
            let was_kept = self.was_kept(&shard, trace_id);
            drop(shard);
            if was_kept {
                self.send(vec![span]);
            }
            return;
        };
        let bytes = weight::of_span(&span);
        let is_last = entry.get_mut().add(span, bytes, self.limits.slow);
        self.held_spans.fetch_add(1, Ordering::Relaxed);
        let has_room =
            self.held_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.limits.bytes_max;
        if is_last || !has_room {
            let trace = entry.remove();
            self.let_go(&trace);
            drop(shard);
            if is_last {
                self.decide(trace_id, trace);
            } else {
                self.decide_by_id(trace_id, trace);
            }
        }
    }

    /// Takes the trace out of the count of what is held.
    fn let_go(&self, trace: &Held) {
        self.held_spans.fetch_sub(trace.spans.len(), Ordering::Relaxed);
        self.held_bytes.fetch_sub(trace.bytes, Ordering::Relaxed);
    }

    /// Sends on what there is of a trace if its id says so. What of it ends later goes the same way.
    fn decide_by_id(&self, trace_id: TraceId, trace: Held) {
        self.decisions.not_held.fetch_add(1, Ordering::Relaxed);
        if self.limits.keeps(trace_id) && self.send(trace.spans) {
            trace.observations.iter().for_each(|observation| self.exemplars.put(observation));
        }
    }

    fn decide(&self, trace_id: TraceId, trace: Held) {
        let by_id = self.limits.keeps(trace_id);
        let wanted = by_id || trace.asked > Asked::Wrongly && (trace.has_error || trace.is_slow);
        let Decisions { kept, dropped, queue_full, .. } = &self.decisions;
        let sent = wanted && self.send(trace.spans);
        let decision = match (wanted, sent) {
            (true, true) => kept,
            (true, false) => queue_full,
            (false, _) => dropped,
        };
        decision.fetch_add(1, Ordering::Relaxed);
        if sent {
            trace.observations.iter().for_each(|observation| self.exemplars.put(observation));
        }
        if sent != by_id {
            self.shard(trace_id).remembered.add(trace_id, sent);
        }
    }

    /// Returns whether the trace, which isn't held any more or never was, went on.
    fn was_kept(&self, shard: &Shard, trace_id: TraceId) -> bool {
        shard.remembered.kept.get(&trace_id).copied().unwrap_or_else(|| self.limits.keeps(trace_id))
    }

    /// Sends all of these spans to every exporter that has room for them, and returns whether one had.
    fn send(&self, spans: Vec<SpanData>) -> bool {
        let Some((last, others)) = self.next.split_last() else { return false };
        let others = others.iter().filter(|next| next.queue_whole(spans.clone())).count();
        last.queue_whole(spans) || others > 0
    }

    /// Has each exporter do it, and returns the first of what went wrong.
    fn each(&self, act: impl Fn(&CountingProcessor) -> OTelSdkResult) -> OTelSdkResult {
        let results: Vec<_> = self.next.iter().map(act).collect();
        results.into_iter().collect()
    }
}

impl Held {
    fn since(now: Instant) -> Self {
        Self {
            spans: Vec::with_capacity(SPANS_USUAL),
            bytes: 0,
            observations: Vec::with_capacity(OBSERVATIONS_USUAL),
            roots_open: 1,
            has_error: false,
            is_slow: false,
            asked: Asked::Wrongly,
            since: now,
        }
    }

    /// Returns whether it was the last local root.
    fn add(&mut self, span: SpanData, bytes: usize, slow: Duration) -> bool {
        self.has_error |= matches!(span.status, Status::Error { .. });
        let root = LocalRoot::of(&span);
        if let Some(LocalRoot { took, asked }) = root {
            self.roots_open = self.roots_open.saturating_sub(1);
            self.is_slow |= took >= slow;
            self.asked = self.asked.max(asked);
        }
        self.spans.push(span);
        self.bytes += bytes;
        root.is_some() && self.roots_open == 0
    }
}

impl SpanProcessor for TailSampler {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let parent = context.span();
        let parent = parent.span_context();
        if !parent.is_valid() || parent.is_remote() {
            let own: &SpanContext = opentelemetry::trace::Span::span_context(span);
            self.0.begin(own.trace_id());
        }
    }

    fn on_end(&self, span: SpanData) {
        self.0.end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.each(SpanProcessor::force_flush)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.each(|next| next.shutdown_with_timeout(timeout))
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The provider does so before it gives the first clone away.
        if let Some(tail) = Arc::get_mut(&mut self.0) {
            tail.next.iter_mut().for_each(|next| next.set_resource(resource));
        }
    }
}

#[cfg(test)]
mod tests;
