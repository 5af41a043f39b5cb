//! Prints 8,192 lines of one letter: 200, with 64 of them in the log and the others counted.

use std::io::Write;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct Prints;

till_sdk::checkout_plugin!(Prints);

impl Checkout for Prints {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let mut out = std::io::stdout().lock();
        for _ in 0..8_192 {
            out.write_all(b"A\n").map_err(|error| CheckoutError::Other(error.to_string()))?;
        }
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
