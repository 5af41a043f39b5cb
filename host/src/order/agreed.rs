//! What a client agrees to pay.

use super::{Fingerprint, MinorUnits};

/// What a client agrees to pay for its cart.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    pub total: MinorUnits,
    /// The cart's fingerprint, for the quote that the client gets if the order costs something else.
    pub cart: Fingerprint,
}
