//! Deducts its lines twice: the second one ends the call, 502 `bad_output`, the order FAILED and the stock back.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct SecondDeduct;

till_sdk::checkout_plugin!(SecondDeduct);

impl Checkout for SecondDeduct {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
