//! Limits how many requests are at work at once, and how many may wait for that.
//!
//! A steady load is served as long as its queue fits. A queue that grows would only make everybody wait, so a request
//! that would wait longer than `limits.queue_ms` is refused at once, instead of after having waited. The wait is
//! estimated from how long the last requests have held their permits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Limits, units::micros};

/// In the mean of how long permits are held, the newest request counts for an eighth.
const NEWEST_SHARE: u64 = 8;

/// A bounded number of permits, with a bounded queue for them.
#[derive(Debug)]
pub struct Permits {
    at_work: Arc<Semaphore>,
    places: u64,
    /// For how long a permit is held, about.
    held: Arc<HeldMicros>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait: Duration,
}

/// There is no free permit, and the queue is full or the wait would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The right to work, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    since: Instant,
    held: Arc<HeldMicros>,
}

impl Permits {
    pub(super) fn new(limits: &Limits, at_work: usize) -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(at_work)),
            places: at_work.max(1) as u64,
            held: Arc::default(),
            waiting: AtomicUsize::new(0),
            waiting_max: limits.queued_requests,
            wait: Duration::from_millis(limits.queue_ms),
        }
    }

    /// Returns whether there is neither a free permit nor a place in the queue.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.at_work.available_permits() == 0 && self.waiting.load(Relaxed) >= self.waiting_max
    }

    /// Returns the right to work, which ends when it is dropped.
    ///
    /// # Errors
    /// At once if the queue is full or would take too long; otherwise if no permit became free in time.
    pub async fn acquire(&self) -> Result<Permit, Full> {
        if let Ok(place) = Arc::clone(&self.at_work).try_acquire_owned() {
            return Ok(self.permit(place));
        }
        let waiting = Waiting::enter(&self.waiting);
        if waiting.before >= self.waiting_max || self.wait_behind(waiting.before) > self.wait {
            return Err(Full);
        }
        let acquired = tokio::time::timeout(self.wait, Arc::clone(&self.at_work).acquire_owned()).await;
        let place = acquired.ok().and_then(Result::ok).ok_or(Full)?;
        Ok(self.permit(place))
    }

    fn permit(&self, place: OwnedSemaphorePermit) -> Permit {
        Permit { _place: place, since: Instant::now(), held: Arc::clone(&self.held) }
    }

    /// Returns the estimated wait behind `others`.
    fn wait_behind(&self, others: usize) -> Duration {
        Duration::from_micros(self.held.mean().saturating_mul(others as u64 + 1) / self.places)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.held.count(self.since.elapsed());
    }
}

/// The mean time for which the last few permits were held, in microseconds; 0 before the first.
#[derive(Debug, Default)]
struct HeldMicros(AtomicU64);

impl HeldMicros {
    fn mean(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Counts a time. Two at the same moment may count as one: the mean is an estimate.
    fn count(&self, held: Duration) {
        let newest = micros(held);
        let mean = self.mean();
        let next = if mean == 0 { newest } else { mean - mean / NEWEST_SHARE + newest / NEWEST_SHARE };
        self.0.store(next, Relaxed);
    }
}

/// A place in the queue; given back when it is dropped, also when the request is cancelled.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { before: count.fetch_add(1, Relaxed), count }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;
    use crate::config::{Settings, Sources};

    /// Permits that were held for 40 ms each lately, all of them taken, with a queue of 512 as on two cores.
    fn taken(places: usize) -> (Arc<Permits>, Vec<Permit>) {
        let mut sources = Sources::defaults();
        sources.add_flag("limits.queued_requests", "512", "a test").expect("a limit");
        let permits = Arc::new(Permits::new(&Settings::load(&sources).expect("usable").limits, places));
        permits.held.count(Duration::from_millis(40));
        let at_work = (0..places).map(|_| {
            let place = Arc::clone(&permits.at_work).try_acquire_owned();
            permits.permit(place.expect("it is free"))
        });
        let at_work = at_work.collect();
        (permits, at_work)
    }

    /// Lets `customers` ask for a permit; returns those that wait for one, and how many were refused at once.
    async fn ask(permits: &Arc<Permits>, customers: usize) -> (Vec<JoinHandle<bool>>, usize) {
        let customers = (0..customers).map(|_| {
            let permits = Arc::clone(permits);
            tokio::spawn(async move { permits.acquire().await.is_ok() })
        });
        let customers: Vec<_> = customers.collect();
        // Each has its turn on this thread.
        for _ in &customers {
            tokio::task::yield_now().await;
        }
        let asked = customers.len();
        let waiting: Vec<_> = customers.into_iter().filter(|customer| !customer.is_finished()).collect();
        let refused = asked - waiting.len();
        (waiting, refused)
    }

    /// Issue 14.10: no request could wait for more than 25 ms, so 256 customers got 503s from a checkout of 40 ms.
    #[tokio::test]
    async fn a_steady_crowd_that_fits_is_served() {
        let (permits, at_work) = taken(128);
        let (waiting, refused) = ask(&permits, 512).await;
        assert_eq!((waiting.len(), refused), (512, 0));
        drop(at_work);
        for customer in waiting {
            assert!(customer.await.expect("no panic"), "a place got free");
        }
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_refused_at_once() {
        let check = async |places: usize, customers: usize, waiting: usize| {
            let (permits, _at_work) = taken(places);
            let asked = ask(&permits, customers).await;
            assert_eq!((asked.0.len(), asked.1), (waiting, customers - waiting), "{places} places");
        };
        // The queue is full.
        check(128, 600, 512).await;
        // 8 places serve 200 in the second that one may wait.
        check(8, 300, 200).await;
    }
}
