//! When requests are due. The schedule doesn't depend on the shop: customers don't come more slowly because others
//! wait.

use std::time::Duration;

use clap::ValueEnum;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

/// The distribution of the times between requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Exponentially distributed, as for independent customers.
    Poisson,
    /// All equal.
    Constant,
}

/// An endless sequence of moments, counted from the beginning. The same seed gives the same moments.
#[derive(Debug)]
pub struct Schedule {
    arrivals: Arrivals,
    rate_per_s: f64,
    /// In units of the mean gap, which adds up more exactly than seconds.
    at: f64,
    dice: StdRng,
}

impl Schedule {
    /// Returns a schedule with `rate_per_s` requests a second on average, more than 0. At a constant rate the first is
    /// at the beginning.
    #[must_use]
    pub fn new(arrivals: Arrivals, rate_per_s: f64, seed: u64) -> Self {
        // Not the same generator as the mix, which has the same seed: otherwise the gaps would be correlated with the
        // carts.
        Self { arrivals, rate_per_s, at: 0.0, dice: StdRng::seed_from_u64(!seed) }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let at = match self.arrivals {
            Arrivals::Constant => {
                self.at += 1.0;
                self.at - 1.0
            }
            Arrivals::Poisson => {
                // Never the logarithm of 0, because the number drawn is below 1.
                self.at -= (1.0 - self.dice.random::<f64>()).ln();
                self.at
            }
        };
        Duration::try_from_secs_f64(at / self.rate_per_s).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_have_the_mean_and_the_spread_that_was_asked_for() {
        for (arrivals, spread) in [(Arrivals::Constant, 0.0), (Arrivals::Poisson, 1.0)] {
            let moments: Vec<f64> = Schedule::new(arrivals, 50.0, 1).take(20_001).map(|at| at.as_secs_f64()).collect();
            let gaps: Vec<f64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let mean = gaps.iter().sum::<f64>() / 20_000.0;
            let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!((mean * 50.0 - 1.0).abs() < 0.03, "{arrivals:?}: a mean of {mean} s");
            // An exponential's standard deviation is its mean.
            assert!((variance.sqrt() / mean - spread).abs() < 0.05, "{arrivals:?}: {}", variance.sqrt() / mean);
        }
    }

    #[test]
    fn a_seed_has_its_moments() {
        let moments = |seed| Schedule::new(Arrivals::Poisson, 5.0, seed).take(100).collect::<Vec<_>>();
        assert_eq!(moments(1), moments(1));
        assert_ne!(moments(1), moments(2));
        let third = Schedule::new(Arrivals::Constant, 4.0, 1).nth(2);
        assert_eq!(third, Some(Duration::from_millis(500)));
    }
}
