//! The answer to a completed checkout.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::{
    answer::money,
    cart::Form,
    orders::{AdjustmentJson, LineJson, adjustments, lines},
};
use crate::{order::Status, shop::Sold};

/// The answer, in the request's form.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CheckoutReply {
    Single {
        order_id: u64,
        reference: String,
        status: &'static str,
        item: String,
        total_price: Box<RawValue>,
    },
    Lines {
        order_id: u64,
        reference: String,
        status: &'static str,
        lines: Vec<LineJson>,
        adjustments: Vec<AdjustmentJson>,
        total_price: Box<RawValue>,
    },
}

pub(super) fn of(form: Form, sold: &Sold<'_>) -> CheckoutReply {
    let Sold { id, reference, cart, receipt, currency } = *sold;
    let (order_id, reference, status) = (id.number(), reference.to_string(), Status::Completed.as_str());
    let total_price = money(currency, receipt.total());
    match (form, cart.single()) {
        (Form::Single, Some(line)) => {
            CheckoutReply::Single { order_id, reference, status, item: line.item.to_string(), total_price }
        }
        _ => CheckoutReply::Lines {
            order_id,
            reference,
            status,
            lines: lines(cart.lines(), currency),
            adjustments: adjustments(receipt.adjustments(), currency),
            total_price,
        },
    }
}
