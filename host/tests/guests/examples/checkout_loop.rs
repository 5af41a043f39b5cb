//! Deducts, then loops for ever: 504 `deadline`, the order FAILED and the stock back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct Loop;

till_sdk::checkout_plugin!(Loop);

impl Checkout for Loop {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        loop {
            std::hint::spin_loop();
        }
    }
}
