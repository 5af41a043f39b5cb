//! Says more than telemetry takes, then answers a good receipt: 200, with what was dropped counted on the call's span
//! (6 spans, 2 events, 35 attributes, log bytes), `plugin.outcome` the host's, the 64 spans ended and `abandoned`.
//!
//! It makes 225 host calls: one flood that stays below the 256 of another limit.

use till_sdk::{AttributeValue, Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};

struct TelemetryFlood;

till_sdk::checkout_plugin!(TelemetryFlood);

impl Checkout for TelemetryFlood {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let keys: Vec<_> = (0..40).map(|number| format!("flood.{number}")).collect();
        let many: Vec<(&str, AttributeValue)> = keys.iter().map(|key| (key.as_str(), true.into())).collect();
        call.annotate(&[
            ("flood.nan", f64::NAN.into()),
            ("plugin.outcome", "whatever the plugin says".into()),
            ("flood.text", "x".repeat(10_000).into()),
        ]);
        call.annotate(&many);
        let spans: Vec<_> = (0..70).map(|_| call.child("flood")).collect();
        if let Some(span) = spans.first() {
            span.annotate(&many);
        }
        call.event("flood", &many);
        (1..130).for_each(|_| call.event("flood", &[]));
        call.log(Level::Info, "flood", &many);
        (0..20).for_each(|_| call.log(Level::Info, &"x".repeat(1_000), &[]));
        std::mem::forget(spans);
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
