//! The last trace of each bucket of a histogram: what leads from a spike to a request that was in it.
//!
//! The SDK records none, and the `prometheus` crate has no place for them, so they are kept beside the registry and
//! meet its histograms when they are written. Bounded: by the series that there are, and by [`SERIES_MAX`].

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::SystemTime,
};

use opentelemetry::{
    KeyValue,
    trace::{SpanId, TraceId},
};
use parking_lot::Mutex;

/// As many series as the SDK keeps of one instrument; the host has some dozens.
const SERIES_MAX: usize = 2000;

/// A measured value and where it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Exemplar {
    pub(in super::super) trace_id: TraceId,
    pub(in super::super) span_id: SpanId,
    pub(in super::super) value: f64,
    pub(in super::super) at: SystemTime,
}

/// An exemplar and its place. Most are never shown: what the place is gets worked out for those that are.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Observation {
    /// As Prometheus names it.
    pub(in super::super) metric: &'static str,
    pub(in super::super) labels: Vec<KeyValue>,
    /// Of the metric's buckets, ascending.
    pub(in super::super) bounds: &'static [f64],
    pub(in super::super) exemplar: Exemplar,
}

impl Observation {
    /// Returns its series and its bucket, counted from the one with the lowest bound.
    fn place(&self) -> (Series, usize) {
        let labels = self.labels.iter().map(|label| (label.key.as_str(), label.value.as_str()));
        let bucket = self.bounds.partition_point(|bound| *bound < self.exemplar.value);
        (Series::of(self.metric, labels), bucket)
    }
}

/// A series of a histogram, by a hash of its name and labels: whoever measures knows them as OpenTelemetry does,
/// whoever writes the page as Prometheus does, and neither order nor dots make a difference here. With 64 bits and some
/// thousand series two of them never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Series(u64);

impl Series {
    pub(in super::super) fn of<'a>(metric: &str, labels: impl Iterator<Item = (&'a str, impl AsRef<str>)>) -> Self {
        let sum = labels.fold(hash(metric, ""), |sum, (name, value)| sum.wrapping_add(hash(name, value.as_ref())));
        Self(sum)
    }
}

fn hash(name: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for byte in name.bytes() {
        hasher.write_u8(if byte == b'.' { b'_' } else { byte });
    }
    value.hash(&mut hasher);
    hasher.finish()
}

/// The exemplars of all histograms.
#[derive(Debug, Default)]
pub(in super::super) struct Exemplars(Mutex<HashMap<Series, HashMap<usize, Exemplar>>>);

impl Exemplars {
    /// Keeps it in the place of an older one of its bucket.
    pub(in super::super) fn put(&self, observation: &Observation) {
        let ((series, bucket), exemplar) = (observation.place(), observation.exemplar);
        let mut all = self.0.lock();
        if all.len() >= SERIES_MAX && !all.contains_key(&series) {
            return;
        }
        let last = all.entry(series).or_default().entry(bucket).or_insert(exemplar);
        // Prometheus refuses one that is older than the last it has seen.
        if last.at < exemplar.at {
            *last = exemplar;
        }
    }

    /// Returns those of a series, by bucket.
    pub(in super::super) fn of(&self, series: Series) -> HashMap<usize, Exemplar> {
        self.0.lock().get(&series).cloned().unwrap_or_default()
    }
}
