//! What a cart costs, and all that a customer is shown of it.

use std::sync::Arc;

use super::{codes::CodeAnswer, delivery::DeliveryChoices, menu::PaymentMethod, offers::Dropped, total::Priced};
use crate::order::{Cart, Currency, Receipt};

/// What a cart costs now. Nothing of it is kept or reserved.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    pub cart: Cart,
    pub receipt: Receipt,
    pub currency: Currency,
    /// Says the total to a checkout. `None` if several hosts share the store and no key, so that the others couldn't
    /// read it.
    pub token: Option<String>,
    /// Unix time, milliseconds, until which the token is taken.
    pub valid_until_ms: u64,
    /// What the hooks of track 0.2 decided; `None` if none is installed.
    pub decided: Option<Arc<HooksDecided>>,
}

/// What the plugins at the hooks of track 0.2 decided about a cart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HooksDecided {
    /// The lines' prices, discounts, delivery and tax; `None` where a checkout plugin prices the order.
    pub priced: Option<Priced>,
    /// The ways of delivery that are left, by group.
    pub choices: Vec<DeliveryChoices>,
    /// The ways to pay that are left.
    pub methods: Vec<PaymentMethod>,
    /// What is to be said of each entered code.
    pub codes: Vec<(String, CodeAnswer)>,
    /// What keeps the cart from being sold.
    pub violations: Vec<FoundViolation>,
    /// Offers that don't count.
    pub dropped: Vec<Dropped>,
    /// The plugins that failed and without which the request went on.
    pub left_out: Vec<LeftOut>,
}

/// A violation, with its place in the client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundViolation {
    /// The reason for programs.
    pub code: String,
    /// The reason for people.
    pub message: String,
    /// A JSON pointer (RFC 6901); empty for the whole request.
    pub field: String,
}

/// A plugin that failed and without which a request went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its hook and name, `discounts/spring`.
    pub at: String,
    /// The failure's word.
    pub reason: &'static str,
}
