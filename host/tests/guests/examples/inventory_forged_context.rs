//! Takes under a context of another trace: 200, with one event `context_refused` on the call's own span,
//! `inventory_deduct_span`, and `db_take_stock` below that span.

#![expect(unsafe_code, reason = "what wit-bindgen generates for an export")]

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "inventory-plugin" });

use exports::till::plugin::inventory::{Guest, InventoryError};
use till::plugin::{
    stock::take,
    types::{StockLevel, StockLine, TraceContext},
};

struct ForgedContext;

export!(ForgedContext);

impl Guest for ForgedContext {
    fn deduct(_: TraceContext, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        take(&TraceContext { traceparent, tracestate: String::new() }, &lines).map_err(InventoryError::OutOfStock)
    }
}
