//! Discounts on delivery, for each option by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    BadOutput,
    delivery::{DeliveryChoices, GroupId},
    offers::{Choice, Classes, CodeUse, Dropped, Taken},
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
        todo!("{by} {offers:?} {choices:?} {entered:?}")
    }
}

/// What becomes of the groups' options.
#[derive(Debug, Clone, PartialEq)]
pub struct Discounted {
    pub choices: Vec<DeliveryChoices>,
    /// The offers that no option has.
    pub dropped: Vec<Dropped>,
    pub code_uses: Vec<CodeUse>,
}

/// Applies the offers of all installations, given in the operator's order, to each option. `taken` are the offers on lines and
/// order that count.
#[must_use]
pub fn apply(choices: Vec<DeliveryChoices>, answers: &[OptionOffers], taken: &[Taken]) -> Discounted {
    todo!("{choices:?} {answers:?} {taken:?}")
}
