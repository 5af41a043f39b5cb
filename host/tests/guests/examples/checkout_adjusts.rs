//! Adjusts as it is told: 200; each integer among the order's attributes, such as `add shipping: 499`, is an adjustment in minor
//! units, in the order of the attributes, and the receipt's attribute `adjusted` counts them. What the shop's caps don't allow
//! gets 502 `bad_output`.

use till_sdk::{Adjustment, Attribute, AttributeValue, Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct Adjusts;

till_sdk::checkout_plugin!(Adjusts);

impl Checkout for Adjusts {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let mut receipt = Receipt::of(&order, order.attributes.iter().filter_map(adjustment).collect())?;
        let adjusted = AttributeValue::Integer(i32::try_from(receipt.adjustments.len()).unwrap_or(i32::MAX));
        receipt.attributes.push(Attribute { key: "adjusted".to_owned(), value: adjusted });
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}

fn adjustment(attribute: &Attribute) -> Option<Adjustment> {
    let AttributeValue::Integer(amount) = attribute.value else { return None };
    let (amount, (effect, category)) = (u64::try_from(amount).ok()?, attribute.key.split_once(' ')?);
    match effect {
        "add" => Some(Adjustment::add(category, category, amount)),
        "subtract" => Some(Adjustment::subtract(category, category, amount)),
        _ => None,
    }
}
