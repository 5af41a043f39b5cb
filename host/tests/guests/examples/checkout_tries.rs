//! Makes the mistake that the setting `do` names.

use till_sdk::{
    AMOUNT_MAX, Adjustment, Checkout, CheckoutError, Order, Receipt, Span, deduct, minus, percent_of, setting,
};

struct Tries;

till_sdk::checkout_plugin!(Tries);

impl Checkout for Tries {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let mut receipt = Receipt::plain(&order);
        let total = receipt.total;
        match setting("do").as_deref() {
            Some("telemetry") => {
                call.set("cart.total", 1_u64 << 31);
                call.set("huge", u64::MAX);
                call.set("low", i64::from(i32::MIN) - 1);
                call.set("lowest", i64::MIN);
                call.set("nan", f64::NAN);
                call.set("flag", true);
                call.set("text", "t");
            }
            Some("too_large") => receipt.total = AMOUNT_MAX + 1,
            Some("wrapped") => receipt.total = (total - 5_000).min(500),
            Some("adjustment") => receipt.adjustments = vec![Adjustment::included("c", "l", AMOUNT_MAX + 1)],
            Some("minus") => drop(minus(total, 5_000)?),
            Some("percent") => drop(percent_of(total, AMOUNT_MAX + 1, till_sdk::Rounding::Down)?),
            _ => {}
        }
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}
