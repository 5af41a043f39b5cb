//! The generated bindings of both worlds, and the one place that names their long paths.
//!
//! The shared interfaces are generated once, with the checkout world, so that a [`crate::Span`] serves both.

use crate::{Checkout, Inventory, Span};

pub mod checkout {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "checkout-plugin",
        pub_export_macro: true,
    });
}

pub mod inventory {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "inventory-plugin",
        pub_export_macro: true,
        with: {
            "till:plugin/types@0.1.0": crate::bindings::checkout::till::plugin::types,
            "till:plugin/telemetry@0.1.0": crate::bindings::checkout::till::plugin::telemetry,
            "till:plugin/host@0.1.0": crate::bindings::checkout::till::plugin::host,
        },
    });
}

pub(crate) use checkout::till::plugin::{
    host::{random, setting, sleep},
    inventory::deduct,
    telemetry::{add_event, annotate, end_span, fail_span, log, start_span},
};
pub use checkout::{
    exports::till::plugin::checkout::{Adjustment, CheckoutError, Effect, Order, Receipt},
    till::plugin::{
        inventory::InventoryError,
        telemetry::Level,
        types::{Attribute, AttributeValue, Currency, Line, Rejection, Shortage, StockLevel, StockLine, TraceContext},
    },
};
pub(crate) use inventory::till::plugin::stock::{level, take};

impl<T: Checkout> checkout::exports::till::plugin::checkout::Guest for T {
    fn checkout(ctx: TraceContext, order: Order) -> Result<Receipt, CheckoutError> {
        // No wrong amount is handed over.
        Ok(T::checkout(&Span::of_call(ctx), order)?.checked()?)
    }
}

use inventory::exports::till::plugin::inventory as exported;

impl<T: Inventory> exported::Guest for T {
    fn deduct(ctx: TraceContext, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, exported::InventoryError> {
        T::deduct(&Span::of_call(ctx), lines).map_err(|error| match error {
            InventoryError::OutOfStock(shortage) => exported::InventoryError::OutOfStock(shortage),
            InventoryError::Rejected(rejection) => exported::InventoryError::Rejected(rejection),
            InventoryError::Conflict(message) => exported::InventoryError::Conflict(message),
            InventoryError::Unavailable(message) => exported::InventoryError::Unavailable(message),
            InventoryError::Other(message) => exported::InventoryError::Other(message),
        })
    }
}
