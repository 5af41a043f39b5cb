//! Recent traces in memory, for a look at what the host just did without any other program.
//!
//! Spans come in as they end and are written down ([`span`]); what reads them converts them. A trace is all that ended
//! under one trace id, with the log lines written meanwhile. It is *under way* until its local root ends (the span without a
//! parent, or with one in another process), and kept from then on. What ends later still is added.
//!
//! Invariants: memory is bounded, by an estimate that errs on the large side, for all traces together and for each. A
//! span costs its thread a lock of one part of many, for as long as it takes to copy it; what has to go is freed after
//! the lock. A span that is too large for its trace's part is cut, and says so; it isn't left out. Traces with an error and
//! slow ones stay longer than others, but never have more than half as long as there are others. What anybody can ask for
//! nothing (`root::Asked`) goes before anything else does, but for the last eighth.

pub mod jaeger;
mod lines;
pub mod otlp;
mod shard;
pub mod span;
pub mod summary;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use parking_lot::{Mutex, MutexGuard};

use super::root::LocalRoot;
pub(super) use lines::Lines;
use lines::listen;
pub use lines::{FieldValue, Line};
use shard::Shard;
use span::{Span, Spans};
pub use summary::micros;

/// The attribute of a resource that names it.
const SERVICE_NAME: &str = "service.name";
/// One shard for so many bytes, so that a big trace is still a small part of its shard.
const SHARD_BYTES: usize = 4 << 20;
const SHARDS_MAX: usize = 16;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all traces together, about.
    pub bytes_max: usize,
    /// A local root in which the host takes so long makes its trace one that stays longer.
    pub slow: Duration,
}

/// The traces of one host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Mutex<Shard>>,
    /// Random, for a caller chooses trace ids and mustn't choose the shard.
    hasher: RandomState,
    bytes_max: usize,
    span_bytes_max: usize,
    process: Process,
}

/// Who made the spans.
#[derive(Debug)]
pub struct Process {
    pub service_name: String,
    pub attributes: Vec<KeyValue>,
}

/// What is kept, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "KeptTraces"))]
pub struct Figures {
    /// Traces that can be read; those under way aren't among them.
    pub traces: usize,
    /// Of all traces, those under way included. An estimate.
    pub bytes: usize,
    pub bytes_max: usize,
    /// Traces that went to make room, or never came to an end.
    pub evicted: u64,
}

/// A trace as it was when it was asked for.
#[derive(Debug, Clone)]
pub struct KeptTrace {
    pub trace_id: TraceId,
    pub spans: Spans,
    /// In the order they were written.
    pub lines: Vec<Arc<Line>>,
    /// What the trace's own limits kept out.
    pub spans_dropped: u64,
    pub lines_dropped: u64,
    /// An estimate.
    pub bytes: usize,
}

/// Of a trace's local root: enough to put traces in an order without reading them.
#[derive(Debug, Clone, Copy)]
pub struct Root {
    /// Since 1970.
    pub start_ns: u64,
    /// How long the host took, without its waiting for the client.
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
            process: Process::of(resource),
        }));
        listen(&recent.0);
        recent
    }

    /// Keeps a span that has ended.
    pub(super) fn keep(&self, span: &SpanData) {
        let id = span.span_context.trace_id();
        let root = LocalRoot::of(span);
        let mut span = Span::of(span);
        let written = span.written_within(self.0.span_bytes_max);
        // The guard is gone at the end of the statement, before what it gave back is.
        let gone = self.0.shard(id).map(|mut shard| shard.add_span(id, &mut span, root, &written, Instant::now()));
        drop(gone);
    }

    /// Returns the trace, unless it isn't kept, or its local root hasn't ended yet.
    #[must_use]
    pub fn trace(&self, id: TraceId) -> Option<KeptTrace> {
        self.0.shard(id)?.kept(id)
    }

    /// Returns what `select` makes of each trace that is kept, in no order. It copies references of a part at a time, so
    /// that spans which end meanwhile don't wait; `select` may take its time, on a thread that may be blocked.
    pub fn select<T>(&self, mut select: impl FnMut(&KeptTrace) -> Option<T>) -> Vec<T> {
        let mut selected = Vec::new();
        for shard in &self.0.shards {
            let part = lock(shard).all_kept();
            selected.extend(part.iter().filter_map(&mut select));
        }
        selected
    }

    /// Does the same in the order of their `rank`, the highest first, until there are so many: what is far down isn't read.
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

    fn add_line(&self, id: TraceId, line: Line) {
        let bytes = line.bytes();
        let gone = self.shard(id).map(|mut shard| shard.add_line(id, Arc::new(line), bytes, Instant::now()));
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
