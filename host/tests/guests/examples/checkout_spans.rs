//! A good one that shows all of telemetry: 200, with these spans below the call's own and three log lines, of which
//! two are printed.
//!
//! ```text
//! checkout_transaction
//! ├─ price_cart              attributes cart.lines, cart.member
//! │  └─ look_up_coupon       attribute coupon.code, event coupon_applied
//! └─ take_stock
//!    └─ inventory_deduct_span
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the host makes log lines of prints")]

use till_sdk::{Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};

struct Spans;

till_sdk::checkout_plugin!(Spans);

impl Checkout for Spans {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        price(call, &order);
        println!("printed to stdout");
        eprintln!("printed to stderr");
        let taking = call.child("take_stock");
        deduct(&taking, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}

fn price(call: &Span, order: &Order) {
    let pricing = call.child("price_cart");
    let lines = i32::try_from(order.lines.len()).unwrap_or(i32::MAX);
    pricing.annotate(&[("cart.lines", lines.into()), ("cart.member", true.into())]);
    let coupon = pricing.child("look_up_coupon");
    coupon.set("coupon.code", "WELCOME10");
    coupon.event("coupon_applied", &[("coupon.percent", 0.0.into())]);
    coupon.log(Level::Info, "coupon looked up", &[("coupon.code", "WELCOME10".into())]);
}
