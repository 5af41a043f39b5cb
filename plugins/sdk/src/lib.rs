//! What a Till plugin in Rust needs beside its decision.
//!
//! A plugin is a `cdylib` that implements [`Checkout`] or [`Inventory`] and names the type once in
//! [`checkout_plugin!`] or [`inventory_plugin!`]. Every call runs in a fresh instance, so a plugin has no state.
//! The contract of each call, its units and its limits, stands in `wit/v0.1`.
//!
//! The plugins of track 0.2 have the module `hooks`, which the feature of that name adds. Amounts and rounding serve both tracks.

mod amount;
mod attribute;
mod bindings;
#[cfg(feature = "hooks")]
pub mod hooks;
mod span;
mod wiping;

use std::time::Duration;

pub use amount::{AMOUNT_MAX, NumberError, Rounding, amount, amount_setting, minus, percent_of, plus, ratio_of, split};
pub use bindings::{
    Adjustment, Attribute, AttributeValue, CheckoutError, Currency, Effect, InventoryError, Level, Line, Order,
    Receipt, Rejection, Shortage, StockLevel, StockLine, TraceContext,
};
#[doc(hidden)]
pub use bindings::{checkout as __checkout, inventory as __inventory};
pub use span::Span;
pub use wiping::Wiping;

/// The decision of a checkout plugin.
pub trait Checkout {
    /// Prices the order, after asking [`deduct`] once for what its lines sell.
    ///
    /// # Errors
    /// The case decides what the customer sees; the order fails and its stock goes back in each.
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError>;
}

/// The decision of an inventory plugin.
pub trait Inventory {
    /// Decides whether the lines may be taken, and takes them with [`take`].
    ///
    /// # Errors
    /// The case decides what the customer sees; what was taken goes back in each.
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError>;
}

/// Asks the shop's inventory for the lines: all of them or none. For checkout plugins, once a call.
///
/// # Errors
/// What the inventory plugin, or the network before it, answered; `?` turns it into a [`CheckoutError`].
pub fn deduct(span: &Span, lines: &[StockLine]) -> Result<Vec<StockLevel>, InventoryError> {
    bindings::deduct(span.context(), lines)
}

/// Takes the lines out of the stock: all of them or none. For inventory plugins, once a call.
///
/// # Errors
/// The first item of which there is less than asked for; `?` turns it into an [`InventoryError`].
pub fn take(span: &Span, lines: &[StockLine]) -> Result<Vec<StockLevel>, Shortage> {
    bindings::take(span.context(), lines)
}

/// Returns how many pieces of the item are on hand now, `None` for an item that the shop doesn't know.
/// A hint only: another order may take them before [`take`] does.
#[must_use]
pub fn level(span: &Span, item: &str) -> Option<u32> {
    bindings::level(span.context(), item)
}

/// Returns the plugin's setting of that name, as the shop's owner wrote it.
#[must_use]
pub fn setting(key: &str) -> Option<String> {
    bindings::setting(key)
}

/// Returns whether the setting is on: `on`, `true`, `yes` or `1`.
#[must_use]
pub fn setting_is_on(key: &str) -> bool {
    setting(key).is_some_and(|value| matches!(value.as_str(), "on" | "true" | "yes" | "1"))
}

/// Waits without using up the call's CPU limit; its wall limit goes on. Whole milliseconds, at most `u32::MAX`.
pub fn sleep(duration: Duration) {
    bindings::sleep(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX));
}

/// Returns a random number from 0 up to 1, 1 excluded.
#[must_use]
pub fn random() -> f64 {
    bindings::random()
}

impl Order {
    /// Returns what the order's lines sell, as [`deduct`] wants it.
    #[must_use]
    pub fn stock_lines(&self) -> Vec<StockLine> {
        let of = |line: &Line| StockLine { item: line.item.clone(), quantity: line.quantity };
        self.lines.iter().map(of).collect()
    }
}

impl Receipt {
    /// Returns the receipt of an order that costs what its lines say.
    #[must_use]
    pub fn plain(order: &Order) -> Self {
        Self { adjustments: Vec::new(), total: order.subtotal(), attributes: Vec::new() }
    }
}

impl From<InventoryError> for CheckoutError {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::OutOfStock(shortage) => Self::OutOfStock(shortage),
            InventoryError::Rejected(rejection) => Self::Rejected(rejection),
            InventoryError::Conflict(message) => Self::Conflict(message),
            InventoryError::Unavailable(message) => Self::Unavailable(message),
            InventoryError::Other(message) => Self::Other(message),
        }
    }
}

impl From<Shortage> for InventoryError {
    fn from(shortage: Shortage) -> Self {
        Self::OutOfStock(shortage)
    }
}

/// Makes the crate a checkout plugin whose decision is the type's [`Checkout`].
#[macro_export]
macro_rules! checkout_plugin {
    ($plugin:ident) => {
        $crate::__checkout::export!($plugin with_types_in $crate::__checkout);
        $crate::__version!();
    };
}

/// Makes the crate an inventory plugin whose decision is the type's [`Inventory`].
#[macro_export]
macro_rules! inventory_plugin {
    ($plugin:ident) => {
        $crate::__inventory::export!($plugin with_types_in $crate::__inventory);
        $crate::__version!();
    };
}

/// Puts the crate's version where WebAssembly's tools look for it: a custom section called `version`.
#[doc(hidden)]
#[macro_export]
macro_rules! __version {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[expect(unsafe_code, reason = "a section of the file, which nothing reads at run time")]
        #[unsafe(link_section = "version")]
        #[used]
        static __VERSION: [u8; env!("CARGO_PKG_VERSION").len()] = {
            let mut bytes = [0; env!("CARGO_PKG_VERSION").len()];
            bytes.copy_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
            bytes
        };
    };
}
