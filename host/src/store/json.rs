//! Carts and receipts as the text columns of an order, and back.
//!
//! A row is checked like a request: a value that doesn't parse into the shop's types is an error.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Inventory, NewOrder, StoreError};
use crate::order::{
    Adjustment, Attribute, AttributeValue, Caps, Cart, Currency, Effect, Item, Line, MinorUnits, Quantity, Receipt,
    Reference,
};
use crate::units::i64_of;

/// A new order as its columns. The caller makes them, so that the writer only writes.
pub(super) struct OrderText {
    pub(super) reference: Reference,
    pub(super) inventory: Inventory,
    pub(super) currency: Currency,
    pub(super) lines: String,
    pub(super) attributes: String,
    pub(super) subtotal: i64,
    pub(super) trace_id: String,
    pub(super) plugins: String,
    pub(super) placed_at_ms: i64,
}

/// A receipt as its columns.
pub(super) struct ReceiptText {
    pub(super) adjustments: String,
    pub(super) attributes: String,
    pub(super) total: i64,
}

/// Returns how a line's text has the item: with quotes, and escaped.
pub(super) fn quoted(item: &str) -> String {
    serde_json::Value::from(item).to_string()
}

#[derive(Serialize, Deserialize)]
struct LineText<'a> {
    item: Cow<'a, str>,
    quantity: u32,
    unit_price: u64,
    attributes: Vec<AttributeText<'a>>,
}

#[derive(Serialize, Deserialize)]
struct AttributeText<'a> {
    key: Cow<'a, str>,
    value: ValueText<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValueText<'a> {
    Text(Cow<'a, str>),
    Integer(i32),
    /// As text: serde_json reads floats to the last bit only with a feature that slows all other reading.
    Decimal(Cow<'a, str>),
    Flag(bool),
}

#[derive(Serialize, Deserialize)]
struct AdjustmentText<'a> {
    effect: Cow<'a, str>,
    category: Cow<'a, str>,
    label: Cow<'a, str>,
    amount: u64,
    line: Option<u32>,
}

impl OrderText {
    pub(super) fn new(order: NewOrder) -> Result<Self, StoreError> {
        let lines: Vec<_> = order.cart.lines().iter().map(line_text).collect();
        Ok(Self {
            lines: written(&lines)?,
            attributes: written(&attribute_texts(order.cart.attributes()))?,
            subtotal: i64_of(order.cart.subtotal().amount()),
            placed_at_ms: i64_of(order.placed_at_ms),
            reference: order.reference,
            inventory: order.inventory,
            currency: order.currency,
            trace_id: order.trace_id,
            plugins: order.plugins,
        })
    }
}

impl ReceiptText {
    pub(super) fn new(receipt: &Receipt) -> Result<Self, StoreError> {
        let adjustments: Vec<_> = receipt.adjustments().iter().map(adjustment_text).collect();
        Ok(Self {
            adjustments: written(&adjustments)?,
            attributes: written(&attribute_texts(receipt.attributes()))?,
            total: i64_of(receipt.total().amount()),
        })
    }
}

/// Returns the cart of an order's columns.
pub(super) fn cart(lines: &str, attributes: &str) -> Result<Cart, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "orders.lines" };
    let lines = read::<Vec<LineText<'_>>>(lines, "orders.lines")?;
    let lines = lines.into_iter().map(line).collect::<Option<_>>().ok_or_else(unreadable)?;
    Cart::new(lines, attributes_of(attributes, "orders.attributes")?).ok_or_else(unreadable)
}

/// Returns the receipt of a completed order's columns, its sums checked anew against the cart.
pub(super) fn receipt(cart: &Cart, adjustments: &str, attributes: &str, total: u64) -> Result<Receipt, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "orders.adjustments" };
    let adjustments = read::<Vec<AdjustmentText<'_>>>(adjustments, "orders.adjustments")?;
    let adjustments = adjustments.into_iter().map(adjustment).collect::<Option<_>>().ok_or_else(unreadable)?;
    let attributes = attributes_of(attributes, "orders.receipt_attributes")?;
    // The shop's caps when the order was sold are unknown.
    Receipt::checked(cart, adjustments, total, attributes, Caps::NONE).map_err(|_bad| unreadable())
}

fn line_text(line: &Line) -> LineText<'_> {
    LineText {
        item: line.item.as_str().into(),
        quantity: line.quantity.pieces(),
        unit_price: line.unit_price.amount(),
        attributes: attribute_texts(&line.attributes),
    }
}

fn line(text: LineText<'_>) -> Option<Line> {
    Some(Line {
        item: Item::kept(&text.item)?,
        quantity: Quantity::new(text.quantity)?,
        unit_price: MinorUnits::new(text.unit_price)?,
        attributes: text.attributes.into_iter().map(attribute).collect::<Option<_>>()?,
    })
}

fn attribute_texts(attributes: &[Attribute]) -> Vec<AttributeText<'_>> {
    attributes.iter().map(attribute_text).collect()
}

fn attribute_text(attribute: &Attribute) -> AttributeText<'_> {
    let value = match &attribute.value {
        AttributeValue::Text(text) => ValueText::Text(text.into()),
        AttributeValue::Integer(integer) => ValueText::Integer(*integer),
        AttributeValue::Decimal(decimal) => ValueText::Decimal(decimal.to_string().into()),
        AttributeValue::Flag(flag) => ValueText::Flag(*flag),
    };
    AttributeText { key: attribute.key.as_str().into(), value }
}

fn attribute(text: AttributeText<'_>) -> Option<Attribute> {
    let value = match text.value {
        ValueText::Text(text) => AttributeValue::Text(text.into_owned()),
        ValueText::Integer(integer) => AttributeValue::Integer(integer),
        ValueText::Decimal(decimal) => {
            AttributeValue::Decimal(decimal.parse().ok().filter(|decimal: &f64| decimal.is_finite())?)
        }
        ValueText::Flag(flag) => AttributeValue::Flag(flag),
    };
    Some(Attribute { key: text.key.into_owned(), value })
}

fn attributes_of(json: &str, column: &'static str) -> Result<Vec<Attribute>, StoreError> {
    let texts = read::<Vec<AttributeText<'_>>>(json, column)?;
    texts.into_iter().map(attribute).collect::<Option<_>>().ok_or(StoreError::Unreadable { column })
}

fn adjustment_text(adjustment: &Adjustment) -> AdjustmentText<'_> {
    AdjustmentText {
        effect: adjustment.effect.as_str().into(),
        category: adjustment.category.as_str().into(),
        label: adjustment.label.as_str().into(),
        amount: adjustment.amount.amount(),
        line: adjustment.line,
    }
}

fn adjustment(text: AdjustmentText<'_>) -> Option<Adjustment> {
    Some(Adjustment {
        effect: Effect::parse(&text.effect)?,
        category: text.category.into_owned(),
        label: text.label.into_owned(),
        amount: MinorUnits::new(text.amount)?,
        line: text.line,
    })
}

fn written(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::Unwritable)
}

fn read<T: DeserializeOwned>(json: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_error| StoreError::Unreadable { column })
}
