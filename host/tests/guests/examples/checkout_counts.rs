//! A good one that remembers how many calls its instance has had, and says so: as an attribute of its span and as a print.
//! The plugin interface tells authors not to; this one is for the tests of instances that are called again.
//!
//! 13 pieces are a panic, after which an instance must never be called again.

#![cfg(target_arch = "wasm32")]
#![expect(clippy::panic, clippy::print_stdout, reason = "to panic and to print is what it is for")]

use std::sync::atomic::{AtomicI32, Ordering};

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

static CALLS: AtomicI32 = AtomicI32::new(0);

struct Counts;

till_sdk::checkout_plugin!(Counts);

impl Checkout for Counts {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        call.set("calls", calls);
        println!("call {calls}");
        if order.lines.iter().any(|line| line.quantity == 13) {
            panic!("13 pieces");
        }
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
