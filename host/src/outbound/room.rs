//! How many requests are under way at once, and how much memory their bodies take.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::{error::HttpError, grant::Grant};

/// The room for requests under way.
#[derive(Debug)]
pub(super) struct Room {
    requests: Semaphore,
    /// One permit a KiB.
    bodies: Semaphore,
    kib: u32,
}

impl Room {
    pub(super) fn new(requests: usize, bodies_mib: usize) -> Self {
        let kib = u32::try_from(bodies_mib.saturating_mul(1024)).unwrap_or(u32::MAX);
        let bodies = usize::try_from(kib).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let requests = Semaphore::new(requests.min(Semaphore::MAX_PERMITS));
        Self { requests, bodies: Semaphore::new(bodies), kib }
    }

    /// Waits until a request under this grant has its place. The place is taken until the permits are dropped.
    ///
    /// A grant of more than all memory takes all of it, and so goes alone.
    pub(super) async fn wait_for_place(&self, grant: &Grant) -> Result<[SemaphorePermit<'_>; 2], HttpError> {
        let closed = |error: AcquireError| HttpError::NotSent(error.to_string());
        // The body of the request and that of its answer.
        let kib = u32::try_from(grant.kib.saturating_mul(2)).unwrap_or(u32::MAX).min(self.kib);
        let request = self.requests.acquire().await.map_err(closed)?;
        Ok([request, self.bodies.acquire_many(kib).await.map_err(closed)?])
    }
}
