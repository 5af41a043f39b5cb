//! The writer's commands for changes of stock by hand: opening stock, counts, deliveries.
//!
//! What a change adds is computed where the level is, and the level changes by what the ledger has, so that neither is from a level
//! that was read before.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    StockChanged, StockError, StockLevel, StoreError,
    command::StockCommand,
    execution::{Executed, Refusal},
    now_ms,
    orders::{in_savepoint, no, on_hand},
    saturated,
    writer::WriteContext,
};
use crate::order::Item;

/// Changes an item's level by the movement that was just written.
const APPLY_LAST_MOVEMENT: &str = "UPDATE stock
    SET on_hand = on_hand + (SELECT delta FROM stock_movements WHERE id = last_insert_rowid()) WHERE item = ?1";

impl StockCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::Seed { opening, reply } => reply.executed(seed(context, opening)),
            Self::Set { item, counted, why, reply } => reply.executed(set(context, &item, counted, &why)),
            Self::Add { item, delta, why, reply } => reply.executed(add(context, &item, delta, &why)),
            Self::Remove { item, why, reply } => reply.executed(remove(context, &item, &why)),
        }
    }
}

/// Sets the opening stock of the items that the store doesn't know.
fn seed(context: &mut WriteContext, opening: Vec<(Item, u32)>) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    let added = in_savepoint(connection, || {
        let mut added = Vec::new();
        for (item, pieces) in opening {
            if open(connection, &item, pieces)? {
                added.push(item);
            }
        }
        Ok(added)
    })?;
    added.into_iter().for_each(|item| context.item_known(item));
    Ok(())
}

/// Sets an item's stock to a counted number.
fn set(context: &mut WriteContext, item: &Item, counted: u32, why: &str) -> Result<StockChanged, Refusal<StoreError>> {
    let connection = &context.connection;
    let is_new = in_savepoint(connection, || {
        let is_new = bring_in(connection, item)?;
        connection
            .prepare_cached(
                "INSERT INTO stock_movements (item, delta, kind, at_ms, why)
                 SELECT item, ?2 - on_hand, 'set', ?3, nullif(?4, '') FROM stock WHERE item = ?1",
            )?
            .execute(params![item.as_str(), counted, now_ms(), why])?;
        connection.prepare_cached(APPLY_LAST_MOVEMENT)?.execute([item.as_str()])?;
        Ok(is_new)
    })?;
    context.item_known(item.clone());
    Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: counted }, is_new })
}

/// Adds a delivery, or subtracts breakage.
fn add(context: &mut WriteContext, item: &Item, delta: i64, why: &str) -> Result<StockChanged, Refusal<StockError>> {
    let connection = &context.connection;
    let (left, is_new) = in_savepoint(connection, || {
        let is_new = bring_in(connection, item)?;
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
        connection
            .prepare_cached(
                "INSERT INTO stock_movements (item, delta, kind, at_ms, why) VALUES (?1, ?2, 'added', ?3, nullif(?4, ''))",
            )?
            .execute(params![item.as_str(), delta, now_ms(), why])?;
        Ok((left, is_new))
    })?;
    context.item_known(item.clone());
    Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: saturated(left) }, is_new })
}

/// Removes an item from the shop. Pieces that orders under way give back later become its stock again, but stay hidden.
fn remove(context: &mut WriteContext, item: &Item, why: &str) -> Result<(), Refusal<StockError>> {
    let connection = &context.connection;
    in_savepoint(connection, || {
        let emptied = connection
            .prepare_cached(
                "INSERT INTO stock_movements (item, delta, kind, at_ms, why)
                 SELECT item, -on_hand, 'set', ?2, nullif(?3, '') FROM stock WHERE item = ?1 AND removed = 0",
            )?
            .execute(params![item.as_str(), now_ms(), why])?;
        if emptied == 0 {
            return Err(no(StockError::Unknown { item: item.clone() }));
        }
        connection.prepare_cached(APPLY_LAST_MOVEMENT)?.execute([item.as_str()])?;
        let mut removing = connection.prepare_cached("UPDATE stock SET removed = 1 WHERE item = ?1 AND removed = 0")?;
        Ok(removing.execute([item.as_str()]).map(drop)?)
    })?;
    context.item_removed(item.clone());
    Ok(())
}

/// Makes sure that the shop has the item, and returns whether it was missing.
fn bring_in(connection: &Connection, item: &Item) -> rusqlite::Result<bool> {
    let added = open(connection, item, 0)?;
    let back = connection
        .prepare_cached("UPDATE stock SET removed = 0 WHERE item = ?1 AND removed = 1")?
        .execute([item.as_str()])?;
    Ok(added || back > 0)
}

/// Adds the item with its opening stock if the store doesn't know it, and returns whether it was added.
fn open(connection: &Connection, item: &Item, opening: u32) -> rusqlite::Result<bool> {
    let added = connection
        .prepare_cached("INSERT INTO stock (item, opening, on_hand) VALUES (?1, ?2, ?2) ON CONFLICT (item) DO NOTHING")?
        .execute(params![item.as_str(), opening])?;
    Ok(added > 0)
}
