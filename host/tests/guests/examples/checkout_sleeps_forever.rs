//! Deducts, then sleeps for 49 days, which costs no CPU: 504 `deadline` by the wall limit, the order FAILED and the
//! stock back.

use std::time::Duration;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct, sleep};
use till_test_guests::Live;

struct SleepsForever;

type Plugin = Live<SleepsForever>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for SleepsForever {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        sleep(Duration::from_millis(u32::MAX.into()));
        Ok(Receipt::plain(&order))
    }
}
