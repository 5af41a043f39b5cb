//! The writer's commands for changes of stock by hand: opening stock, counts, deliveries.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    StockChanged, StockError, StockLevel, StoreError,
    command::StockCommand,
    queue::{Executed, Refusal},
    sqlite::{in_savepoint, no, now_ms, on_hand, saturated},
    writer::WriteContext,
};
use crate::order::Item;

impl StockCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::Seed { opening, reply } => reply.executed(seed(context, opening)),
            Self::Set { item, counted, reply } => reply.executed(set(context, &item, counted)),
            Self::Add { item, delta, reply } => reply.executed(add(context, &item, delta)),
            Self::Remove { item, reply } => reply.executed(remove(context, &item)),
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
fn set(context: &mut WriteContext, item: &Item, counted: u32) -> Result<StockChanged, Refusal<StoreError>> {
    let connection = &context.connection;
    let is_new = in_savepoint(connection, || {
        let is_new = bring_in(connection, item)?;
        let before = on_hand(connection, item)?.unwrap_or(0);
        connection
            .prepare_cached("UPDATE stock SET on_hand = ?2 WHERE item = ?1")?
            .execute(params![item.as_str(), counted])?;
        record(connection, item, i64::from(counted) - before, "set")?;
        Ok(is_new)
    })?;
    context.item_known(item.clone());
    Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: counted }, is_new })
}

/// Adds a delivery, or subtracts breakage.
fn add(context: &mut WriteContext, item: &Item, delta: i64) -> Result<StockChanged, Refusal<StockError>> {
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
        record(connection, item, delta, "added")?;
        Ok((left, is_new))
    })?;
    context.item_known(item.clone());
    Ok(StockChanged { level: StockLevel { item: item.clone(), on_hand: saturated(left) }, is_new })
}

/// Removes an item from the shop. Pieces that orders under way give back later become its stock again, but stay hidden.
fn remove(context: &mut WriteContext, item: &Item) -> Result<(), Refusal<StockError>> {
    let connection = &context.connection;
    in_savepoint(connection, || {
        let before = on_hand(connection, item)?.unwrap_or(0);
        let removed = connection
            .prepare_cached("UPDATE stock SET on_hand = 0, removed = 1 WHERE item = ?1 AND removed = 0")?
            .execute([item.as_str()])?;
        if removed == 0 {
            return Err(no(StockError::Unknown { item: item.clone() }));
        }
        Ok(record(connection, item, -before, "set")?)
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

fn record(connection: &Connection, item: &Item, delta: i64, kind: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO stock_movements (item, delta, kind, at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![item.as_str(), delta, kind, now_ms()])?;
    Ok(())
}
