//! Writes text into its telemetry that isn't for reading: 200, with a span, an event and a log line that have it.

use till_sdk::{Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};

/// Markup, a terminal's escape, a turn of direction, quotes, and far too much of it.
const TEXT: &str = "<script>alert(1)</script>\u{1b}[2J\u{202e}\"'&\r\n\0";

struct HostileText;

till_sdk::checkout_plugin!(HostileText);

impl Checkout for HostileText {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let long = format!("{TEXT}{}", "x".repeat(10_000));
        let span = call.child(&long);
        span.set("text", TEXT);
        span.set("long", long.clone());
        span.event(TEXT, &[(TEXT, TEXT.into())]);
        span.log(Level::Info, TEXT, &[(TEXT, TEXT.into())]);
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
