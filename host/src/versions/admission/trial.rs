//! The orders that a candidate is tried with before it serves anybody: a handful that are unlike each other, and its
//! author's own cases.

use std::{collections::BTreeMap, sync::Arc};

use super::{case::Case, cases::Cases, refusal::Reason};
use crate::{
    hooks::{CaseQuestion, Kind},
    order::{Attribute, AttributeValue, Cart, Currency, Item, Line, MinorUnits, QUANTITY_MAX, Quantity},
};

/// How far a candidate is tried.
#[derive(Debug, Clone, Copy)]
pub enum Trial<'a> {
    /// A version that served before: it is only called for the simple order.
    Again,
    /// A version that is new, or has new settings. It is refused if the live version decides about an order and it
    /// doesn't, unless that is `forced`. Without a live version nothing is compared.
    Anew { live: Option<Configured<'a>>, forced: bool },
}

/// A plugin with its settings: the candidate, or the live version that a candidate is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Configured<'a> {
    pub plugin: &'a super::Admitted,
    /// What is set for it over the host's settings.
    pub set: &'a BTreeMap<String, String>,
}

/// One order.
#[derive(Debug)]
pub(super) struct TriedOrder {
    /// Describes the order, as a part of a sentence.
    pub(super) what: String,
    pub(super) cart: Arc<Cart>,
    pub(super) currency: Currency,
    /// Whether the shop's cap on what is added holds. A delivery that costs 15,000 is a usual one in one currency, and
    /// beyond all bounds in another, so it isn't compared with the small sums that the host makes up.
    pub(super) caps_what_is_added: bool,
    /// What a case asks a hook of track 0.2.
    pub(super) case: Option<Arc<CaseQuestion>>,
}

/// The item of the simple order, and its price in minor units.
const ITEM: &str = "probe";
const UNIT_PRICE: u64 = 1_000;

/// Returns the order that every candidate is tried with.
pub(super) fn simple(currency: Currency) -> TriedOrder {
    TriedOrder {
        what: format!("one piece of an item named {ITEM:?}"),
        cart: cart(vec![line(ITEM, 1, UNIT_PRICE, Vec::new())], Vec::new()),
        currency,
        caps_what_is_added: false,
        case: None,
    }
}

/// Returns the orders that a new candidate is tried with, the simple one first.
///
/// # Errors
/// A case that can't be read.
pub(super) fn all(cases: &Cases, kind: Kind, currency: Currency) -> Result<Vec<TriedOrder>, Reason> {
    let mut orders = vec![simple(currency), of_several_lines(currency), large(currency)];
    for (name, text) in cases.iter() {
        let case = Case::parse(text, kind, currency)
            .map_err(|error| Reason::Case { name: name.to_owned(), reason: error.to_string() })?;
        let (what, of_case) = (format!("its case {name}"), case.currency);
        // The shop's caps are amounts of the shop's currency.
        let caps_what_is_added = of_case == currency;
        let question = case.question.clone();
        let tried = |cart| TriedOrder { what, cart, currency: of_case, caps_what_is_added, case: question };
        orders.extend(case.tried().map(tried));
    }
    Ok(orders)
}

/// Returns an order with what plugins commonly read: a coupon, the customer, a membership; an attribute of each type.
fn of_several_lines(currency: Currency) -> TriedOrder {
    let attribute = |key: &str, value| Attribute { key: key.to_owned(), value };
    let text = |key: &str, text: &str| attribute(key, AttributeValue::Text(text.to_owned()));
    let order = vec![
        text("coupon", "PROBE"),
        text("customer", "probe"),
        attribute("member", AttributeValue::Flag(true)),
        attribute("points", AttributeValue::Integer(1_200)),
        attribute("weight", AttributeValue::Decimal(1.25)),
    ];
    let gift = vec![text("note", "probe"), attribute("gift", AttributeValue::Flag(true))];
    let lines = vec![
        line(ITEM, 2, UNIT_PRICE, gift),
        line("probe-b", 1, 1, Vec::new()),
        line("probe-c", 3, 99_999, vec![attribute("size", AttributeValue::Decimal(0.5))]),
    ];
    TriedOrder {
        what: "three lines with a coupon and other attributes of each type".to_owned(),
        cart: cart(lines, order),
        currency,
        caps_what_is_added: false,
        case: None,
    }
}

fn large(currency: Currency) -> TriedOrder {
    TriedOrder {
        what: format!("{QUANTITY_MAX} pieces of an item named {ITEM:?}"),
        cart: cart(vec![line(ITEM, QUANTITY_MAX, UNIT_PRICE, Vec::new())], Vec::new()),
        currency,
        caps_what_is_added: true,
        case: None,
    }
}

#[expect(clippy::expect_used, reason = "constants, within the rules of their types")]
fn line(item: &str, pieces: u32, unit_price: u64, attributes: Vec<Attribute>) -> Line {
    Line {
        item: Item::parse(item).expect("a name"),
        quantity: Quantity::new(pieces).expect("a quantity"),
        unit_price: MinorUnits::new(unit_price).expect("an amount"),
        attributes,
    }
}

#[expect(clippy::expect_used, reason = "constants, within the rules of their types")]
fn cart(lines: Vec<Line>, attributes: Vec<Attribute>) -> Arc<Cart> {
    Arc::new(Cart::new(lines, attributes).expect("lines with a sum that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_tried_in_its_own_currency_and_without_caps_of_another() {
        let case = |shop: &str| {
            let text = format!(r#"{{"shop":{shop},"lines":[{{"item":"tea","quantity":1,"price":100}}]}}"#);
            let cases = Cases::new(BTreeMap::from([("one.json".to_owned(), text)])).expect("few");
            let dollars = Currency::of_code("USD").expect("a code");
            let mut orders = all(&cases, Kind::Checkout, dollars).expect("readable");
            let order = orders.pop().expect("the case");
            (order.currency.code(), order.cart.subtotal().amount(), order.caps_what_is_added)
        };
        assert_eq!(case("{}"), ("USD", 10_000, true));
        assert_eq!(case(r#"{"currency":"USD","added_max_percent":10}"#), ("USD", 10_000, true));
        assert_eq!(case(r#"{"currency":"JPY"}"#), ("JPY", 100, false));
    }
}
