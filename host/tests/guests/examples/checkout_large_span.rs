//! Puts on its call's own span nearly all that a call may: 110 events of 8 texts of 1,000 bytes. 200, and the span is on
//! the trace page, cut.

use till_sdk::{AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct LargeSpan;

till_sdk::checkout_plugin!(LargeSpan);

impl Checkout for LargeSpan {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let texts: Vec<(&str, AttributeValue)> = keys.map(|key| (key, "x".repeat(1_000).into())).into();
        (0..110).for_each(|_| call.event("happened", &texts));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
