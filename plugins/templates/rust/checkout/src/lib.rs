//! What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

use till_sdk::{Adjustment, Checkout, CheckoutError, Order, Receipt, Span, amount_setting, deduct};

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
    let shipping = amount_setting("shipping")?.map(|amount| Adjustment::add("shipping", "Shipping", amount));
    Ok(Receipt::of(order, shipping.into_iter().collect())?)
}
