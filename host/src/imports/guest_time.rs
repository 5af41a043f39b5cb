//! Measures the processor time that a guest uses.
//!
//! Counted: the guest's code, its bulk operations, its WASI calls, and the copying of arguments and results. Not
//! counted: the functions of `till:plugin`, which `limits.host_calls` and `limits.hostcall_bytes` bound; waiting; and
//! time in which the guest's thread had no processor.
//!
//! Time is counted in stretches: from when the guest gets a thread until it waits, calls the host, or the epoch's
//! callback runs. The next stretch may be on another thread. A stretch shorter than [`SHORT`] is measured by the
//! monotonic clock alone, which is read in some 30 ns. In a longer one the thread may have been preempted, so its
//! processor clock decides; reading that takes a system call, up to a microsecond.

use std::{
    cell::Cell,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use rustix::time::{ClockId, clock_gettime};

/// The longest stretch that the monotonic clock measures well enough: a tick of the epoch.
const SHORT: Duration = Duration::from_millis(1);
/// How old a reading of the processor clock may be at the start of a stretch. In a long stretch in which the thread was
/// preempted, the thread's work since that reading counts as the guest's. A call has some five stretches, so a short age would
/// cost a busy thread a system call for each of them.
const READING_AGE_MAX: Duration = Duration::from_micros(500);

/// The processor time of one call's guest.
#[derive(Debug, Clone, Default)]
pub struct GuestTime(Arc<Mutex<Counted>>);

impl GuestTime {
    /// Polls the guest on this thread, and counts the guest's own time.
    pub fn poll<F: Future>(&self, guest: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.lock().gets_thread(&Clocks);
        let polled = guest.poll(context);
        self.lock().leaves_thread(&Clocks);
        polled
    }

    /// Returns the time counted so far.
    #[must_use]
    pub fn spent(&self) -> Duration {
        self.lock().spent(&Clocks)
    }

    /// Returns for how long the guest has occupied its thread, including host calls.
    #[must_use]
    pub fn on_thread(&self) -> Duration {
        self.lock().got_thread.map(|at| at.elapsed()).unwrap_or_default()
    }

    /// Returns whether the guest's turns are long ones.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.lock().is_busy
    }

    /// Marks the guest's turns as long, and returns whether that is new.
    pub fn mark_busy(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_busy, true)
    }

    pub(super) fn host_call_begins(&self) {
        self.lock().host_call_begins(&Clocks);
    }

    pub(super) fn host_call_ends(&self) {
        self.lock().host_call_ends(&Clocks);
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock()
    }
}

/// The counted time of a guest.
#[derive(Debug, Default)]
struct Counted {
    spent: Duration,
    /// The current stretch, if the guest is running.
    stretch: Option<Stretch>,
    in_host_call: bool,
    got_thread: Option<Instant>,
    is_busy: bool,
}

/// The start of a stretch.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    at: Instant,
    /// The thread's processor clock, at the start or up to [`READING_AGE_MAX`] before.
    processor: Duration,
}

impl Counted {
    fn gets_thread(&mut self, clock: &impl Clock) {
        self.got_thread = Some(clock.now());
        if !self.in_host_call {
            self.begin(clock);
        }
    }

    fn leaves_thread(&mut self, clock: &impl Clock) {
        self.got_thread = None;
        self.end(clock);
    }

    fn host_call_begins(&mut self, clock: &impl Clock) {
        self.end(clock);
        self.in_host_call = true;
    }

    fn host_call_ends(&mut self, clock: &impl Clock) {
        self.in_host_call = false;
        self.begin(clock);
    }

    fn spent(&mut self, clock: &impl Clock) -> Duration {
        if self.stretch.is_some() {
            self.end(clock);
            self.begin(clock);
        }
        self.spent
    }

    fn begin(&mut self, clock: &impl Clock) {
        let at = clock.now();
        self.stretch = Some(Stretch { at, processor: clock.processor(at, READING_AGE_MAX) });
    }

    fn end(&mut self, clock: &impl Clock) {
        let Some(Stretch { at, processor }) = self.stretch.take() else { return };
        let now = clock.now();
        let passed = now.saturating_duration_since(at);
        self.spent += if passed < SHORT {
            passed
        } else {
            passed.min(clock.processor(now, Duration::ZERO).saturating_sub(processor))
        };
    }
}

/// The clocks of the current thread.
trait Clock {
    fn now(&self) -> Instant;

    /// Returns the thread's processor time, by a reading at most `age_max` old.
    fn processor(&self, now: Instant, age_max: Duration) -> Duration;
}

/// The system's clocks.
struct Clocks;

impl Clock for Clocks {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn processor(&self, now: Instant, age_max: Duration) -> Duration {
        thread_local! {
            static READ: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
        }
        match READ.get() {
            Some((at, read)) if now.saturating_duration_since(at) <= age_max => read,
            _ => {
                let time = clock_gettime(ClockId::ThreadCPUTime);
                let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
                let read = Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default());
                READ.set(Some((now, read)));
                read
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clocks that a test sets.
    struct Set {
        began: Instant,
        passed: Cell<Duration>,
        processor: Cell<Duration>,
    }

    impl Set {
        fn new() -> Self {
            Self { began: Instant::now(), passed: Cell::default(), processor: Cell::default() }
        }

        /// Lets time pass in which the thread works for `worked_ms` of `passed_ms`.
        fn pass(&self, passed_ms: u64, worked_ms: u64) {
            self.passed.set(self.passed.get() + Duration::from_millis(passed_ms));
            self.processor.set(self.processor.get() + Duration::from_millis(worked_ms));
        }
    }

    impl Clock for Set {
        fn now(&self) -> Instant {
            self.began + self.passed.get()
        }

        fn processor(&self, _: Instant, _: Duration) -> Duration {
            self.processor.get()
        }
    }

    #[test]
    fn only_what_the_processor_does_for_the_guest_counts() {
        let clock = Set::new();
        let mut counted = Counted::default();
        counted.gets_thread(&clock);
        clock.pass(30, 30);
        counted.host_call_begins(&clock);
        clock.pass(20, 5);
        // The host call waits, and goes on in a later turn.
        counted.leaves_thread(&clock);
        clock.pass(1_000, 400);
        counted.gets_thread(&clock);
        clock.pass(20, 5);
        counted.host_call_ends(&clock);
        clock.pass(7, 7);
        assert_eq!(counted.spent(&clock), Duration::from_millis(37));
        // The guest gives its thread back at a tick, and waits for another turn.
        counted.leaves_thread(&clock);
        clock.pass(500, 500);
        counted.gets_thread(&clock);
        clock.pass(3, 3);
        counted.leaves_thread(&clock);
        assert_eq!(counted.spent(&clock), Duration::from_millis(40));
    }

    #[test]
    fn a_thread_that_was_preempted_does_not_count() {
        let clock = Set::new();
        let mut counted = Counted::default();
        counted.gets_thread(&clock);
        clock.pass(90, 2);
        assert_eq!(counted.spent(&clock), Duration::from_millis(2));
        clock.pass(90, 2);
        counted.host_call_begins(&clock);
        assert_eq!(counted.spent(&clock), Duration::from_millis(4));
    }

    #[test]
    fn the_clock_of_the_thread_stands_still_while_the_thread_waits() {
        let wait = || std::thread::park_timeout(2 * SHORT);
        let guest = GuestTime::default();
        guest.lock().gets_thread(&Clocks);
        let began = Instant::now();
        while began.elapsed() < 20 * SHORT {
            wait();
        }
        let waited = began.elapsed();
        let spent = guest.spent();
        assert!(spent < waited / 2, "{spent:?} of {waited:?}");
        let busy = (0..50_000_000_u64).fold(0, |sum, number| std::hint::black_box(sum ^ number));
        assert!(guest.spent() > spent, "{busy}");
    }
}
