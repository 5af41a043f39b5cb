//! Deducts, then panics: 502 `trap`, the order FAILED, the stock back, and the panic's message in the log.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct Trap;

type Plugin = Live<Trap>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for Trap {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        panic!("no receipt for order {}", order.id);
    }
}
