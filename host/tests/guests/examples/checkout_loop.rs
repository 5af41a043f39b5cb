//! Deducts, then loops for ever: 504 `deadline`, the order FAILED and the stock back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct Loop;

type Plugin = Live<Loop>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for Loop {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        loop {
            std::hint::spin_loop();
        }
    }
}
