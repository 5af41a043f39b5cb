//! The last trace of each bucket of a histogram, which leads from a spike to a request in it.
//!
//! The SDK records no exemplars and the `prometheus` crate has no field for them, so they are kept beside the registry
//! and joined with its histograms when the page is written. Their number is bounded by the series in use and by
//! [`SERIES_MAX`].

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    time::SystemTime,
};

use foldhash::fast::FixedState;
use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanId, TraceId},
};
use parking_lot::Mutex;

use super::{Instruments, Traces};

/// The SDK's own limit of series for one instrument; the host has some dozens.
const SERIES_MAX: usize = 2000;

/// A measured value and where it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Exemplar {
    pub(in super::super) trace_id: TraceId,
    pub(in super::super) span_id: SpanId,
    pub(in super::super) value: f64,
    pub(in super::super) at: SystemTime,
}

/// An exemplar with what determines its series and bucket. Most are never shown, so the series and bucket are computed
/// only for those that are.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Observation {
    /// The metric's name in Prometheus.
    pub(in super::super) metric: &'static str,
    pub(in super::super) labels: Vec<KeyValue>,
    /// The upper bounds of the metric's buckets, ascending.
    pub(in super::super) bounds: &'static [f64],
    pub(in super::super) exemplar: Exemplar,
}

impl Observation {
    /// Returns the series and the bucket's index, counted from the lowest bound.
    fn place(&self) -> (Series, usize) {
        let labels = self.labels.iter().map(|label| (label.key.as_str(), label.value.as_str()));
        let bucket = self.bounds.partition_point(|bound| *bound < self.exemplar.value);
        (Series::of(self.metric, labels), bucket)
    }
}

/// A series of a histogram, identified by a hash of its name and labels. The hash ignores the labels' order and their
/// dots, so OpenTelemetry's labels and Prometheus's give the same series. With 64 bits and some thousand series a
/// collision is practically impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Series(u64);

impl Series {
    pub(in super::super) fn of<'a>(metric: &str, labels: impl Iterator<Item = (&'a str, impl AsRef<str>)>) -> Self {
        let sum = labels.fold(hash(metric, ""), |sum, (name, value)| sum.wrapping_add(hash(name, value.as_ref())));
        Self(sum)
    }
}

fn hash(name: &str, value: &str) -> u64 {
    // Names are constants of the code and values are bounded, so nobody can choose them to collide.
    let mut hasher = FixedState::default().build_hasher();
    for word in name.split(['.', '_']) {
        word.hash(&mut hasher);
    }
    value.hash(&mut hasher);
    hasher.finish()
}

/// The exemplars of all histograms.
#[derive(Debug, Default)]
pub(in super::super) struct Exemplars(Mutex<HashMap<Series, HashMap<usize, Exemplar>>>);

impl Instruments {
    /// Offers a recorded value as its bucket's exemplar, once its trace is kept. `metric` is the metric's name in Prometheus.
    pub(super) fn exemplify(
        &self,
        metric: &'static str,
        labels: impl Into<Vec<KeyValue>>,
        bounds: &'static [f64],
        value: f64,
        span: &SpanContext,
    ) {
        if matches!(self.traces, Traces::Unkept) || !span.is_sampled() {
            return;
        }
        let exemplar = Exemplar { trace_id: span.trace_id(), span_id: span.span_id(), value, at: SystemTime::now() };
        let observation = Observation { metric, labels: labels.into(), bounds, exemplar };
        match &self.traces {
            Traces::Unkept => {}
            Traces::Kept => self.exemplars.put(&observation),
            Traces::Decided(sampler) => sampler.attach(observation),
        }
    }
}

impl Exemplars {
    /// Replaces the bucket's exemplar, if the new one isn't older.
    pub(in super::super) fn put(&self, observation: &Observation) {
        let ((series, bucket), exemplar) = (observation.place(), observation.exemplar);
        let mut all = self.0.lock();
        if all.len() >= SERIES_MAX && !all.contains_key(&series) {
            return;
        }
        let last = all.entry(series).or_default().entry(bucket).or_insert(exemplar);
        // Prometheus refuses an exemplar that is older than the last one it has seen.
        if last.at < exemplar.at {
            *last = exemplar;
        }
    }

    /// Returns the exemplars of a series, by bucket.
    pub(in super::super) fn of(&self, series: Series) -> HashMap<usize, Exemplar> {
        self.0.lock().get(&series).cloned().unwrap_or_default()
    }
}
