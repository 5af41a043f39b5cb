//! What a cart would cost, and what a client agrees to pay.

use super::{Cart, Currency, Fingerprint, MinorUnits, Receipt};

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
}

/// What a client agrees to pay for its cart.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    pub total: MinorUnits,
    /// The cart's fingerprint, for the quote that the client gets if the order costs something else.
    pub cart: Fingerprint,
}
