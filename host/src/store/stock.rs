//! What the writer executes when the shop itself changes its stock: seeding, counting, deliveries.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    StockError, StockLevel, StoreError,
    queue::Refusal,
    sqlite::{in_savepoint, no, now_ms, on_hand, saturated},
    writer::Desk,
};
use crate::order::Item;

/// Gives the items that the store doesn't know their opening stock.
pub(super) fn seed(desk: &mut Desk, opening: Vec<(Item, u32)>) -> Result<(), Refusal<StoreError>> {
    let connection = &desk.connection;
    in_savepoint(connection, || {
        for (item, pieces) in &opening {
            open(connection, item, *pieces)?;
        }
        Ok(())
    })?;
    for (item, _pieces) in opening {
        desk.item_known(item);
    }
    Ok(())
}

/// Sets an item's stock to what was counted.
pub(super) fn set(desk: &mut Desk, item: &Item, counted: u32) -> Result<StockLevel, Refusal<StoreError>> {
    let connection = &desk.connection;
    in_savepoint(connection, || {
        open(connection, item, 0)?;
        let before = on_hand(connection, item)?.unwrap_or(0);
        connection
            .prepare_cached("UPDATE stock SET on_hand = ?2 WHERE item = ?1")?
            .execute(params![item.as_str(), counted])?;
        Ok(record(connection, item, i64::from(counted) - before, "set")?)
    })?;
    desk.item_known(item.clone());
    Ok(StockLevel { item: item.clone(), on_hand: counted })
}

/// Adds a delivery, or takes away what broke.
pub(super) fn add(desk: &mut Desk, item: &Item, delta: i64) -> Result<StockLevel, Refusal<StockError>> {
    let connection = &desk.connection;
    let left = in_savepoint(connection, || {
        open(connection, item, 0)?;
        let left: Option<i64> = connection
            .prepare_cached(
                "UPDATE stock SET on_hand = on_hand + ?2
                 WHERE item = ?1 AND on_hand + ?2 BETWEEN 0 AND 4294967295 RETURNING on_hand",
            )?
            .query_row(params![item.as_str(), delta], |row| row.get(0))
            .optional()?;
        let Some(left) = left else {
            let on_hand = saturated(on_hand(connection, item)?.unwrap_or(0));
            return Err(no(StockError::OutOfRange { item: item.clone(), on_hand }));
        };
        record(connection, item, delta, "added")?;
        Ok(left)
    })?;
    desk.item_known(item.clone());
    Ok(StockLevel { item: item.clone(), on_hand: saturated(left) })
}

fn open(connection: &Connection, item: &Item, opening: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO stock (item, opening, on_hand) VALUES (?1, ?2, ?2) ON CONFLICT (item) DO NOTHING")?
        .execute(params![item.as_str(), opening])?;
    Ok(())
}

fn record(connection: &Connection, item: &Item, delta: i64, kind: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO stock_movements (item, delta, kind, at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![item.as_str(), delta, kind, now_ms()])?;
    Ok(())
}
