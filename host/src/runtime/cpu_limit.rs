//! The CPU limit of a call (`limits.guest_cpu_ms`): it interrupts a guest that has used up its processor time.
//!
//! [`GuestTime`] counts that time, without the time of the guest's host calls. It is compared with the limit at each tick of
//! the epoch and when the guest has answered.

use std::time::Duration;

use wasmtime::{Store, Trap, UpdateDeadline};

use super::{
    GuestCall,
    ticker::{AtWork, TICK},
    turns::{BUSY_AFTER, BUSY_TURN, Turns},
};
use crate::{config::Limits, imports::GuestTime};

/// Sets the store up to compare the guest's time with the limit at each tick of the epoch.
pub(super) fn arm(store: &mut Store<GuestCall>, limits: &Limits) {
    store.set_epoch_deadline(1);
    let cpu = cpu_of_call(limits);
    store.epoch_deadline_callback(move |store| {
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

/// What a guest runs within: the turns of busy guests, the limits, and what has them looked at.
pub(super) struct Bounds<'a> {
    pub(super) turns: &'a Turns,
    pub(super) limits: &'a Limits,
    pub(super) at_work: AtWork,
}

/// Runs the guest until it has answered, within its processor time.
///
/// # Errors
/// The guest's own. An interrupt when its time is used up, even if by its very last operation: a bulk operation isn't
/// interrupted, and takes longer the larger the memory is.
pub(super) async fn within<T>(
    Bounds { turns, limits, at_work }: Bounds<'_>,
    time: &GuestTime,
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let answer = turns.run(time, guest).await?;
    drop(at_work);
    if time.spent() >= cpu_of_call(limits) { Err(Trap::Interrupt.into()) } else { Ok(answer) }
}

const fn cpu_of_call(limits: &Limits) -> Duration {
    Duration::from_millis(limits.guest_cpu_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Settings, Sources},
        runtime::ticker::Ticker,
    };

    /// The epoch isn't checked within a guest's last operation.
    #[tokio::test]
    async fn an_answer_past_the_processor_time_is_none() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        let ticker = Ticker::start().expect("a thread");
        let cpu = cpu_of_call(&limits);
        let check = async |used: Duration, is_taken: bool| {
            let time = GuestTime::default();
            let guest = async {
                while time.spent() < used {
                    std::hint::spin_loop();
                }
                Ok(())
            };
            let bounds = Bounds { turns: &Turns::new(), limits: &limits, at_work: ticker.at_work() };
            let answer = within(bounds, &time, guest).await;
            let is_interrupt = answer.err().map(|error| error.downcast_ref() == Some(&Trap::Interrupt));
            assert_eq!(is_interrupt, (!is_taken).then_some(true), "{used:?}");
        };
        check(cpu / 4, true).await;
        check(cpu, false).await;
    }
}
