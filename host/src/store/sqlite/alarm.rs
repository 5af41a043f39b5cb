//! What the store logs by itself, because no caller's answer reports it: damage, and a write-ahead log that only grows.
//!
//! Each problem is logged once, when it begins, not at every commit or read that meets it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{DatabaseError, Outage, StoreError, open::bytes, queue::Unacknowledged};

/// Shared by the writer and the readers of one store.
#[derive(Debug)]
pub(super) struct Alarm {
    file: PathBuf,
    log: PathBuf,
    log_bytes_warn: u64,
    log_is_large: AtomicBool,
    damage_is_told: AtomicBool,
}

impl Alarm {
    pub(super) fn new(file: PathBuf, log: PathBuf, log_bytes_warn: u64) -> Arc<Self> {
        let (log_is_large, damage_is_told) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { file, log, log_bytes_warn, log_is_large, damage_is_told })
    }

    /// Returns the bytes of the write-ahead log, at the cost of a `stat`.
    pub(super) fn log_bytes(&self) -> u64 {
        bytes(&self.log)
    }

    /// Checks the log's size, and warns once if it is too large.
    pub(super) fn look_at_log(&self, bytes: u64) {
        let is_large = bytes > self.log_bytes_warn;
        if is_large && !self.log_is_large.swap(true, Relaxed) {
            let file = self.log.display();
            tracing::warn!(
                file = %file,
                bytes,
                "the write-ahead log {file} has grown to {} MiB (store.wal_warn_mib): something reads the store for long \
                 and keeps the log from being used anew; find it and end it before the disk is full",
                bytes >> 20
            );
        } else if !is_large {
            self.log_is_large.store(false, Relaxed);
        }
    }

    /// Checks whether a batch failed because of damage, and logs that once.
    pub(super) fn look_at_failure(&self, cause: &Unacknowledged) {
        if let Unacknowledged::Undone(Outage::Database(error)) | Unacknowledged::Unknown(error) = cause {
            self.look_at(error);
        }
    }

    fn look_at(&self, source: &DatabaseError) {
        if source.is_damage && !self.damage_is_told.swap(true, Relaxed) {
            let file = self.file.display();
            tracing::error!(
                file = %file,
                error = %source,
                "the order store {file} is damaged: stop till and ask `till doctor`; what can't be read is answered with \
                 503, and `till restore` puts a backup in its place"
            );
        }
    }

    /// Checks a reader's result in the same way.
    pub(super) fn look_at_answer<T>(&self, answer: &Result<T, StoreError>) {
        if let Err(StoreError::Unavailable(Outage::Database(error))) = answer {
            self.look_at(error);
        }
    }
}
