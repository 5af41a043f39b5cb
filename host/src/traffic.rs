//! Customers, simulated: checkouts at a rate that no answer slows down, and what came of them.
//!
//! ```text
//! arrivals ─ when ─┐
//! mix ────── what ─┴─ purchase ─ retry ─ client ─ the shop
//!                        └─ tally ─ summary
//! ```
//!
//! Invariants: requests come when they are due, however slow the shop is (an open loop), and latencies are counted from
//! that moment; what there is no room for is counted and not sent, never sent later. Every checkout has a key of its own
//! and is sent again only under it. Memory is bounded: by the requests under way, and in the tally. It knows the shop
//! only by HTTP, and only the command uses it.

pub mod arrivals;
pub mod client;
pub mod malformed;
pub mod mix;
pub mod outcome;
mod purchase;
mod retry;
pub mod summary;
pub mod tally;

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use arrivals::{Arrivals, Schedule};
use client::Shop;
use mix::Mix;
use purchase::Purchase;
use summary::Summary;
use tally::Tally;

/// How long what is under way is waited for at the end. Longer than an answer may take, so that only what is being retried
/// is cut off.
const UNDER_WAY: Duration = Duration::from_secs(15);

/// The traffic that is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    pub url: String,
    pub arrivals: Arrivals,
    /// On average; more than 0.
    pub rate_per_s: f64,
    /// Until somebody ends it, without one.
    pub duration: Option<Duration>,
    /// Of what is asked for, and when. Not of the keys: a second run with the same ones would be told the first one's
    /// answers.
    pub seed: u64,
    pub in_flight_max: usize,
    /// The share that is malformed, 0 to 1.
    pub malformed: f64,
    /// The share that is sent once more when it has been answered, 0 to 1.
    pub repeated: f64,
    /// How often a request is sent again for an answer that stands.
    pub retries: u32,
}

/// Has the traffic come until its duration is over or `ending` is cancelled, then waits for what is under way, for 15 s or
/// until `abandoning` is cancelled. May be dropped midway: then no more requests come.
///
/// # Errors
/// When the address is none.
pub async fn run(
    plan: &Plan,
    tally: &Arc<Tally>,
    ending: &CancellationToken,
    abandoning: &CancellationToken,
) -> anyhow::Result<Summary> {
    let shop = Arc::new(Shop::new(&plan.url, plan.in_flight_max)?);
    let under_way = TaskTracker::new();
    let mut customers = Customers {
        shop,
        requests: Mix::new(plan.seed, plan.malformed, plan.repeated),
        room: Arc::new(Semaphore::new(plan.in_flight_max)),
        retries: plan.retries,
        run: rand::random(),
        tally: Arc::clone(tally),
        under_way: under_way.clone(),
    };
    let due = Schedule::new(plan.arrivals, plan.rate_per_s, plan.seed);
    let duration = plan.duration;
    // A thread of its own: its sleeps end within some 50 µs, where tokio's timer is as coarse as a millisecond.
    let (stop, stopped) = mpsc::channel();
    let mut pacing =
        tokio::task::spawn_blocking(move || pace(due, duration, &stopped, |number, due| customers.come(number, due)));
    let elapsed = tokio::select! {
        elapsed = &mut pacing => elapsed,
        () = ending.cancelled() => {
            drop(stop);
            pacing.await
        }
    };
    under_way.close();
    tokio::select! {
        () = under_way.wait() => {}
        () = abandoning.cancelled() => {}
        () = tokio::time::sleep(UNDER_WAY) => {}
    }
    Ok(Summary::new(plan, elapsed.context("pace the requests")?, tally.counts()))
}

/// Calls `come` at each moment that is due, with its number, until the duration is over or `stopped` has no sender any
/// more. Returns how long that was. One that is late is followed by the next at once.
fn pace(
    schedule: Schedule,
    duration: Option<Duration>,
    stopped: &mpsc::Receiver<()>,
    mut come: impl FnMut(usize, Instant),
) -> Duration {
    let began = Instant::now();
    let is_over_at = |due: Instant| {
        stopped.recv_timeout(due.saturating_duration_since(Instant::now())) != Err(mpsc::RecvTimeoutError::Timeout)
    };
    let in_time = |after: &Duration| duration.is_none_or(|duration| *after < duration);
    for (number, after) in schedule.take_while(in_time).enumerate() {
        let due = began + after;
        if is_over_at(due) {
            return began.elapsed();
        }
        come(number, due);
    }
    if let Some(duration) = duration
        && !is_over_at(began + duration)
    {
        return duration;
    }
    began.elapsed()
}

/// Who makes a purchase of each moment.
struct Customers {
    shop: Arc<Shop>,
    requests: Mix,
    room: Arc<Semaphore>,
    retries: u32,
    /// What the keys of this run have in common, and those of no other.
    run: u128,
    tally: Arc<Tally>,
    under_way: TaskTracker,
}

impl Customers {
    fn come(&mut self, number: usize, due: Instant) {
        // Also for one that isn't sent: the next request is the same either way.
        let Some(request) = self.requests.next() else { return };
        let room = Arc::clone(&self.room).try_acquire_owned();
        self.tally.offered(room.is_ok());
        let Ok(room) = room else { return };
        let purchase = Purchase { request, key: format!("till-traffic-{:032x}-{number}", self.run), due };
        let (shop, retries, tally) = (Arc::clone(&self.shop), self.retries, Arc::clone(&self.tally));
        self.under_way.spawn(async move {
            purchase.carry_out(shop, retries, tally).await;
            drop(room);
        });
    }
}

#[cfg(test)]
mod tests;
