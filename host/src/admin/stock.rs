//! `/stock`: shows the stock on hand, and changes it. The ledger records each change as a movement.

use serde::{Deserialize, Serialize};

use super::{Admin, Asked, query};
#[cfg(test)]
use crate::schema;
use crate::{
    clock::now_ms,
    http::{Answer, OnHand, Reply, body, levels, problem::Problem},
    order::Item,
    store::{Page, StockChanged, StockMovement},
    tokens::Caller,
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
    /// Why, for whoever reads the changes later.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = WHY_BYTES_MAX)))]
    why: String,
}

/// The longest reason of a change, bytes.
const WHY_BYTES_MAX: usize = 500;
const MOVEMENTS_MAX: u32 = 500;
/// The longest time of sales, minutes: a week.
const SALES_MINUTES_MAX: u64 = 7 * 24 * 60;
const MINUTE_MS: u64 = 60_000;

/// A change of an item's stock by hand.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "StockMovement"))]
struct MovementJson {
    #[cfg_attr(test, schemars(range(min = 1)))]
    id: u64,
    /// When, in milliseconds since 1970, UTC.
    at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    /// The pieces that came; negative if some went.
    delta: i64,
    /// `set`: somebody counted. `added`: somebody added some, or subtracted.
    #[cfg_attr(test, schemars(regex(pattern = "^(set|added)$")))]
    kind: String,
    /// Empty if nobody said. The name of a named token stands behind it, in brackets.
    why: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "StockMovements"))]
pub(super) struct MovementsJson {
    #[cfg_attr(test, schemars(length(max = MOVEMENTS_MAX)))]
    movements: Vec<MovementJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    next_after: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ItemSales"))]
struct SoldJson {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    #[cfg_attr(test, schemars(range(min = 1)))]
    pieces: u64,
}

/// The pieces that orders took and didn't give back.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Sales"))]
pub(super) struct SalesJson {
    /// Of each item that was sold, by name.
    items: Vec<SoldJson>,
    /// Since when, in milliseconds since 1970, UTC. Later than was asked for if too much was sold since.
    since_ms: u64,
    until_ms: u64,
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
    let Change { set, add, why } = body::parse_json(&bytes)?;
    let why = reason(&asked.caller, &why)?;
    let changed = match (set, add) {
        (Some(on_hand), None) => admin.store.set_stock(&item, on_hand, &why).await?,
        (None, Some(pieces)) => admin.store.add_stock(&item, pieces, &why).await?,
        _ => return Err(Problem::unacceptable("either `set` or `add` is wanted")),
    };
    let StockChanged { level: now, is_new } = changed;
    let by = asked.caller.signs(None);
    tracing::info!(item = %now.item, on_hand = now.on_hand, is_new, by, "stock of {} set to {}", now.item, now.on_hand);
    Reply::json(&ChangedJson { item: now.item.to_string(), on_hand: now.on_hand, is_new })
}

/// # Errors
/// 422 for an unknown or invalid filter.
pub(super) async fn movements(admin: &Admin, asked: Asked) -> Answer {
    let (mut item, mut after, mut limit) = (None, None, MOVEMENTS_MAX);
    for (name, value) in query::parameters(&asked.query)? {
        match name.as_str() {
            "item" => item = Some(query::value(&name, &value, Item::parse(&value), Item::RULE)?),
            "after" => {
                let number = value.parse().ok().filter(|number| (1..1 << 53).contains(number));
                after = Some(query::value(&name, &value, number, "a movement's number")?);
            }
            "limit" => {
                let given = value.parse().ok().filter(|limit| (1..=MOVEMENTS_MAX).contains(limit));
                limit = query::value(&name, &value, given, &format!("1 to {MOVEMENTS_MAX}"))?;
            }
            _ => return Err(query::unknown("filter", &name, ["item", "after", "limit"])),
        }
    }
    let Page { rows, goes_on } = admin.store.stock_movements(item, after, limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|movement| movement.id);
    Reply::json(&MovementsJson { movements: rows.into_iter().map(MovementJson::from).collect(), next_after })
}

/// # Errors
/// 422 for an unknown or invalid parameter.
pub(super) async fn sales(admin: &Admin, asked: Asked) -> Answer {
    let mut minutes = 60;
    for (name, value) in query::parameters(&asked.query)? {
        match name.as_str() {
            "minutes" => {
                let given = value.parse().ok().filter(|minutes| (1..=SALES_MINUTES_MAX).contains(minutes));
                minutes = query::value(&name, &value, given, &format!("1 to {SALES_MINUTES_MAX}"))?;
            }
            _ => return Err(query::unknown("parameter", &name, ["minutes"])),
        }
    }
    let until_ms = now_ms();
    let sales = admin.store.sales(until_ms.saturating_sub(minutes * MINUTE_MS)).await?;
    let sold = |(item, pieces): (Item, u64)| SoldJson { item: item.to_string(), pieces };
    let items = sales.pieces.into_iter().map(sold).collect();
    Reply::json(&SalesJson { items, since_ms: sales.since_ms, until_ms })
}

/// Returns the reason of a change, with the token's name if it has one.
fn reason(caller: &Caller, why: &str) -> Result<String, Problem> {
    let why = why.trim();
    if why.len() > WHY_BYTES_MAX {
        return Err(Problem::unacceptable(format!("`why` is at most {WHY_BYTES_MAX} bytes long")));
    }
    Ok(match (caller.name(), why) {
        (None, why) => why.to_owned(),
        (Some(name), "") => format!("by {name}"),
        (Some(name), why) => format!("{why} (by {name})"),
    })
}

impl From<StockMovement> for MovementJson {
    fn from(StockMovement { id, at_ms, item, delta, kind, why }: StockMovement) -> Self {
        Self { id, at_ms, item: item.to_string(), delta, kind, why }
    }
}

/// # Errors
/// 404 for an item that the shop doesn't have.
pub(super) async fn remove(admin: &Admin, asked: Asked) -> Answer {
    let item = Item::parse(&asked.named).ok_or_else(|| Problem::unacceptable(Item::RULE))?;
    admin.store.remove_stock(&item, &reason(&asked.caller, "removed from the shop")?).await?;
    let by = asked.caller.signs(None);
    tracing::info!(%item, by, "{item} is no longer in the shop");
    Reply::json(&OnHand { item: item.to_string(), on_hand: 0 })
}
