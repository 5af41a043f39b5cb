//! Where a shadow's decisions differ from the live version's.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};

/// How many differences are kept, the newest ones; all are counted.
const KEPT_MAX: usize = 1_000;

/// One call that differed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The trace of the request that the live version answered, hex.
    pub trace_id: String,
    /// Unix time in ms.
    pub at_ms: u64,
    pub parts: Vec<Part>,
}

/// A part of the decision that differed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `outcome`, `total`, `adjustments` or `stock`.
    pub what: &'static str,
    pub live: String,
    pub candidate: String,
}

/// The differences of one rollout.
#[derive(Debug, Default)]
pub struct Differences(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    count: u64,
    newest: VecDeque<Difference>,
}

impl Differences {
    /// Returns how many calls differed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.kept().count
    }

    /// Returns the differences that are kept, the newest first.
    #[must_use]
    pub fn newest(&self) -> Vec<Difference> {
        self.kept().newest.iter().rev().cloned().collect()
    }

    pub(in crate::versions) fn add(&self, difference: Difference) {
        let mut kept = self.kept();
        kept.count += 1;
        kept.newest.push_back(difference);
        if kept.newest.len() > KEPT_MAX {
            kept.newest.pop_front();
        }
    }

    pub(super) fn reset(&self) {
        *self.kept() = Newest::default();
    }

    fn kept(&self) -> MutexGuard<'_, Newest> {
        self.0.lock()
    }
}
