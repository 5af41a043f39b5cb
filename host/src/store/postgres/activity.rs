//! What operators ask of the past, in SQL.

use tokio_postgres::{Row, types::Type};

use super::{
    Page, StoreError,
    link::{Failed, Session},
    now_ms, page,
    plugins::Outcome,
    transaction::{BEGIN_DURABLE, Parameters, begin, change, commit, rows},
};
use crate::{
    order::Item,
    store::{
        ROW_BYTES,
        activity::{HostChange, HostEvent, MOVEMENTS_MAX, Moved, Sales, StockMovement},
    },
    units::i64_of,
};

pub(super) async fn note_host(client: &Session, host: &str, what: HostChange, detail: &str) -> Result<(), Failed> {
    begin(client, BEGIN_DURABLE).await?;
    let sql = "INSERT INTO host_events (at_ms, host_name, what, detail) VALUES ($1, $2, $3, $4)";
    let parameters: &Parameters<'_> =
        &[(&now_ms(), Type::INT8), (&host, Type::TEXT), (&what.as_str(), Type::TEXT), (&detail, Type::TEXT)];
    change(client, sql, parameters).await?;
    commit(client).await
}

pub(super) async fn host_events(client: &Session, before_ms: u64, limit: u32) -> Outcome<Page<HostEvent>> {
    let sql = "SELECT id, at_ms, host_name, what, detail FROM host_events
               WHERE at_ms < $1 AND what <> $3 ORDER BY id DESC LIMIT $2";
    let parameters: &Parameters<'_> = &[
        (&i64_of(before_ms), Type::INT8),
        (&i64::from(limit), Type::INT8),
        (&HostChange::Settings.as_str(), Type::TEXT),
    ];
    let found = rows(client, sql, parameters).await?;
    let with_bytes = found.iter().map(|row| {
        let event = HostEvent {
            id: row.get::<_, i64>(0).unsigned_abs(),
            at_ms: row.get::<_, i64>(1).unsigned_abs(),
            host: row.get(2),
            what: HostChange::parse(row.get(3)).ok_or(StoreError::Unreadable { column: "host_events.what" })?,
            detail: row.get(4),
        };
        let bytes = ROW_BYTES + event.detail.len();
        Ok((event, bytes))
    });
    Ok(page(with_bytes, limit))
}

pub(super) async fn last_settings(client: &Session, host: &str) -> Result<Option<String>, Failed> {
    let sql = "SELECT detail FROM host_events WHERE host_name = $1 AND what = $2 ORDER BY id DESC LIMIT 1";
    let parameters: &Parameters<'_> = &[(&host, Type::TEXT), (&HostChange::Settings.as_str(), Type::TEXT)];
    Ok(rows(client, sql, parameters).await?.first().map(|row| row.get(0)))
}

pub(super) async fn movements(
    client: &Session,
    item: Option<&Item>,
    after: Option<u64>,
    limit: u32,
) -> Outcome<Page<StockMovement>> {
    let sql = "SELECT id, at_ms, item, delta, kind, why FROM stock_movements
               WHERE reference IS NULL AND ($1::text IS NULL OR item = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    let parameters: &Parameters<'_> = &[
        (&item.map(Item::as_str), Type::TEXT),
        (&after.map_or(i64::MAX, i64_of), Type::INT8),
        (&i64::from(limit), Type::INT8),
    ];
    let found = rows(client, sql, parameters).await?;
    let with_bytes = found.iter().map(|row| {
        let movement = StockMovement {
            id: row.get::<_, i64>(0).unsigned_abs(),
            at_ms: row.get::<_, i64>(1).unsigned_abs(),
            item: sold_item(row, 2)?,
            delta: row.get(3),
            kind: row.get(4),
            why: row.get::<_, Option<String>>(5).unwrap_or_default(),
        };
        let bytes = ROW_BYTES + movement.why.len();
        Ok((movement, bytes))
    });
    Ok(page(with_bytes, limit))
}

pub(super) async fn sales(client: &Session, since_ms: u64) -> Outcome<Sales> {
    let sql = format!(
        "SELECT item, coalesce(-sum(delta) FILTER (WHERE at_ms >= $1), 0)::bigint, count(*), min(at_ms) FROM (
             SELECT item, delta, at_ms FROM stock_movements WHERE reference IS NOT NULL ORDER BY id DESC
             LIMIT {MOVEMENTS_MAX}) AS newest
         GROUP BY item ORDER BY item"
    );
    let moved = |row: &Row| {
        Ok(Moved { item: sold_item(row, 0)?, sold: row.get(1), movements: row.get(2), first_ms: row.get(3) })
    };
    let found = rows(client, &sql, &[(&i64_of(since_ms), Type::INT8)]).await?;
    let moved: Result<Vec<_>, StoreError> = found.iter().map(moved).collect();
    Ok(moved.map(|moved| Sales::of(moved, since_ms)))
}

fn sold_item(row: &Row, column: usize) -> Result<Item, StoreError> {
    Item::kept(row.get(column)).ok_or(StoreError::Unreadable { column: "stock_movements.item" })
}
