//! The words of the shop: items, quantities, money, orders.
//!
//! Every value here was checked when it was made, so the rest of the host never asks again.
//! What a client, a guest or a database row says is parsed into these types at its edge.

mod cart;
mod decimal;
mod idempotency;
mod money;
mod receipt;
mod reference;
mod text;
pub(crate) mod written;

pub(crate) use cart::composed;
pub use cart::{Attribute, AttributeValue, Cart, Item, Line, Quantity, StockLine, sum_by_item};
pub use idempotency::{Fingerprint, IdempotencyKey, Keyed};
pub use money::{Currency, CurrencyError, MinorUnits, PriceError};
pub use receipt::{Adjustment, BadReceipt, Effect, Receipt};
pub use reference::Reference;
pub(crate) use text::is_control;
pub use text::{BadText, Form, check_text, fitted_text};

/// Where an order stands. Only `Completed` and `Failed` are ends.
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

    /// Returns the word used for it in SQL, JSON and span attributes.
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
