//! A good one with adjustments: 200, 10 % off each line of 3 or more pieces, shipping of 499 if the order's `express`
//! is true, and the 20 % tax that the total holds. An order whose `reject` is a text gets 422 `rejected` with it.

use till_sdk::{
    Adjustment, AttributeValue, Checkout, CheckoutError, Effect, Line, Order, Receipt, Rejection, Span, deduct,
};

struct Discount;

till_sdk::checkout_plugin!(Discount);

impl Checkout for Discount {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        if let Some(AttributeValue::Text(message)) = attribute(&order, "reject") {
            return Err(CheckoutError::Rejected(Rejection { code: "blocked".to_owned(), message: message.clone() }));
        }
        let mut adjustments: Vec<_> = (0..).zip(&order.lines).filter_map(discount).collect();
        let mut total = order.subtotal() - adjustments.iter().map(|discount| discount.amount).sum::<u64>();
        if let Some(AttributeValue::Flag(true)) = attribute(&order, "express") {
            adjustments.push(adjustment(Effect::Add, "shipping", "express", 499));
            total += 499;
        }
        adjustments.push(adjustment(Effect::Included, "tax", "20 % tax", total / 6));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt { adjustments, total, attributes: Vec::new() })
    }
}

fn discount((index, line): (u32, &Line)) -> Option<Adjustment> {
    let amount = line.unit_price * u64::from(line.quantity) / 10;
    let discount = adjustment(Effect::Subtract, "discount", "10 % off 3 or more", amount);
    (line.quantity >= 3).then_some(Adjustment { line: Some(index), ..discount })
}

fn adjustment(effect: Effect, category: &str, label: &str, amount: u64) -> Adjustment {
    Adjustment { effect, category: category.to_owned(), label: label.to_owned(), amount, line: None }
}

fn attribute<'a>(order: &'a Order, key: &str) -> Option<&'a AttributeValue> {
    order.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}
