//! What plugins say is wrong with a cart, and where in the client's request that is.

use serde::{Deserialize, Serialize};

use super::{BadOutput, Basket, LineId};

/// The most violations of one answer.
pub const VIOLATIONS_MAX: usize = 32;

/// What a violation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Cart,
    Line(LineId),
    ShippingAddress(String),
    BillingAddress(String),
    Code(String),
    Attribute(String),
}

/// One thing that keeps a cart from being sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    pub code: String,
    pub message: String,
    pub subject: Subject,
}

/// Returns for each violation of one answer the JSON pointer into the client's request (RFC 6901), "" for the whole of it.
/// `entered` are the request's codes.
///
/// # Errors
/// Names the first violation of something that isn't in the cart, or without a code.
pub fn pointers(violations: &[Violation], basket: &Basket, entered: &[String]) -> Result<Vec<String>, BadOutput> {
    todo!("{violations:?} {basket:?} {entered:?}")
}
