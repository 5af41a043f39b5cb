//! Shares of amounts, without a float: a rounded part of an amount, and an amount shared out to the last minor unit.

use crate::order::MinorUnits;

/// All of something, in parts per million.
pub(super) const ALL_PPM: u32 = 1_000_000;

/// Returns so many parts per million of an amount, rounded half up; at most the largest amount.
pub(super) fn part_of(amount: MinorUnits, ppm: u32) -> MinorUnits {
    let all = u128::from(ALL_PPM);
    MinorUnits::saturated((u128::from(amount.amount()) * u128::from(ppm) + all / 2) / all)
}

/// Returns the sum; at most the largest amount.
pub(super) fn sum(amounts: &[MinorUnits]) -> MinorUnits {
    MinorUnits::saturated(amounts.iter().map(|amount| u128::from(amount.amount())).sum())
}

/// Returns an amount shared in proportion to the weights, by largest remainder; of equal remainders the first has the
/// minor unit. The shares' sum is the amount, except without weights. If all weights are 0, they count as equal.
///
/// A share of an amount that is at most the weights' sum is at most its own weight.
pub(super) fn share(amount: MinorUnits, weights: &[MinorUnits]) -> Vec<MinorUnits> {
    let sum: u128 = weights.iter().map(|weight| u128::from(weight.amount())).sum();
    let weight_of = |weight: &MinorUnits| if sum == 0 { 1 } else { u128::from(weight.amount()) };
    let whole = if sum == 0 { weights.len() as u128 } else { sum };
    if whole == 0 {
        return Vec::new();
    }
    // Below 2^106: both factors are amounts.
    let exact = |weight: &MinorUnits| u128::from(amount.amount()) * weight_of(weight);
    let mut shares: Vec<u128> = weights.iter().map(|weight| exact(weight) / whole).collect();
    let missing = u128::from(amount.amount()) - shares.iter().sum::<u128>();
    let mut by_remainder: Vec<_> = weights.iter().map(|weight| exact(weight) % whole).zip(&mut shares).collect();
    // The sort is stable, so the first of equal remainders stays first.
    by_remainder.sort_by(|(one, _), (other, _)| other.cmp(one));
    for (_, (_, share)) in (0..missing).zip(by_remainder) {
        *share += 1;
    }
    shares.into_iter().map(MinorUnits::saturated).collect()
}

/// An amount spread over pieces: the first `dearer` of them have a minor unit more than `each`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) each: u64,
    pub(super) dearer: u32,
    pub(super) pieces: u32,
}

impl Spread {
    /// Spreads an amount evenly. Over no pieces, everything is lost; quantities are at least 1.
    pub(super) fn over(amount: MinorUnits, pieces: u32) -> Self {
        let count = u64::from(pieces.max(1));
        let (each, rest) = (amount.amount() / count, amount.amount() % count);
        // The remainder is below a u32.
        Self { each, dearer: u32::try_from(rest).unwrap_or(0), pieces }
    }

    /// Returns what the first pieces have together, at most `most` each.
    pub(super) fn of_first(self, pieces: u32, most: MinorUnits) -> MinorUnits {
        let pieces = pieces.min(self.pieces);
        let dearer = pieces.min(self.dearer);
        let sum = |count: u32, each: u64| u128::from(count) * u128::from(each.min(most.amount()));
        MinorUnits::saturated(sum(dearer, self.each.saturating_add(1)) + sum(pieces - dearer, self.each))
    }
}
