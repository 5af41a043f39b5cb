//! Deducts, then answers the error that the order's attribute `answer` names: `conflict` 500 `inventory_conflict`,
//! `unavailable` 502 `unavailable`, `other` 502 `other`; the order FAILED and the stock back. Without one: 200.

use till_sdk::{AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct Answers;

till_sdk::checkout_plugin!(Answers);

impl Checkout for Answers {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        let message = "answered as the order asked".to_owned();
        match wanted(&order) {
            Some("conflict") => Err(CheckoutError::Conflict(message)),
            Some("unavailable") => Err(CheckoutError::Unavailable(message)),
            Some("other") => Err(CheckoutError::Other(message)),
            _ => Ok(Receipt::plain(&order)),
        }
    }
}

fn wanted(order: &Order) -> Option<&str> {
    let answer = order.attributes.iter().find(|attribute| attribute.key == "answer")?;
    if let AttributeValue::Text(case) = &answer.value { Some(case) } else { None }
}
