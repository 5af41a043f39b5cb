//! Rejects every order, the probe's too: taken, for a business "no" is no fault. 422 `rejected`, live.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Rejection, Span};

struct ProbeRejected;

till_sdk::checkout_plugin!(ProbeRejected);

impl Checkout for ProbeRejected {
    fn checkout(_: &Span, _: Order) -> Result<Receipt, CheckoutError> {
        Err(CheckoutError::Rejected(Rejection { code: "closed".to_owned(), message: "we are closed".to_owned() }))
    }
}
