//! Recent traces in memory, which show what the host just did without any other program.
//!
//! Spans are serialized as they end ([`span`]), and their readers convert them. A trace is all spans that ended under
//! one trace id, with the log lines written meanwhile. A trace is *under way* until its local root ends (the span
//! without a parent, or with one in another process), and is kept from then on. Spans that end later are added.
//!
//! Invariants: memory is bounded, for all traces together and for each, by an estimate that errs on the large side. A
//! span locks one shard of many, only while it is copied; evicted traces are freed after the lock. A span that is too
//! large for its trace is cut and marked, not dropped. Traces with an error and slow traces are kept longer than
//! others, but take at most half of the memory while there are others. Traces of wrong and read-only requests
//! (`root::Asked`) are evicted first, except for the last eighth of the memory.

pub mod differences;
pub mod jaeger;
mod last_lines;
mod lines;
pub mod otlp;
pub mod query;
mod shard;
pub mod span;
pub mod statistics;
pub mod summary;

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::Resource;
use parking_lot::{Mutex, MutexGuard};

use super::recorded::Recorded;
use super::root::LocalRoot;
use last_lines::LastLines;
pub use last_lines::{LinesRead, NumberedLine};
pub(super) use lines::Lines;
use lines::listen;
pub use lines::{FieldValue, Line};
use shard::Shard;
use span::{Span, Spans, write};
pub use summary::micros;

/// The resource attribute with the service's name.
const SERVICE_NAME: &str = "service.name";
/// The memory of one shard, so large that a big trace is a small part of its shard.
const SHARD_BYTES: usize = 4 << 20;
const SHARDS_MAX: usize = 16;

/// The largest buffer that a thread keeps to serialize spans in, bytes.
const WRITTEN_BYTES_MAX: usize = 16 << 10;

thread_local! {
    /// A span is serialized here, so that its shard is locked only while it is copied.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The memory of all traces together, estimated.
    pub bytes_max: usize,
    /// The memory of the log's last lines, estimated.
    pub line_bytes_max: usize,
    /// A trace is slow, and kept longer, if the host takes this long in one of its local roots.
    pub slow: Duration,
}

/// The traces of one host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Mutex<Shard>>,
    /// Random, because a caller chooses trace ids and mustn't choose the shard.
    hasher: RandomState,
    bytes_max: usize,
    span_bytes_max: usize,
    last_lines: LastLines,
    process: Process,
}

/// The process that made the spans.
#[derive(Debug)]
pub struct Process {
    pub service_name: String,
    pub attributes: Vec<KeyValue>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "KeptTraces"))]
pub struct Figures {
    /// Traces that can be read; those under way aren't among them.
    pub traces: usize,
    /// The memory of all traces, including those under way. An estimate.
    pub bytes: usize,
    pub bytes_max: usize,
    /// Traces evicted to make room, or because they never ended.
    pub evicted: u64,
}

/// A trace as it was when it was read.
#[derive(Debug, Clone)]
pub struct KeptTrace {
    pub trace_id: TraceId,
    pub spans: Spans,
    /// In the order they were written.
    pub lines: Vec<Arc<Line>>,
    /// Spans dropped by the trace's own limits.
    pub spans_dropped: u64,
    pub lines_dropped: u64,
    /// An estimate.
    pub bytes: usize,
}

/// What of a trace's local root is needed to order traces without reading their spans.
#[derive(Debug, Clone, Copy)]
pub struct Root {
    /// Since 1970.
    pub start_ns: u64,
    /// How long the host took, without waiting for the client.
    pub took_ns: u64,
}

impl Recent {
    pub(super) fn new(limits: Limits, resource: &Resource) -> Self {
        let count = (limits.bytes_max / SHARD_BYTES).clamp(1, SHARDS_MAX);
        let of_each = shard::Limits::new(limits.bytes_max / count, limits.slow);
        let recent = Self(Arc::new(Inner {
            shards: (0..count).map(|_| Mutex::new(Shard::new(of_each))).collect(),
            hasher: RandomState::new(),
            bytes_max: limits.bytes_max,
            span_bytes_max: of_each.span_bytes_max(),
            last_lines: LastLines::new(limits.line_bytes_max),
            process: Process::of(resource),
        }));
        listen(&recent.0);
        recent
    }

    /// Keeps a span that has ended.
    pub(super) fn keep(&self, span: &Recorded) {
        let (id, root, now) = (span.context.trace_id(), LocalRoot::of(span), Instant::now());
        let gone = WRITTEN.with_borrow_mut(|written| {
            written.clear();
            write(span, written);
            if written.len() > self.0.span_bytes_max {
                *written = Span::of(span).written_within(self.0.span_bytes_max);
            }
            // The lock's guard is dropped at the end of this statement, before the evicted traces are.
            let gone = self.0.shard(id).map(|mut shard| shard.add_span(id, span, root, written, now));
            if written.capacity() > WRITTEN_BYTES_MAX {
                *written = Vec::new();
            }
            gone
        });
        drop(gone);
    }

    /// Returns the trace; `None` if it isn't kept or its local root hasn't ended yet.
    #[must_use]
    pub fn trace(&self, id: TraceId) -> Option<KeptTrace> {
        self.0.shard(id)?.kept(id)
    }

    /// Returns what `select` makes of each kept trace, in no order. Copies the references of one shard at a time, so
    /// that spans which end meanwhile don't wait. `select` may be slow; call this on a thread that may be blocked.
    pub fn select<T>(&self, mut select: impl FnMut(&KeptTrace) -> Option<T>) -> Vec<T> {
        let mut selected = Vec::new();
        for shard in &self.0.shards {
            let part = lock(shard).all_kept();
            selected.extend(part.iter().filter_map(&mut select));
        }
        selected
    }

    /// Calls `look` with each kept trace, in no order, as [`Recent::select`] does.
    pub fn each(&self, mut look: impl FnMut(&KeptTrace)) {
        self.select(|trace| {
            look(trace);
            None::<()>
        });
    }

    /// Returns the first `count` results of `select`, the highest `rank` first. Traces of a lower rank aren't read.
    pub fn first<T>(
        &self,
        count: usize,
        rank: impl Fn(Root) -> u64,
        mut select: impl FnMut(&KeptTrace) -> Option<T>,
    ) -> Vec<T> {
        let mut ranked = Vec::new();
        for shard in &self.0.shards {
            ranked.extend(lock(shard).roots().map(|(id, root)| (rank(root), id.to_bytes())));
        }
        ranked.sort_unstable_by(|one, other| other.cmp(one));
        let kept = ranked.into_iter().filter_map(|(_, id)| self.trace(TraceId::from_bytes(id)));
        kept.filter_map(|kept| select(&kept)).take(count).collect()
    }

    /// Returns the first `limit` lines of the log after that number which `takes` wants; the last `limit` of all without a
    /// number.
    pub fn last_lines(&self, after: Option<u64>, limit: usize, takes: impl Fn(&NumberedLine) -> bool) -> LinesRead {
        self.0.last_lines.read(after, limit, takes)
    }

    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut sum = Figures { bytes_max: self.0.bytes_max, ..Figures::default() };
        for shard in &self.0.shards {
            let Figures { traces, bytes, evicted, .. } = lock(shard).figures();
            (sum.traces, sum.bytes, sum.evicted) = (sum.traces + traces, sum.bytes + bytes, sum.evicted + evicted);
        }
        sum
    }

    #[must_use]
    pub fn process(&self) -> &Process {
        &self.0.process
    }
}

impl Inner {
    fn shard(&self, id: TraceId) -> Option<MutexGuard<'_, Shard>> {
        let hash = self.hasher.hash_one(id);
        let count = u64::try_from(self.shards.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(hash.checked_rem(count)?).ok()?;
        self.shards.get(at).map(lock)
    }

    fn keep_line(&self, trace_id: Option<TraceId>, line: &Arc<Line>) {
        self.last_lines.add(trace_id, line);
        if let Some(id) = trace_id {
            self.add_line(id, Arc::clone(line));
        }
    }

    fn add_line(&self, id: TraceId, line: Arc<Line>) {
        let bytes = line.bytes();
        let gone = self.shard(id).map(|mut shard| shard.add_line(id, line, bytes, Instant::now()));
        drop(gone);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock()
}

impl Process {
    fn of(resource: &Resource) -> Self {
        let attributes = resource.iter().filter(|(key, _)| key.as_str() != SERVICE_NAME);
        let mut attributes: Vec<_> = attributes.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        attributes.sort_by(|one, other| one.key.cmp(&other.key));
        let service_name = resource.get(&SERVICE_NAME.into()).map(|name| name.to_string()).unwrap_or_default();
        Self { service_name, attributes }
    }
}

#[cfg(test)]
mod tests;
