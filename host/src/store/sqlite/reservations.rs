//! The writer's commands for reservations: stock is held under a reference, made final, given back, taken once more.
//!
//! A reference takes stock in rounds: the first, and one more each time it starts over.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    OrderId, StockLevel, StoreError, TakeError, Taker,
    command::{ReservationCommand, Take},
    execution::{Executed, Refusal},
    now_ms,
    orders::{in_savepoint, is_local_order, no, on_hand, refuse, refuse_local_order, release, settle},
    saturated,
    writer::WriteContext,
};
use crate::{order::Item, units::i64_of};

/// The round in which a reference takes unless it has started over.
const FIRST_ROUND: i64 = 0;

impl ReservationCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::Take(Take { taker, pieces, was_ahead, reply }) => {
                let outcome = take(&context.connection, &taker, &pieces);
                context.levels.executed(&pieces, &outcome, was_ahead);
                reply.executed(outcome)
            }
            Self::StartOver { taker, plugins, reply, .. } => reply.executed(start_over(context, &taker, &plugins)),
            Self::Settle { reference, answer, reply } => reply.executed(settle(context, &reference, answer.as_ref())),
            Self::Refuse { reference, answer, reply } => reply.executed(refuse(context, &reference, answer.as_ref())),
            Self::Release { reference, reply } => reply.executed(release(context, &reference)),
        }
    }
}

/// Takes all pieces under the taker's reference and returns what is left of each item, or takes nothing.
fn take(
    connection: &Connection,
    taker: &Taker,
    pieces: &BTreeMap<Item, u64>,
) -> Result<Vec<StockLevel>, Refusal<TakeError>> {
    let reference = match taker {
        // Only a pending order may hold stock: one that was lost or ended meanwhile would never give it back.
        Taker::Order(id) => pending_order(connection, *id)?.ok_or_else(|| no(StoreError::ReservationGone.into()))?,
        Taker::Deduct(reference) if is_local_order(connection, reference)? => return Err(no(TakeError::AlreadyTaken)),
        Taker::Deduct(reference) => reference.as_str().to_owned(),
    };
    let now_ms = now_ms();
    let round = hold(connection, &reference, now_ms)?;
    match take_each(connection, pieces)? {
        Ok(levels) => {
            note_taken(connection, &reference, round, pieces, now_ms)?;
            Ok(levels)
        }
        Err(shortage) => {
            unhold(connection, &reference, round)?;
            Err(no(shortage))
        }
    }
}

/// Takes all pieces for a sale, final at once, and returns true; or changes nothing.
pub(super) fn take_finally(
    connection: &Connection,
    reference: &str,
    pieces: &BTreeMap<Item, u64>,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let is_first = connection
        .prepare_cached(
            "INSERT INTO reservations (reference, state, at_ms) VALUES (?1, 'final', ?2) ON CONFLICT (reference) DO NOTHING",
        )?
        .execute(params![reference, now_ms])?;
    if is_first == 0 {
        return Ok(false);
    }
    if let Err(short) = subtract_each(connection, pieces)? {
        put_back(connection, pieces.range::<Item, _>(..short))?;
        connection.prepare_cached("DELETE FROM reservations WHERE reference = ?1")?.execute([reference])?;
        return Ok(false);
    }
    note_taken(connection, reference, FIRST_ROUND, pieces, now_ms)?;
    Ok(true)
}

/// Holds the reference and returns its round: the first, or one more if it was reopened.
fn hold(connection: &Connection, reference: &str, now_ms: i64) -> Result<i64, Refusal<TakeError>> {
    let is_first = connection
        .prepare_cached(
            "INSERT INTO reservations (reference, state, at_ms) VALUES (?1, 'held', ?2) ON CONFLICT (reference) DO NOTHING",
        )?
        .execute(params![reference, now_ms])?;
    if is_first > 0 {
        return Ok(FIRST_ROUND);
    }
    let again = connection
        .prepare_cached(
            "UPDATE reservations SET state = 'held', reopened = 0, at_ms = ?2 WHERE reference = ?1 AND reopened = 1",
        )?
        .execute(params![reference, now_ms])?;
    if again > 0 {
        let mut reading = connection.prepare_cached("SELECT round FROM reservations WHERE reference = ?1")?;
        return Ok(reading.query_row([reference], |row| row.get(0))?);
    }
    let is_released = state_of(connection, reference)?.as_deref() == Some("released");
    Err(no(if is_released { TakeError::Released } else { TakeError::AlreadyTaken }))
}

/// Undoes [`hold`]: nothing was taken.
fn unhold(connection: &Connection, reference: &str, round: i64) -> rusqlite::Result<()> {
    let undo = if round == FIRST_ROUND {
        "DELETE FROM reservations WHERE reference = ?1 AND state = 'held'"
    } else {
        "UPDATE reservations SET state = 'released', reopened = 1 WHERE reference = ?1 AND state = 'held'"
    };
    connection.prepare_cached(undo)?.execute([reference]).map(drop)
}

/// Takes all pieces from the stock and returns what is left of each item, or takes nothing.
fn take_each(
    connection: &Connection,
    pieces: &BTreeMap<Item, u64>,
) -> rusqlite::Result<Result<Vec<StockLevel>, TakeError>> {
    let there = |item: &Item| on_hand(connection, item).map(|on_hand| saturated(on_hand.unwrap_or(0)));
    if let Err(short) = subtract_each(connection, pieces)? {
        let (item, requested, available) =
            (short.clone(), pieces.get(short).map_or(0, |asked| i64_of(*asked)), there(short)?);
        put_back(connection, pieces.range::<Item, _>(..short))?;
        return Ok(Err(TakeError::Shortage { item, requested: saturated(requested), available }));
    }
    let left = |item: &Item| Ok(StockLevel { item: item.clone(), on_hand: there(item)? });
    pieces.keys().map(left).collect::<rusqlite::Result<_>>().map(Ok)
}

/// Subtracts the pieces from the stock, item by item, up to the first of which there is too little: that one is returned, and the
/// caller puts back those before. A savepoint would do that as well, at the cost of every take.
fn subtract_each<'a>(
    connection: &Connection,
    pieces: &'a BTreeMap<Item, u64>,
) -> rusqlite::Result<Result<(), &'a Item>> {
    // No RETURNING, here and below: with it SQLite keeps a statement journal, which halves the writer's throughput.
    let mut taking =
        connection.prepare_cached("UPDATE stock SET on_hand = on_hand - ?2 WHERE item = ?1 AND on_hand >= ?2")?;
    for (item, asked) in pieces {
        if taking.execute(params![item.as_str(), i64_of(*asked)])? == 0 {
            return Ok(Err(item));
        }
    }
    Ok(Ok(()))
}

fn put_back<'a>(connection: &Connection, taken: impl Iterator<Item = (&'a Item, &'a u64)>) -> rusqlite::Result<()> {
    let mut putting = connection.prepare_cached("UPDATE stock SET on_hand = on_hand + ?2 WHERE item = ?1")?;
    for (item, pieces) in taken {
        putting.execute(params![item.as_str(), i64_of(*pieces)])?;
    }
    Ok(())
}

/// Writes what was taken into the ledger.
fn note_taken(
    connection: &Connection,
    reference: &str,
    round: i64,
    pieces: &BTreeMap<Item, u64>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let mut moving = connection.prepare_cached(
        "INSERT INTO stock_movements (reference, item, delta, kind, at_ms, round)
         VALUES (?1, ?2, -?3, 'reserved', ?4, ?5)",
    )?;
    for (item, pieces) in pieces {
        moving.execute(params![reference, item.as_str(), i64_of(*pieces), now_ms, round])?;
    }
    Ok(())
}

/// Gives back what was taken, so that the same order or deduct may take once more, for other plugins. An order that
/// took nothing only changes its plugins; a reservation that isn't held stays as it is.
fn start_over(context: &mut WriteContext, taker: &Taker, plugins: &str) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    let reference = match taker {
        Taker::Deduct(reference) => {
            refuse_local_order(connection, reference)?;
            reference.as_str().to_owned()
        }
        Taker::Order(id) => {
            connection
                .prepare_cached(
                    "UPDATE orders SET plugins = ?2, deducts = deducts + (inventory = 'remote')
                     WHERE id = ?1 AND status = 'PENDING'",
                )?
                .execute(params![id.row(), plugins])?;
            // A remote order's stock isn't in this store.
            let Some(reference) = pending_order(connection, *id)? else { return Ok(()) };
            reference
        }
    };
    in_savepoint(connection, || {
        if give_back(connection, &reference, "held", now_ms())? {
            connection
                .prepare_cached("UPDATE reservations SET reopened = 1, round = round + 1 WHERE reference = ?1")?
                .execute([&reference])?;
        }
        Ok(())
    })
}

/// Releases a reservation in `state`, with the inverse of its round's movements, and returns true. Does nothing and
/// returns false in any other state.
pub(super) fn give_back(connection: &Connection, reference: &str, state: &str, now_ms: i64) -> rusqlite::Result<bool> {
    if !move_reservation(connection, reference, state, "released", now_ms)? {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE stock SET on_hand = on_hand - taken.delta
             FROM (SELECT item, delta FROM stock_movements JOIN reservations USING (reference, round)
                   WHERE reference = ?1 AND kind = 'reserved') AS taken
             WHERE stock.item = taken.item",
        )?
        .execute([reference])?;
    connection
        .prepare_cached(
            "INSERT INTO stock_movements (reference, item, delta, kind, at_ms, round)
             SELECT reference, item, -delta, 'released', ?2, round
             FROM stock_movements JOIN reservations USING (reference, round)
             WHERE reference = ?1 AND kind = 'reserved'",
        )?
        .execute(params![reference, now_ms])?;
    Ok(true)
}

/// Stops a reservation that was given back from taking once more.
pub(super) fn close(connection: &Connection, reference: &str) -> rusqlite::Result<()> {
    let mut closing = connection.prepare_cached("UPDATE reservations SET reopened = 0 WHERE reference = ?1")?;
    closing.execute([reference]).map(drop)
}

/// Moves a reservation from the first state to the second, and returns whether it was in the first.
pub(super) fn move_reservation(
    connection: &Connection,
    reference: &str,
    from: &str,
    to: &str,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let mut moving = connection
        .prepare_cached("UPDATE reservations SET state = ?3, at_ms = ?4 WHERE reference = ?1 AND state = ?2")?;
    Ok(moving.execute(params![reference, from, to, now_ms])? == 1)
}

/// Returns the state of a reference's reservation.
pub(super) fn state_of(connection: &Connection, reference: &str) -> rusqlite::Result<Option<String>> {
    let mut reading = connection.prepare_cached("SELECT state FROM reservations WHERE reference = ?1")?;
    reading.query_row([reference], |row| row.get(0)).optional()
}

/// Returns the reference of a pending order of this store's stock.
fn pending_order(connection: &Connection, id: OrderId) -> rusqlite::Result<Option<String>> {
    let mut reading = connection
        .prepare_cached("SELECT reference FROM orders WHERE id = ?1 AND status = 'PENDING' AND inventory = 'local'")?;
    reading.query_row([id.row()], |row| row.get(0)).optional()
}
