//! The readers: a few read-only connections, used on blocking threads.
//!
//! A reader sees the last commit, never an unfinished batch. Readers never keep a transaction open beyond one
//! statement, or the write-ahead log couldn't be reused.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Outage, StoreError, alarm::Alarm, open};

/// The read-only connections: opened when first needed, one a permit.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    permits: Arc<Semaphore>,
    count: usize,
    wait_max: Duration,
    idle: Arc<Mutex<Vec<Connection>>>,
    alarm: Arc<Alarm>,
}

impl Readers {
    /// Each costs up to 2 MB of cache and a blocking thread while it reads.
    const COUNT_MAX: usize = 64;

    pub(super) fn new(file: PathBuf, count: usize, wait_max: Duration, alarm: Arc<Alarm>) -> Self {
        let count = count.clamp(1, Self::COUNT_MAX);
        let permits = Arc::new(Semaphore::new(count));
        Self { file, permits, count, wait_max, idle: Arc::default(), alarm }
    }

    /// Returns the result of `read` on the last commit. If the future is dropped, the read still runs to its end.
    ///
    /// # Errors
    /// `Overloaded` when no connection is free within `wait_max`.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = tokio::time::timeout(self.wait_max, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit
            .map_err(|_elapsed| StoreError::Overloaded { queued_max: self.count })?
            .map_err(|_closed| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let file = self.file.clone();
        let wait_max = self.wait_max;
        let reading = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().pop();
            let connection = match kept {
                Some(connection) => connection,
                None => open::for_reading(&file, false, wait_max)?,
            };
            let outcome = read(&connection);
            idle.lock().push(connection);
            drop(permit);
            outcome
        });
        // A blocking task has no outcome only after a panic or the runtime's end.
        let answer = reading.await.unwrap_or(Err(StoreError::Unavailable(Outage::ReaderGone)));
        self.alarm.look_at_answer(&answer);
        answer
    }

    /// Waits for the running reads, then closes the file. Later reads are refused.
    pub(super) async fn close(&self) {
        // Fails only if the readers were closed before.
        if let Ok(all) = self.permits.acquire_many(u32::try_from(self.count).unwrap_or(u32::MAX)).await {
            self.permits.close();
            drop(all);
        }
        self.idle.lock().clear();
    }
}
