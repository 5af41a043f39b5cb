//! Deducts, then answers the error that the order's attribute `answer` names: `conflict` 500 `inventory_conflict`,
//! `unavailable` 502 `unavailable`, `other` 502 `other`; the order FAILED and the stock back. Without one, or `late`, a few ms after the
//! deduct: 200.

use std::time::Duration;

use till_sdk::{AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct, sleep};

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
            Some("late") => {
                sleep(Duration::from_millis(10));
                Ok(Receipt::plain(&order))
            }
            _ => Ok(Receipt::plain(&order)),
        }
    }
}

fn wanted(order: &Order) -> Option<&str> {
    let answer = order.attributes.iter().find(|attribute| attribute.key == "answer")?;
    if let AttributeValue::Text(case) = &answer.value { Some(case) } else { None }
}
