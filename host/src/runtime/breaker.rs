//! A circuit breaker for each version of a plugin: orders that keep breaking it aren't tried for a while.
//!
//! ```text
//! closed ── enough faults in the window ──> open ── breaker.open_ms ──> half-open: one call on trial
//!    ^                                       ^                             │
//!    └───────────── it went well ────────────┼─────────────────────────────┤
//!                                            └────────── a fault ──────────┘
//! ```
//!
//! While a breaker is open nothing is sold (fail closed). But one kind of order must not close the shop for the others:
//! as long as other calls succeed, the breaker is open only for orders [like](Likeness) those that broke the plugin
//! each time. If no call in the window succeeded, it is open for all. Only the plugin's own faults count. A `conflict`
//! counts neither as a fault nor as a success: another customer was faster, and calling the plugin less wouldn't change
//! that.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Identity,
    outcomes::{Counts, Outcomes, Totals},
};
use crate::{config, failure::Failure, hooks::Installation};
use parking_lot::{Mutex, MutexGuard};

/// How many slots a window has, in which calls are counted.
const SLOTS: u32 = 10;
/// How many breakers are remembered, in case a version comes back that isn't loaded any more.
const KEPT_MAX: usize = 32;
/// Kinds of orders that are counted apart. A fault of any other kind only counts for the version.
const LIKENESSES_MAX: usize = 64;
/// Faults in a row after which a kind of order counts as one that breaks the plugin.
const FAULTS_IN_A_ROW: u64 = 3;

/// What two orders have in common that break a plugin alike: their items and the names of their attributes, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness(u64);

impl Likeness {
    /// Returns the likeness of an order with these items and names of attributes.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut hasher = DefaultHasher::new();
        names.for_each(|name| name.hash(&mut hasher));
        Self(hasher.finish())
    }
}

/// Stops calls of one version.
#[derive(Debug)]
pub struct Breaker {
    rules: config::Breaker,
    state: Mutex<State>,
    openings: AtomicU64,
    /// How its calls ended in the last minutes, for operators.
    pub(super) outcomes: Outcomes,
}

/// The breaker is open. The next call may be tried after `retry_after`, not before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub retry_after: Duration,
}

#[derive(Debug, Default)]
struct State {
    window: Window,
    open: Option<Opened>,
}

/// Until when the breaker is open, and for what. After that, one call is on trial.
#[derive(Debug)]
struct Opened {
    until: Instant,
    on_trial: bool,
    scope: Scope,
}

/// For which orders a breaker is open.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    All,
    Like(Vec<Likeness>),
}

impl Scope {
    fn has(&self, likeness: Likeness) -> bool {
        match self {
            Self::All => true,
            Self::Like(likenesses) => likenesses.contains(&likeness),
        }
    }
}

/// Calls and faults of the last while.
#[derive(Debug, Default)]
struct Window {
    slots: VecDeque<Slot>,
    /// Faults by the kind of order, the kind with the last fault at the end.
    likenesses: Vec<Faults>,
}

#[derive(Debug)]
struct Slot {
    began: Instant,
    calls: u64,
    faults: u64,
    well: u64,
}

/// The faults of one kind of order.
#[derive(Debug)]
struct Faults {
    likeness: Likeness,
    last: Instant,
    in_a_row: u64,
}

/// The right to make one call.
#[derive(Debug)]
pub struct CallPermit {
    breaker: Arc<Breaker>,
    likeness: Likeness,
    on_trial: bool,
}

/// How a call ended, as the breaker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    AtFault,
    /// It says nothing about the version.
    Neither,
}

impl Ended {
    /// Returns how a call of a plugin of that kind ended.
    pub(super) fn of<T>(at: Installation, result: &Result<T, Failure>) -> Self {
        match result {
            Err(Failure::Conflict(_)) => Self::Neither,
            Err(failure) if failure.at_fault() == Some(at) => Self::AtFault,
            Err(failure) if failure.is_of_host() || failure.undecided().is_some() => Self::Neither,
            Ok(_) | Err(_) => Self::Well,
        }
    }
}

impl Breaker {
    #[must_use]
    pub fn new(rules: config::Breaker) -> Arc<Self> {
        let (state, openings) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { rules, state, openings, outcomes: Outcomes::default() })
    }

    /// Returns the right to make a call for such an order.
    ///
    /// # Errors
    /// While the breaker is open for such an order, and while another call is on trial.
    pub fn enter(self: &Arc<Self>, likeness: Likeness) -> Result<CallPermit, Open> {
        self.enter_at(Instant::now(), likeness)
    }

    /// Returns why a call for such an order would not be let through now, `None` if it would be. Takes no permit.
    #[must_use]
    pub fn is_open_for(&self, likeness: Likeness) -> Option<Open> {
        let state = self.state();
        let opened = state.open.as_ref().filter(|opened| opened.scope.has(likeness))?;
        opened.refused(Instant::now())
    }

    /// Returns whether the breaker is open for some orders, or for all.
    #[must_use]
    pub fn is_open(&self) -> Option<Open> {
        self.state().open.as_ref().and_then(|opened| opened.refused(Instant::now()))
    }

    /// Returns how the version's calls ended in the last minutes.
    #[must_use]
    pub fn recent_outcomes(&self) -> Counts {
        self.outcomes.counts()
    }

    /// Returns how the version's calls ended since the host started.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.outcomes.totals()
    }

    /// Returns how often the breaker has opened since this was last called.
    pub fn take_openings(&self) -> u64 {
        self.openings.swap(0, Ordering::Relaxed)
    }

    fn enter_at(self: &Arc<Self>, now: Instant, likeness: Likeness) -> Result<CallPermit, Open> {
        let mut state = self.state();
        let mut on_trial = false;
        if let Some(opened) = state.open.as_mut().filter(|opened| opened.scope.has(likeness)) {
            if let Some(open) = opened.refused(now) {
                return Err(open);
            }
            opened.on_trial = true;
            on_trial = true;
        }
        drop(state);
        Ok(CallPermit { breaker: Arc::clone(self), likeness, on_trial })
    }

    fn ended_at(&self, now: Instant, likeness: Likeness, on_trial: bool, ended: Ended) {
        let mut state = self.state();
        state.window.count(now, Duration::from_millis(self.rules.window_ms), likeness, ended);
        let open = Duration::from_millis(self.rules.open_ms);
        if on_trial && let Some(opened) = &mut state.open {
            match ended {
                Ended::Well => state.open = None,
                // A failed trial belongs to the same outage.
                Ended::AtFault => (opened.until, opened.on_trial) = (now + open, false),
                Ended::Neither => opened.on_trial = false,
            }
            return;
        }
        if ended != Ended::AtFault || !self.is_too_much(&state.window) {
            return;
        }
        let Some(scope) = state.window.what_breaks() else { return };
        match &mut state.open {
            None => {
                state.open = Some(Opened { until: now + open, on_trial: false, scope });
                self.openings.fetch_add(1, Ordering::Relaxed);
            }
            // Another kind of order breaks the plugin, too. A call that was under way when the breaker opened changes
            // nothing.
            Some(opened) if !opened.scope.has(likeness) => opened.scope = scope,
            Some(_) => {}
        }
    }

    fn is_too_much(&self, window: &Window) -> bool {
        let (calls, faults, _) = window.sums();
        let share = faults.saturating_mul(100) >= calls.saturating_mul(self.rules.fault_percent.into());
        faults >= self.rules.faults.max(1) && share
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Open {
    /// Returns why a call of a plugin of that kind isn't made.
    #[must_use]
    pub const fn failure(self, at: Installation) -> Failure {
        Failure::BreakerOpen { at, retry_after: self.retry_after }
    }
}

impl Opened {
    fn refused(&self, now: Instant) -> Option<Open> {
        let left = self.until.saturating_duration_since(now);
        if left.is_zero() && !self.on_trial {
            return None;
        }
        // The call on trial ends soon, one way or the other.
        Some(Open { retry_after: left.max(Duration::from_secs(1)) })
    }
}

impl Window {
    fn count(&mut self, now: Instant, window: Duration, likeness: Likeness, ended: Ended) {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= window;
        while self.slots.front().is_some_and(|slot| is_over(slot.began)) {
            self.slots.pop_front();
        }
        let is_new = |slot: &Slot| now.saturating_duration_since(slot.began) >= window / SLOTS;
        if self.slots.back().is_none_or(is_new) {
            self.slots.push_back(Slot { began: now, calls: 0, faults: 0, well: 0 });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.calls += 1;
            slot.faults += u64::from(ended == Ended::AtFault);
            slot.well += u64::from(ended == Ended::Well);
        }
        if !self.likenesses.is_empty() || ended == Ended::AtFault {
            self.likenesses.retain(|faults| !is_over(faults.last));
            self.count_likeness(now, likeness, ended);
        }
    }

    fn count_likeness(&mut self, now: Instant, likeness: Likeness, ended: Ended) {
        let known = self.likenesses.iter().position(|faults| faults.likeness == likeness);
        match (known, ended) {
            (Some(known), Ended::Well) => drop(self.likenesses.remove(known)),
            (Some(known), Ended::AtFault) => {
                let faults = self.likenesses.remove(known);
                self.likenesses.push(Faults { last: now, in_a_row: faults.in_a_row + 1, likeness });
            }
            (None, Ended::AtFault) if self.likenesses.len() < LIKENESSES_MAX => {
                self.likenesses.push(Faults { last: now, in_a_row: 1, likeness });
            }
            _ => {}
        }
    }

    /// Returns for which orders the breaker is to open, `None` if no kind of order fails each time.
    fn what_breaks(&self) -> Option<Scope> {
        let (_, _, well) = self.sums();
        if well == 0 {
            return Some(Scope::All);
        }
        let breaking = self.likenesses.iter().filter(|faults| faults.in_a_row >= FAULTS_IN_A_ROW);
        let breaking: Vec<_> = breaking.map(|faults| faults.likeness).collect();
        (!breaking.is_empty()).then_some(Scope::Like(breaking))
    }

    /// Returns calls, faults, and calls that went well.
    fn sums(&self) -> (u64, u64, u64) {
        let add = |(calls, faults, well), slot: &Slot| (calls + slot.calls, faults + slot.faults, well + slot.well);
        self.slots.iter().fold((0, 0, 0), add)
    }
}

impl CallPermit {
    /// Counts how the call ended. A trial that is dropped without this isn't counted, and the next call is on trial.
    pub(super) fn ended(mut self, ended: Ended) {
        self.breaker.ended_at(Instant::now(), self.likeness, self.on_trial, ended);
        self.on_trial = false;
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if self.on_trial
            && let Some(opened) = &mut self.breaker.state().open
        {
            opened.on_trial = false;
        }
    }
}

/// The breakers of all versions, by identity: a version that is loaded again gets the breaker that it had.
#[derive(Debug)]
pub struct Breakers {
    rules: config::Breaker,
    known: Mutex<VecDeque<(Identity, Arc<Breaker>)>>,
}

impl Breakers {
    pub fn new(rules: config::Breaker) -> Self {
        Self { rules, known: Mutex::default() }
    }

    /// Returns the breaker of a version that was loaded before; `None` if it wasn't, or if many others were since.
    pub fn known(&self, at: Installation, digest: &str, settings_digest: Option<&String>) -> Option<Arc<Breaker>> {
        let known = self.known.lock();
        let is_it = |identity: &Identity| {
            identity.at == at && identity.digest == digest && identity.settings_digest.as_ref() == settings_digest
        };
        known.iter().find(|(identity, _)| is_it(identity)).map(|(_, breaker)| Arc::clone(breaker))
    }

    pub fn of(&self, identity: &Identity) -> Arc<Breaker> {
        let mut known = self.known.lock();
        if let Some((_, breaker)) = known.iter().find(|(known, _)| known == identity) {
            return Arc::clone(breaker);
        }
        let breaker = Breaker::new(self.rules.clone());
        known.push_back((identity.clone(), Arc::clone(&breaker)));
        if known.len() > KEPT_MAX {
            known.pop_front();
        }
        breaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: Likeness = Likeness(0);
    const COUPON: Likeness = Likeness(1);

    fn breaker() -> Arc<Breaker> {
        let rules = config::Breaker { faults: 3, window_ms: 1_000, fault_percent: 50, open_ms: 5_000, rollback: false };
        Breaker::new(rules)
    }

    /// Makes one call for such an order, which ends like that at that time.
    fn call_for(breaker: &Arc<Breaker>, now: Instant, likeness: Likeness, ended: Ended) {
        let permit = breaker.enter_at(now, likeness).expect("it is let through");
        breaker.ended_at(now, likeness, permit.on_trial, ended);
        std::mem::forget(permit);
    }

    fn call(breaker: &Arc<Breaker>, now: Instant, ended: Ended) {
        call_for(breaker, now, OTHERS, ended);
    }

    fn retry_after_ms(breaker: &Arc<Breaker>, now: Instant, likeness: Likeness) -> Option<u128> {
        breaker.enter_at(now, likeness).err().map(|open| open.retry_after.as_millis())
    }

    #[test]
    fn faults_that_are_many_and_close_together_open_it() {
        let check = |calls: &[(u64, Ended)], opens: bool| {
            let (breaker, start) = (breaker(), Instant::now());
            for (at_ms, ended) in calls {
                call(&breaker, start + Duration::from_millis(*at_ms), *ended);
            }
            assert_eq!(breaker.take_openings() == 1, opens, "{calls:?}");
        };
        use Ended::{AtFault, Neither, Well};
        check(&[(0, AtFault), (1, AtFault)], false);
        check(&[(0, AtFault), (1, AtFault), (2, AtFault)], true);
        check(&[(0, AtFault), (600, AtFault), (1_200, AtFault)], false);
        // Some of the same orders succeed: they go on being sold.
        check(&[(0, Well), (1, AtFault), (2, Well), (3, AtFault), (4, Well), (5, AtFault)], false);
        check(&[(0, Well), (1, Well), (2, AtFault), (3, AtFault), (4, AtFault)], true);
        check(&[(0, Well), (1, Well), (2, Well), (3, Well), (4, AtFault), (5, AtFault), (6, AtFault)], false);
        // A conflict is no evidence, neither for nor against.
        check(&[(0, Neither), (1, Neither), (2, Neither), (3, Neither)], false);
        check(&[(0, AtFault), (1, Neither), (2, AtFault), (3, Neither), (4, AtFault)], true);
    }

    /// Issue 14.4: a plugin that trapped on each order with a coupon closed the shop for everybody.
    #[test]
    fn one_kind_of_order_closes_the_shop_for_no_other() {
        let (breaker, start) = (breaker(), Instant::now());
        call(&breaker, start, Ended::Well);
        (0..3).for_each(|_| call_for(&breaker, start, COUPON, Ended::AtFault));
        assert_eq!((retry_after_ms(&breaker, start, COUPON), breaker.take_openings()), (Some(5_000), 1));
        assert!(breaker.is_open().is_some() && breaker.is_open_for(COUPON).is_some());
        assert_eq!(breaker.is_open_for(OTHERS), None);
        call(&breaker, start, Ended::Well);

        // Another kind that breaks it is stopped as well, and still no other.
        let next = Likeness(2);
        (0..3).for_each(|_| call_for(&breaker, start, next, Ended::AtFault));
        assert_eq!(retry_after_ms(&breaker, start, next), Some(5_000));
        call(&breaker, start, Ended::Well);

        // If no call in the window succeeded, the breaker is open for all.
        let later = start + Duration::from_millis(1_500);
        (0..3).for_each(|_| call(&breaker, later, Ended::AtFault));
        assert!(breaker.is_open_for(Likeness(3)).is_some());
        assert_eq!(breaker.take_openings(), 0, "it is the same outage");
    }

    #[test]
    fn faults_of_many_kinds_are_bounded_and_close_it_for_all_when_nothing_goes_well() {
        let (breaker, start) = (breaker(), Instant::now());
        call(&breaker, start, Ended::Well);
        for number in 0..1_000 {
            call_for(&breaker, start, Likeness(number), Ended::AtFault);
        }
        assert_eq!(breaker.state().window.likenesses.len(), LIKENESSES_MAX);
        assert_eq!(breaker.is_open(), None, "each was at fault once");
        let later = start + Duration::from_secs(2);
        (0..3).for_each(|number| call_for(&breaker, later, Likeness(number), Ended::AtFault));
        assert!(breaker.is_open_for(OTHERS).is_some());
    }

    #[test]
    fn one_call_is_on_trial_after_a_while() {
        let (breaker, start) = (breaker(), Instant::now());
        (0..3).for_each(|_| call(&breaker, start, Ended::AtFault));
        assert_eq!(retry_after_ms(&breaker, start + Duration::from_secs(2), COUPON), Some(3_000), "for all");

        let later = start + Duration::from_secs(5);
        let trial = breaker.enter_at(later, OTHERS).expect("one is let through");
        assert_eq!(retry_after_ms(&breaker, later, OTHERS), Some(1_000), "and no second one");
        drop(trial);
        let trial = breaker.enter_at(later, OTHERS).expect("one that tells nothing leaves its place");
        breaker.ended_at(later, OTHERS, trial.on_trial, Ended::AtFault);
        std::mem::forget(trial);
        assert_eq!(retry_after_ms(&breaker, later, OTHERS), Some(5_000));
        assert_eq!(breaker.take_openings(), 1, "it is the same outage");

        call(&breaker, later + Duration::from_secs(5), Ended::Well);
        call(&breaker, later + Duration::from_secs(5), Ended::AtFault);
        assert_eq!(retry_after_ms(&breaker, later + Duration::from_secs(5), OTHERS), None);
    }

    /// A call that began before the breaker opened ends afterwards. It counts neither as the trial nor as an opening.
    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let (breaker, start) = (breaker(), Instant::now());
        let early = breaker.enter_at(start, OTHERS).expect("closed");
        (0..3).for_each(|_| call(&breaker, start, Ended::AtFault));
        breaker.ended_at(start, OTHERS, early.on_trial, Ended::Well);
        assert!(breaker.enter_at(start, OTHERS).is_err());
        drop(early);
        assert!(breaker.enter_at(start, OTHERS).is_err());
    }
}
