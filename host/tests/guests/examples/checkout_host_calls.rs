//! Deducts, then calls the host a million times: 502 `host_calls` at the cap, the order FAILED and the stock back.

use std::hint::black_box;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct, random};
use till_test_guests::Live;

struct HostCalls;

type Plugin = Live<HostCalls>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for HostCalls {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        for _ in 0..1_000_000 {
            black_box(random());
        }
        Ok(Receipt::plain(&order))
    }
}
