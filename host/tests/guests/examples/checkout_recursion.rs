//! Deducts, then calls itself until the stack is full: 502 `trap`, the order FAILED and the stock back.

#![expect(unconditional_recursion, reason = "to never return is what it is for")]

use std::hint::black_box;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct Recursion;

type Plugin = Live<Recursion>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for Recursion {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        Ok(Receipt { total: deeper(order.id), ..Receipt::plain(&order) })
    }
}

/// What is done after the inner call keeps the compiler from making a loop of it.
fn deeper(depth: u64) -> u64 {
    deeper(depth.wrapping_add(1)) ^ black_box(depth)
}
