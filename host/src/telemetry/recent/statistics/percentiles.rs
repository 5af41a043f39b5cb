//! Exact percentiles, of all values and not of an estimate of their distribution.

use serde::Serialize;

/// Each is the smallest duration such that this share of all took no longer, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DurationPercentiles"))]
pub struct Percentiles {
    pub p50_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

impl Percentiles {
    /// Returns the percentiles of the durations, `None` if there are none.
    #[must_use]
    pub fn of(mut took_us: Vec<u64>) -> Option<Self> {
        took_us.sort_unstable();
        let at = |percent: usize| {
            let rank = (took_us.len() * percent).div_ceil(100);
            took_us.get(rank.checked_sub(1)?).copied()
        };
        Some(Self { p50_us: at(50)?, p95_us: at(95)?, p99_us: at(99)?, max_us: at(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let up_to = |last: u64| (1..=last).rev().collect::<Vec<_>>();
        for (values, expected) in [
            (vec![], None),
            (vec![7], Some([7, 7, 7, 7])),
            (vec![9, 1], Some([1, 9, 9, 9])),
            (up_to(10), Some([5, 10, 10, 10])),
            (up_to(100), Some([50, 95, 99, 100])),
            (up_to(1_000), Some([500, 950, 990, 1_000])),
            (up_to(101), Some([51, 96, 100, 101])),
            (vec![u64::MAX, 0, 0], Some([0, u64::MAX, u64::MAX, u64::MAX])),
        ] {
            let expected =
                expected.map(|[p50_us, p95_us, p99_us, max_us]| Percentiles { p50_us, p95_us, p99_us, max_us });
            assert_eq!(Percentiles::of(values.clone()), expected, "{values:?}");
        }
    }
}
