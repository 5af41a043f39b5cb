//! Panics in every call, the probe's too: refused, 422.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span};

struct ProbeTrap;

till_sdk::checkout_plugin!(ProbeTrap);

impl Checkout for ProbeTrap {
    fn checkout(_: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        panic!("no receipt for order {}", order.id);
    }
}
