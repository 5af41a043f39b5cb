//! How long things took, so finely that a percentile is a time that somebody really waited, and never more than the
//! longest.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::units::micros;

/// The longest latency that is recorded exactly, an hour: far more than the longest series of retries that a person
/// waits for.
const LATENCY_US_MAX: u64 = 3_600_000_000;
/// Significant digits of a recorded latency.
const LATENCY_DIGITS: u8 = 3;

/// How long things took, in microseconds. A percentile is within 0.1 %, the longest is exact.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
    max_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants: 1 is the least, and 1 to 5 digits are fine")]
        let histogram = Histogram::new_with_bounds(1, LATENCY_US_MAX, LATENCY_DIGITS).expect("sound bounds");
        Self { histogram, max_us: 0 }
    }
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        let latency_us = micros(latency).clamp(1, LATENCY_US_MAX);
        self.histogram.saturating_record(latency_us);
        self.max_us = self.max_us.max(latency_us);
    }

    pub fn add(&mut self, other: &Self) {
        // Both histograms have the same bounds, so no value is out of range.
        _ = self.histogram.add(&other.histogram);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Removes all latencies and keeps the allocated memory.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.max_us = 0;
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Returns the latency that `percent` of the recorded ones don't exceed, in milliseconds; 0 if none was recorded.
    #[must_use]
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        millis(Duration::from_micros(self.histogram.value_at_percentile(percent).min(self.max_us)))
    }
}

/// Returns the duration in milliseconds, to the microsecond.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
