//! Deducts, then asks for more than its lines sum up to: 502 `bad_output`, the order FAILED and the stock back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct BadTotal;

type Plugin = Live<BadTotal>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for BadTotal {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        Ok(Receipt { total: order.subtotal() + 1, ..Receipt::plain(&order) })
    }
}
