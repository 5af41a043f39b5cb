//! What plugins say is wrong with a cart, and where in the client's request that is.

use serde::{Deserialize, Serialize};

use super::{BadOutput, Basket, Fault, LineId, Place, bad_output::count, codes::check_entered};

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

/// Returns for each violation of one answer the JSON pointer into the client's request (RFC 6901), "" for the whole of
/// it. `entered` are the request's codes.
///
/// # Errors
/// Names the first violation of something that isn't in the cart, or without a code.
pub fn pointers(violations: &[Violation], basket: &Basket, entered: &[String]) -> Result<Vec<String>, BadOutput> {
    count("violations", violations.len(), (0, VIOLATIONS_MAX)).map_err(|fault| Place::Answer.has(fault))?;
    let each = violations.iter().enumerate().map(|(index, violation)| {
        let pointer = violation.pointer(basket, entered);
        pointer.map_err(|fault| Place::Violation(index).has(fault))
    });
    each.collect()
}

impl Violation {
    fn pointer(&self, basket: &Basket, entered: &[String]) -> Result<String, Fault> {
        if self.code.is_empty() {
            return Err(Fault::NoCode);
        }
        Ok(match &self.subject {
            Subject::Cart => String::new(),
            Subject::Line(id) => {
                let line = basket.lines().iter().find(|line| line.id == *id).ok_or(Fault::NoSuchLine(*id))?;
                line.origins.first().map(|origin| format!("/lines/{origin}")).unwrap_or_default()
            }
            Subject::ShippingAddress(field) => format!("/shipping_address/{}", escaped(field)),
            Subject::BillingAddress(field) => format!("/billing_address/{}", escaped(field)),
            Subject::Code(code) => {
                check_entered(code, entered)?;
                let index = entered.iter().position(|known| known == code).unwrap_or(0);
                format!("/codes/{index}")
            }
            Subject::Attribute(key) => format!("/attributes/{}", escaped(key)),
        })
    }
}

/// Returns a name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
