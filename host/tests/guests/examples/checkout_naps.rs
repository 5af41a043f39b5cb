//! Sleeps 60 times for 20 ms, which costs no processor time: 200.

use std::{hint::black_box, time::Duration};

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct, sleep};

struct Naps;

till_sdk::checkout_plugin!(Naps);

impl Checkout for Naps {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        // A loop that the compiler can't unroll: a tick is seen where one begins.
        for _ in 0..black_box(60) {
            sleep(Duration::from_millis(20));
        }
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
