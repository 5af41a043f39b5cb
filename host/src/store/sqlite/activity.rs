//! What operators ask of the past, in SQL.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{Page, ROW_BYTES, StoreError, now_ms, page};
use crate::{
    order::Item,
    store::activity::{HostChange, HostEvent, MOVEMENTS_MAX, Moved, Sales, StockMovement},
    units::i64_of,
};

pub(super) fn note_host(connection: &Connection, host: &str, what: HostChange, detail: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO host_events (at_ms, host_name, what, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![now_ms(), host, what.as_str(), detail])
        .map(drop)
}

pub(in crate::store) fn host_events(
    connection: &Connection,
    before_ms: u64,
    limit: u32,
) -> Result<Page<HostEvent>, StoreError> {
    let event = |row: &Row<'_>| {
        let what: String = row.get(3)?;
        let event = HostEvent {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            at_ms: row.get::<_, i64>(1)?.unsigned_abs(),
            host: row.get(2)?,
            what: HostChange::parse(&what).ok_or(StoreError::Unreadable { column: "host_events.what" })?,
            detail: row.get(4)?,
        };
        let bytes = ROW_BYTES + event.detail.len();
        Ok((event, bytes))
    };
    let sql = "SELECT id, at_ms, host_name, what, detail FROM host_events
               WHERE at_ms < ?1 AND what <> ?2 ORDER BY id DESC LIMIT ?3";
    page(
        connection
            .prepare_cached(sql)?
            .query_and_then(params![i64_of(before_ms), HostChange::Settings.as_str(), limit], event)?,
        limit,
    )
}

pub(in crate::store) fn last_settings(connection: &Connection, host: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT detail FROM host_events WHERE host_name = ?1 AND what = ?2 ORDER BY id DESC LIMIT 1";
    let parameters = params![host, HostChange::Settings.as_str()];
    Ok(connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()?)
}

pub(in crate::store) fn movements(
    connection: &Connection,
    item: Option<&Item>,
    after: Option<u64>,
    limit: u32,
) -> Result<Page<StockMovement>, StoreError> {
    let movement = |row: &Row<'_>| {
        let movement = StockMovement {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            at_ms: row.get::<_, i64>(1)?.unsigned_abs(),
            item: Item::kept(&row.get::<_, String>(2)?)
                .ok_or(StoreError::Unreadable { column: "stock_movements.item" })?,
            delta: row.get(3)?,
            kind: row.get(4)?,
            why: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        };
        let bytes = ROW_BYTES + movement.why.len();
        Ok((movement, bytes))
    };
    let of_item = if item.is_some() { "AND item = :item" } else { "AND :item IS NULL" };
    let sql = format!(
        "SELECT id, at_ms, item, delta, kind, why FROM stock_movements INDEXED BY stock_movements_by_hand
         WHERE reference IS NULL {of_item} AND id < :before ORDER BY id DESC LIMIT :limit"
    );
    let parameters = named_params! {
        ":item": item.map(Item::as_str), ":before": after.map_or(i64::MAX, i64_of), ":limit": limit,
    };
    page(connection.prepare_cached(&sql)?.query_and_then(parameters, movement)?, limit)
}

pub(in crate::store) fn sales(connection: &Connection, since_ms: u64) -> Result<Sales, StoreError> {
    let sql = format!(
        "SELECT item, coalesce(-sum(delta) FILTER (WHERE at_ms >= ?1), 0), count(*), min(at_ms) FROM (
             SELECT item, delta, at_ms FROM stock_movements WHERE reference IS NOT NULL ORDER BY id DESC LIMIT {MOVEMENTS_MAX})
         GROUP BY item ORDER BY item"
    );
    let moved = |row: &Row<'_>| {
        let item =
            Item::kept(&row.get::<_, String>(0)?).ok_or(StoreError::Unreadable { column: "stock_movements.item" })?;
        Ok(Moved { item, sold: row.get(1)?, movements: row.get(2)?, first_ms: row.get(3)? })
    };
    let mut reading = connection.prepare_cached(&sql)?;
    let moved = reading.query_and_then([i64_of(since_ms)], moved)?.collect::<Result<_, StoreError>>()?;
    Ok(Sales::of(moved, since_ms))
}
