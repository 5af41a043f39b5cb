//! What is counted during a rollout, by one host or by all that share a store.

use serde::{Deserialize, Serialize};

use super::Figures;

/// How the calls of both versions ended since the rollout began, or was resumed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    pub candidate: Figures,
    /// The live version's calls in the same time.
    pub live: Figures,
    /// Calls of a shadow with a different decision.
    pub differing: u64,
    /// Calls that a shadow didn't repeat, because too many were being repeated.
    pub skipped: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.candidate.add(&other.candidate);
        self.live.add(&other.live);
        self.differing += other.differing;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::Tally, *};
    use crate::{
        failure::Failure,
        hooks::{Installation, Kind},
    };

    #[test]
    fn what_another_host_counted_is_added_as_it_was_told() {
        let counted = |micros: &[u64]| {
            let tally = Tally::default();
            for micros in micros {
                tally.count(Installation::of(Kind::Checkout), &Ok::<_, Failure>(()), Duration::from_micros(*micros));
            }
            Counts { candidate: tally.figures(), live: Figures::default(), differing: 2, skipped: 1 }
        };
        let told = serde_json::to_string(&counted(&[100, 200, 50_000])).expect("is written");
        let mut all = counted(&[100, 300]);
        all.add(&serde_json::from_str(&told).expect("is read"));
        assert_eq!((all.candidate.calls, all.candidate.outcomes["ok"]), (5, 5));
        assert_eq!((all.differing, all.skipped), (4, 2));
        assert_eq!((all.candidate.slower_than(310), all.candidate.slower_than(90)), (1, 5));
        assert!((49_000..=51_000).contains(&all.candidate.p99_micros()), "{}", all.candidate.p99_micros());
    }
}
