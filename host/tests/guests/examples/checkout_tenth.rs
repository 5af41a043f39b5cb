//! Takes a tenth off, rounded half up. With `checkout_tenth_down` beside it: two versions that differ on carts of a hundred pieces.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Rounding, Span};
use till_test_guests::tenth_off;

struct Tenth;

till_sdk::checkout_plugin!(Tenth);

impl Checkout for Tenth {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        tenth_off(call, &order, Rounding::HalfUp)
    }
}
