//! Counts how the calls of one version ended in the last minutes, for `till plugin status` and the admin listener.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::failure::Failure;
use parking_lot::Mutex;

/// How far back calls are counted, minutes.
pub const MINUTES: u64 = 15;
const SLOT: Duration = Duration::from_secs(60);

/// Counts how calls end, from several threads.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    recent: Mutex<VecDeque<(Instant, Counts)>>,
    /// Since the version was first loaded.
    sold: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    faults: AtomicU64,
}

/// Calls by what their customers got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// A receipt, or stock that was taken.
    pub sold: u64,
    /// A business "no": 4xx.
    pub refused: u64,
    /// Anything else, whoever is at fault: 5xx.
    pub failed: u64,
}

/// All calls of a version since the host started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub counts: Counts,
    /// Those that failed and that the version itself is to blame for.
    pub faults: u64,
}

impl Outcomes {
    pub(super) fn count<T>(&self, result: &Result<T, Failure>, is_fault: bool) {
        let total = match result {
            Ok(_) => &self.sold,
            Err(failure) if failure.is_error() => &self.failed,
            Err(_) => &self.refused,
        };
        total.fetch_add(1, Relaxed);
        self.faults.fetch_add(u64::from(is_fault), Relaxed);
        self.count_at(Instant::now(), result);
    }

    pub(super) fn totals(&self) -> Totals {
        let [sold, refused, failed, faults] =
            [&self.sold, &self.refused, &self.failed, &self.faults].map(|total| total.load(Relaxed));
        Totals { counts: Counts { sold, refused, failed }, faults }
    }

    /// Returns the sums of the last [`MINUTES`].
    pub(super) fn counts(&self) -> Counts {
        self.counts_at(Instant::now())
    }

    fn count_at<T>(&self, now: Instant, result: &Result<T, Failure>) {
        let mut slots = self.recent.lock();
        forget(&mut slots, now);
        if slots.back().is_none_or(|(began, _)| now.saturating_duration_since(*began) >= SLOT) {
            slots.push_back((now, Counts::default()));
        }
        if let Some((_, counts)) = slots.back_mut() {
            match result {
                Ok(_) => counts.sold += 1,
                Err(failure) if failure.is_error() => counts.failed += 1,
                Err(_) => counts.refused += 1,
            }
        }
    }

    fn counts_at(&self, now: Instant) -> Counts {
        let mut slots = self.recent.lock();
        forget(&mut slots, now);
        slots.iter().fold(Counts::default(), |sum, (_, counts)| Counts {
            sold: sum.sold + counts.sold,
            refused: sum.refused + counts.refused,
            failed: sum.failed + counts.failed,
        })
    }
}

/// Drops the slots that are too old. There is at most one slot a minute.
fn forget(slots: &mut VecDeque<(Instant, Counts)>, now: Instant) {
    while slots
        .front()
        .is_some_and(|(began, _)| now.saturating_duration_since(*began) >= Duration::from_secs(MINUTES * 60))
    {
        slots.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Undecided;

    #[test]
    fn calls_are_counted_by_what_customers_got_and_forgotten() {
        let (outcomes, start) = (Outcomes::default(), Instant::now());
        let at = |minutes: u64| start + SLOT * u32::try_from(minutes).expect("few");
        let rejected = || Err(Failure::Rejected { code: String::new(), message: String::new() });
        outcomes.count_at(at(0), &Ok(()));
        outcomes.count_at::<()>(at(1), &rejected());
        outcomes.count_at::<()>(at(2), &Err(Failure::Other(Undecided::of_nobody("no rate"))));
        assert_eq!(outcomes.counts_at(at(2)), Counts { sold: 1, refused: 1, failed: 1 });
        assert_eq!(outcomes.counts_at(at(MINUTES)), Counts { sold: 0, refused: 1, failed: 1 });
        assert_eq!(outcomes.counts_at(at(3 * MINUTES)), Counts::default());
    }

    #[test]
    fn a_versions_calls_are_counted_from_its_first_to_its_last() {
        let outcomes = Outcomes::default();
        let broken = Err(Failure::Other(Undecided::of_nobody("no rate")));
        outcomes.count(&Ok(()), false);
        outcomes.count::<()>(&broken, true);
        outcomes.count::<()>(&broken, false);
        let counts = Counts { sold: 1, refused: 0, failed: 2 };
        assert_eq!(outcomes.totals(), Totals { counts, faults: 1 });
    }
}
