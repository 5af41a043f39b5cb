//! The decision at the end of a trace: with an error or slow it is always sent on, else as a share by trace id.
//!
//! The spans of a trace wait here until its last local root (a span whose parent isn't in this process) has ended.
//! Invariants: a trace goes on whole or not at all; what waits is bounded, by spans and by age; every trace has one
//! decision, and it is counted. The head of the trace has to be sampled, or there is nothing to decide on.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use super::super::{
    export::CountingProcessor,
    metrics::exemplars::{Exemplars, Observation},
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
    /// A local root that takes so long makes its trace a slow one.
    pub slow: Duration,
    /// Spans that wait. Past it a new trace isn't held: its id decides when it begins, and its errors may be lost.
    pub spans_max: usize,
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
    /// Of what was measured below it, to be shown if it is kept.
    observations: Vec<Observation>,
    roots_open: u32,
    has_error: bool,
    is_slow: bool,
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
        shard.lock().unwrap_or_else(PoisonError::into_inner)
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
                self.held_spans.fetch_sub(trace.spans.len(), Ordering::Relaxed);
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
        let is_last = entry.get_mut().add(span, self.limits.slow);
        self.held_spans.fetch_add(1, Ordering::Relaxed);
        if is_last {
            let trace = entry.remove();
            self.held_spans.fetch_sub(trace.spans.len(), Ordering::Relaxed);
            drop(shard);
            self.decide(trace_id, trace);
        }
    }

    fn decide(&self, trace_id: TraceId, trace: Held) {
        let by_id = self.limits.keeps(trace_id);
        let wanted = by_id || trace.has_error || trace.is_slow;
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
            observations: Vec::with_capacity(OBSERVATIONS_USUAL),
            roots_open: 1,
            has_error: false,
            is_slow: false,
            since: now,
        }
    }

    /// Returns whether it was the last local root.
    fn add(&mut self, span: SpanData, slow: Duration) -> bool {
        let is_root = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        self.has_error |= matches!(span.status, Status::Error { .. });
        if is_root {
            self.roots_open = self.roots_open.saturating_sub(1);
            let took = span.end_time.duration_since(span.start_time).unwrap_or_default();
            self.is_slow |= took >= slow;
        }
        self.spans.push(span);
        is_root && self.roots_open == 0
    }
}

impl SpanProcessor for TailSampler {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let parent = context.span().span_context().clone();
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
mod tests {
    use std::collections::BTreeMap;

    use opentelemetry::{KeyValue, trace::SpanKind};
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};

    use super::*;
    use crate::telemetry::{
        Tracer,
        export::Lost,
        metrics::exemplars::{Exemplar, Series},
    };

    /// What arrived, by trace.
    #[derive(Debug, Clone, Default)]
    struct Received(Arc<Mutex<BTreeMap<[u8; 16], Vec<SpanData>>>>);

    impl SpanExporter for Received {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let mut received = self.0.lock().unwrap();
            for span in batch {
                received.entry(span.span_context.trace_id().to_bytes()).or_default().push(span);
            }
            Ok(())
        }
    }

    struct Setting {
        tracer: Tracer,
        provider: SdkTracerProvider,
        sampler: TailSampler,
        exemplars: Arc<Exemplars>,
        received: Received,
    }

    fn set_up(limits: TailLimits, queue_max: usize) -> Setting {
        let (received, exemplars) = (Received::default(), Arc::<Exemplars>::default());
        let next = CountingProcessor::new(received.clone(), queue_max, Arc::<Lost>::default());
        let sampler = TailSampler::new(limits, Arc::clone(&exemplars), vec![next]);
        let provider = SdkTracerProvider::builder().with_span_processor(sampler.clone()).build();
        Setting { tracer: Tracer::new(&provider, 100), provider, sampler, exemplars, received }
    }

    impl Setting {
        /// Makes a trace of five spans, measures once within it, and returns its id.
        fn trace(&self, fails: bool) -> TraceId {
            let root = self.tracer.start("root", SpanKind::Server, None, Vec::new());
            for at in 0..4 {
                let mut child = self.tracer.start("child", SpanKind::Internal, Some(root.context()), Vec::new());
                if fails && at == 2 {
                    child.fail("trap", "it broke");
                }
            }
            let trace_id = root.context().trace_id();
            self.sampler.attach(observation(trace_id));
            trace_id
        }

        fn exemplar(&self, trace_id: TraceId) -> bool {
            let labels = observation(trace_id).labels;
            let labels = labels.iter().map(|label| (label.key.as_str(), label.value.as_str()));
            let exemplars = self.exemplars.of(Series::of("m", labels));
            exemplars.values().any(|exemplar| exemplar.trace_id == trace_id)
        }

        fn decisions(&self) -> BTreeMap<&'static str, u64> {
            self.sampler.by_decision().into_iter().filter(|(_, count)| *count > 0).collect()
        }
    }

    /// Each trace is an exemplar of another series.
    fn observation(trace_id: TraceId) -> Observation {
        let labels = vec![KeyValue::new("trace", trace_id.to_string())];
        let exemplar = Exemplar { trace_id, span_id: SpanId::from(1), value: 1.0, at: std::time::SystemTime::now() };
        Observation { metric: "m", labels, bounds: &[], exemplar }
    }

    const LIMITS: TailLimits = TailLimits { share: 0.05, slow: Duration::from_secs(3600), spans_max: 10_000 };

    #[test]
    fn every_error_is_sent_on_and_a_share_of_the_rest_all_of_it_whole() {
        let setting = set_up(LIMITS, 1 << 20);
        let traces: Vec<_> = (0..20_000).map(|at| (setting.trace(at % 10 == 0), at % 10 == 0)).collect();
        setting.provider.force_flush().unwrap();
        let received = setting.received.0.lock().unwrap();
        for (trace_id, fails) in &traces {
            let spans = received.get(&trace_id.to_bytes()).map_or(0, Vec::len);
            let is_expected = if *fails { spans == 5 } else { spans == 0 || spans == 5 };
            assert!(is_expected, "{trace_id} has {spans} spans, fails: {fails}");
        }
        let others = traces.iter().filter(|(trace_id, fails)| !fails && received.contains_key(&trace_id.to_bytes()));
        // Of 18,000, with a standard deviation of 29.
        let others = others.count();
        assert!((810..=990).contains(&others), "{others} of 18,000");
        assert_eq!(setting.decisions().values().sum::<u64>(), 20_000);
        assert_eq!(setting.sampler.held_spans(), 0);
    }

    #[test]
    fn an_exemplar_is_shown_once_its_trace_is_kept() {
        let setting = set_up(TailLimits { share: 0.0, ..LIMITS }, 1 << 20);
        let [failed, fine] = [true, false].map(|fails| setting.trace(fails));
        assert_eq!([failed, fine].map(|trace_id| setting.exemplar(trace_id)), [true, false]);
        // Measured once more, after the decision.
        for trace_id in [failed, fine] {
            setting.sampler.attach(observation(trace_id));
        }
        assert_eq!([failed, fine].map(|trace_id| setting.exemplar(trace_id)), [true, false]);
    }

    #[test]
    fn a_slow_trace_is_sent_on() {
        let setting = set_up(TailLimits { share: 0.0, slow: Duration::ZERO, ..LIMITS }, 1 << 20);
        setting.trace(false);
        assert_eq!(setting.decisions(), BTreeMap::from([("kept", 1)]));
    }

    #[test]
    fn a_trace_waits_for_all_of_its_local_roots_and_late_spans_follow_it() {
        let setting = set_up(TailLimits { share: 0.0, ..LIMITS }, 1 << 20);
        let root = setting.tracer.start("root", SpanKind::Server, None, Vec::new());
        let caller = root.context();
        let (trace_id, flags) = (caller.trace_id(), caller.trace_flags());
        let as_remote = SpanContext::new(trace_id, caller.span_id(), flags, true, caller.trace_state().clone());
        let late = setting.tracer.start("late", SpanKind::Internal, Some(caller), Vec::new());
        // As of a till that calls itself.
        let mut inner = setting.tracer.start("inner", SpanKind::Server, Some(&as_remote), Vec::new());
        inner.fail("trap", "it broke");
        inner.end();
        assert_eq!((setting.sampler.held_spans(), setting.decisions().len()), (1, 0));
        root.end();
        late.end();
        setting.provider.force_flush().unwrap();
        assert_eq!(setting.received.0.lock().unwrap().get(&trace_id.to_bytes()).unwrap().len(), 3);
    }

    #[test]
    fn a_trace_that_the_queue_has_no_room_for_is_dropped_whole_and_counted() {
        let setting = set_up(TailLimits { share: 0.0, ..LIMITS }, 4);
        let trace_id = setting.trace(true);
        setting.provider.force_flush().unwrap();
        assert!(setting.received.0.lock().unwrap().is_empty());
        assert_eq!(setting.decisions(), BTreeMap::from([("queue_full", 1)]));
        assert!(!setting.exemplar(trace_id));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let setting = set_up(TailLimits { spans_max: 10, ..LIMITS }, 1 << 20);
        let roots: Vec<_> =
            (0..100).map(|_| setting.tracer.start("root", SpanKind::Server, None, Vec::new())).collect();
        for root in &roots {
            for _ in 0..2 {
                setting.tracer.start("child", SpanKind::Internal, Some(root.context()), Vec::new()).end();
            }
        }
        // All of these had begun when nothing was held yet.
        assert_eq!(setting.sampler.held_spans(), 200);
        let ids: Vec<_> = (0..1000).map(|_| setting.trace(true)).collect();
        assert_eq!(setting.sampler.held_spans(), 200);
        assert_eq!(setting.decisions(), BTreeMap::from([("not_held", 1000)]));
        setting.provider.force_flush().unwrap();
        let received = setting.received.0.lock().unwrap();
        for trace_id in ids {
            let spans = received.get(&trace_id.to_bytes()).map_or(0, Vec::len);
            assert_eq!(spans, if LIMITS.keeps(trace_id) { 5 } else { 0 });
        }
    }

    #[test]
    fn a_trace_without_an_end_is_let_go() {
        let setting = set_up(TailLimits { share: 1.0, ..LIMITS }, 1 << 20);
        let root = setting.tracer.start("root", SpanKind::Server, None, Vec::new());
        setting.tracer.start("child", SpanKind::Internal, Some(root.context()), Vec::new()).end();
        let tail = &setting.sampler.0;
        let trace_id = root.context().trace_id();
        tail.sweep(&mut tail.shard(trace_id), Instant::now() + HELD_MAX);
        assert_eq!((setting.sampler.held_spans(), setting.decisions()), (0, BTreeMap::from([("unfinished", 1)])));
        root.end();
        setting.provider.force_flush().unwrap();
        assert!(setting.received.0.lock().unwrap().is_empty(), "a part of a trace was sent on");
    }

    #[test]
    fn the_share_is_of_the_ids() {
        let keeps = |share, low: u64| TailLimits { share, ..LIMITS }.keeps(TraceId::from(u128::from(low)));
        assert!(!keeps(0.0, 0));
        assert!(keeps(1.0, u64::MAX >> 12));
        assert!(keeps(0.5, (1 << 63) - (1 << 20)) && !keeps(0.5, 1 << 63));
    }
}
