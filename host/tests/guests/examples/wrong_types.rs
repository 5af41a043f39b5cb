//! Exports `till:plugin/checkout@0.1.0`, but of other records than the host's: refused, 422, naming the type that
//! differs.

#![expect(unsafe_code, reason = "what wit-bindgen generates for an export")]

wit_bindgen::generate!({ path: "wit/wrong_types", world: "checkout-plugin" });

use exports::till::plugin::checkout::{Guest, Order, Receipt, TraceContext};

struct WrongTypes;

export!(WrongTypes);

impl Guest for WrongTypes {
    fn checkout(_: TraceContext, order: Order) -> Result<Receipt, String> {
        Ok(Receipt { total: order.total })
    }
}
