//! What one candidate takes off what is left of the lines.

use std::iter::zip;

use super::{Candidate, LineTarget, Target, Value};
use crate::{
    order::MinorUnits,
    pricing::{
        Basket, BasketLine, LineId,
        share::{Spread, part_of, share, sum},
    },
};

impl Candidate {
    /// Returns what comes off each line of the basket, given what is left of each; never more than that.
    pub(super) fn deductions(&self, basket: &Basket, left: &[MinorUnits]) -> Vec<MinorUnits> {
        match &self.target {
            Target::Lines(targets) => self.value.off_lines(targets, basket, left),
            Target::Order(without) => self.value.off_order(without, basket, left),
        }
    }
}

impl Value {
    fn off_lines(self, targets: &[LineTarget], basket: &Basket, left: &[MinorUnits]) -> Vec<MinorUnits> {
        // What is left of the targets' pieces, at most so much of each.
        let left_of_each = |most: MinorUnits| {
            let left_of = |(line, left): (&BasketLine, &MinorUnits)| {
                let pieces = line.quantity.pieces();
                let target = targets.iter().find(|target| target.line == line.id);
                let meant = target.map_or(0, |target| target.quantity.unwrap_or(pieces));
                Spread::over(*left, pieces).of_first(meant, most)
            };
            zip(&basket.lines, left).map(left_of).collect::<Vec<_>>()
        };
        let all = || left_of_each(MinorUnits::saturated(u128::MAX));
        match self {
            Self::Percentage(ppm) => all().into_iter().map(|left| part_of(left, ppm)).collect(),
            Self::Amount(amount) => {
                let weights = all();
                share(amount.min(sum(&weights)), &weights)
            }
            Self::AmountOfEach(amount) => left_of_each(amount),
        }
    }

    fn off_order(self, without: &[LineId], basket: &Basket, left: &[MinorUnits]) -> Vec<MinorUnits> {
        let weight = |(line, left): (&BasketLine, &MinorUnits)| {
            if without.contains(&line.id) { MinorUnits::ZERO } else { *left }
        };
        let weights: Vec<_> = zip(&basket.lines, left).map(weight).collect();
        let all = sum(&weights);
        let off = match self {
            Self::Percentage(ppm) => part_of(all, ppm),
            Self::Amount(amount) | Self::AmountOfEach(amount) => amount.min(all),
        };
        share(off, &weights)
    }
}
