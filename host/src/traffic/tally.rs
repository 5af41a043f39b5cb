//! The counts of a run: bounded, whatever a host answers.

use std::{collections::BTreeMap, fmt, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::{
    client::Said,
    outcome::{Outcome, Trace},
};
use crate::telemetry::latency::{Latencies, millis};

/// The most outcomes that are counted separately; Till has fewer codes. Each has a histogram of some 200 KiB.
const OUTCOMES_MAX: usize = 40;
/// How many traces are kept of the slowest answers, and of broken promises, for a person to look at.
const TRACES_MAX: usize = 5;

/// Collects the results of requests.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

/// The counts at one moment. The overall latencies are the sum of the outcomes'.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Checkouts that were due.
    pub offered: u64,
    /// Checkouts for which there was no room.
    pub not_sent: u64,
    /// Sent checkouts that finished, with or without an answer.
    pub ended: u64,
    /// Finished checkouts with an answer.
    pub answered: u64,
    /// Checkouts with 5xx, or without an answer.
    pub failed: u64,
    /// Requests sent again because there was no answer, or one that didn't say what became of the order.
    pub retries: u64,
    /// Malformed requests that were refused with 4xx.
    pub malformed_refused: u64,
    pub repeats: u64,
    /// Repeats with the same answer.
    pub repeats_agreed: u64,
    pub outcomes: BTreeMap<Outcome, Recorded>,
    /// Slowest first.
    pub slowest: Vec<Slow>,
    pub broken_promises: u64,
    /// The first broken promises.
    pub broken: Vec<Broken>,
}

/// The requests with one outcome.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub latencies: Latencies,
    /// The newest request's trace, because a host removes its oldest traces first.
    pub trace: Option<Trace>,
}

/// A slow answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slow {
    pub latency_ms: f64,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(flatten)]
    pub trace: Trace,
}

/// A promise that every host has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// A repeated key and body got a different answer.
    RepeatDiffers,
    /// A malformed request got another status than 4xx.
    MalformedTaken,
}

impl fmt::Display for Promise {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::RepeatDiffers => "another answer to the same key",
            Self::MalformedTaken => "malformed, yet not refused",
        })
    }
}

/// A promise that was broken, and the answer that broke it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    pub promise: Promise,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(flatten)]
    pub trace: Option<Trace>,
}

impl Tally {
    /// Counts a checkout that is due; `sent` says whether there is room for it.
    pub fn offered(&self, sent: bool) {
        let mut counts = self.lock();
        counts.offered += 1;
        counts.not_sent += u64::from(!sent);
    }

    /// Counts a finished checkout, `latency` after it was due.
    pub fn ended(&self, latency: Duration, said: &Said) {
        let outcome = said.outcome();
        let trace = said.answer().and_then(|answer| answer.trace.clone());
        let mut counts = self.lock();
        counts.ended += 1;
        counts.answered += u64::from(said.answer().is_some());
        counts.failed += u64::from(outcome.is_failure());
        if let Some(trace) = &trace {
            counts.keep_slow(latency, &outcome, trace);
        }
        let recorded = counts.recorded(outcome);
        recorded.latencies.record(latency);
        recorded.trace = trace.or_else(|| recorded.trace.take());
    }

    pub fn retried(&self) {
        self.lock().retries += 1;
    }

    pub fn refused(&self) {
        self.lock().malformed_refused += 1;
    }

    pub fn repeated(&self) {
        self.lock().repeats += 1;
    }

    pub fn repeat_agreed(&self) {
        self.lock().repeats_agreed += 1;
    }

    pub fn broken(&self, promise: Promise, said: &Said) {
        let broken =
            Broken { promise, outcome: said.outcome(), trace: said.answer().and_then(|answer| answer.trace.clone()) };
        let mut counts = self.lock();
        counts.broken_promises += 1;
        if counts.broken.len() < TRACES_MAX {
            counts.broken.push(broken);
        }
    }

    /// Returns the counts as they are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock()
    }
}

impl Counts {
    /// Returns how many requests are under way or waiting for a retry.
    #[must_use]
    pub const fn under_way(&self) -> u64 {
        self.offered.saturating_sub(self.not_sent).saturating_sub(self.ended)
    }

    /// Returns the latencies of all finished requests.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let mut all = Latencies::default();
        self.outcomes.values().for_each(|recorded| all.add(&recorded.latencies));
        all
    }

    fn recorded(&mut self, outcome: Outcome) -> &mut Recorded {
        let is_new = !self.outcomes.contains_key(&outcome);
        let outcome = if is_new && self.outcomes.len() >= OUTCOMES_MAX {
            Outcome { status: None, code: "further_outcomes".to_owned() }
        } else {
            outcome
        };
        self.outcomes.entry(outcome).or_insert_with(|| Recorded { latencies: Latencies::default(), trace: None })
    }

    fn keep_slow(&mut self, latency: Duration, outcome: &Outcome, trace: &Trace) {
        let latency_ms = millis(latency);
        let place = self.slowest.partition_point(|slow| slow.latency_ms >= latency_ms);
        if place < TRACES_MAX {
            self.slowest.insert(place, Slow { latency_ms, outcome: outcome.clone(), trace: trace.clone() });
            self.slowest.truncate(TRACES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::client::{Answer, Silence};

    fn answer(status: u16, code: &str, trace: u32) -> Said {
        let body = serde_json::json!({ "code": code }).to_string().into();
        let trace = Some(Trace { trace_id: format!("{trace:032x}"), link: None });
        let status = hyper::StatusCode::from_u16(status).unwrap();
        Said::Answer(Answer { status, body, replayed: false, retry_after: None, trace })
    }

    #[test]
    fn memory_is_bounded_whatever_is_answered() {
        let tally = Tally::default();
        for number in 0..1000 {
            tally.ended(Duration::from_millis(number.into()), &answer(500, &format!("code_{number}"), number));
            tally.broken(Promise::MalformedTaken, &answer(200, "x", number));
        }
        let counts = tally.counts();
        assert_eq!((counts.outcomes.len(), counts.ended, counts.failed), (OUTCOMES_MAX + 1, 1000, 1000));
        assert_eq!(counts.latencies().count(), 1000);
        assert_eq!((counts.broken.len(), counts.broken_promises), (TRACES_MAX, 1000));
        let slowest: Vec<f64> = counts.slowest.iter().map(|slow| slow.latency_ms).collect();
        assert_eq!(slowest, [999.0, 998.0, 997.0, 996.0, 995.0]);
    }

    #[test]
    fn each_end_counts_once_and_the_newest_trace_is_kept() {
        let tally = Tally::default();
        for sent in [true, true, true, true, false] {
            tally.offered(sent);
        }
        tally.ended(Duration::from_millis(10), &answer(500, "trap", 1));
        tally.ended(Duration::from_millis(20), &answer(500, "trap", 2));
        tally.ended(Duration::from_secs(7200), &Said::Nothing(Silence::Unreachable));
        let counts = tally.counts();
        assert_eq!((counts.offered, counts.not_sent, counts.ended, counts.answered), (5, 1, 3, 2));
        assert_eq!((counts.failed, counts.under_way()), (3, 1));
        let trap = &counts.outcomes[&Outcome { status: Some(500), code: "trap".into() }];
        assert_eq!(trap.trace.as_ref().unwrap().trace_id, format!("{:032x}", 2));
        assert_eq!(trap.latencies.count(), 2);
        assert_eq!([50.0, 100.0].map(|percent| trap.latencies.percentile_ms(percent).round()), [10.0, 20.0]);
        assert_eq!(trap.latencies.percentile_ms(100.0), 20.0);
        assert_eq!(counts.latencies().percentile_ms(100.0), 3_600_000.0, "the longest is cut, not lost");
    }
}
