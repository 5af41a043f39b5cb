//! Puts on the call's span nearly as much text as a call may hand over, within every limit, and answers a good receipt: 200,
//! and a span of some 800 KB.

use till_sdk::{AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct TelemetryHeavy;

till_sdk::checkout_plugin!(TelemetryHeavy);

impl Checkout for TelemetryHeavy {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let text = "x".repeat(1_000);
        let keys: Vec<_> = (0..8).map(|number| format!("heavy.{number}")).collect();
        let texts: Vec<(&str, AttributeValue)> = keys.iter().map(|key| (key.as_str(), text.as_str().into())).collect();
        (0..100).for_each(|_| call.event("heavy", &texts));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
