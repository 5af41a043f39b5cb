//! The summary of a run, as a document.

use std::time::Duration;

use serde::Serialize;

use super::{
    Plan,
    arrivals::Arrivals,
    outcome::{Outcome, Trace},
    tally::{Broken, Counts, Slow},
};
use crate::telemetry::latency::Latencies;

/// The results of a run. Rates are per second of [`elapsed_s`](Self::elapsed_s).
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub url: String,
    pub seed: u64,
    pub arrivals: Arrivals,
    pub rate_per_s: f64,
    /// How long requests were due, seconds, without the wait at the end.
    pub elapsed_s: f64,
    pub offered: Rate,
    /// The offered requests for which there was room (`--in-flight-max`).
    pub sent: Rate,
    /// The sent requests that were answered.
    pub answered: Rate,
    pub not_sent: u64,
    /// Sent requests without an answer, after all retries.
    pub unanswered: u64,
    /// Sent requests that were given up after the wait at the end.
    pub cut_off: u64,
    pub retries: u64,
    pub malformed_refused: u64,
    pub repeats: u64,
    pub repeats_agreed: u64,
    pub broken_promises: u64,
    /// The latencies of all finished requests, from the moment at which each was due.
    pub latency_ms: LatencyMs,
    pub outcomes: Vec<Ended>,
    /// The slowest answers whose traces are known.
    pub slowest: Vec<Slow>,
    /// The first answers that broke a promise.
    pub broken: Vec<Broken>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    pub count: u64,
    pub per_s: f64,
}

/// Milliseconds; all are 0 if no request finished.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LatencyMs {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

/// All requests with one outcome.
#[derive(Debug, Clone, Serialize)]
pub struct Ended {
    #[serde(flatten)]
    pub outcome: Outcome,
    pub count: u64,
    pub latency_ms: LatencyMs,
    /// The trace of the newest one.
    #[serde(flatten)]
    pub trace: Option<Trace>,
}

impl Summary {
    /// Returns the summary of a run in which requests were due for `elapsed`.
    #[must_use]
    pub fn new(plan: &Plan, elapsed: Duration, counts: Counts) -> Self {
        let elapsed_s = (elapsed.as_secs_f64() * 1e3).round() / 1e3;
        let rate = |count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^53")]
            let per_s = count as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
            Rate { count, per_s: (per_s * 1e3).round() / 1e3 }
        };
        Self {
            url: plan.url.clone(),
            seed: plan.seed,
            arrivals: plan.arrivals,
            rate_per_s: plan.rate_per_s,
            elapsed_s,
            offered: rate(counts.offered),
            sent: rate(counts.offered.saturating_sub(counts.not_sent)),
            answered: rate(counts.answered),
            not_sent: counts.not_sent,
            unanswered: counts.ended.saturating_sub(counts.answered),
            cut_off: counts.under_way(),
            retries: counts.retries,
            malformed_refused: counts.malformed_refused,
            repeats: counts.repeats,
            repeats_agreed: counts.repeats_agreed,
            broken_promises: counts.broken_promises,
            latency_ms: LatencyMs::of(&counts.latencies()),
            outcomes: counts
                .outcomes
                .into_iter()
                .map(|(outcome, recorded)| Ended {
                    outcome,
                    count: recorded.latencies.count(),
                    latency_ms: LatencyMs::of(&recorded.latencies),
                    trace: recorded.trace,
                })
                .collect(),
            slowest: counts.slowest,
            broken: counts.broken,
        }
    }
}

impl LatencyMs {
    #[must_use]
    pub fn of(latencies: &Latencies) -> Self {
        let at = |percent| latencies.percentile_ms(percent);
        Self { p50: at(50.0), p90: at(90.0), p99: at(99.0), p99_9: at(99.9), max: at(100.0) }
    }
}
