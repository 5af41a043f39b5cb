//! A circuit breaker for each version of a plugin: one that keeps breaking isn't called for a while.
//!
//! ```text
//! closed ── enough faults in the window ──> open ── breaker.open_ms ──> half-open: one call on trial
//!    ^                                       ^                             │
//!    └───────────── it went well ────────────┼─────────────────────────────┤
//!                                            └────────── a fault ──────────┘
//! ```
//!
//! While it is open there is no sale (fail closed). Only the plugin's own faults count, and only where they are many
//! among its calls too: a cart that somebody made to trap it must not close the shop for everybody.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::Identity;
use crate::config;

/// The parts of a window in which calls are counted.
const SLOTS: u32 = 10;
/// Breakers of versions that aren't loaded any more, remembered in case they come back.
const KEPT_MAX: usize = 32;

/// Stops calls of one version.
#[derive(Debug)]
pub(super) struct Breaker {
    rules: config::Breaker,
    state: Mutex<State>,
    openings: AtomicU64,
}

/// It is open: not before `retry_after` is the next call on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) retry_after: Duration,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    /// A call on trial may be under way once the time is there.
    Open {
        until: Instant,
        on_trial: bool,
    },
}

/// Calls and faults of the last while.
#[derive(Debug, Default)]
struct Window {
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    began: Instant,
    calls: u64,
    faults: u64,
}

/// The right to make one call.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    on_trial: bool,
}

/// How a call ended, to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    AtFault,
}

impl Breaker {
    #[must_use]
    pub(super) fn new(rules: config::Breaker) -> Arc<Self> {
        Arc::new(Self { rules, state: Mutex::new(State::Closed(Window::default())), openings: AtomicU64::new(0) })
    }

    /// Returns the right to make a call.
    ///
    /// # Errors
    /// While it is open, and while another call is on trial.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Pass, Open> {
        self.enter_at(Instant::now())
    }

    /// Returns whether it is open and no call would be let through now, without entering.
    #[must_use]
    pub(super) fn is_open(&self) -> Option<Open> {
        match &*self.state() {
            State::Closed(_) => None,
            State::Open { until, on_trial } => self.refused(Instant::now(), *until, *on_trial),
        }
    }

    /// Returns how often it has opened since this was asked before.
    pub(super) fn take_openings(&self) -> u64 {
        self.openings.swap(0, Ordering::Relaxed)
    }

    fn enter_at(self: &Arc<Self>, now: Instant) -> Result<Pass, Open> {
        let mut state = self.state();
        let on_trial = match &mut *state {
            State::Closed(_) => false,
            State::Open { until, on_trial } => {
                if let Some(open) = self.refused(now, *until, *on_trial) {
                    return Err(open);
                }
                *on_trial = true;
                true
            }
        };
        drop(state);
        Ok(Pass { breaker: Arc::clone(self), on_trial })
    }

    fn refused(&self, now: Instant, until: Instant, on_trial: bool) -> Option<Open> {
        let left = until.saturating_duration_since(now);
        if left.is_zero() && !on_trial {
            return None;
        }
        // The call on trial ends soon, one way or the other.
        Some(Open { retry_after: left.max(Duration::from_secs(1)) })
    }

    fn ended_at(&self, now: Instant, on_trial: bool, ended: Ended) {
        let mut state = self.state();
        let opens = match &mut *state {
            State::Closed(window) => {
                window.count(now, self.window(), ended);
                let (calls, faults) = window.sums();
                let share = faults.saturating_mul(100) >= calls.saturating_mul(self.rules.fault_percent.into());
                ended == Ended::AtFault && faults >= self.rules.faults.max(1) && share
            }
            State::Open { .. } if !on_trial => false,
            State::Open { .. } => {
                if ended == Ended::Well {
                    *state = State::Closed(Window::default());
                }
                ended == Ended::AtFault
            }
        };
        if opens {
            let open = Duration::from_millis(self.rules.open_ms);
            *state = State::Open { until: now + open, on_trial: false };
            // A trial that fails is the same outage.
            self.openings.fetch_add(u64::from(!on_trial), Ordering::Relaxed);
        }
    }

    fn window(&self) -> Duration {
        Duration::from_millis(self.rules.window_ms)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn count(&mut self, now: Instant, window: Duration, ended: Ended) {
        while self.slots.front().is_some_and(|slot| now.saturating_duration_since(slot.began) >= window) {
            self.slots.pop_front();
        }
        let is_new = |slot: &Slot| now.saturating_duration_since(slot.began) >= window / SLOTS;
        if self.slots.back().is_none_or(is_new) {
            self.slots.push_back(Slot { began: now, calls: 0, faults: 0 });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.calls += 1;
            slot.faults += u64::from(ended == Ended::AtFault);
        }
    }

    fn sums(&self) -> (u64, u64) {
        self.slots.iter().fold((0, 0), |(calls, faults), slot| (calls + slot.calls, faults + slot.faults))
    }
}

impl Pass {
    /// Says how the call ended. Without that, one that was on trial tells nothing, and the next one is.
    pub(super) fn ended(mut self, ended: Ended) {
        self.breaker.ended_at(Instant::now(), self.on_trial, ended);
        self.on_trial = false;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.on_trial
            && let State::Open { on_trial, .. } = &mut *self.breaker.state()
        {
            *on_trial = false;
        }
    }
}

/// The breakers of all versions, by their digests: a version that comes back finds its own.
#[derive(Debug)]
pub(super) struct Breakers {
    rules: config::Breaker,
    known: Mutex<VecDeque<(Identity, Arc<Breaker>)>>,
}

impl Breakers {
    pub(super) fn new(rules: config::Breaker) -> Self {
        Self { rules, known: Mutex::default() }
    }

    pub(super) fn of(&self, identity: &Identity) -> Arc<Breaker> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn breaker() -> Arc<Breaker> {
        let rules = config::Breaker { faults: 3, window_ms: 1_000, fault_percent: 50, open_ms: 5_000, rollback: false };
        Breaker::new(rules)
    }

    /// Has one call end so at that time.
    fn call(breaker: &Arc<Breaker>, now: Instant, ended: Ended) {
        let pass = breaker.enter_at(now).expect("it is let through");
        breaker.ended_at(now, pass.on_trial, ended);
        std::mem::forget(pass);
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
        use Ended::{AtFault, Well};
        check(&[(0, AtFault), (1, AtFault)], false);
        check(&[(0, AtFault), (1, AtFault), (2, AtFault)], true);
        check(&[(0, AtFault), (600, AtFault), (1_200, AtFault)], false);
        check(&[(0, Well), (1, AtFault), (2, Well), (3, AtFault), (4, Well), (5, AtFault)], true);
        check(&[(0, Well), (1, Well), (2, Well), (3, AtFault), (4, Well), (5, AtFault), (6, AtFault)], false);
    }

    #[test]
    fn one_call_is_on_trial_after_a_while() {
        let (breaker, start) = (breaker(), Instant::now());
        let open = |breaker: &Arc<Breaker>, now| breaker.enter_at(now).err().map(|open| open.retry_after.as_millis());
        (0..3).for_each(|_| call(&breaker, start, Ended::AtFault));
        assert_eq!(open(&breaker, start + Duration::from_secs(2)), Some(3_000));

        let later = start + Duration::from_secs(5);
        let trial = breaker.enter_at(later).expect("one is let through");
        assert_eq!(open(&breaker, later), Some(1_000), "and no second one");
        drop(trial);
        let trial = breaker.enter_at(later).expect("one that tells nothing leaves its place");
        breaker.ended_at(later, trial.on_trial, Ended::AtFault);
        std::mem::forget(trial);
        assert_eq!(open(&breaker, later), Some(5_000));
        assert_eq!(breaker.take_openings(), 1, "it is the same outage");

        call(&breaker, later + Duration::from_secs(5), Ended::Well);
        call(&breaker, later + Duration::from_secs(5), Ended::AtFault);
        assert_eq!(open(&breaker, later + Duration::from_secs(5)), None);
    }

    /// A call from before it opened ends after that: it is neither on trial nor another opening.
    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let (breaker, start) = (breaker(), Instant::now());
        let early = breaker.enter_at(start).expect("closed");
        (0..3).for_each(|_| call(&breaker, start, Ended::AtFault));
        breaker.ended_at(start, early.on_trial, Ended::Well);
        assert!(breaker.enter_at(start).is_err());
        drop(early);
        assert!(breaker.enter_at(start).is_err());
    }
}
