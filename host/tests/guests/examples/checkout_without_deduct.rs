//! Answers a receipt that adds up, and never deducts: 502 `bad_output`, the order FAILED, the stock untouched.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span};
use till_test_guests::Live;

struct WithoutDeduct;

type Plugin = Live<WithoutDeduct>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for WithoutDeduct {
    fn checkout(_: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        Ok(Receipt::plain(&order))
    }
}
