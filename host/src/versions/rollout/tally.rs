//! What the calls of one version came to, while a rollout looks at it.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    failure::{Cause, Failure},
    hooks::Kind,
};

/// The longest duration that is told apart from longer ones, µs: past every deadline.
const MICROS_MAX: u64 = 60_000_000;

/// Counts calls, from several threads.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Figures>);

/// What was counted.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Calls that were the version's own to end.
    pub calls: u64,
    /// Its faults but for deadlines: traps, limits, bad output.
    pub traps: u64,
    /// CPU or wall time used up.
    pub deadlines: u64,
    /// Answers that are neither a receipt nor a "no": `other`, `unavailable`, `conflict`.
    pub undecided: u64,
    /// How the others ended, by their outcome's word.
    pub outcomes: BTreeMap<&'static str, u64>,
    micros: Histogram<u64>,
}

impl Default for Figures {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "1 to 60,000,000 with two digits are bounds that a histogram can have")]
        let micros = Histogram::new_with_bounds(1, MICROS_MAX, 2).expect("sound bounds");
        Self { calls: 0, traps: 0, deadlines: 0, undecided: 0, outcomes: BTreeMap::new(), micros }
    }
}

impl Tally {
    /// Counts how a call of a plugin of that kind ended. What was somebody else's doing counts for nothing.
    pub(in crate::versions) fn count<T>(&self, kind: Kind, result: &Result<T, Failure>, elapsed: Duration) {
        let mut figures = self.figures_now();
        match result {
            Err(Failure::Fault(fault)) if fault.kind == kind => match fault.cause {
                Cause::Cpu { .. } | Cause::Deadline { .. } => figures.deadlines += 1,
                _ => figures.traps += 1,
            },
            Err(failure) if failure.undecided().is_some() && failure.at_fault() == Some(kind) => figures.undecided += 1,
            Err(failure) if failure.is_of_host() || failure.undecided().is_some() => return,
            result => {
                let outcome = result.as_ref().err().map_or("ok", Failure::code);
                *figures.outcomes.entry(outcome).or_default() += 1;
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
    /// Returns how long 99 of 100 calls took at most, µs; 0 without any.
    #[must_use]
    pub fn p99_micros(&self) -> u64 {
        self.micros.value_at_quantile(0.99)
    }

    /// Returns how many took longer.
    pub(super) fn slower_than(&self, micros: u64) -> u64 {
        self.micros.count_between(micros.saturating_add(1), MICROS_MAX)
    }
}
