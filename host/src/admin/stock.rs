//! `/stock`: shows the stock on hand, and changes it. The ledger records each change as a movement.

use serde::{Deserialize, Serialize};

use super::{Admin, Asked};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, OnHand, Reply, body, levels, problem::Problem},
    order::Item,
    store::StockChanged,
};

// Not an enum: serde reports JSON that names none or both of its variants as malformed JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "StockChange"))]
pub(super) struct Change {
    /// The new stock on hand.
    #[serde(default, deserialize_with = "body::present")]
    #[cfg_attr(test, schemars(with = "u32"))]
    set: Option<u32>,
    /// The pieces to add; negative to subtract.
    #[serde(default, deserialize_with = "body::present")]
    #[cfg_attr(test, schemars(with = "i64", range(min = -i64::from(u32::MAX), max = u32::MAX)))]
    add: Option<i64>,
}

/// The result of a change.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "StockChanged"))]
pub(super) struct ChangedJson {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    /// Whether the shop didn't have the item before.
    #[serde(rename = "new")]
    is_new: bool,
    on_hand: u32,
}

/// # Errors
/// As [`levels`].
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    levels(&admin.store, &asked.query).await
}

/// # Errors
/// 422 for an invalid change, or one that would make the stock negative.
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
    Reply::json(&ChangedJson { item: now.item.to_string(), on_hand: now.on_hand, is_new })
}

/// # Errors
/// 404 for an item that the shop doesn't have.
pub(super) async fn remove(admin: &Admin, asked: Asked) -> Answer {
    let item = Item::parse(&asked.named).ok_or_else(|| Problem::unacceptable(Item::RULE))?;
    admin.store.remove_stock(&item).await?;
    tracing::info!(%item, "{item} is no longer in the shop");
    Reply::json(&OnHand { item: item.to_string(), on_hand: 0 })
}
