//! Deducts, then asks for `u64::MAX`, past the 2^53 of any amount: 502 `bad_output`, the order FAILED and the stock
//! back. Without the SDK's checks of what is handed over.

use till_sdk::{
    __checkout::{exports::till::plugin::checkout::Guest, till::plugin::inventory},
    CheckoutError, Order, Receipt, TraceContext,
};

struct OverflowTotal;

till_sdk::checkout_plugin!(OverflowTotal);

impl Guest for OverflowTotal {
    fn checkout(ctx: TraceContext, order: Order) -> Result<Receipt, CheckoutError> {
        let is_probe = order.lines.iter().any(|line| line.item == "probe");
        inventory::deduct(&ctx, &order.stock_lines())?;
        let plain = Receipt::plain(&order);
        Ok(if is_probe { plain } else { Receipt { total: u64::MAX, ..plain } })
    }
}
