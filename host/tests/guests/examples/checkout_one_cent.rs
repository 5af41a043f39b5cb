//! Takes one cent too much for carts of 1,000.00 and more: who agreed on a total gets 409 `quote_changed`. For the story of a canary.

use till_sdk::{Adjustment, Checkout, CheckoutError, Order, Receipt, Span, deduct};

/// From here on carts are large, minor units.
const LARGE: u64 = 100_000;

struct OneCent;

till_sdk::checkout_plugin!(OneCent);

impl Checkout for OneCent {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        let cent = (order.subtotal() >= LARGE).then(|| Adjustment::add("rounding", "rounding", 1));
        Ok(Receipt::of(&order, cent.into_iter().collect())?)
    }
}
