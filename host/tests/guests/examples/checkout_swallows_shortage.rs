//! Ignores what the deduct answers: 502 `bad_output` and the order FAILED, if it was an error.
//!
//! With enough in stock it is a good sale. If the inventory failed by a fault, the answer is that fault's.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct SwallowsShortage;

till_sdk::checkout_plugin!(SwallowsShortage);

impl Checkout for SwallowsShortage {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let _ = deduct(call, &order.stock_lines());
        Ok(Receipt::plain(&order))
    }
}
