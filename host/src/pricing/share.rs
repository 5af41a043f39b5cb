//! Shares of amounts, without a float: a rounded part of an amount, and an amount shared out to the last minor unit.

use std::{cmp::Reverse, iter::zip};

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
    let (mut shares, remainders): (Vec<u128>, Vec<u128>) =
        weights.iter().map(|weight| divided(exact(weight), whole)).unzip();
    // Less than there are weights, because each remainder is less than a unit.
    let missing = u128::from(amount.amount()) - shares.iter().sum::<u128>();
    let mut by_remainder: Vec<_> =
        zip(zip(remainders, 0..).map(|(rest, place)| (Reverse(rest), place)), &mut shares).collect();
    let missing = usize::try_from(missing).unwrap_or(usize::MAX);
    if missing > 0 && missing < by_remainder.len() {
        by_remainder.select_nth_unstable_by_key(missing, |(key, _): &((Reverse<u128>, usize), &mut u128)| *key);
    }
    by_remainder.into_iter().take(missing).for_each(|(_, share)| *share += 1);
    shares.into_iter().map(MinorUnits::saturated).collect()
}

/// Returns quotient and remainder, for numbers of common amounts by the processor's own division.
fn divided(dividend: u128, divisor: u128) -> (u128, u128) {
    match (u64::try_from(dividend), u64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => ((dividend / divisor).into(), (dividend % divisor).into()),
        _ => (dividend / divisor, dividend % divisor),
    }
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::pricing::samples::{LARGEST, minor, rounded_part, shared_unit_by_unit};

    fn amounts(amounts: &[u64]) -> Vec<MinorUnits> {
        amounts.iter().map(|amount| minor(*amount)).collect()
    }

    #[test]
    fn a_part_is_rounded_half_up() {
        let check = |amount: u64, ppm: u32, expected: u64| {
            assert_eq!(part_of(minor(amount), ppm), minor(expected), "{ppm} of {amount}");
        };
        check(0, 1_000_000, 0);
        check(1, 499_999, 0);
        check(1, 500_000, 1);
        check(3, 500_000, 2);
        check(105, 100_000, 11);
        check(104, 100_000, 10);
        check(9_999, 88_750, 887);
        check(9_999, 0, 0);
        check(LARGEST, 1_000_000, LARGEST);
        check(LARGEST, 500_000, LARGEST / 2 + 1);
        // More than all of it is the callers' to refuse.
        check(100, 2_000_000, 200);
        check(LARGEST, u32::MAX, LARGEST);
    }

    #[test]
    fn an_amount_is_shared_by_largest_remainder() {
        let check = |amount: u64, weights: &[u64], expected: &[u64]| {
            assert_eq!(share(minor(amount), &amounts(weights)), amounts(expected), "{amount} over {weights:?}");
        };
        check(100, &[1, 1], &[50, 50]);
        check(100, &[1, 1, 1], &[34, 33, 33]);
        check(101, &[1, 1, 1], &[34, 34, 33]);
        // 2.5, 2.5 and 5.0: of equal remainders the first one's.
        check(10, &[25, 25, 50], &[3, 2, 5]);
        // 0.6, 0.9 and 1.5.
        check(3, &[20, 30, 50], &[1, 1, 1]);
        check(1, &[1, 2], &[0, 1]);
        check(7, &[0, 5, 0], &[0, 7, 0]);
        check(0, &[3, 4], &[0, 0]);
        check(5, &[0, 0], &[3, 2]);
        check(5, &[], &[]);
        check(LARGEST, &[LARGEST, LARGEST, LARGEST], &[LARGEST / 3 + 1, LARGEST / 3, LARGEST / 3]);
    }

    #[test]
    fn the_first_pieces_have_what_does_not_divide() {
        let check = |amount: u64, pieces: u32, first: u32, most: u64, expected: u64| {
            let spread = Spread::over(minor(amount), pieces);
            assert_eq!(spread.of_first(first, minor(most)), minor(expected), "{first} of {pieces} at {amount}");
        };
        check(1_000, 3, 1, LARGEST, 334);
        check(1_000, 3, 2, LARGEST, 667);
        check(1_000, 3, 3, LARGEST, 1_000);
        check(1_000, 3, 4, LARGEST, 1_000);
        check(1_000, 3, 0, LARGEST, 0);
        check(1_001, 3, 2, LARGEST, 668);
        // At most so much of each.
        check(1_000, 3, 3, 333, 999);
        check(1_000, 3, 3, 334, 1_000);
        check(1_000, 3, 2, 100, 200);
        check(LARGEST, 10_000, 10_000, LARGEST, LARGEST);
        check(LARGEST, 1, 1, LARGEST, LARGEST);
    }

    proptest! {
        #[test]
        fn shares_are_those_of_one_unit_after_the_other(amount in 0..200_u64, weights in vec(0..40_u64, 1..8)) {
            let shares = share(minor(amount), &amounts(&weights));
            prop_assert_eq!(shares, amounts(&shared_unit_by_unit(amount, &weights)));
        }

        #[test]
        fn no_share_loses_or_makes_a_unit(amount in 0..=LARGEST, weights in vec(0..=LARGEST, 1..100)) {
            let shares = share(minor(amount), &amounts(&weights));
            prop_assert_eq!(sum(&shares), minor(amount));
            let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
            for (share, weight) in shares.iter().zip(&weights).filter(|_| all > 0) {
                let exact = u128::from(amount) * u128::from(*weight);
                let share = u128::from(share.amount());
                prop_assert!(exact / all <= share && share <= exact.div_ceil(all));
            }
        }

        #[test]
        fn a_part_is_within_half_a_unit(amount in 0..=LARGEST, ppm in any::<u32>()) {
            let part = u128::from(part_of(minor(amount), ppm).amount());
            let exact = u128::from(amount) * u128::from(ppm);
            let is_within = (part * 2_000_000).abs_diff(exact * 2) <= 1_000_000;
            prop_assert!(is_within || part == u128::from(LARGEST));
        }

        #[test]
        fn a_part_is_that_of_the_plain_rule(amount in 0..100_000_u64, ppm in 0..=1_000_000_u32) {
            prop_assert_eq!(part_of(minor(amount), ppm), minor(rounded_part(amount, ppm.into())));
        }

        #[test]
        fn pieces_have_together_what_was_spread(
            amount in 0..=LARGEST, pieces in 1..=10_000_u32, first in 0..=10_000_u32,
        ) {
            let spread = Spread::over(minor(amount), pieces);
            prop_assert_eq!(spread.of_first(pieces, minor(LARGEST)), minor(amount));
            let each = u128::from(amount) / u128::from(pieces);
            let part = u128::from(spread.of_first(first, minor(LARGEST)).amount());
            let first = u128::from(first.min(pieces));
            prop_assert!(each * first <= part && part <= (each + 1) * first);
        }
    }
}
