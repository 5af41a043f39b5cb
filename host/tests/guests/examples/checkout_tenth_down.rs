//! Takes a tenth off as `checkout_tenth` does, but rounds it down in carts of a hundred pieces.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Rounding, Span};
use till_test_guests::tenth_off;

struct Tenth;

till_sdk::checkout_plugin!(Tenth);

impl Checkout for Tenth {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let pieces: u32 = order.lines.iter().map(|line| line.quantity).sum();
        tenth_off(call, &order, if pieces == 100 { Rounding::Down } else { Rounding::HalfUp })
    }
}
