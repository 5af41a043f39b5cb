//! Decides on which threads guests run, and for how long at a time.
//!
//! A guest's short turn runs on the thread that polls its call. A busy guest (it has used some milliseconds of
//! processor time, or holds so much memory that a single operation may take that long) would keep that thread from its
//! other work, `/livez` included. So its turns run in `block_in_place`, as many at once as there are cores. The other
//! busy guests wait, which doesn't count as processor time.
//!
//! Invariant: a guest that has a turn doesn't wait for another one. The inventory's guest within a busy checkout's runs
//! in the checkout's turn.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::ready,
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::block_in_place,
};

use crate::{imports::GuestTime, units::MIB};

/// A guest that has used this much processor time is busy. A checkout takes well under a millisecond.
pub(super) const BUSY_AFTER: Duration = Duration::from_millis(5);
/// The length of a busy guest's turn. Handing the runtime's work to another thread takes some ten microseconds each
/// time.
pub(super) const BUSY_TURN: Duration = Duration::from_millis(10);
/// A guest with more memory counts as busy: writing over all of it once may take milliseconds.
pub(super) const BUSY_MEMORY_BYTES: u64 = 16 * MIB as u64;

/// Permits for the turns of busy guests. One set per engine.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

impl Turns {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Runs the guest to its end, and counts its time.
    pub(super) async fn run<F: Future>(&self, time: &GuestTime, guest: F) -> F::Output {
        let mut guest = pin!(guest);
        let mut waiting: Option<Waiting> = None;
        poll_fn(|context| {
            if !time.is_busy() || IN_BUSY_TURN.get() || !has_other_threads() {
                return time.poll(guest.as_mut(), context);
            }
            let turn = waiting.get_or_insert_with(|| Box::pin(Arc::clone(&self.0).acquire_owned()));
            // The semaphore is never closed.
            let turn = ready!(turn.as_mut().poll(context)).ok();
            waiting = None;
            let polled = block_in_place(|| {
                let _turn = InBusyTurn::enter();
                time.poll(guest.as_mut(), context)
            });
            drop(turn);
            polled
        })
        .await
    }
}

thread_local! {
    /// Whether this thread is running a busy guest's turn.
    static IN_BUSY_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Sets [`IN_BUSY_TURN`] until it is dropped, also by a panic.
struct InBusyTurn;

impl InBusyTurn {
    fn enter() -> Self {
        IN_BUSY_TURN.set(true);
        Self
    }
}

impl Drop for InBusyTurn {
    fn drop(&mut self) {
        IN_BUSY_TURN.set(false);
    }
}

/// Returns whether the runtime can go on elsewhere while this thread is busy.
pub(super) fn has_other_threads() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        thread,
    };

    use super::*;

    /// The guest's second turn lasts until the only thread of the runtime has done other work.
    #[test]
    fn a_busy_guest_does_not_hold_up_the_runtime() {
        let (done, is_done) = mpsc::channel();
        let is_done = Mutex::new(is_done);
        let time = GuestTime::default();
        let guest = async move {
            time.mark_busy();
            let other = async {
                tokio::task::yield_now().await;
                tokio::spawn(async move { done.send(thread::current().id()) });
                is_done.lock().expect("no panic").recv().expect("the runtime goes on")
            };
            let elsewhere = Turns::new().run(&time, other).await;
            assert_ne!(elsewhere, thread::current().id());
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        runtime.block_on(async { tokio::spawn(guest).await.expect("no panic") });
    }

    /// More busy calls than there are turns, each around another busy call.
    #[test]
    fn busy_guests_within_busy_guests_wait_for_nobody() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        let turns = Arc::new(Turns(Arc::new(Semaphore::new(1))));
        let call = |turns: Arc<Turns>| async move {
            let busy = || {
                let time = GuestTime::default();
                time.mark_busy();
                time
            };
            let (outer, inner) = (busy(), busy());
            let nested = turns.run(&inner, async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            });
            turns.run(&outer, nested).await;
        };
        runtime.block_on(async {
            let calls: Vec<_> = (0..16).map(|_| tokio::spawn(call(Arc::clone(&turns)))).collect();
            for call in calls {
                call.await.expect("no panic");
            }
        });
    }
}
