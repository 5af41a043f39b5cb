//! Deducts, then asks for `u64::MAX`, past the 2^53 of any amount: 502 `bad_output`, the order FAILED and the stock
//! back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct OverflowTotal;

type Plugin = Live<OverflowTotal>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for OverflowTotal {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        Ok(Receipt { total: u64::MAX, ..Receipt::plain(&order) })
    }
}
