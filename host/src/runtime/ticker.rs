//! The clock of the epochs: every [`TICK`], guests at work are looked at.
//!
//! It runs on a thread of the system's, so that busy guests can't hold it up. While no guest is at work the thread sleeps: a
//! thousand wakeups a second would cost an idle host more than everything else it does.
//!
//! Invariant: whoever runs a guest holds an [`AtWork`] meanwhile, which [`within`](super::cpu_limit::within) asks for; without one
//! the guest's limits would silently not be looked at.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use parking_lot::Mutex;
use wasmtime::EngineWeak;

/// How often a running guest is interrupted: to check its processor time, and to give other tasks its thread.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// After so many ticks without a guest the thread sleeps until there is one. To wake it costs a caller some microseconds.
const TICKS_UNUSED_MAX: u32 = 100;

/// Advances the epochs while guests are at work, until it is dropped.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    /// Guests at work.
    at_work: AtomicUsize,
    /// Whether the thread sleeps, or is about to.
    sleeps: AtomicBool,
    /// The engines of all pools that may still have calls.
    engines: Mutex<Vec<EngineWeak>>,
}

impl Ticker {
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let ticking = Arc::clone(&shared);
        let thread = thread::Builder::new().name("epoch-ticker".into()).spawn(move || ticking.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Advances this engine's epoch, too, until the engine is dropped.
    pub(super) fn tick(&self, engine: &wasmtime::Engine) {
        self.shared.engines.lock().push(engine.weak());
    }

    /// Has the epochs advance until the returned value is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        // Counted before the look at `sleeps`, as `run` sets that before its look at the count: one of them sees the other.
        self.shared.at_work.fetch_add(1, Ordering::SeqCst);
        if self.shared.sleeps.load(Ordering::SeqCst) {
            self.wake();
        }
        AtWork(Arc::clone(&self.shared))
    }

    fn wake(&self) {
        self.thread.as_ref().map(JoinHandle::thread).inspect(|thread: &&Thread| thread.unpark());
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread never panics; if it did, the engine is being dropped anyway.
            _ = thread.join();
        }
    }
}

/// A guest at work, until it is dropped.
pub(super) struct AtWork(Arc<Shared>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self) {
        let mut unused = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            thread::sleep(TICK);
            let tick = |engine: &EngineWeak| engine.upgrade().map(|engine| engine.increment_epoch()).is_some();
            self.engines.lock().retain(tick);
            unused = if self.is_unused() { unused + 1 } else { 0 };
            if unused >= TICKS_UNUSED_MAX {
                self.sleep();
                unused = 0;
            }
        }
    }

    /// Sleeps until a guest is at work, or the ticker is stopped.
    fn sleep(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
        while self.is_unused() && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }

    fn is_unused(&self) -> bool {
        self.at_work.load(Ordering::SeqCst) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits until the thread sleeps or is awake.
    fn wait_until_it(sleeps: bool, ticker: &Ticker) {
        let began = Instant::now();
        while ticker.shared.sleeps.load(Ordering::SeqCst) != sleeps {
            assert!(began.elapsed() < Duration::from_secs(30), "sleeps: {sleeps}");
            thread::yield_now();
        }
    }

    #[test]
    fn the_ticker_sleeps_while_no_guest_is_at_work_and_is_woken_by_the_next() {
        let ticker = Ticker::start().expect("a thread");
        for _ in 0..3 {
            wait_until_it(true, &ticker);
            let guest = ticker.at_work();
            wait_until_it(false, &ticker);
            let other = ticker.at_work();
            drop(guest);
            thread::sleep(3 * TICKS_UNUSED_MAX * TICK);
            assert!(!ticker.shared.sleeps.load(Ordering::SeqCst), "a guest is at work");
            drop(other);
        }
        // A ticker that sleeps ends when it is dropped.
        wait_until_it(true, &ticker);
        drop(ticker);
    }
}
