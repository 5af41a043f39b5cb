//! Simulated customers: checkouts at a rate that doesn't depend on the answers, and their results.
//!
//! ```text
//! arrivals ─ when ─┐
//! mix ────── what ─┴─ purchase ─ retry ─ client ─ the shop
//!                        └─ tally ─ summary
//! ```
//!
//! Invariants: requests are sent when they are due, however slow the shop is (an open loop), and latencies are measured
//! from that moment. A request without room is counted and never sent, not even later. Every checkout has a key of its
//! own and is sent again only with that key. Memory is bounded, by the requests under way and in the tally. This module
//! knows the shop only by HTTP, and only the command uses it.

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

/// How long the end waits for requests under way. Longer than an answer may take, so that only retries are cut off.
const UNDER_WAY: Duration = Duration::from_secs(15);

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub url: String,
    pub arrivals: Arrivals,
    /// The average rate; more than 0.
    pub rate_per_s: f64,
    /// The length of the run; without one it goes on until it is stopped.
    pub duration: Option<Duration>,
    /// The seed of the requests and their times, but not of the keys: with the same keys a second run would get the
    /// first one's answers.
    pub seed: u64,
    pub in_flight_max: usize,
    /// The share of malformed requests, 0 to 1.
    pub malformed: f64,
    /// The share of answered requests that are sent again, 0 to 1.
    pub repeated: f64,
    /// How often a request is sent again until its answer is final.
    pub retries: u32,
}

/// Sends requests until the duration is over or `ending` is cancelled, then waits for those under way, for 15 s or
/// until `abandoning` is cancelled. May be dropped midway: then no more requests are sent.
///
/// # Errors
/// If the address is invalid.
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
    // A thread of its own, because its sleeps are exact to some 50 µs, while tokio's timer is exact to a millisecond.
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

/// Calls `come` at each scheduled moment, with its number, until the duration is over or `stopped` has no sender any
/// more. Returns how long that was. After a late call the next one follows at once.
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

/// Makes a purchase at each moment.
struct Customers {
    shop: Arc<Shop>,
    requests: Mix,
    room: Arc<Semaphore>,
    retries: u32,
    /// The part of the keys that is unique to this run.
    run: u128,
    tally: Arc<Tally>,
    under_way: TaskTracker,
}

impl Customers {
    fn come(&mut self, number: usize, due: Instant) {
        // Drawn even for a request that isn't sent, so that the next one is the same either way.
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
