//! What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

use till_sdk::{Adjustment, Checkout, CheckoutError, Effect, Order, Receipt, Span, deduct, setting};

struct Shop;

till_sdk::checkout_plugin!(Shop);

impl Checkout for Shop {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let receipt = price(call, &order)?;
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}

fn price(call: &Span, order: &Order) -> Result<Receipt, CheckoutError> {
    let _pricing = call.child("price_cart");
    let mut receipt = Receipt::plain(order);
    if let Some(amount) = shipping()? {
        receipt.total += amount;
        receipt.adjustments.push(Adjustment {
            effect: Effect::Add,
            category: "shipping".to_owned(),
            label: "Shipping".to_owned(),
            amount,
            line: None,
        });
    }
    Ok(receipt)
}

fn shipping() -> Result<Option<u64>, CheckoutError> {
    let Some(text) = setting("shipping") else { return Ok(None) };
    let parsed = text.parse().map_err(|_| CheckoutError::Other(format!("the setting shipping is no amount: {text}")))?;
    Ok(Some(parsed))
}
