//! One shard of the kept traces, behind one lock, with the rules of what is evicted.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::mem::size_of;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::TraceId;

use super::super::recorded::Recorded;
use super::super::root::{Asked, LocalRoot};
use super::lines::Line;
use super::span::{Span, Spans, nanos};
use super::{Figures, KeptTrace, Root};

/// The most spans of one trace, because a caller may use one trace id for ever. A checkout has 6, and each call of a
/// plugin up to 64.
const SPANS_MAX: usize = 1_000;
/// The most log lines of one trace.
const LINES_MAX: usize = 256;
/// How long a trace may be under way. The longest request ends within seconds.
const UNDER_WAY_MAX: Duration = Duration::from_secs(120);
/// The most traces swept at once, because the thread that adds a span waits meanwhile.
const SWEPT_MAX: usize = 8;
/// A trace's memory besides its spans: its own size, its places in the map and the queue, the heads of its two lists.
const TRACE_OVERHEAD: usize = size_of::<Trace>() + 256;

/// The limits of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    bytes_max: usize,
    trace_bytes_max: usize,
    under_way_bytes_max: usize,
    notable_bytes_max: usize,
    /// The memory of idle traces that other traces can't displace.
    idle_bytes_min: usize,
    slow: Duration,
}

impl Limits {
    pub(super) const fn new(bytes_max: usize, slow: Duration) -> Self {
        Self {
            bytes_max,
            trace_bytes_max: bytes_max / 8,
            under_way_bytes_max: bytes_max / 4,
            notable_bytes_max: bytes_max / 2,
            idle_bytes_min: bytes_max / 8,
            slow,
        }
    }

    /// Returns the memory of one span, bytes, such that the trace still has room for the call's other spans.
    pub(super) const fn span_bytes_max(self) -> usize {
        self.trace_bytes_max / 6
    }

    /// Returns the memory of one span in a trace that is nearly full, bytes.
    const fn brief_bytes_max(self) -> usize {
        self.trace_bytes_max / 256
    }
}

#[derive(Debug)]
pub(super) struct Shard {
    limits: Limits,
    traces: HashMap<TraceId, Trace>,
    under_way: Queue,
    idle: Queue,
    ordinary: Queue,
    notable: Queue,
    /// The number of the next place in a queue.
    number: u64,
    evicted: u64,
}

/// Traces of one class, the oldest first.
#[derive(Debug, Default)]
struct Queue {
    order: BTreeMap<u64, TraceId>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The local root hasn't ended.
    UnderWay,
    /// The request was a mistake of the client's, or only read something.
    Idle,
    /// The request or the host changed something.
    Ordinary,
    /// The trace has an error or is slow, and isn't a mistake of the client's.
    Notable,
}

/// A trace with its spans and log lines.
#[derive(Debug)]
pub(super) struct Trace {
    class: Class,
    /// Its place in the queue of its class.
    number: u64,
    began: Instant,
    bytes: usize,
    spans: Spans,
    lines: Vec<Arc<Line>>,
    spans_dropped: u64,
    lines_dropped: u64,
    /// The first local root that has ended.
    root: Option<Root>,
    /// The highest of its local roots' values.
    asked: Asked,
    has_error: bool,
    is_slow: bool,
}

impl Shard {
    pub(super) fn new(limits: Limits) -> Self {
        let queue = Queue::default;
        let (under_way, idle, ordinary, notable) = (queue(), queue(), queue(), queue());
        Self { limits, traces: HashMap::new(), under_way, idle, ordinary, notable, number: 0, evicted: 0 }
    }

    /// Adds a span and returns the traces evicted for it, to be freed after the lock.
    #[must_use]
    pub(super) fn add_span(
        &mut self,
        id: TraceId,
        span: &Recorded,
        root: Option<LocalRoot>,
        written: &[u8],
        now: Instant,
    ) -> Vec<Trace> {
        let limits = self.limits;
        self.change(id, now, |trace| trace.add_span(span, root, written, &limits))
    }

    /// Adds a log line and returns the traces evicted for it, to be freed after the lock.
    #[must_use]
    pub(super) fn add_line(&mut self, id: TraceId, line: Arc<Line>, bytes: usize, now: Instant) -> Vec<Trace> {
        let limits = self.limits;
        self.change(id, now, |trace| trace.add_line(line, bytes, &limits))
    }

    pub(super) fn kept(&self, id: TraceId) -> Option<KeptTrace> {
        self.traces.get(&id).filter(|trace| trace.root.is_some()).map(|trace| trace.kept(id))
    }

    pub(super) fn all_kept(&self) -> Vec<KeptTrace> {
        self.traces.iter().filter(|(_, trace)| trace.root.is_some()).map(|(id, trace)| trace.kept(*id)).collect()
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = (TraceId, Root)> {
        self.traces.iter().filter_map(|(id, trace)| Some((*id, trace.root?)))
    }

    pub(super) fn figures(&self) -> Figures {
        let traces = [&self.idle, &self.ordinary, &self.notable].map(|queue| queue.order.len()).iter().sum();
        Figures { traces, bytes: self.bytes(), bytes_max: self.limits.bytes_max, evicted: self.evicted }
    }

    fn bytes(&self) -> usize {
        self.under_way.bytes + self.idle.bytes + self.ordinary.bytes + self.notable.bytes
    }

    fn change(&mut self, id: TraceId, now: Instant, change: impl FnOnce(&mut Trace)) -> Vec<Trace> {
        let mut gone = Vec::new();
        if !self.traces.contains_key(&id) {
            self.sweep(now, &mut gone);
            let trace = Trace::new(self.next_number(), now);
            self.under_way.put(&trace, id);
            self.traces.insert(id, trace);
        }
        let Some(trace) = self.traces.get_mut(&id) else { return gone };
        let (before, bytes_before) = (trace.class, trace.bytes);
        change(trace);
        let (after, grown) = (trace.class_now(), trace.bytes - bytes_before);
        self.queue(before).bytes += grown;
        if before != after {
            self.reclass(id, after);
        }
        while let Some(id) = self.next_to_go() {
            self.evict(id, &mut gone);
        }
        gone
    }

    /// Moves the trace to the end of another class's queue.
    fn reclass(&mut self, id: TraceId, class: Class) {
        let Some(mut trace) = self.traces.remove(&id) else { return };
        self.queue(trace.class).take(&trace);
        (trace.class, trace.number) = (class, self.next_number());
        self.queue(class).put(&trace, id);
        self.traces.insert(id, trace);
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Evicts traces that never ended, at most [`SWEPT_MAX`].
    fn sweep(&mut self, now: Instant, gone: &mut Vec<Trace>) {
        for _ in 0..SWEPT_MAX {
            let Some(id) = self.under_way.oldest() else { return };
            let is_late = |trace: &Trace| now.saturating_duration_since(trace.began) > UNDER_WAY_MAX;
            if !self.traces.get(&id).is_some_and(is_late) {
                return;
            }
            self.evict(id, gone);
        }
    }

    fn next_to_go(&self) -> Option<TraceId> {
        if self.under_way.bytes > self.limits.under_way_bytes_max {
            return self.under_way.oldest();
        }
        if self.bytes() <= self.limits.bytes_max {
            return None;
        }
        if self.notable.bytes > self.limits.notable_bytes_max {
            return self.notable.oldest();
        }
        if self.idle.bytes > self.limits.idle_bytes_min {
            return self.idle.oldest();
        }
        [&self.ordinary, &self.idle, &self.notable].into_iter().find_map(Queue::oldest)
    }

    fn evict(&mut self, id: TraceId, gone: &mut Vec<Trace>) {
        if let Some(trace) = self.traces.remove(&id) {
            self.queue(trace.class).take(&trace);
            self.evicted += 1;
            gone.push(trace);
        }
    }

    fn queue(&mut self, class: Class) -> &mut Queue {
        match class {
            Class::UnderWay => &mut self.under_way,
            Class::Idle => &mut self.idle,
            Class::Ordinary => &mut self.ordinary,
            Class::Notable => &mut self.notable,
        }
    }
}

impl Queue {
    fn put(&mut self, trace: &Trace, id: TraceId) {
        self.order.insert(trace.number, id);
        self.bytes += trace.bytes;
    }

    fn take(&mut self, trace: &Trace) {
        self.order.remove(&trace.number);
        self.bytes = self.bytes.saturating_sub(trace.bytes);
    }

    fn oldest(&self) -> Option<TraceId> {
        self.order.first_key_value().map(|(_, id)| *id)
    }
}

impl Trace {
    fn new(number: u64, now: Instant) -> Self {
        Self {
            class: Class::UnderWay,
            number,
            began: now,
            bytes: TRACE_OVERHEAD,
            spans: Spans::default(),
            lines: Vec::new(),
            spans_dropped: 0,
            lines_dropped: 0,
            root: None,
            asked: Asked::Wrongly,
            has_error: false,
            is_slow: false,
        }
    }

    /// Cuts large spans short once the trace is three quarters full, so that the spans that end last, such as the
    /// call's own, still fit. A dropped span still counts towards the trace's class. The first local root is never
    /// dropped: without it the trace would never count as kept.
    fn add_span(&mut self, span: &Recorded, root: Option<LocalRoot>, written: &[u8], limits: &Limits) {
        let is_first_root = root.is_some() && self.root.is_none();
        self.has_error |= span.is_error();
        if let Some(LocalRoot { took, asked }) = root {
            self.is_slow |= took >= limits.slow;
            self.asked = self.asked.max(asked);
            let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.root.get_or_insert(Root { start_ns: nanos(span.start), took_ns });
        }
        let room = limits.trace_bytes_max.saturating_sub(self.bytes - self.spans.bytes());
        let mut written = Cow::Borrowed(written);
        let brief_bytes_max = limits.brief_bytes_max();
        if written.len() > brief_bytes_max && self.spans.bytes_with(&written, room) > room / 4 * 3 {
            written = Span::of(span).written_within(brief_bytes_max).into();
        }
        let grown = self.spans.bytes_with(&written, room) - self.spans.bytes();
        let has_room = self.spans.len() < SPANS_MAX && self.bytes + grown <= limits.trace_bytes_max;
        if has_room || is_first_root {
            self.spans.push(&written, room);
            self.bytes += grown;
        } else {
            self.spans_dropped += 1;
        }
    }

    fn add_line(&mut self, line: Arc<Line>, bytes: usize, limits: &Limits) {
        if self.lines.len() < LINES_MAX && self.bytes + bytes <= limits.trace_bytes_max {
            self.lines.push(line);
            self.bytes += bytes;
        } else {
            self.lines_dropped += 1;
        }
    }

    const fn class_now(&self) -> Class {
        match (self.root, self.asked) {
            (None, _) => Class::UnderWay,
            (Some(_), Asked::Wrongly) => Class::Idle,
            (Some(_), _) if self.has_error || self.is_slow => Class::Notable,
            (Some(_), Asked::ToLook) => Class::Idle,
            (Some(_), Asked::ToAct) => Class::Ordinary,
        }
    }

    fn kept(&self, trace_id: TraceId) -> KeptTrace {
        KeptTrace {
            trace_id,
            spans: self.spans.clone(),
            lines: self.lines.clone(),
            spans_dropped: self.spans_dropped,
            lines_dropped: self.lines_dropped,
            bytes: self.bytes,
        }
    }
}
