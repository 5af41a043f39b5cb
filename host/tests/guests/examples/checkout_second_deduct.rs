//! Deducts its lines twice: the second one ends the call, 502 `bad_output`, the order FAILED and the stock back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct SecondDeduct;

type Plugin = Live<SecondDeduct>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for SecondDeduct {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
