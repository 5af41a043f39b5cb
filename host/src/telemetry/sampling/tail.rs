//! The sampling decision at the end of a trace. A trace with an error or a slow one is always sent on, unless it is a
//! mistake of its client's; of the others a share is sent on, by trace id.
//!
//! The spans of a trace wait here until its last local root (a span whose parent isn't in this process) has ended.
//! Invariants: a trace is sent as a whole or not at all; waiting spans are bounded by number, bytes and age; every
//! trace has one decision, which is counted. The head of the trace has to be sampled, or there is nothing to decide on.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::{InstrumentationScope, trace::TraceId};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanProcessor as _},
};
use parking_lot::{Mutex, MutexGuard};

use super::super::{
    export::CountingProcessor,
    metrics::exemplars::{Exemplars, Observation},
    recorded::Recorded,
    root::{Asked, LocalRoot},
    weight,
};

/// With this many shards, requests on a few cores hardly ever lock the same one.
const SHARDS: usize = 16;
/// The longest a trace is held. A request and its later work end well before, within deadlines of some seconds.
const HELD_MAX: Duration = Duration::from_secs(60);
/// The spans of a checkout in the demo; a guest may add more.
const SPANS_USUAL: usize = 8;
/// The measurements of a checkout: the request and two calls of plugins.
const OBSERVATIONS_USUAL: usize = 3;
/// How often a shard is searched for traces that never end.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How many decisions are remembered that don't follow from the trace id, for spans that end after their root.
const REMEMBERED_MAX: usize = 1024;

/// Which traces are sent on, and how much may wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailLimits {
    /// The share of the traces that have no error and aren't slow, 0 to 1.
    pub share: f64,
    /// A trace is slow if the host takes this long in one of its local roots.
    pub slow: Duration,
    /// The most waiting spans. Past this limit a new trace isn't held: its id decides when it begins, and its errors
    /// may be lost.
    pub spans_max: usize,
    /// The most memory of waiting spans, estimated. Past this limit the trace that grows is no longer held, and its id
    /// decides.
    pub bytes_max: usize,
}

impl TailLimits {
    /// Returns whether the share includes the trace id. Computed as in the SDK's sampler, so that other processes
    /// agree.
    fn keeps(&self, trace_id: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace_id.to_bytes();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        #[expect(clippy::cast_precision_loss, reason = "the 53 bits that stay are more than a share has")]
        let place = number as f64 / (1_u64 << 63) as f64;
        place < self.share
    }
}

/// Traces by decision.
#[derive(Debug, Default)]
struct Decisions {
    kept: AtomicU64,
    dropped: AtomicU64,
    /// Dropped, despite an error or slowness, because the exporter's queue had no room for the whole trace.
    queue_full: AtomicU64,
    /// Decided by the trace id, because too many spans were held.
    not_held: AtomicU64,
    /// Dropped because they never ended.
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
    scope: InstrumentationScope,
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
    #[expect(clippy::vec_box, reason = "a span comes in its box, and isn't copied out of it to be held")]
    spans: Vec<Box<Recorded>>,
    bytes: usize,
    /// Measurements in this trace, which become exemplars if it is kept.
    observations: Vec<Observation>,
    roots_open: u32,
    has_error: bool,
    is_slow: bool,
    /// The highest of its local roots' values.
    asked: Asked,
    since: Instant,
}

/// The last decisions that differ from what the trace id says.
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
    /// Returns a sampler that sends the traces it keeps to `next`, as spans of `scope`.
    pub(in super::super) fn new(
        limits: TailLimits,
        exemplars: Arc<Exemplars>,
        scope: InstrumentationScope,
        next: Vec<CountingProcessor>,
    ) -> Self {
        let shard = || Shard { held: HashMap::new(), remembered: Remembered::default(), swept: Instant::now() };
        Self(Arc::new(Tail {
            limits,
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            held_spans: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            decisions: Decisions::default(),
            exemplars,
            scope,
            next,
        }))
    }

    /// Takes note of a local root that starts.
    pub(in super::super) fn begin(&self, trace_id: TraceId) {
        self.0.begin(trace_id);
    }

    /// Takes a span that has ended.
    pub(in super::super) fn end(&self, span: Box<Recorded>) {
        self.0.end(span);
    }

    #[cfg(test)]
    pub(in super::super) fn force_flush(&self) -> OTelSdkResult {
        self.0.each(opentelemetry_sdk::trace::SpanProcessor::force_flush)
    }

    /// Has the exporters send what waits for them. What isn't decided yet is lost.
    pub(in super::super) fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.each(|next| next.shutdown_with_timeout(timeout))
    }

    /// Makes the measurement an exemplar once its trace is kept.
    pub(in super::super) fn attach(&self, observation: Observation) {
        let trace_id = observation.exemplar.trace_id;
        let mut shard = self.0.shard(trace_id);
        if let Some(held) = shard.held.get_mut(&trace_id) {
            held.observations.push(observation);
        } else if self.0.was_kept(&shard, trace_id) {
            self.0.exemplars.put(&observation);
        }
    }

    /// Returns how many spans wait.
    pub(in super::super) fn held_spans(&self) -> u64 {
        self.0.held_spans.load(Ordering::Relaxed).try_into().unwrap_or(u64::MAX)
    }

    /// Returns how many traces had each decision, since the start.
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

    /// Drops traces that began long ago, and their spans that end later.
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

    fn end(&self, span: Box<Recorded>) {
        let trace_id = span.context.trace_id();
        let mut shard = self.shard(trace_id);
        let Entry::Occupied(mut entry) = shard.held.entry(trace_id) else {
            let was_kept = self.was_kept(&shard, trace_id);
            drop(shard);
            if was_kept {
                let bytes = weight::of_recorded(&span);
                self.send(vec![span], bytes);
            }
            return;
        };
        let bytes = weight::of_recorded(&span);
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

    /// Decides by the trace id: sends the trace's spans or drops them. Spans that end later follow the same decision.
    fn decide_by_id(&self, trace_id: TraceId, trace: Held) {
        self.decisions.not_held.fetch_add(1, Ordering::Relaxed);
        if self.limits.keeps(trace_id) && self.send(trace.spans, trace.bytes) {
            trace.observations.iter().for_each(|observation| self.exemplars.put(observation));
        }
    }

    fn decide(&self, trace_id: TraceId, trace: Held) {
        let by_id = self.limits.keeps(trace_id);
        let wanted = by_id || trace.asked > Asked::Wrongly && (trace.has_error || trace.is_slow);
        let Decisions { kept, dropped, queue_full, .. } = &self.decisions;
        let sent = wanted && self.send(trace.spans, trace.bytes);
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

    /// Returns whether a trace that isn't held was sent on.
    fn was_kept(&self, shard: &Shard, trace_id: TraceId) -> bool {
        shard.remembered.kept.get(&trace_id).copied().unwrap_or_else(|| self.limits.keeps(trace_id))
    }

    /// Sends all these spans to every exporter that has room for them, and returns whether any had.
    #[expect(clippy::vec_box, reason = "as they were held")]
    fn send(&self, spans: Vec<Box<Recorded>>, bytes: usize) -> bool {
        let Some((last, others)) = self.next.split_last() else { return false };
        let made = |span: Recorded| span.into_sdk(&self.scope);
        let copies = || -> Vec<SpanData> { spans.iter().map(|span| made(Recorded::clone(span))).collect() };
        let others = others.iter().filter(|next| next.queue_whole(spans.len(), bytes, copies)).count();
        let count = spans.len();
        last.queue_whole(count, bytes, || spans.into_iter().map(|span| made(*span)).collect()) || others > 0
    }

    /// Calls `act` on each exporter, and returns the first error.
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

    /// Adds a span, and returns whether it was the last local root.
    fn add(&mut self, span: Box<Recorded>, bytes: usize, slow: Duration) -> bool {
        self.has_error |= span.is_error();
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

#[cfg(test)]
mod tests;
