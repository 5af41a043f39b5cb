//! Changes of stock by hand: opening stock, counts, deliveries. Each is a transaction of its own.

use tokio_postgres::types::Type;

use super::{
    StockChanged, StockError, StockLevel,
    link::{Failed, Session},
    now_ms, saturated,
    transaction::{BEGIN_DURABLE, Parameters, begin, change, commit, rollback, rows},
};
use crate::order::Item;

/// Tells the other hosts that the shop has other items.
const ITEMS_CHANGED: &str = "UPDATE counters SET value = value + 1 WHERE name = 'items_epoch'";

/// Sets the opening stock of the items that the store doesn't know, and returns those.
pub(super) async fn seed(client: &Session, opening: &[(Item, u32)]) -> Result<Vec<Item>, Failed> {
    let items: Vec<&str> = opening.iter().map(|(item, _)| item.as_str()).collect();
    let pieces: Vec<i64> = opening.iter().map(|(_, pieces)| i64::from(*pieces)).collect();
    begin(client, BEGIN_DURABLE).await?;
    let sql = "INSERT INTO stock (item, opening, on_hand)
               SELECT item, pieces, pieces FROM unnest($1, $2) AS opening(item, pieces) ORDER BY item
               ON CONFLICT (item) DO NOTHING RETURNING item";
    let added = rows(client, sql, &[(&items, Type::TEXT_ARRAY), (&pieces, Type::INT8_ARRAY)]).await?;
    if !added.is_empty() {
        change(client, ITEMS_CHANGED, &[]).await?;
    }
    commit(client).await?;
    Ok(added.iter().filter_map(|row| Item::kept(row.get(0))).collect())
}

/// Sets an item's stock to a counted number.
pub(super) async fn set(client: &Session, item: &Item, counted: u32, why: &str) -> Result<StockChanged, Failed> {
    begin(client, BEGIN_DURABLE).await?;
    let is_new = bring_in(client, item).await?;
    // The difference is from the level that is locked until the commit.
    let sql = "WITH was AS MATERIALIZED (SELECT item, on_hand FROM stock WHERE item = $1 FOR NO KEY UPDATE),
         noted AS (
             INSERT INTO stock_movements (item, delta, kind, at_ms, why)
             SELECT item, $2 - on_hand, 'set', $3, nullif($4, '') FROM was)
         UPDATE stock SET on_hand = $2 FROM was WHERE stock.item = was.item";
    let parameters: &Parameters<'_> =
        &[(&item.as_str(), Type::TEXT), (&i64::from(counted), Type::INT8), (&now_ms(), Type::INT8), (&why, Type::TEXT)];
    change(client, sql, parameters).await?;
    commit(client).await?;
    Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: counted }, is_new })
}

/// Adds a delivery, or subtracts breakage.
pub(super) async fn add(
    client: &Session,
    item: &Item,
    delta: i64,
    why: &str,
) -> Result<Result<StockChanged, StockError>, Failed> {
    begin(client, BEGIN_DURABLE).await?;
    let is_new = bring_in(client, item).await?;
    let sql = "WITH changed AS (
             UPDATE stock SET on_hand = on_hand + $2
             WHERE item = $1 AND on_hand::numeric + $2 BETWEEN 0 AND 4294967295
             RETURNING item, on_hand),
         noted AS (
             INSERT INTO stock_movements (item, delta, kind, at_ms, why)
             SELECT item, $2, 'added', $3, nullif($4, '') FROM changed)
         SELECT on_hand FROM changed";
    let parameters: &Parameters<'_> =
        &[(&item.as_str(), Type::TEXT), (&delta, Type::INT8), (&now_ms(), Type::INT8), (&why, Type::TEXT)];
    let changed = rows(client, sql, parameters).await?;
    let Some(row) = changed.first() else {
        let sql = "SELECT on_hand FROM stock WHERE item = $1";
        let there = rows(client, sql, &[(&item.as_str(), Type::TEXT)]).await?;
        let on_hand = there.first().map_or(0, |row| saturated(row.get(0)));
        rollback(client).await?;
        return Ok(Err(StockError::OutOfRange { item: item.clone(), on_hand }));
    };
    commit(client).await?;
    Ok(Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: saturated(row.get(0)) }, is_new }))
}

/// Removes an item from the shop. Pieces that orders under way give back later become its stock again, but stay hidden.
pub(super) async fn remove(client: &Session, item: &Item, why: &str) -> Result<Result<(), StockError>, Failed> {
    begin(client, BEGIN_DURABLE).await?;
    let sql = "WITH was AS MATERIALIZED (
             SELECT item, on_hand FROM stock WHERE item = $1 AND NOT removed FOR NO KEY UPDATE),
         noted AS (
             INSERT INTO stock_movements (item, delta, kind, at_ms, why)
             SELECT item, -on_hand, 'set', $2, nullif($3, '') FROM was)
         UPDATE stock SET on_hand = 0, removed = true FROM was WHERE stock.item = was.item";
    let parameters: &Parameters<'_> = &[(&item.as_str(), Type::TEXT), (&now_ms(), Type::INT8), (&why, Type::TEXT)];
    if change(client, sql, parameters).await? == 0 {
        rollback(client).await?;
        return Ok(Err(StockError::Unknown { item: item.clone() }));
    }
    change(client, ITEMS_CHANGED, &[]).await?;
    commit(client).await?;
    Ok(Ok(()))
}

/// Makes sure that the shop has the item, and returns whether it was missing.
async fn bring_in(client: &Session, item: &Item) -> Result<bool, Failed> {
    let sql = "INSERT INTO stock (item, opening, on_hand) VALUES ($1, 0, 0)
               ON CONFLICT (item) DO UPDATE SET removed = false WHERE stock.removed";
    let is_new = change(client, sql, &[(&item.as_str(), Type::TEXT)]).await? > 0;
    if is_new {
        change(client, ITEMS_CHANGED, &[]).await?;
    }
    Ok(is_new)
}
