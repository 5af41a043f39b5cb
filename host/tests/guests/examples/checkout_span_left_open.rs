//! Starts a span and never ends it: 200, and the span is marked `abandoned`.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct SpanLeftOpen;

till_sdk::checkout_plugin!(SpanLeftOpen);

impl Checkout for SpanLeftOpen {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        // Dropping it would end it.
        std::mem::forget(call.child("price_cart"));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
