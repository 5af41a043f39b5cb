//! Discounts on lines and on their sum.
//!
//! What is left of a line is spread evenly over its pieces; the first of them have the minor unit that doesn't divide.
//! So a discount on some pieces of a line comes off what earlier discounts have left of those.
//!
//! The shop's cap is applied while offers are taken: an offer is taken if it combines with those taken before, and if
//! they all together, applied lines first, stay within the cap. An offer that the cap excludes therefore keeps no other
//! out.

mod combine;
mod deduct;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    BadOutput, Basket, Fault, LineId, Place,
    bad_output::{count, is_twice},
    codes::{CODES_MAX, CodeVerdict, check_entered},
    offers::{
        Applied, CANDIDATES_MAX, Choice, Class, Classes, CodeUse, Dropped, OFFERS_MAX, TARGETS_MAX, Taken, check_ppm,
    },
};
use crate::order::MinorUnits;

/// How much comes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Parts per million of the target.
    Percentage(u32),
    Amount(MinorUnits),
    AmountOfEach(MinorUnits),
}

/// A line, or the first pieces of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineTarget {
    pub line: LineId,
    pub quantity: Option<u32>,
}

/// What it comes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    Lines(Vec<LineTarget>),
    /// The lines' sum without these.
    Order(Vec<LineId>),
}

/// One discount that an offer could give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub title: String,
    pub value: Value,
    pub target: Target,
    pub code: Option<String>,
}

/// What a plugin would give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    #[serde(default)]
    pub candidates: Vec<Candidate>,
    pub choose: Choice,
    #[serde(default)]
    pub combines_with: Classes,
}

/// A plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decision {
    pub offers: Vec<Offer>,
    pub codes: Vec<CodeVerdict>,
}

/// The checked answer of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOffers {
    by: Arc<str>,
    offers: Vec<Offer>,
    codes: Vec<CodeVerdict>,
}

impl LineOffers {
    /// Checks an installation's answer about a basket and the entered codes.
    ///
    /// # Errors
    /// Names the first part of the answer that breaks a rule, and the rule.
    pub fn checked(by: Arc<str>, decision: Decision, basket: &Basket, entered: &[String]) -> Result<Self, BadOutput> {
        let Decision { offers, codes } = decision;
        let whole = |fault| Place::Answer.has(fault);
        count("offers", offers.len(), (0, OFFERS_MAX)).map_err(whole)?;
        count("codes", codes.len(), (0, CODES_MAX)).map_err(whole)?;
        for (index, said) in codes.iter().enumerate() {
            let fault = |fault| Place::Code(index).has(fault);
            check_entered(&said.code, entered).map_err(fault)?;
            if codes.iter().take(index).any(|earlier| earlier.code == said.code) {
                return Err(fault(Fault::CodeTwice(said.code.clone())));
            }
        }
        for (index, offer) in offers.iter().enumerate() {
            offer.check(index, basket, entered)?;
        }
        // Every offer is valued anew for every other one: the sum is what bounds the work.
        let candidates = offers.iter().map(|offer| offer.candidates.len()).sum();
        count("candidates", candidates, (0, CANDIDATES_MAX)).map_err(whole)?;
        Ok(Self { by, offers, codes })
    }
}

impl Offer {
    fn check(&self, offer: usize, basket: &Basket, entered: &[String]) -> Result<(), BadOutput> {
        let fault = |fault| Place::Offer(offer).has(fault);
        count("candidates", self.candidates.len(), (1, CANDIDATES_MAX)).map_err(fault)?;
        let class = self.class();
        if self.candidates.iter().any(|candidate| candidate.target.class() != class) {
            return Err(fault(Fault::MixedTargets));
        }
        for (index, candidate) in self.candidates.iter().enumerate() {
            let place = Place::Candidate { offer, candidate: index };
            candidate.check(basket, entered).map_err(|fault| place.has(fault))?;
        }
        Ok(())
    }

    /// Returns the class of the first candidate, which all others share.
    fn class(&self) -> Class {
        self.candidates.first().map_or(Class::Order, |candidate| candidate.target.class())
    }
}

impl Candidate {
    fn check(&self, basket: &Basket, entered: &[String]) -> Result<(), Fault> {
        if let Value::Percentage(ppm) = self.value {
            check_ppm(ppm)?;
        }
        if let Some(code) = &self.code {
            check_entered(code, entered)?;
        }
        let lines = match &self.target {
            Target::Lines(targets) => {
                count("lines", targets.len(), (1, TARGETS_MAX))?;
                if let Some(empty) = targets.iter().find(|target| target.quantity == Some(0)) {
                    return Err(Fault::NoPieces(empty.line));
                }
                targets.iter().map(|target| target.line).collect()
            }
            Target::Order(without) => without.clone(),
        };
        for (index, line) in lines.iter().enumerate() {
            basket.index_of(*line).ok_or(Fault::NoSuchLine(*line))?;
            if is_twice(&lines, index) {
                return Err(Fault::LineTwice(*line));
            }
        }
        Ok(())
    }
}

impl Target {
    const fn class(&self) -> Class {
        match self {
            Self::Lines(_) => Class::Product,
            Self::Order(_) => Class::Order,
        }
    }
}

/// What comes off one line, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDiscounts {
    pub line: LineId,
    /// The discounts on this line, in the order of applying. Shares of discounts on the order aren't among them.
    pub applied: Vec<Applied>,
    /// What is left after these and after the line's shares of the discounts on the order.
    pub left: MinorUnits,
}

/// A discount on the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderDiscount {
    pub applied: Applied,
    /// What of it comes off each line of the basket, in their order.
    pub shares: Vec<MinorUnits>,
}

/// The discounts on a basket's lines and their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discounts {
    /// One for each line of the basket, in their order.
    pub lines: Vec<LineDiscounts>,
    /// In the order of applying.
    pub order: Vec<OrderDiscount>,
    /// The offers that count, in the order of taking. One of which earlier ones have left nothing gives nothing.
    pub taken: Vec<Taken>,
    /// Those that don't, in the order of their worth.
    pub dropped: Vec<Dropped>,
    /// What all plugins say of codes, in the operator's order.
    pub verdicts: Vec<CodeVerdict>,
    pub code_uses: Vec<CodeUse>,
}

impl Discounts {
    /// Returns what is left of the lines' sum.
    #[must_use]
    pub fn left(&self) -> MinorUnits {
        MinorUnits::saturated(self.lines.iter().map(|line| u128::from(line.left.amount())).sum())
    }

    /// Returns the installation of each discount on a line that the receipt shows. A discount on the order is one on each line that
    /// has a share of it.
    pub fn adjusted_by(&self) -> impl Iterator<Item = &Arc<str>> {
        let of_lines = self.lines.iter().flat_map(|line| line.applied.iter().map(|applied| &applied.by));
        let of_order = self.order.iter().flat_map(|order| {
            order.shares.iter().filter(|share| **share > MinorUnits::ZERO).map(|_| &order.applied.by)
        });
        of_lines.chain(of_order)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
