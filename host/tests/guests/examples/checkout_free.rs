//! Gives everything away, a discount of 100 % that adds up: 502 `bad_output`, above `checkout.discount_max_percent`;
//! the order FAILED and the stock back.

use till_sdk::{Adjustment, Checkout, CheckoutError, Effect, Order, Receipt, Span, deduct};
use till_test_guests::Live;

struct Free;

type Plugin = Live<Free>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for Free {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        let everything = Adjustment {
            effect: Effect::Subtract,
            category: "discount".to_owned(),
            label: "100 % off".to_owned(),
            amount: order.subtotal(),
            line: None,
        };
        Ok(Receipt { adjustments: vec![everything], total: 0, attributes: Vec::new() })
    }
}
