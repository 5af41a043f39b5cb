//! The queries, and the conversion of rows into the shop's types.

use std::collections::HashSet;

use bytes::Bytes;
use tokio_postgres::{Row, types::Type};

use super::{
    Answered, Earlier, Inventory, LedgerMismatch, Order, OrderId, OrdersFilter, Page, StockLevel, StoreError, json,
    link::{Failed, Session},
    page, saturated,
    transaction::{Parameters, rows},
};
use crate::{
    order::{Currency, Fingerprint, IdempotencyKey, Item, Reference, Status},
    store::{LEVEL_BYTES, ROW_BYTES},
    units::i64_of,
};

const ORDER_COLUMNS: &str = "id, reference, status, inventory, inventory_url, deducts, currency, decimals, lines, attributes, adjustments, \
                             receipt_attributes, total, reason, trace_id, plugins, placed_at_ms, ended_at_ms";

/// Lists stop before the lowest number under which a host may still begin an order: who reads page by page misses none.
const IS_SETTLED: &str = "id < (SELECT coalesce(min(numbers_from), 9007199254740992) FROM hosts \
                          WHERE until > clock_timestamp() - interval '10 s')";

/// Returns the result of the checkout with that key.
pub(super) async fn earlier_checkout(client: &Session, key: &IdempotencyKey) -> Result<Option<Earlier>, Failed> {
    let sql = "SELECT fingerprint, CASE WHEN ended_at_ms IS NOT NULL THEN checkout_answers.status END, body
               FROM checkout_answers JOIN orders ON orders.id = order_id WHERE key = $1";
    let found = rows(client, sql, &[(&key.as_str(), Type::TEXT)]).await?;
    Ok(found.first().and_then(earlier))
}

/// Returns the result of the deduct under that reference.
pub(super) async fn earlier_deduct(client: &Session, reference: &Reference) -> Result<Option<Earlier>, Failed> {
    let sql = "SELECT fingerprint, status, body FROM deduct_answers WHERE reference = $1";
    let found = rows(client, sql, &[(&reference.as_str(), Type::TEXT)]).await?;
    Ok(found.first().and_then(earlier))
}

fn earlier(row: &Row) -> Option<Earlier> {
    let (fingerprint, status, body): (Vec<u8>, Option<i16>, Option<Vec<u8>>) = (row.get(0), row.get(1), row.get(2));
    let answer = status
        .zip(body)
        .and_then(|(status, body)| Some(Answered { status: u16::try_from(status).ok()?, body: Bytes::from(body) }));
    Some(Earlier { fingerprint: Fingerprint::of_bytes(fingerprint.try_into().ok()?), answer })
}

/// Returns the order that meets `condition`, which has one parameter.
pub(super) async fn order_by(
    client: &Session,
    condition: &str,
    parameter: &Parameters<'_>,
) -> Result<Result<Option<Order>, StoreError>, Failed> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders WHERE {condition}");
    Ok(rows(client, &sql, parameter).await?.first().map(order).transpose())
}

/// What follows the last order of the page before, by number.
const BY_NUMBER: &str = "id > $1 ORDER BY id";
/// The same, from the one placed last.
const NEWEST_FIRST: &str = "($1 = 0 OR (placed_at_ms, id) < (SELECT placed_at_ms, id FROM orders WHERE id = $1))
         ORDER BY placed_at_ms DESC, id DESC";

/// Returns a page of orders, in the filter's order.
pub(super) async fn orders(client: &Session, filter: &OrdersFilter) -> Result<Result<Page<Order>, StoreError>, Failed> {
    let endless = filter.unresolved || matches!(filter.status, Some(Status::Pending | Status::PendingRelease));
    let unended = if endless { "AND ended_at_ms IS NULL" } else { "" };
    // Who reads by number must miss none of those that hosts still begin; the newest come first as they come.
    let (page_of, settled) = match filter.newest_first {
        true => (NEWEST_FIRST, "true"),
        false => (BY_NUMBER, IS_SETTLED),
    };
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders
         WHERE {settled} {unended} AND ($2::text IS NULL OR status = $2) AND placed_at_ms >= $4 AND placed_at_ms < $5
         AND ($6::text IS NULL OR (position($7 IN lines) > 0 AND EXISTS (
             SELECT 1 FROM jsonb_array_elements(lines::jsonb) AS line WHERE line ->> 'item' = $6)))
         AND {page_of} LIMIT $3"
    );
    let item = filter.item.as_ref().map(Item::as_str);
    let parameters: &Parameters<'_> = &[
        (&filter.after.map_or(0, OrderId::row), Type::INT8),
        (&filter.status.map(Status::as_str), Type::TEXT),
        (&i64::from(filter.limit.min(OrdersFilter::LIMIT_MAX)), Type::INT8),
        (&filter.placed_from_ms.map_or(0, i64_of), Type::INT8),
        (&filter.placed_before_ms.map_or(i64::MAX, i64_of), Type::INT8),
        (&item, Type::TEXT),
        (&item.map(json::quoted), Type::TEXT),
    ];
    let found = rows(client, &sql, parameters).await?;
    let with_bytes = found.iter().map(|row| {
        let texts = ["lines", "attributes", "adjustments", "receipt_attributes"];
        let bytes: usize = texts.iter().map(|text| row.get::<_, Option<&str>>(*text).map_or(0, str::len)).sum();
        Ok((order(row)?, ROW_BYTES + bytes))
    });
    Ok(page(with_bytes, filter.limit))
}

/// How many levels are read at once.
const LEVELS_MAX: i64 = 20_000;

/// Returns a page of the levels of the items after `after`, by name.
pub(super) async fn stock(
    client: &Session,
    after: Option<&Item>,
) -> Result<Result<Page<StockLevel>, StoreError>, Failed> {
    let sql = "SELECT item, on_hand FROM stock WHERE NOT removed AND item > $1 ORDER BY item LIMIT $2";
    let parameters: &Parameters<'_> = &[(&after.map_or("", Item::as_str), Type::TEXT), (&LEVELS_MAX, Type::INT8)];
    let found = rows(client, sql, parameters).await?;
    let with_bytes = found.iter().map(|row| {
        let level = level(row)?;
        let bytes = level.item.as_str().len() + LEVEL_BYTES;
        Ok((level, bytes))
    });
    Ok(page(with_bytes, u32::try_from(LEVELS_MAX).unwrap_or(u32::MAX)))
}

/// Returns the lowest levels.
pub(super) async fn scarcest(client: &Session, count: u32) -> Result<Result<Vec<StockLevel>, StoreError>, Failed> {
    let sql = "SELECT item, on_hand FROM stock WHERE NOT removed ORDER BY on_hand, item LIMIT $1";
    Ok(rows(client, sql, &[(&i64::from(count), Type::INT8)]).await?.iter().map(level).collect())
}

/// Returns the item's stock; `None` if the shop doesn't have the item.
pub(super) async fn level_of(client: &Session, item: &Item) -> Result<Option<u32>, Failed> {
    let sql = "SELECT on_hand FROM stock WHERE item = $1 AND NOT removed";
    Ok(rows(client, sql, &[(&item.as_str(), Type::TEXT)]).await?.first().map(|row| saturated(row.get(0))))
}

/// Returns the items that have a level.
pub(super) async fn items(client: &Session) -> Result<HashSet<Item>, Failed> {
    let found = rows(client, "SELECT item FROM stock WHERE NOT removed", &[]).await?;
    Ok(found.iter().filter_map(|row| Item::kept(row.get(0))).collect())
}

/// Returns the items whose stock isn't opening plus movements.
pub(super) async fn ledger_mismatches(client: &Session) -> Result<Vec<LedgerMismatch>, Failed> {
    let sql = "WITH moved AS (SELECT item, sum(delta)::bigint AS pieces FROM stock_movements GROUP BY item),
         explained AS (
             SELECT item, on_hand, opening + coalesce(pieces, 0) AS ledger FROM stock LEFT JOIN moved USING (item))
         SELECT item, on_hand, ledger FROM explained WHERE ledger <> on_hand ORDER BY item";
    let found = rows(client, sql, &[]).await?;
    Ok(found.iter().map(|row| LedgerMismatch { item: row.get(0), on_hand: row.get(1), ledger: row.get(2) }).collect())
}

fn level(row: &Row) -> Result<StockLevel, StoreError> {
    let item = Item::kept(row.get(0)).ok_or(StoreError::Unreadable { column: "stock.item" })?;
    Ok(StockLevel { item, on_hand: saturated(row.get(1)) })
}

fn order(row: &Row) -> Result<Order, StoreError> {
    let text = |name: &str| row.get::<_, &str>(name);
    let unreadable = |column| move || StoreError::Unreadable { column };
    let cart = json::cart(text("lines"), text("attributes"))?;
    let receipt = match row.get::<_, Option<i64>>("total") {
        Some(total) => {
            let (adjustments, attributes) = (text("adjustments"), text("receipt_attributes"));
            Some(json::receipt(&cart, adjustments, attributes, total.unsigned_abs())?)
        }
        None => None,
    };
    let decimals = row.get::<_, i16>("decimals");
    let currency = Currency::of_code(text("currency")).filter(|currency| i16::from(currency.decimals()) == decimals);
    Ok(Order {
        id: OrderId::of_row(row.get("id")).ok_or_else(unreadable("orders.id"))?,
        reference: Reference::parse(text("reference")).ok_or_else(unreadable("orders.reference"))?,
        status: Status::parse(text("status")).ok_or_else(unreadable("orders.status"))?,
        inventory: Inventory::parse(text("inventory"), row.get("inventory_url"))
            .ok_or_else(unreadable("orders.inventory"))?,
        deducts: u32::try_from(row.get::<_, i64>("deducts")).map_err(|_| unreadable("orders.deducts")())?,
        currency: currency.ok_or_else(unreadable("orders.currency"))?,
        cart,
        receipt,
        reason: row.get("reason"),
        trace_id: text("trace_id").to_owned(),
        plugins: text("plugins").to_owned(),
        placed_at_ms: row.get::<_, i64>("placed_at_ms").unsigned_abs(),
        ended_at_ms: row.get::<_, Option<i64>>("ended_at_ms").map(i64::unsigned_abs),
    })
}
