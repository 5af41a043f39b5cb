//! `POST /inventory/deduct`: parses another till's request and writes the answer. The deduct itself is in
//! `shop/for_till.rs`.

use std::sync::Arc;

use serde::Serialize;

use super::super::{
    Edge,
    answer::{Answer, Reply},
    body,
    cart::{Form, deduct_fingerprint, parse_deduct},
    checkout, idempotency,
    received::Received,
};
use crate::{
    order::{Fingerprint, Keyed, StockLine},
    shop::{AskedToDeduct, KeyedRequest},
    store::{StockLevel, StoreError},
};

#[derive(Serialize)]
#[serde(untagged)]
enum Deducted {
    Single { status: &'static str, remaining_stock: u32 },
    Lines { status: &'static str, levels: Vec<Remaining> },
}

#[derive(Serialize)]
struct Remaining {
    item: String,
    remaining: u32,
}

/// Takes stock for another till, durably when it returns; or repeats the first answer.
///
/// # Errors
/// A [`Problem`](super::super::problem::Problem); nothing stays taken.
pub(in super::super) async fn deduct(edge: &Arc<Edge>, received: Received) -> Answer {
    let key = idempotency::key(&received.headers)?;
    let bytes = body::read_json(&received.headers, received.body, &edge.limits).await?;
    let (lines, form) = parse_deduct(&bytes)?;
    let asked = AskedToDeduct {
        keyed: key.map(|key| KeyedRequest {
            keyed: Keyed { key, fingerprint: deduct_fingerprint(&lines) },
            body: Fingerprint::of_body(&bytes),
        }),
        lines: lines.clone(),
        pinned: received.pinned,
        parent: received.parent,
    };
    let told = edge.shop.deduct_for_till(asked, move |levels| {
        let reply = serde_json::to_vec(&reply(form, &lines, levels)).map_err(StoreError::Unwritable)?;
        Ok(Reply::of_json(reply).answered())
    });
    let late = || "not done yet; release its reference to be sure".to_owned();
    told.await.map(Reply::from).map_err(|refused| checkout::problem(refused, late))
}

fn reply(form: Form, lines: &[StockLine], levels: Vec<StockLevel>) -> Deducted {
    let status = "SUCCESS";
    let only = lines.first().and_then(|line| levels.iter().find(|level| level.item == line.item));
    match (form, only) {
        (Form::Single, Some(level)) => Deducted::Single { status, remaining_stock: level.on_hand },
        _ => {
            let of = |level: StockLevel| Remaining { item: level.item.to_string(), remaining: level.on_hand };
            Deducted::Lines { status, levels: levels.into_iter().map(of).collect() }
        }
    }
}
