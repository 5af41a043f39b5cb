//! A good one that panics in every call, the probe's too, while its setting `broken` is on: then 422, and it isn't set.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct, setting_is_on};

struct ProbeSetting;

till_sdk::checkout_plugin!(ProbeSetting);

impl Checkout for ProbeSetting {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        if setting_is_on("broken") {
            panic!("no receipt for order {}", order.id);
        }
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
