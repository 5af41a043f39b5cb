//! A version that is tried beside the live one, on some of the requests (canary) or after each of them (shadow), until
//! its gates promote it, pause it or roll it back. One rollout runs at a time, so that a difference has one cause.

mod counts;
mod difference;
mod gates;
mod plan;
mod shadow;
mod tally;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};

use arc_swap::ArcSwap;
pub use counts::Counts;
pub use difference::{Difference, Differences, Part};
pub use gates::Verdict;
pub use plan::{BadPlan, Gates, Mode, Plan, PlanChanges};
pub(super) use shadow::{Followed, Shadow};
pub use tally::{Figures, Tally};

use super::Plugin;
use crate::{hooks::Installation, runtime::Role, store::RolloutRow, telemetry::metrics::PluginInfo};

/// Calls of a candidate before its figures are first judged, unless its time is up: fewer are no evidence of anything.
const FIRST_LOOK_CALLS: u64 = 10;
/// A canary's share of the requests is exact to one part in 10,000.
const PARTS: u32 = 10_000;

/// A rollout: its candidate, its plan and its counts.
#[derive(Debug)]
pub struct Rollout {
    pub row: RolloutRow,
    pub plan: Plan,
    /// The candidate in its role, with its tally. Replaced when the engine has a new pool: the same code, loaded into
    /// that.
    candidate: ArcSwap<Plugin>,
    tally: Arc<Tally>,
    live_tally: Arc<Tally>,
    differences: Arc<Differences>,
    shadow: Option<Arc<Shadow>>,
    /// What the other hosts have counted, as of the last exchange.
    others: Mutex<Counts>,
    /// The number under which this host tells the others what it has counted.
    pub(super) counter: i64,
    running: AtomicBool,
    pace: Mutex<Pace>,
}

/// When the rollout began to run, and at how many calls its figures are judged next.
#[derive(Debug)]
struct Pace {
    since: Instant,
    next_look_calls: u64,
}

impl Pace {
    fn start() -> Self {
        Self { since: Instant::now(), next_look_calls: FIRST_LOOK_CALLS }
    }
}

impl Rollout {
    /// Returns the rollout with nothing counted yet.
    pub(super) fn new(row: RolloutRow, plan: Plan, plugin: &Plugin, shadows_max: usize) -> Arc<Self> {
        let (tally, differences) = (Arc::<Tally>::default(), Arc::<Differences>::default());
        let (candidate, shadow) = match plan.mode {
            Mode::Canary { .. } => (plugin.tried(Role::Canary, Some(Arc::clone(&tally)), None), None),
            Mode::Shadow => {
                let candidate = plugin.tried(Role::Shadow, Some(Arc::clone(&tally)), None);
                let shadow = Shadow::new(candidate.clone(), Arc::clone(&differences), shadows_max);
                (candidate, Some(Arc::new(shadow)))
            }
        };
        let running = AtomicBool::new(row.state == crate::store::RolloutState::Running);
        let pace = Mutex::new(Pace::start());
        let candidate = ArcSwap::from_pointee(candidate);
        Arc::new(Self {
            row,
            plan,
            candidate,
            tally,
            live_tally: Arc::default(),
            differences,
            shadow,
            others: Mutex::default(),
            counter: rand::random_range(0..i64::MAX),
            running,
            pace,
        })
    }

    #[must_use]
    pub fn at(&self) -> Installation {
        self.row.version.text.at
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Returns what all hosts have counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.own_counts();
        counts.add(&self.others.lock());
        counts
    }

    /// Returns what this host has counted so far.
    pub(super) fn own_counts(&self) -> Counts {
        Counts {
            candidate: self.tally.figures(),
            live: self.live_tally.figures(),
            differing: self.differences.count(),
            skipped: self.shadow.as_ref().map_or(0, |shadow| shadow.skipped()),
        }
    }

    /// Replaces what the other hosts have counted.
    pub(super) fn set_others(&self, counts: impl Iterator<Item = Counts>) {
        let mut others = Counts::default();
        counts.for_each(|one| others.add(&one));
        *self.others.lock() = others;
    }

    /// Returns where a shadow's decisions differed from the live version's on this host; empty for a canary.
    #[must_use]
    pub const fn differences(&self) -> &Arc<Differences> {
        &self.differences
    }

    /// Returns whether the canary serves the request with that key. The same key gets the same answer.
    #[must_use]
    pub fn picks(&self, key: &[u8]) -> bool {
        let Mode::Canary { percent } = self.plan.mode else { return false };
        // The hash includes the rollout's number, so that each rollout picks other customers.
        let hash = Sha256::new().chain_update(self.row.id.number().to_le_bytes()).chain_update(key).finalize();
        let part = hash.first_chunk().map_or(0, |start| u32::from_le_bytes(*start)) % PARTS;
        f64::from(part) < percent / 100.0 * f64::from(PARTS)
    }

    /// Judges the figures, if there are enough new calls or the time is up.
    pub(super) fn verdict(&self) -> Verdict {
        let mut pace = self.pace();
        let calls = self.tally.calls() + self.others.lock().candidate.calls;
        let time_is_up = pace.since.elapsed() >= self.plan.gates.duration();
        if calls < pace.next_look_calls && !time_is_up {
            return Verdict::GoOn;
        }
        // Each judgement is another chance to see a difference where there is none, so the intervals grow.
        pace.next_look_calls = calls.saturating_add(calls / 20).saturating_add(1);
        drop(pace);
        let Counts { candidate, live, differing, .. } = self.counts();
        self.plan.gates.verdict(&candidate, &live, self.shadow.is_some().then_some(differing), time_is_up)
    }

    pub(super) fn pause(&self) {
        self.running.store(false, Ordering::Release);
    }

    /// Runs the rollout again, with nothing counted: what was counted before led to the pause.
    pub(super) fn resume(&self) {
        *self.pace() = Pace::start();
        self.tally.reset();
        self.live_tally.reset();
        self.differences.reset();
        *self.others.lock() = Counts::default();
        self.running.store(true, Ordering::Release);
    }

    pub(super) fn candidate(&self) -> Arc<Plugin> {
        self.candidate.load_full()
    }

    /// Replaces the candidate by the same version, loaded into another pool. The counts stay.
    pub(super) fn move_to(&self, candidate: Plugin) {
        if let Some(shadow) = &self.shadow {
            shadow.move_to(candidate.clone());
        }
        self.candidate.store(Arc::new(candidate));
    }

    pub(super) fn to_metric(&self) -> PluginInfo {
        self.candidate.load().to_metric()
    }

    pub(super) fn canary(&self) -> Option<Plugin> {
        matches!(self.plan.mode, Mode::Canary { .. }).then(|| Plugin::clone(&self.candidate.load()))
    }

    pub(super) fn shadow(&self) -> Option<Arc<Shadow>> {
        self.shadow.clone()
    }

    pub(super) fn live_tally(&self) -> Arc<Tally> {
        Arc::clone(&self.live_tally)
    }

    /// Returns the candidate as the live version that it becomes.
    pub(super) fn promoted(&self) -> Plugin {
        self.candidate.load().tried(Role::Live, None, None)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock()
    }
}
