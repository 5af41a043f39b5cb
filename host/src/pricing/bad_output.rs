//! Why the answer of a plugin isn't accepted: where in the answer, and what is wrong there.
//!
//! The message is for the operator and the plugin's author. It counts from 1, as people do.

use std::fmt;

use super::{LineId, delivery::GroupId};
use crate::order::{Attribute, AttributeValue, ORDER_ATTRIBUTE_KEY_BYTES_MAX, ORDER_ATTRIBUTE_TEXT_BYTES_MAX};

/// A rule of the interface that an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {fault}")]
pub struct BadOutput {
    pub place: Place,
    pub fault: Fault,
}

/// A part of an answer. Places are counted from 0 here and from 1 in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The answer as a whole.
    Answer,
    Operation(usize),
    Violation(usize),
    Offer(usize),
    Candidate {
        offer: usize,
        candidate: usize,
    },
    Code(usize),
    Option(usize),
    /// The changes to one group of a delivery menu.
    Changes(usize),
    Change(usize),
    TaxLine(usize),
}

impl Place {
    /// Returns the fault at this place.
    pub(super) const fn has(self, fault: Fault) -> BadOutput {
        BadOutput { place: self, fault }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => out.write_str("the answer"),
            Self::Operation(index) => write!(out, "operation {}", index + 1),
            Self::Violation(index) => write!(out, "violation {}", index + 1),
            Self::Offer(index) => write!(out, "offer {}", index + 1),
            Self::Candidate { offer, candidate } => write!(out, "candidate {} of offer {}", candidate + 1, offer + 1),
            Self::Code(index) => write!(out, "code {}", index + 1),
            Self::Option(index) => write!(out, "option {}", index + 1),
            Self::Changes(index) => write!(out, "part {}", index + 1),
            Self::Change(index) => write!(out, "change {}", index + 1),
            Self::TaxLine(index) => write!(out, "tax line {}", index + 1),
        }
    }
}

/// What is wrong. The message continues a sentence that begins with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("has {count} {what}; {least} to {most} are allowed")]
    Count { what: &'static str, count: usize, least: usize, most: usize },
    #[error("names line {}, which isn't in the cart", .0.0)]
    NoSuchLine(LineId),
    #[error("names line {}, which an earlier operation has used up", .0.0)]
    UsedUp(LineId),
    #[error("names line {} twice", .0.0)]
    LineTwice(LineId),
    #[error("takes {wanted} pieces of line {}, which has {has}", .line.0)]
    TooManyPieces { line: LineId, wanted: u64, has: u32 },
    #[error("takes no piece of line {}", .0.0)]
    NoPieces(LineId),
    #[error("has {pieces} pieces of {what}; 1 to 10000 are allowed")]
    Pieces { what: String, pieces: u64 },
    #[error("names the item {0:?}, which is no item's name")]
    NoItem(String),
    #[error("names the item {0:?}, which neither the catalogue nor the stock knows")]
    UnknownItem(String),
    #[error("has prices for some components and not for all")]
    SomePrices,
    #[error("brings {0:?}, for which the catalogue has no price; import one with till catalogue import")]
    NoPrice(String),
    #[error("has {ppm} parts per million as {what}; 1000000 at most are allowed")]
    TooManyParts { what: &'static str, ppm: u32 },
    #[error("has the attribute {key:?}; {rule}")]
    Attribute { key: String, rule: &'static str },
    #[error("brings {0} to 2^53 minor units or more")]
    TooMuch(&'static str),
    #[error("makes a line, and no number is left for it")]
    NoNumber,
    #[error("leaves {count} {what} in the cart; 100 at most are allowed")]
    TooManyLines { what: &'static str, count: usize },
    #[error(
        "brings the lines to {sum} minor units, {direction} than the {list} at list prices by more than {percent_max} % ({setting})"
    )]
    PriceChange { sum: u64, list: u128, direction: &'static str, percent_max: u32, setting: &'static str },
    #[error("has no code")]
    NoCode,
    #[error("names the code {0:?}, which wasn't entered")]
    NotEntered(String),
    #[error("names the code {0:?} twice")]
    CodeTwice(String),
    #[error("has candidates for lines and others for the order")]
    MixedTargets,
    #[error("names group {}, which wasn't asked about", .0.0)]
    NoSuchGroup(GroupId),
    #[error("names group {} twice", .0.0)]
    GroupTwice(GroupId),
    #[error("names {0:?}, which isn't there")]
    NoSuchEntry(String),
    #[error("names {id:?}, of which an earlier change says {kind} too")]
    ChangedTwice { id: String, kind: &'static str },
    #[error("names {0:?} twice")]
    EntryTwice(String),
    #[error("has the handle {0:?}; a handle is a text of 1 to 64 bytes without control characters")]
    Handle(String),
    #[error("has the handle {0:?}, as an earlier option of the group has")]
    HandleTwice(String),
    #[error("costs {cost} minor units, more than {max} (delivery.cost_max)")]
    CostTooHigh { cost: u64, max: u64 },
    #[error("takes {earliest} to {latest} days, which is no range")]
    Days { earliest: u16, latest: u16 },
    #[error("names {0}, which isn't taxed here")]
    NoSuchSubject(String),
    #[error("has no tax line for {0}; one that is free of tax has a line of 0")]
    NoTaxLine(String),
    #[error("includes {tax} minor units of tax in {subject}, which costs {amount}")]
    TooMuchIncluded { subject: String, tax: u128, amount: u64 },
    #[error("adds {tax} minor units of tax to {amount}, more than {percent_max} % (tax.max_percent)")]
    TooMuchTax { tax: u128, amount: u128, percent_max: u32 },
}

/// Checks how many parts an answer or a part of it has.
pub(super) fn count(what: &'static str, count: usize, (least, most): (usize, usize)) -> Result<(), Fault> {
    if (least..=most).contains(&count) { Ok(()) } else { Err(Fault::Count { what, count, least, most }) }
}

/// Checks that no id stands among those before it.
pub(super) fn is_twice<T: PartialEq>(ids: &[T], index: usize) -> bool {
    ids.get(index).is_some_and(|id| ids.iter().take(index).any(|earlier| earlier == id))
}

/// Checks what a line or an order is to carry, by the rules for what clients send: the hooks after this one see it as
/// that.
pub(super) fn check_attributes(attributes: &[Attribute], most: usize) -> Result<(), Fault> {
    count("attributes", attributes.len(), (0, most))?;
    for (index, Attribute { key, value }) in attributes.iter().enumerate() {
        let is_key = (1..=ORDER_ATTRIBUTE_KEY_BYTES_MAX).contains(&key.len()) && !key.chars().any(char::is_control);
        let is_new = !attributes.iter().take(index).any(|earlier| earlier.key == *key);
        let rule = match value {
            _ if !is_key => "a key has 1 to 64 bytes, no control characters",
            _ if !is_new => "a key stands there once",
            AttributeValue::Text(text) if text.len() > ORDER_ATTRIBUTE_TEXT_BYTES_MAX => {
                "a text has 1024 bytes at most"
            }
            AttributeValue::Decimal(number) if !number.is_finite() => "a number is finite",
            _ => continue,
        };
        return Err(Fault::Attribute { key: key.clone(), rule });
    }
    Ok(())
}
