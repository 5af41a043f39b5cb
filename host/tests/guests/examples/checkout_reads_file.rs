//! Reads its prices from a file: a plugin has none, so it traps, in the probe too: refused, 422.

#![expect(clippy::expect_used, reason = "a file that isn't there is what it is about")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct ReadsFile;

till_sdk::checkout_plugin!(ReadsFile);

impl Checkout for ReadsFile {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let prices = std::fs::read_to_string("prices.json").expect("the prices are read");
        call.set("prices.bytes", i32::try_from(prices.len()).unwrap_or(i32::MAX));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
