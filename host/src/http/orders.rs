//! `GET /orders/{reference}`, and the JSON form of an order.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::{
    Edge,
    answer::{Answer, Reply, money, rfc3339},
    problem::Problem,
    received::Received,
    routes::no_route,
};
#[cfg(test)]
use crate::schema;
use crate::{
    order::{Adjustment, Attribute, AttributeValue, Currency, Line, Reference},
    store::Order,
};

/// Attributes by key. If a plugin's receipt has a key twice, the last one counts.
pub(super) type Attributes = BTreeMap<String, Box<RawValue>>;

/// An order, for the shop's clients and operators.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Order"))]
pub struct OrderJson {
    #[cfg_attr(test, schemars(with = "schema::OrderId"))]
    order_id: u64,
    #[cfg_attr(test, schemars(with = "schema::Reference"))]
    reference: String,
    #[cfg_attr(test, schemars(with = "schema::OrderStatus"))]
    status: &'static str,
    #[cfg_attr(test, schemars(length(min = 1, max = crate::order::LINES_MAX)))]
    lines: Vec<LineJson>,
    /// Empty unless completed.
    adjustments: Vec<AdjustmentJson>,
    /// The order's attributes, as the client sent them; absent if it sent none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(with = "schema::Attributes"))]
    attributes: Attributes,
    /// The attributes that the checkout plugin added to the receipt; absent if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, schema::AttributeValue>"))]
    receipt_attributes: Attributes,
    /// ISO 4217.
    #[cfg_attr(test, schemars(regex(pattern = "^[A-Z]{3}$")))]
    currency: &'static str,
    /// The lines' sum, before any adjustment.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    subtotal: Box<RawValue>,
    /// The price that was paid. Only of a completed order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Amount>"))]
    total_price: Option<Box<RawValue>>,
    /// Why the order failed: the `code` that its checkout got, or `interrupted` if the host stopped during the
    /// checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    trace_id: String,
    /// The plugins that served the order, as in `till-plugins`.
    plugins: String,
    /// When the order was placed, in milliseconds since 1970, UTC.
    placed_at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    placed_at: String,
    /// When the order completed or failed, in milliseconds since 1970, UTC. Absent while it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<u64>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Moment>"))]
    ended_at: Option<String>,
}

/// One line, priced.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Line"))]
pub(super) struct LineJson {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    #[cfg_attr(test, schemars(with = "schema::Quantity"))]
    quantity: u32,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    price: Box<RawValue>,
    /// The line's attributes, as the client sent them; absent if it sent none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(with = "schema::Attributes"))]
    attributes: Attributes,
    /// The name for people, where plugins or the catalogue have one. Only in a quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

impl LineJson {
    pub(super) fn titled(self, title: Option<String>) -> Self {
        Self { title, ..self }
    }
}

/// A change of the total by the checkout plugin: lines − `subtract` + `add` = total.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Adjustment"))]
pub(super) struct AdjustmentJson {
    #[cfg_attr(test, schemars(with = "schema::Effect"))]
    effect: &'static str,
    /// An open word: `discount`, `tax`, `shipping`.
    category: String,
    /// For people.
    label: String,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    amount: Box<RawValue>,
    /// The index of the adjusted line; absent for the whole order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = crate::order::LINES_MAX - 1)))]
    line: Option<u32>,
}

impl From<Order> for OrderJson {
    fn from(order: Order) -> Self {
        let currency = order.currency;
        let receipt = order.receipt.as_ref();
        Self {
            order_id: order.id.number(),
            reference: order.reference.to_string(),
            status: order.status.as_str(),
            lines: lines(order.cart.lines(), currency),
            adjustments: receipt.map(|receipt| adjustments(receipt.adjustments(), currency)).unwrap_or_default(),
            attributes: attributes(order.cart.attributes()),
            receipt_attributes: receipt.map(|receipt| attributes(receipt.attributes())).unwrap_or_default(),
            currency: currency.code(),
            subtotal: money(currency, order.cart.subtotal()),
            total_price: receipt.map(|receipt| money(currency, receipt.total())),
            reason: order.reason,
            trace_id: order.trace_id,
            plugins: order.plugins,
            placed_at_ms: order.placed_at_ms,
            placed_at: rfc3339(order.placed_at_ms),
            ended_at_ms: order.ended_at_ms,
            ended_at: order.ended_at_ms.map(rfc3339),
        }
    }
}

/// # Errors
/// 404 if no order has the reference.
pub(super) async fn show(edge: &Edge, received: Received) -> Answer {
    let reference = Reference::parse(&received.named).ok_or_else(no_route)?;
    let order = edge.shop.store.order_by_reference(&reference).await?;
    let order = order.ok_or_else(|| Problem::not_found(format!("there is no order {reference}")))?;
    Reply::json(&OrderJson::from(order))
}

pub(super) fn lines(lines: &[Line], currency: Currency) -> Vec<LineJson> {
    let of = |line: &Line| LineJson {
        item: line.item.to_string(),
        quantity: line.quantity.pieces(),
        price: money(currency, line.unit_price),
        attributes: attributes(&line.attributes),
        title: None,
    };
    lines.iter().map(of).collect()
}

pub(super) fn adjustments(adjustments: &[Adjustment], currency: Currency) -> Vec<AdjustmentJson> {
    let of = |adjustment: &Adjustment| AdjustmentJson {
        effect: adjustment.effect.as_str(),
        category: adjustment.category.clone(),
        label: adjustment.label.clone(),
        amount: money(currency, adjustment.amount),
        line: adjustment.line,
    };
    adjustments.iter().map(of).collect()
}

pub(super) fn attributes(attributes: &[Attribute]) -> Attributes {
    let of = |attribute: &Attribute| (attribute.key.clone(), value(&attribute.value));
    attributes.iter().map(of).collect()
}

/// Returns the value as JSON. A number keeps its value, though not the form in which it was sent.
fn value(value: &AttributeValue) -> Box<RawValue> {
    let json = match value {
        AttributeValue::Text(text) => json!(text).to_string(),
        AttributeValue::Integer(number) => number.to_string(),
        // Without an exponent in the range in which JavaScript writes none either.
        AttributeValue::Decimal(number) if *number == 0.0 || (1e-7..1e21).contains(&number.abs()) => number.to_string(),
        AttributeValue::Decimal(number) => format!("{number:e}"),
        AttributeValue::Flag(flag) => flag.to_string(),
    };
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        order::{Caps, Cart, Item, MinorUnits, Quantity, Receipt, Status},
        store::{Inventory, OrderId},
    };

    #[test]
    fn an_order_has_what_its_client_and_its_plugin_said_of_it() {
        let attribute = |key: &str, value| Attribute { key: key.to_owned(), value };
        let line = Line {
            item: Item::parse("tea").expect("a fine name"),
            quantity: Quantity::new(1).expect("a fine quantity"),
            unit_price: MinorUnits::new(280).expect("a fine price"),
            attributes: vec![attribute("gift", AttributeValue::Flag(true))],
        };
        let of_order = vec![
            attribute("coupon", AttributeValue::Text("\"X\"".to_owned())),
            attribute("customer", AttributeValue::Decimal(9_007_199_254_740_992.0)),
            attribute("share", AttributeValue::Decimal(0.1)),
            attribute("tiny", AttributeValue::Decimal(-5e-324)),
            attribute("age", AttributeValue::Integer(-7)),
        ];
        let cart = Cart::new(vec![line], of_order).expect("a fine cart");
        let noted =
            vec![attribute("points", AttributeValue::Integer(1)), attribute("points", AttributeValue::Integer(2))];
        let receipt = Receipt::checked(&cart, Vec::new(), 280, noted, Caps::NONE).expect("adds up");
        let order = Order {
            id: OrderId::new(1).expect("a number"),
            reference: Reference::random(),
            status: Status::Completed,
            inventory: Inventory::Local,
            deducts: 1,
            currency: Currency::of_code("EUR").expect("a known code"),
            cart,
            receipt: Some(receipt),
            reason: None,
            trace_id: String::new(),
            plugins: String::new(),
            placed_at_ms: 0,
            ended_at_ms: Some(1),
        };
        let json = serde_json::to_string(&OrderJson::from(order)).expect("JSON");
        for part in [
            r#""lines":[{"item":"tea","quantity":1,"price":2.80,"attributes":{"gift":true}}]"#,
            r#""attributes":{"age":-7,"coupon":"\"X\"","customer":9007199254740992,"share":0.1,"tiny":-5e-324}"#,
            r#""receipt_attributes":{"points":2}"#,
            r#""placed_at":"1970-01-01T00:00:00.000Z","ended_at_ms":1,"ended_at":"1970-01-01T00:00:00.001Z""#,
        ] {
            assert!(json.contains(part), "{json} lacks {part}");
        }
    }
}
