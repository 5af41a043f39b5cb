//! The pricing that the plugins in other languages have, as a measure for them: 10 % off from 3 pieces of one item, and a
//! surcharge by setting.

use till_sdk::{Adjustment, Checkout, CheckoutError, Effect, Order, Receipt, Span, deduct, setting};

const DISCOUNT_FROM_PIECES: u32 = 3;

struct Pricing;

till_sdk::checkout_plugin!(Pricing);

impl Checkout for Pricing {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let receipt = price(call, &order);
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}

fn price(call: &Span, order: &Order) -> Receipt {
    let span = call.child("price_cart");
    let subtotal = order.subtotal();
    let discounts = discounts(order);
    let surcharge = setting("surcharge").and_then(|text| text.parse().ok()).map(surcharge);
    let off: u64 = discounts.iter().map(|discount| discount.amount).sum();
    let total = subtotal - off + surcharge.as_ref().map_or(0, |surcharge| surcharge.amount);
    span.set("cart.subtotal", subtotal as f64);
    span.set("cart.total", total as f64);
    Receipt { adjustments: discounts.into_iter().chain(surcharge).collect(), total, attributes: Vec::new() }
}

/// One for each item of which there are enough, in the order of their first lines.
fn discounts(order: &Order) -> Vec<Adjustment> {
    let mut items: Vec<&str> = order.lines.iter().map(|line| &*line.item).collect();
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| seen.insert(*item));
    items.into_iter().filter_map(|item| discount(order, item)).collect()
}

fn discount(order: &Order, item: &str) -> Option<Adjustment> {
    let lines: Vec<_> = order.lines.iter().enumerate().filter(|(_, line)| line.item == item).collect();
    let pieces: u32 = lines.iter().map(|(_, line)| line.quantity).sum();
    if pieces < DISCOUNT_FROM_PIECES {
        return None;
    }
    let cost: u64 = lines.iter().map(|(_, line)| u64::from(line.quantity) * line.unit_price).sum();
    let line = match lines.as_slice() {
        [(index, _)] => u32::try_from(*index).ok(),
        _ => None,
    };
    let (category, label) = ("discount".to_owned(), "10 % off from 3 pieces".to_owned());
    Some(Adjustment { effect: Effect::Subtract, category, label, amount: cost / 10, line })
}

fn surcharge(amount: u64) -> Adjustment {
    let (category, label) = ("surcharge".to_owned(), "Surcharge".to_owned());
    Adjustment { effect: Effect::Add, category, label, amount, line: None }
}
