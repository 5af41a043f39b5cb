//! How many requests are at work at once, and how many may wait for that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::config::Limits;

/// A bounded place of work with a bounded queue before it.
#[derive(Debug)]
pub(super) struct Permits {
    at_work: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait: Duration,
}

impl Permits {
    pub(super) fn new(limits: &Limits, at_work: usize) -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(at_work)),
            waiting: AtomicUsize::new(0),
            waiting_max: limits.queued_requests,
            wait: Duration::from_millis(limits.queue_ms),
        }
    }

    /// Returns whether there is neither a place to work nor one to wait.
    pub(super) fn is_full(&self) -> bool {
        self.at_work.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.waiting_max
    }

    /// Returns the right to work, which ends when it is dropped.
    ///
    /// # Errors
    /// 503 when the queue is full, or nothing got free in time.
    pub(super) async fn acquire(&self) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(permit) = Arc::clone(&self.at_work).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::enter(&self.waiting);
        if waiting.before >= self.waiting_max {
            return Err(Problem::shed());
        }
        let acquired = tokio::time::timeout(self.wait, Arc::clone(&self.at_work).acquire_owned()).await;
        acquired.ok().and_then(Result::ok).ok_or_else(Problem::shed)
    }
}

/// A place in the queue; given back also when the request goes away midway.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { before: count.fetch_add(1, Ordering::Relaxed), count }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
