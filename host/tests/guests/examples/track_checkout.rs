//! Uses all that a checkout plugin has of the interface: every function, every case of every type. What was built of it
//! when the interface was released stands in `host/tests/tracks`, and every later host has to run that.
//!
//! The attribute `answer` names an error to answer with. With none: 200, with one adjustment of each effect.

use std::time::Duration;

use till_sdk::{
    Adjustment, Attribute, AttributeValue, Checkout, CheckoutError, Effect, Level, Order, Receipt, Rejection, Shortage,
    Span, deduct, random, setting, sleep,
};

struct Track;

till_sdk::checkout_plugin!(Track);

impl Checkout for Track {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        tell(call, &order);
        if let Some(error) = asked_for(&order) {
            return Err(error);
        }
        let taking = call.child("take_stock");
        let left = deduct(&taking, &order.stock_lines())?;
        taking.annotate(&[("left.items", count(left.len())), ("left.pieces", pieces(&left))]);
        drop(taking);
        Ok(receipt(&order))
    }
}

/// Shows that everything arrives: settings, chance, time, the order's fields and attributes.
fn tell(call: &Span, order: &Order) {
    let pricing = call.child("price_cart");
    sleep(Duration::from_millis(1));
    let is_chance = (0.0..1.0).contains(&random());
    pricing.annotate(&[
        ("setting.greeting", setting("greeting").unwrap_or_default().into()),
        ("setting.none", setting("none").is_none().into()),
        ("random.in_range", is_chance.into()),
        ("currency", format!("{} {}", order.currency.code, order.currency.decimals).into()),
        ("placed", (order.placed_at_ms > 0 && order.id > 0).into()),
        ("order.parts", count(order.lines.len() + order.attributes.len())),
    ]);
    for attribute in order.attributes.iter().chain(order.lines.iter().flat_map(|line| &line.attributes)) {
        pricing.event("attribute", &[(&attribute.key, attribute.value.clone())]);
    }
    for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
        pricing.log(level, "a line of each level", &[("half", 0.5.into())]);
    }
    pricing.fail("marked as failed");
}

fn asked_for(order: &Order) -> Option<CheckoutError> {
    let asked = order.attributes.iter().find(|attribute| attribute.key == "answer")?;
    let AttributeValue::Text(answer) = &asked.value else { return None };
    let why = || format!("asked for {answer}");
    Some(match answer.as_str() {
        "rejected" => CheckoutError::Rejected(Rejection { code: "track".to_owned(), message: why() }),
        "out-of-stock" => {
            CheckoutError::OutOfStock(Shortage { item: "headphones".to_owned(), requested: 3, available: 1 })
        }
        "conflict" => CheckoutError::Conflict(why()),
        "unavailable" => CheckoutError::Unavailable(why()),
        _ => CheckoutError::Other(why()),
    })
}

fn receipt(order: &Order) -> Receipt {
    let adjustment = |effect, category: &str, amount, line| Adjustment {
        effect,
        category: category.to_owned(),
        label: format!("a {category}"),
        amount,
        line,
    };
    Receipt {
        adjustments: vec![
            adjustment(Effect::Subtract, "discount", 100, Some(0)),
            adjustment(Effect::Add, "shipping", 499, None),
            adjustment(Effect::Included, "tax", 50, None),
        ],
        total: order.subtotal() - 100 + 499,
        attributes: vec![Attribute { key: "track".to_owned(), value: true.into() }],
    }
}

fn count(number: usize) -> AttributeValue {
    i32::try_from(number).unwrap_or(i32::MAX).into()
}

fn pieces(left: &[till_sdk::StockLevel]) -> AttributeValue {
    f64::from(left.iter().map(|level| level.remaining).sum::<u32>()).into()
}
