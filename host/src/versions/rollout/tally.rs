//! Counts how the calls of one version end during a rollout.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Cause, Failure},
    hooks::Installation,
};

/// The longest duration that is measured, µs; a longer one counts as this. Above the default of every deadline.
const MICROS_MAX: u64 = 60_000_000;

/// Counts calls, from several threads.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Figures>);

/// The counts, and the durations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Calls that count for the version: a failure of the host or of another plugin doesn't.
    pub calls: u64,
    /// Calls that ended in a fault other than a deadline: a trap, a limit, bad output.
    pub traps: u64,
    /// Calls that used up their CPU time or their wall time.
    pub deadlines: u64,
    /// Answers that are neither a receipt nor a "no": `other`, `unavailable`, `conflict`.
    pub undecided: u64,
    /// The other calls, by outcome.
    pub outcomes: BTreeMap<Cow<'static, str>, u64>,
    #[serde(with = "durations")]
    micros: Histogram<u64>,
}

impl Default for Figures {
    fn default() -> Self {
        Self { calls: 0, traps: 0, deadlines: 0, undecided: 0, outcomes: BTreeMap::new(), micros: no_durations() }
    }
}

fn no_durations() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "1 to 60,000,000 with two digits are bounds that a histogram can have")]
    Histogram::new_with_bounds(1, MICROS_MAX, 2).expect("sound bounds")
}

impl Tally {
    /// Counts how a call of a plugin of that kind ended. A failure that the host or another plugin caused isn't
    /// counted.
    pub(in crate::versions) fn count<T>(&self, at: Installation, result: &Result<T, Failure>, elapsed: Duration) {
        let mut figures = self.figures_now();
        match result {
            Err(Failure::Fault(fault)) if fault.at == at => match fault.cause {
                Cause::Cpu { .. } | Cause::Deadline { .. } => figures.deadlines += 1,
                _ => figures.traps += 1,
            },
            Err(failure) if failure.undecided().is_some() && failure.at_fault() == Some(at) => figures.undecided += 1,
            Err(failure) if failure.is_of_host() || failure.undecided().is_some() => return,
            result => {
                let outcome = result.as_ref().err().map_or("ok", Failure::code);
                *figures.outcomes.entry(Cow::Borrowed(outcome)).or_default() += 1;
            }
        }
        figures.calls += 1;
        figures.micros.saturating_record(u64::try_from(elapsed.as_micros()).unwrap_or(MICROS_MAX));
    }

    pub(super) fn calls(&self) -> u64 {
        self.figures_now().calls
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures_now().clone()
    }

    pub(super) fn reset(&self) {
        *self.figures_now() = Figures::default();
    }

    fn figures_now(&self) -> MutexGuard<'_, Figures> {
        self.0.lock()
    }
}

impl Figures {
    /// Returns the 99th percentile of the calls' durations, µs; 0 if there are none.
    #[must_use]
    pub fn p99_micros(&self) -> u64 {
        self.micros.value_at_quantile(0.99)
    }

    /// Adds another host's.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.traps += other.traps;
        self.deadlines += other.deadlines;
        self.undecided += other.undecided;
        for (outcome, calls) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += calls;
        }
        for step in other.micros.iter_recorded() {
            self.micros.saturating_record_n(step.value_iterated_to(), step.count_at_value());
        }
    }

    /// Returns how many calls took longer than that.
    pub(super) fn slower_than(&self, micros: u64) -> u64 {
        self.micros.count_between(micros.saturating_add(1), MICROS_MAX)
    }
}

/// Durations as pairs of a duration, µs, and how many calls took it.
mod durations {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Histogram, no_durations};

    pub(super) fn serialize<S: Serializer>(micros: &Histogram<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(micros.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram<u64>, D::Error> {
        let mut micros = no_durations();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            micros.saturating_record_n(value, count);
        }
        Ok(micros)
    }
}
