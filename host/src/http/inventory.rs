//! `/inventory/*`: this host's stock, for people and for the tills that have theirs here.
//!
//! A deduct's `Idempotency-Key` is the reference under which its stock is taken, and under which it is given back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Shop,
    answer::{Answer, Reply},
    body,
    cart::{Form, parse_deduct},
    problem::Problem,
    received::Received,
};
use crate::{
    imports::inventory::{self, Place, remote::IDEMPOTENCY_KEY},
    order::{Item, Reference, StockLine},
    plugin::Failure,
    store::{Released, StockLevel, Taker},
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

#[derive(Serialize)]
struct OnHand {
    item: String,
    on_hand: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    reference: String,
}

/// Takes stock for another till, durably when it returns.
///
/// # Errors
/// A [`Problem`]; nothing stays taken.
pub(super) async fn deduct(shop: &Arc<Shop>, received: Received) -> Answer {
    shop.inventory_access.check(&received.headers)?;
    let reference = reference(&received)?;
    let bytes = body::read_json(&received.headers, received.body, &shop.limits).await?;
    let (lines, form) = parse_deduct(&bytes)?;
    let permit = shop.deducts.acquire().await?;
    let context = received.parent.clone();
    let deduct = {
        let (shop, snapshot, parent) = (Arc::clone(shop), received.snapshot, received.parent);
        async move {
            let _permit = permit;
            let place = Place::Here(Taker::Deduct(reference.clone()));
            let deducted = inventory::deduct(&shop.plugins, &snapshot, &place, &parent, &lines).await;
            let levels = settle(&shop, &reference, deducted).await?;
            Reply::json(&reply(form, &lines, levels))
        }
    };
    shop.see_through(&context, deduct, || "not done yet; release its reference to be sure".to_owned()).await
}

/// Makes what was taken final, or gives it back.
async fn settle(
    shop: &Shop,
    reference: &Reference,
    deducted: Result<Vec<StockLevel>, Failure>,
) -> Result<Vec<StockLevel>, Problem> {
    match deducted {
        Ok(levels) => {
            shop.store.settle(reference).await?;
            Ok(levels)
        }
        // Used by an earlier deduct, which this one must not undo.
        Err(failure @ Failure::ReferenceUsed(_)) => Err(failure.into()),
        Err(failure) => {
            if let Err(error) = shop.store.release(reference).await {
                tracing::warn!("the stock of deduct {reference} can't be given back yet: {error}");
            }
            Err(failure.into())
        }
    }
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

/// Gives back what a deduct took. Answers 200 again and again, also for a deduct that never came: it is kept from
/// taking from then on.
///
/// # Errors
/// A [`Problem`] when the store can't.
pub(super) async fn release(shop: &Arc<Shop>, received: Received) -> Answer {
    shop.inventory_access.check(&received.headers)?;
    let bytes = body::read_json(&received.headers, received.body, &shop.limits).await?;
    let Release { reference } = body::parse_json(&bytes)?;
    let reference = Reference::parse(&reference)
        .ok_or_else(|| Problem::unacceptable("a reference is 1 to 255 visible ASCII characters"))?;
    let _permit = shop.deducts.acquire().await?;
    let outcome = match shop.store.release(&reference).await? {
        Released::Returned => "returned",
        Released::Before => "released_before",
        Released::Tombstone => "nothing_taken",
    };
    Reply::json(&serde_json::json!({ "status": "SUCCESS", "outcome": outcome }))
}

/// # Errors
/// A [`Problem`] when the store can't be read.
pub(super) async fn list(shop: &Shop, received: &Received) -> Answer {
    shop.inventory_access.check(&received.headers)?;
    let levels: Vec<OnHand> = shop.store.stock().await?.iter().map(on_hand).collect();
    Reply::json(&serde_json::json!({ "items": levels }))
}

/// # Errors
/// 404 for an item that the shop doesn't know.
pub(super) async fn show(shop: &Shop, received: &Received, item: &Item) -> Answer {
    shop.inventory_access.check(&received.headers)?;
    let level = shop.store.level(item).await?;
    let on_hand = level.ok_or_else(|| Problem::not_found(format!("there is no item {item}")))?;
    Reply::json(&OnHand { item: item.to_string(), on_hand })
}

fn on_hand(level: &StockLevel) -> OnHand {
    OnHand { item: level.item.to_string(), on_hand: level.on_hand }
}

fn reference(received: &Received) -> Result<Reference, Problem> {
    let mut keys = received.headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(Reference::random()),
        (Some(key), None) => key
            .to_str()
            .ok()
            .and_then(Reference::parse)
            .ok_or_else(|| Problem::malformed("an Idempotency-Key is 1 to 255 visible ASCII characters")),
        (Some(_), Some(_)) => Err(Problem::malformed("send one Idempotency-Key")),
    }
}
