//! The readers' queries, and the conversion of rows into the shop's types.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::{
    Inventory, LEVEL_BYTES, LedgerMismatch, Order, OrderId, OrdersFilter, Page, ROW_BYTES, StockLevel, StoreError,
    json, page, saturated,
};
use crate::{
    order::{Currency, Item, Reference, Status},
    units::i64_of,
};

const ORDER_COLUMNS: &str = "id, reference, status, inventory, inventory_url, deducts, currency, decimals, lines, attributes, subtotal, \
                             adjustments, receipt_attributes, total, reason, trace_id, plugins, placed_at_ms, ended_at_ms";

/// What follows the last order of the page before, by number.
const BY_NUMBER: &str = "id > :after ORDER BY id";
/// The same, from the one placed last.
const NEWEST_FIRST: &str =
    "(:after = 0 OR (placed_at_ms, id) < (SELECT placed_at_ms, id FROM orders WHERE id = :after))
         ORDER BY placed_at_ms DESC, id DESC";

/// Returns the order of that reference.
pub(in crate::store) fn order_by_reference(
    connection: &Connection,
    reference: &Reference,
) -> Result<Option<Order>, StoreError> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders WHERE reference = ?1");
    connection.prepare_cached(&sql)?.query_and_then([reference.as_str()], order)?.next().transpose()
}

/// Returns the order of that number.
pub(in crate::store) fn order_by_id(connection: &Connection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_and_then([id.row()], order)?.next().transpose()
}

/// Returns a page of orders, in the filter's order.
pub(in crate::store) fn orders(connection: &Connection, filter: &OrdersFilter) -> Result<Page<Order>, StoreError> {
    // Orders without an end have a small index of their own, which is fast however many other orders there are.
    let endless = filter.unresolved || matches!(filter.status, Some(Status::Pending | Status::PendingRelease));
    let from = if endless { "orders INDEXED BY orders_unresolved" } else { "orders" };
    let unended = if endless { "AND ended_at_ms IS NULL" } else { "" };
    // A list by number doesn't begin to sort all orders of a time.
    let (page_of, placed) = match filter.newest_first {
        true => (NEWEST_FIRST, "placed_at_ms"),
        false => (BY_NUMBER, "+placed_at_ms"),
    };
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM {from}
         WHERE {placed} >= :from AND {placed} < :before {unended} AND (:status IS NULL OR status = :status)
         AND (:item IS NULL OR (instr(lines, :quoted) > 0
                                AND EXISTS (SELECT 1 FROM json_each(lines) WHERE value ->> 'item' = :item)))
         AND {page_of} LIMIT :limit"
    );
    let item = filter.item.as_ref().map(Item::as_str);
    let parameters = named_params! {
        ":after": filter.after.map_or(0, OrderId::row),
        ":status": filter.status.map(Status::as_str),
        ":from": filter.placed_from_ms.map_or(0, i64_of),
        ":before": filter.placed_before_ms.map_or(i64::MAX, i64_of),
        ":item": item,
        ":quoted": item.map(json::quoted),
        ":limit": filter.limit.min(OrdersFilter::LIMIT_MAX),
    };
    let mut reading = connection.prepare_cached(&sql)?;
    let texts = ["lines", "attributes", "adjustments", "receipt_attributes"];
    page(
        reading.query_and_then(parameters, |row| Ok((order(row)?, ROW_BYTES + text_bytes(row, &texts)?)))?,
        filter.limit,
    )
}

/// Returns a page of the levels of the items after `after`, by name.
pub(in crate::store) fn stock(connection: &Connection, after: Option<&Item>) -> Result<Page<StockLevel>, StoreError> {
    let sql = "SELECT item, on_hand FROM stock WHERE removed = 0 AND item > ?1 ORDER BY item";
    let mut reading = connection.prepare_cached(sql)?;
    let with_bytes = |row: &Row<'_>| {
        let level = level(row)?;
        let bytes = level.item.as_str().len() + LEVEL_BYTES;
        Ok((level, bytes))
    };
    page(reading.query_and_then([after.map_or("", Item::as_str)], with_bytes)?, u32::MAX)
}

/// Returns the bytes of the texts in those columns of a row.
pub(super) fn text_bytes(row: &Row<'_>, columns: &[&str]) -> rusqlite::Result<usize> {
    columns.iter().try_fold(0, |bytes, column| {
        let text = row.get_ref(*column)?;
        Ok(bytes + text.as_str_or_null().ok().flatten().map_or(0, str::len))
    })
}

/// Returns the lowest levels.
pub(in crate::store) fn scarcest(connection: &Connection, count: u32) -> Result<Vec<StockLevel>, StoreError> {
    let sql = "SELECT item, on_hand FROM stock WHERE removed = 0 ORDER BY on_hand, item LIMIT ?1";
    let mut reading = connection.prepare_cached(sql)?;
    reading.query_and_then([count], level)?.collect()
}

fn level(row: &Row<'_>) -> Result<StockLevel, StoreError> {
    Ok(StockLevel { item: item(row)?, on_hand: saturated(row.get(1)?) })
}

/// Returns the item's stock; `None` if the shop doesn't have the item.
pub(in crate::store) fn level_of(connection: &Connection, item: &Item) -> rusqlite::Result<Option<u32>> {
    let mut reading = connection.prepare_cached("SELECT on_hand FROM stock WHERE item = ?1 AND removed = 0")?;
    reading.query_row([item.as_str()], |row| row.get(0).map(saturated)).optional()
}

/// Returns the items that have a level.
pub(super) fn items(connection: &Connection) -> Result<HashSet<Item>, StoreError> {
    connection.prepare("SELECT item FROM stock WHERE removed = 0")?.query_and_then([], item)?.collect()
}

/// Returns the items whose stock isn't opening plus movements.
pub(in crate::store) fn ledger_mismatches(connection: &Connection) -> Result<Vec<LedgerMismatch>, StoreError> {
    let mut reading = connection.prepare_cached(
        "WITH moved AS (SELECT item, sum(delta) AS pieces FROM stock_movements GROUP BY item)
         SELECT item, on_hand, opening + coalesce(pieces, 0) AS ledger FROM stock LEFT JOIN moved USING (item)
         WHERE ledger <> on_hand ORDER BY item",
    )?;
    let mismatch = |row: &Row<'_>| Ok(LedgerMismatch { item: row.get(0)?, on_hand: row.get(1)?, ledger: row.get(2)? });
    reading.query_map([], mismatch)?.map(|mismatch| Ok(mismatch?)).collect()
}

fn item(row: &Row<'_>) -> Result<Item, StoreError> {
    parsed(row, "item", "stock.item", Item::kept)
}

fn order(row: &Row<'_>) -> Result<Order, StoreError> {
    let text = |name: &str| row.get::<_, String>(name);
    let cart = json::cart(&text("lines")?, &text("attributes")?)?;
    let receipt = match row.get::<_, Option<i64>>("total")? {
        Some(total) => {
            let total = total.unsigned_abs();
            Some(json::receipt(&cart, &text("adjustments")?, &text("receipt_attributes")?, total)?)
        }
        None => None,
    };
    let decimals: u8 = row.get("decimals")?;
    let url = row.get("inventory_url")?;
    let currency = |code: &str| Currency::of_code(code).filter(|currency| currency.decimals() == decimals);
    Ok(Order {
        id: OrderId::of_row(row.get("id")?).ok_or(StoreError::Unreadable { column: "orders.id" })?,
        reference: parsed(row, "reference", "orders.reference", Reference::parse)?,
        status: parsed(row, "status", "orders.status", Status::parse)?,
        inventory: parsed(row, "inventory", "orders.inventory", |name| Inventory::parse(name, url))?,
        deducts: row.get("deducts")?,
        currency: parsed(row, "currency", "orders.currency", currency)?,
        cart,
        receipt,
        reason: row.get("reason")?,
        trace_id: text("trace_id")?,
        plugins: text("plugins")?,
        placed_at_ms: row.get::<_, i64>("placed_at_ms")?.unsigned_abs(),
        ended_at_ms: row.get::<_, Option<i64>>("ended_at_ms")?.map(i64::unsigned_abs),
    })
}

fn parsed<T>(
    row: &Row<'_>,
    name: &str,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text: String = row.get(name)?;
    parse(&text).ok_or(StoreError::Unreadable { column })
}
