use std::collections::BTreeMap;

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanId, SpanKind},
};
use opentelemetry_sdk::trace::SpanExporter;

use super::*;
use crate::telemetry::{
    Tracer,
    export::{Lost, Room},
    metrics::exemplars::{Exemplar, Series},
    traces::{Sink, scope},
};

/// What arrived, by trace.
#[derive(Debug, Clone, Default)]
struct Received(Arc<Mutex<BTreeMap<[u8; 16], Vec<SpanData>>>>);

impl SpanExporter for Received {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut received = self.0.lock();
        for span in batch {
            received.entry(span.span_context.trace_id().to_bytes()).or_default().push(span);
        }
        Ok(())
    }
}

struct Setting {
    tracer: Tracer,
    sampler: TailSampler,
    exemplars: Arc<Exemplars>,
    received: Received,
}

fn set_up(limits: TailLimits, queue_max: usize) -> Setting {
    let (received, exemplars) = (Received::default(), Arc::<Exemplars>::default());
    let next =
        CountingProcessor::new(received.clone(), Room { places: queue_max, bytes: usize::MAX }, Arc::<Lost>::default());
    let sampler = TailSampler::new(limits, Arc::clone(&exemplars), scope(), vec![next]);
    let sink = Sink::new(None, Some(sampler.clone()), Vec::new());
    Setting { tracer: Tracer::recording(sink), sampler, exemplars, received }
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

const LIMITS: TailLimits =
    TailLimits { share: 0.05, slow: Duration::from_secs(3600), spans_max: 10_000, bytes_max: usize::MAX };

/// Requests that cost a client nothing, however slow, don't count as slow or failed traces.
#[test]
fn a_clients_mistake_is_no_reason_to_send_a_trace_on() {
    let setting = set_up(TailLimits { share: 0.0, slow: Duration::ZERO, ..LIMITS }, 100);
    let answered = |status: i64| {
        let mut root = setting.tracer.start("root", SpanKind::Server, None, Vec::new());
        let mut child = setting.tracer.start("child", SpanKind::Internal, Some(root.context()), Vec::new());
        child.fail("other", "said a plugin");
        child.end();
        root.set("http.response.status_code", status);
        root.end();
    };
    [400, 404, 408, 413, 422, 499, 501].into_iter().for_each(answered);
    assert_eq!(setting.decisions(), BTreeMap::from([("dropped", 7)]));
    [200, 500, 502, 503, 504].into_iter().for_each(answered);
    assert_eq!(setting.decisions(), BTreeMap::from([("dropped", 7), ("kept", 5)]));
    setting.tracer.shutdown_with_timeout(Duration::from_secs(5)).expect("it ends");
}

#[test]
fn every_error_is_sent_on_and_a_share_of_the_rest_all_of_it_whole() {
    let setting = set_up(LIMITS, 1 << 20);
    let traces: Vec<_> = (0..20_000).map(|at| (setting.trace(at % 10 == 0), at % 10 == 0)).collect();
    setting.tracer.force_flush().unwrap();
    let received = setting.received.0.lock();
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
    setting.tracer.force_flush().unwrap();
    assert_eq!(setting.received.0.lock().get(&trace_id.to_bytes()).unwrap().len(), 3);
}

#[test]
fn a_trace_that_the_queue_has_no_room_for_is_dropped_whole_and_counted() {
    let setting = set_up(TailLimits { share: 0.0, ..LIMITS }, 4);
    let trace_id = setting.trace(true);
    setting.tracer.force_flush().unwrap();
    assert!(setting.received.0.lock().is_empty());
    assert_eq!(setting.decisions(), BTreeMap::from([("queue_full", 1)]));
    assert!(!setting.exemplar(trace_id));
}

#[test]
fn what_is_held_is_bounded() {
    let setting = set_up(TailLimits { spans_max: 10, ..LIMITS }, 1 << 20);
    let roots: Vec<_> = (0..100).map(|_| setting.tracer.start("root", SpanKind::Server, None, Vec::new())).collect();
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
    setting.tracer.force_flush().unwrap();
    let received = setting.received.0.lock();
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
    setting.tracer.force_flush().unwrap();
    assert!(setting.received.0.lock().is_empty(), "a part of a trace was sent on");
}

#[test]
fn the_share_is_of_the_ids() {
    let keeps = |share, low: u64| TailLimits { share, ..LIMITS }.keeps(TraceId::from(u128::from(low)));
    assert!(!keeps(0.0, 0));
    assert!(keeps(1.0, u64::MAX >> 12));
    assert!(keeps(0.5, (1 << 63) - (1 << 20)) && !keeps(0.5, 1 << 63));
}
