//! The wall clock, as rows, spans and orders have it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::units::millis;

/// Returns the time now: Unix time, milliseconds; 0 before 1970.
#[must_use]
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since_epoch)
}
