//! Minds coupons and a setting: with a coupon other than `PROBE` 502 `trap`, and with the setting `coupons=trap` with any;
//! while the setting `shipping` is no number 502 `other`; else 200.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct, setting};

struct Coupon;

till_sdk::checkout_plugin!(Coupon);

impl Checkout for Coupon {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        if setting("shipping").is_some_and(|rate| rate.parse::<u32>().is_err()) {
            return Err(CheckoutError::Other("shipping is no number".to_owned()));
        }
        deduct(call, &order.stock_lines())?;
        let coupon = order.attributes.iter().find(|attribute| attribute.key == "coupon");
        let traps = setting("coupons").is_some_and(|coupons| coupons == "trap");
        match coupon.map(|attribute| &attribute.value) {
            None => Ok(Receipt::plain(&order)),
            Some(AttributeValue::Text(code)) if code == "PROBE" && !traps => Ok(Receipt::plain(&order)),
            Some(_) => panic!("until when is that coupon?"),
        }
    }
}
