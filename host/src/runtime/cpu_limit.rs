//! The CPU limit of a call (`limits.guest_cpu_ms`, for a hook of track 0.2 `limits.hook_cpu_ms`): it interrupts a guest that has used up its processor time.
//!
//! [`GuestTime`] counts that time, without the time of the guest's host calls. It is compared with the limit at each tick of
//! the epoch and when the guest has answered.

use std::{sync::Arc, time::Duration};

use wasmtime::{Store, Trap, UpdateDeadline};

use super::{
    CpuLimit, GuestCall, Samples,
    ticker::{AtWork, TICK},
    turns::{BUSY_AFTER, BUSY_TURN, Turns},
};
use crate::imports::GuestTime;

/// Sets the store up to compare the guest's time with the limit at each tick of the epoch.
/// With `samples`, the guest's stack is counted there each time.
pub(super) fn arm(store: &mut Store<GuestCall>, limit: CpuLimit, samples: Option<Arc<Samples>>) {
    store.set_epoch_deadline(1);
    let cpu = Duration::from_millis(limit.ms);
    store.epoch_deadline_callback(move |store| {
        if let Some(samples) = &samples {
            samples.take(&store);
        }
        let time = store.data().imports.guest_time();
        let spent = time.spent();
        Ok(if spent >= cpu {
            UpdateDeadline::Interrupt
        } else if time.on_thread() < if time.is_busy() { BUSY_TURN } else { TICK } {
            // The tick passed while the guest waited, or its turn isn't over.
            UpdateDeadline::Continue(1)
        } else {
            // Lets other requests run, and lets the wall deadline see a busy guest.
            if spent >= BUSY_AFTER {
                time.mark_busy();
            }
            UpdateDeadline::Yield(1)
        })
    });
}

/// What a guest runs within: the turns of busy guests, its limit, and what has them looked at.
pub(super) struct Bounds<'a> {
    pub(super) turns: &'a Turns,
    pub(super) cpu: CpuLimit,
    pub(super) at_work: AtWork,
}

/// Runs the guest until it has answered, within its processor time.
///
/// # Errors
/// The guest's own. An interrupt when its time is used up, even if by its very last operation: a bulk operation isn't
/// interrupted, and takes longer the larger the memory is.
pub(super) async fn within<T>(
    Bounds { turns, cpu, at_work }: Bounds<'_>,
    time: &GuestTime,
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let answer = turns.run(time, guest).await?;
    drop(at_work);
    if time.spent() >= Duration::from_millis(cpu.ms) { Err(Trap::Interrupt.into()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ticker::Ticker;

    /// The epoch isn't checked within a guest's last operation.
    #[tokio::test]
    async fn an_answer_past_the_processor_time_is_none() {
        let ticker = Ticker::start().expect("a thread");
        let cpu = Duration::from_millis(50);
        let limit = CpuLimit { ms: 50, setting: "guest_cpu_ms" };
        let check = async |used: Duration, is_taken: bool| {
            let time = GuestTime::default();
            let guest = async {
                while time.spent() < used {
                    std::hint::spin_loop();
                }
                Ok(())
            };
            let bounds = Bounds { turns: &Turns::new(), cpu: limit, at_work: ticker.at_work() };
            let answer = within(bounds, &time, guest).await;
            let is_interrupt = answer.err().map(|error| error.downcast_ref() == Some(&Trap::Interrupt));
            assert_eq!(is_interrupt, (!is_taken).then_some(true), "{used:?}");
        };
        check(cpu / 4, true).await;
        check(cpu, false).await;
    }
}
