//! Discounts on delivery, for each option by itself.
//!
//! A code's offer counts as applied if any option has its discount, whichever the customer takes.

mod combine;

use std::sync::Arc;

pub use combine::{Discounted, apply};
use serde::{Deserialize, Serialize};

use super::{
    BadOutput, Fault, Place,
    bad_output::count,
    codes::check_entered,
    delivery::{DeliveryChoices, GroupId},
    offers::{CANDIDATES_MAX, Choice, Classes, OFFERS_MAX, TARGETS_MAX, check_ppm},
    share::part_of,
};
use crate::order::MinorUnits;

/// How much comes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Parts per million of the option's cost.
    Percentage(u32),
    Amount(MinorUnits),
}

/// One option of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionTarget {
    pub group: GroupId,
    /// With the installation's name.
    pub handle: String,
}

/// What it comes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    Group(GroupId),
    DeliveryOption(OptionTarget),
}

/// One discount that an offer could give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub title: String,
    pub value: Value,
    #[serde(default)]
    pub targets: Vec<Target>,
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

/// The checked answer of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionOffers {
    by: Arc<str>,
    offers: Vec<Offer>,
}

impl OptionOffers {
    /// Checks an installation's answer about groups with all their options, and the entered codes.
    ///
    /// # Errors
    /// Names the first part of the answer that breaks a rule, and the rule.
    pub fn checked(
        by: Arc<str>,
        offers: Vec<Offer>,
        choices: &[DeliveryChoices],
        entered: &[String],
    ) -> Result<Self, BadOutput> {
        count("offers", offers.len(), (0, OFFERS_MAX)).map_err(|fault| Place::Answer.has(fault))?;
        for (index, offer) in offers.iter().enumerate() {
            let candidates = count("candidates", offer.candidates.len(), (1, CANDIDATES_MAX));
            candidates.map_err(|fault| Place::Offer(index).has(fault))?;
            for (candidate, each) in offer.candidates.iter().enumerate() {
                let place = Place::Candidate { offer: index, candidate };
                each.check(choices, entered).map_err(|fault| place.has(fault))?;
            }
        }
        // Every offer is valued anew for every other one: the sum is what bounds the work.
        let candidates = offers.iter().map(|offer| offer.candidates.len()).sum();
        count("candidates", candidates, (0, CANDIDATES_MAX)).map_err(|fault| Place::Answer.has(fault))?;
        Ok(Self { by, offers })
    }
}

impl Candidate {
    fn check(&self, choices: &[DeliveryChoices], entered: &[String]) -> Result<(), Fault> {
        if let Value::Percentage(ppm) = self.value {
            check_ppm(ppm)?;
        }
        if let Some(code) = &self.code {
            check_entered(code, entered)?;
        }
        count("targets", self.targets.len(), (1, TARGETS_MAX))?;
        for (index, target) in self.targets.iter().enumerate() {
            target.check(choices, self.targets.get(..index).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Returns whether the candidate is about an option of that group.
    fn is_about(&self, group: GroupId, handle: &str) -> bool {
        self.targets.iter().any(|target| match target {
            Target::Group(whole) => *whole == group,
            Target::DeliveryOption(one) => one.group == group && one.handle == handle,
        })
    }

    /// Returns what comes off, of what is left of a cost.
    fn off(&self, left: MinorUnits) -> MinorUnits {
        match self.value {
            Value::Percentage(ppm) => part_of(left, ppm),
            Value::Amount(amount) => amount.min(left),
        }
    }
}

impl Target {
    fn check(&self, choices: &[DeliveryChoices], earlier: &[Self]) -> Result<(), Fault> {
        let options_of = |id: GroupId| {
            let group = choices.iter().find(|choices| choices.group.id == id);
            group.map(|group| &group.options).ok_or(Fault::NoSuchGroup(id))
        };
        let twice = match self {
            Self::Group(group) => {
                options_of(*group)?;
                Fault::GroupTwice(*group)
            }
            Self::DeliveryOption(OptionTarget { group, handle }) => {
                if !options_of(*group)?.iter().any(|offered| offered.option.handle == *handle) {
                    return Err(Fault::NoSuchEntry(handle.clone()));
                }
                Fault::EntryTwice(handle.clone())
            }
        };
        if earlier.contains(self) { Err(twice) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
