//! The shop's types: items, quantities, money, orders.
//!
//! Every value is checked when it is made, so the rest of the host never checks again. Input from clients, guests and
//! database rows is parsed into these types at its edge.

mod agreed;
mod cart;
mod decimal;
mod idempotency;
mod money;
mod receipt;
mod reference;
mod text;
pub(crate) mod written;

pub use agreed::Agreed;
pub(crate) use cart::composed;
pub use cart::{Attribute, AttributeValue, Cart, Item, Line, Quantity, StockLine, sum_by_item};
pub(crate) use decimal::exact_number;
pub use idempotency::{Fingerprint, IdempotencyKey, Keyed};
pub use money::{Currency, CurrencyError, MinorUnits, PriceError};
pub use receipt::{Adjustment, BadReceipt, Caps, Effect, Receipt};
pub use reference::Reference;
pub(crate) use text::is_control;
pub use text::{BadText, Form, check_text, fitted_text};

/// The longest item name, bytes. This limit and those below are fixed, because they are part of the plugins' interface.
pub const ITEM_BYTES_MAX: usize = 64;
/// The most pieces of one line.
pub const QUANTITY_MAX: u32 = 10_000;
/// The most lines of one order.
pub const LINES_MAX: usize = 100;
/// The most attributes beside an order or on one of its lines.
pub const ORDER_ATTRIBUTES_MAX: usize = 32;
/// The longest key of such an attribute, bytes.
pub const ORDER_ATTRIBUTE_KEY_BYTES_MAX: usize = 64;
/// The longest text of such an attribute, bytes.
pub const ORDER_ATTRIBUTE_TEXT_BYTES_MAX: usize = 1024;

/// The longest token of a quote, bytes; one has some 120.
pub const QUOTE_TOKEN_BYTES_MAX: usize = 255;

/// The state of an order. Only `Completed` and `Failed` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Completed,
    Failed,
    /// A remote inventory may hold stock for the order; nobody knows until it confirms the release.
    PendingRelease,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Completed, Self::Failed, Self::PendingRelease];

    /// Returns the status's name in SQL, JSON and span attributes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::PendingRelease => "PENDING_RELEASE",
        }
    }

    /// Returns the status of that name, `None` if there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}
