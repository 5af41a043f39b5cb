//! What both kinds of discounts share: which candidates of an offer count, and which offers stand beside each other.
//!
//! Combining is greedy: the offer that is worth most is taken first, then each that combines with all taken before.
//! Trying all sets of offers instead would take time exponential in their number.

use std::{cmp::Reverse, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Fault, share::ALL_PPM};
use crate::order::MinorUnits;

/// The most offers of one answer.
pub const OFFERS_MAX: usize = 32;
/// The most candidates of one offer.
pub const CANDIDATES_MAX: usize = 100;
/// The most targets of one candidate.
pub const TARGETS_MAX: usize = 100;

/// Kinds of discounts, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classes {
    pub product: bool,
    pub order: bool,
    pub delivery: bool,
}

/// A kind of discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Product,
    Order,
    Delivery,
}

impl Classes {
    #[must_use]
    pub const fn has(self, class: Class) -> bool {
        match class {
            Class::Product => self.product,
            Class::Order => self.order,
            Class::Delivery => self.delivery,
        }
    }
}

/// Which of an offer's candidates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The first that is worth anything.
    First,
    /// The one that is worth most; of equal ones the first.
    Largest,
    /// Each of them, one after the other.
    All,
}

/// A discount as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The installation.
    pub by: Arc<str>,
    pub title: String,
    /// Never 0.
    pub amount: MinorUnits,
    /// The code that it is due to.
    pub code: Option<String>,
}

/// An offer that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub by: Arc<str>,
    pub title: String,
    pub class: Class,
    pub combines_with: Classes,
}

impl Taken {
    /// Returns whether this offer and one of that class both say that they combine with each other's class.
    #[must_use]
    pub const fn combines(&self, class: Class, combines_with: Classes) -> bool {
        combine((self.class, self.combines_with), (class, combines_with))
    }
}

/// Returns whether two offers, each with its class, both say that they combine with each other's.
pub(super) const fn combine(one: (Class, Classes), other: (Class, Classes)) -> bool {
    one.1.has(other.0) && other.1.has(one.0)
}

/// An offer that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub by: Arc<str>,
    /// The title of the candidate that would have counted; of several the first.
    pub title: String,
    pub reason: Reason,
}

/// Why an offer was left out. The order is that of how near it was to being taken, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It would bring all discounts above the shop's share of the lines' sum.
    Cap,
    /// An offer that is worth more doesn't stand beside it; for a code also another candidate of the same offer.
    DoesNotCombine,
    /// Nothing comes off.
    WorthNothing,
}

impl Reason {
    /// Returns the reason's name in span attributes and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::DoesNotCombine => "does_not_combine",
            Self::WorthNothing => "worth_nothing",
        }
    }
}

/// What became of a candidate that is due to a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeUse {
    pub code: String,
    /// Why nothing came off; `None` if something did.
    pub dropped: Option<Reason>,
}

/// Checks a share.
pub(super) fn check_ppm(ppm: u32) -> Result<(), Fault> {
    if ppm <= ALL_PPM { Ok(()) } else { Err(Fault::TooManyParts { what: "percentage", ppm }) }
}

impl Choice {
    /// Returns which of the candidates count, by what each is worth alone.
    pub(super) fn counting(self, worths: &[MinorUnits]) -> Vec<usize> {
        let worthy = || worths.iter().enumerate().filter(|(_, worth)| **worth > MinorUnits::ZERO);
        let one = |found: Option<(usize, &MinorUnits)>| found.map(|(index, _)| index).into_iter().collect();
        match self {
            Self::First => one(worthy().next()),
            // The key falls with the place, so that the first of equal ones is the largest.
            Self::Largest => one(worthy().max_by_key(|(index, worth)| (**worth, Reverse(*index)))),
            Self::All => (0..worths.len()).collect(),
        }
    }
}
