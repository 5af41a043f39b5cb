//! Deducts, then panics in one call of five, by chance: 502 `trap`, the order FAILED and the stock back. For canaries.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct, random};
use till_test_guests::Live;

struct Unlucky;

type Plugin = Live<Unlucky>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for Unlucky {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        if random() < 0.2 {
            panic!("no luck with order {}", order.id);
        }
        Ok(Receipt::plain(&order))
    }
}
