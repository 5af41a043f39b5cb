//! `/stock`: what is on hand, and changing it by hand. Each change is a movement in the ledger.

use serde::Deserialize;
use serde_json::json;

use super::{Admin, Asked};
use crate::{
    http::{Answer, Reply, body, levels, problem::Problem},
    order::Item,
    store::{StockChanged, StockLevel},
};

// Not an enum: serde takes JSON that names none or both of its variants for no JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default, deserialize_with = "body::present")]
    set: Option<u32>,
    #[serde(default, deserialize_with = "body::present")]
    add: Option<i64>,
}

/// # Errors
/// As [`levels`].
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    levels(&admin.store, &asked.query).await
}

/// # Errors
/// 422 for what is no change, or one that would leave less than nothing.
pub(super) async fn change(admin: &Admin, asked: Asked) -> Answer {
    let item = Item::parse(&asked.named).ok_or_else(|| Problem::unacceptable(Item::RULE))?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let changed = match body::parse_json(&bytes)? {
        Change { set: Some(on_hand), add: None } => admin.store.set_stock(&item, on_hand).await?,
        Change { set: None, add: Some(pieces) } => admin.store.add_stock(&item, pieces).await?,
        _ => return Err(Problem::unacceptable("either `set` or `add` is wanted")),
    };
    let StockChanged { level: now, is_new } = changed;
    tracing::info!(item = %now.item, on_hand = now.on_hand, is_new, "stock of {} set to {}", now.item, now.on_hand);
    Reply::json(&json!({ "item": now.item.as_str(), "on_hand": now.on_hand, "new": is_new }))
}

/// # Errors
/// 404 for an item that the shop hasn't got.
pub(super) async fn remove(admin: &Admin, asked: Asked) -> Answer {
    let item = Item::parse(&asked.named).ok_or_else(|| Problem::unacceptable(Item::RULE))?;
    admin.store.remove_stock(&item).await?;
    tracing::info!(%item, "{item} is no longer in the shop");
    Reply::json(&level(&StockLevel { item, on_hand: 0 }))
}

fn level(level: &StockLevel) -> serde_json::Value {
    json!({ "item": level.item.as_str(), "on_hand": level.on_hand })
}
