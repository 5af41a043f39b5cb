//! `/inventory/*`: this host's stock, for people and for the tills that use it as their inventory.
//!
//! A deduct's `Idempotency-Key` is the reference under which its stock is taken and given back.

mod deduct;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use deduct::deduct;

use super::{
    Edge,
    answer::{Answer, Reply},
    body,
    problem::Problem,
    query,
    received::Received,
    routes::no_route,
};
#[cfg(test)]
use crate::schema;
use crate::{
    order::{Item, Reference},
    store::{Page, Released, StockLevel, Store},
};

/// A page of the stock on hand.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Inventory"))]
pub(super) struct Levels {
    items: Vec<OnHand>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Item>"))]
    next_after: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OnHand {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    pub item: String,
    pub on_hand: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ReleaseRequest"))]
pub(super) struct Release {
    #[cfg_attr(test, schemars(with = "schema::Reference"))]
    reference: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ReleaseAnswer {
    /// `returned`: the stock was given back now. `released_before`: an earlier release gave it back. `nothing_taken`:
    /// there was no deduct, and a late one will be refused.
    #[cfg_attr(test, schemars(with = "schema::ReleaseOutcome"))]
    outcome: &'static str,
    #[cfg_attr(test, schemars(extend("const" = "SUCCESS")))]
    status: &'static str,
}

/// Gives back what a deduct took. Answers 200 every time, also for a deduct that never came: from then on that deduct
/// takes nothing.
///
/// # Errors
/// A [`Problem`] if the store can't do it.
pub(super) async fn release(edge: &Arc<Edge>, received: Received) -> Answer {
    let bytes = body::read_json(&received.headers, received.body, &edge.limits).await?;
    let Release { reference } = body::parse_json(&bytes)?;
    let reference = Reference::parse(&reference)
        .ok_or_else(|| Problem::unacceptable("a reference is 1 to 255 visible ASCII characters"))?;
    let _permit = edge.shop.deducts.acquire().await?;
    let outcome = match edge.shop.store.release(&reference).await? {
        Released::Returned => "returned",
        Released::Before => "released_before",
        Released::Tombstone => "nothing_taken",
    };
    Reply::json(&ReleaseAnswer { status: "SUCCESS", outcome })
}

/// # Errors
/// A [`Problem`] if the store can't be read.
pub(super) async fn list(edge: &Edge, received: Received) -> Answer {
    levels(&edge.shop.store, &received.query).await
}

/// Answers with a page of the store's stock, according to the query. For both listeners.
///
/// # Errors
/// 422 for an unknown or invalid parameter; 503 if the store can't be read.
pub async fn levels(store: &Store, query: &str) -> Answer {
    let mut after = None;
    for (name, value) in query::parameters(query)? {
        if name != "after" {
            return Err(Problem::unacceptable(format!("there is no parameter {name}; after is one")));
        }
        after = Some(query::value(&name, &value, Item::parse(&value), "an item's name")?);
    }
    let Page { rows, goes_on } = store.stock(after).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|level| level.item.to_string());
    Reply::json(&Levels { items: rows.iter().map(on_hand).collect(), next_after })
}

/// # Errors
/// 404 for an item that the shop doesn't know.
pub(super) async fn show(edge: &Edge, received: Received) -> Answer {
    let item = Item::parse(&received.named).ok_or_else(no_route)?;
    let level = edge.shop.store.level(&item).await?;
    let on_hand = level.ok_or_else(|| Problem::not_found(format!("there is no item {item}")))?;
    Reply::json(&OnHand { item: item.to_string(), on_hand })
}

fn on_hand(level: &StockLevel) -> OnHand {
    OnHand { item: level.item.to_string(), on_hand: level.on_hand }
}
