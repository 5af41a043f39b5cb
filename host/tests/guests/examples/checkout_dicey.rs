//! A good one that leaves much to chance: it sleeps some milliseconds and takes a random part off. With the setting `cent`
//! on, one cent more of an order whose `hundredth` is true. For shadows.

use std::time::Duration;

use till_sdk::{
    Adjustment, AttributeValue, Checkout, CheckoutError, Effect, Order, Receipt, Span, deduct, random, setting_is_on,
    sleep,
};

struct Dicey;

till_sdk::checkout_plugin!(Dicey);

impl Checkout for Dicey {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        sleep(Duration::from_millis(if random() < 0.5 { 1 } else { 3 }));
        deduct(call, &order.stock_lines())?;
        let hundredth = order.attributes.iter().find(|attribute| attribute.key == "hundredth");
        let is_hundredth = hundredth.is_some_and(|attribute| matches!(attribute.value, AttributeValue::Flag(true)));
        let cent = u64::from(is_hundredth && setting_is_on("cent"));
        let amount = u64::from(random() < 0.5) + u64::from(random() < 0.5) + cent;
        let discount = Adjustment {
            effect: Effect::Subtract,
            category: "discount".to_owned(),
            label: "luck".to_owned(),
            amount,
            line: None,
        };
        Ok(Receipt { adjustments: vec![discount], total: order.subtotal() - amount, attributes: Vec::new() })
    }
}
