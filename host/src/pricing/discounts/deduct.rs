//! What one candidate takes off what is left of the lines.

use std::iter::zip;

use super::{Candidate, Target, Value};
use crate::{
    order::MinorUnits,
    pricing::{
        Basket, BasketLine,
        share::{Spread, part_of, share, sum},
    },
};

impl Candidate {
    /// Returns how many pieces of each line of the basket the candidate is about. It is worked out once, because an
    /// offer is applied as often as others are tried before it.
    pub(super) fn pieces(&self, basket: &Basket) -> Vec<u32> {
        let of = |line: &BasketLine| {
            let all = line.quantity.pieces();
            match &self.target {
                Target::Lines(targets) => {
                    let target = targets.iter().find(|target| target.line == line.id);
                    target.map_or(0, |target| target.quantity.unwrap_or(all))
                }
                Target::Order(without) if without.contains(&line.id) => 0,
                Target::Order(_) => all,
            }
        };
        basket.lines.iter().map(of).collect()
    }

    /// Returns what comes off each line of the basket, given those pieces and what is left of each line; never more
    /// than that.
    pub(super) fn deductions(&self, pieces: &[u32], basket: &Basket, left: &[MinorUnits]) -> Vec<MinorUnits> {
        // What is left of the pieces, at most so much of each.
        let left_of_each = |most: MinorUnits| {
            let spread = |(line, left): (&BasketLine, &MinorUnits)| Spread::over(*left, line.quantity.pieces());
            let spreads = zip(&basket.lines, left).map(spread);
            zip(spreads, pieces).map(|(spread, pieces)| spread.of_first(*pieces, most)).collect::<Vec<_>>()
        };
        let all = left_of_each(MinorUnits::saturated(u128::MAX));
        let shared = |off: MinorUnits| share(off.min(sum(&all)), &all);
        match (self.value, &self.target) {
            (Value::Percentage(ppm), Target::Lines(_)) => all.iter().map(|left| part_of(*left, ppm)).collect(),
            (Value::Percentage(ppm), Target::Order(_)) => shared(part_of(sum(&all), ppm)),
            (Value::AmountOfEach(amount), Target::Lines(_)) => left_of_each(amount),
            (Value::Amount(amount) | Value::AmountOfEach(amount), _) => shared(amount),
        }
    }
}
