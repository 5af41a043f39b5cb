//! A good checkout plugin of the next release, `till:plugin/checkout@0.2.0`: refused, 422, naming the release that the
//! host runs and the one found.

#![expect(unsafe_code, reason = "what wit-bindgen generates for an export")]

wit_bindgen::generate!({ path: "wit/other_version", world: "checkout-plugin" });

use exports::till::plugin::checkout::{CheckoutError, Guest, Order, Receipt};
use till::plugin::{
    inventory::deduct,
    types::{Line, StockLine, TraceContext},
};

struct OtherVersion;

export!(OtherVersion);

impl Guest for OtherVersion {
    fn checkout(ctx: TraceContext, order: Order) -> Result<Receipt, CheckoutError> {
        let of = |line: &Line| StockLine { item: line.item.clone(), quantity: line.quantity };
        let lines: Vec<_> = order.lines.iter().map(of).collect();
        deduct(&ctx, &lines).map_err(|error| CheckoutError::Other(format!("{error:?}")))?;
        let total = order.lines.iter().map(|line| line.unit_price * u64::from(line.quantity)).sum();
        Ok(Receipt { adjustments: Vec::new(), total, attributes: Vec::new() })
    }
}
