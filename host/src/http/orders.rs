//! `GET /orders/{reference}`, and how an order is written as JSON.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Shop,
    answer::{Answer, Reply, money},
    problem::Problem,
};
use crate::{
    order::{Adjustment, Currency, Line, Reference},
    store::Order,
};

/// An order as the shop's clients and operators read it.
#[derive(Debug, Serialize)]
pub struct OrderJson {
    order_id: u64,
    reference: String,
    status: &'static str,
    lines: Vec<LineJson>,
    adjustments: Vec<AdjustmentJson>,
    currency: &'static str,
    subtotal: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    trace_id: String,
    plugins: String,
    placed_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<u64>,
}

/// One line, priced.
#[derive(Debug, Serialize)]
pub(super) struct LineJson {
    item: String,
    quantity: u32,
    price: Box<RawValue>,
}

/// One adjustment of the total.
#[derive(Debug, Serialize)]
pub(super) struct AdjustmentJson {
    effect: &'static str,
    category: String,
    label: String,
    amount: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
            currency: currency.code(),
            subtotal: money(currency, order.cart.subtotal()),
            total_price: receipt.map(|receipt| money(currency, receipt.total())),
            reason: order.reason,
            trace_id: order.trace_id,
            plugins: order.plugins,
            placed_at_ms: order.placed_at_ms,
            ended_at_ms: order.ended_at_ms,
        }
    }
}

/// # Errors
/// 404 for a reference that no order has.
pub(super) async fn show(shop: &Shop, reference: &Reference) -> Answer {
    let order = shop.store.order_by_reference(reference).await?;
    let order = order.ok_or_else(|| Problem::not_found(format!("there is no order {reference}")))?;
    Reply::json(&OrderJson::from(order))
}

pub(super) fn lines(lines: &[Line], currency: Currency) -> Vec<LineJson> {
    let of = |line: &Line| LineJson {
        item: line.item.to_string(),
        quantity: line.quantity.pieces(),
        price: money(currency, line.unit_price),
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
