//! Answers stored under their requests' keys, in SQL. An answer is written in the transaction that it reports, read
//! before anything is done twice, and pruned by the time for which tills have been running, never by the wall clock.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Answered, Earlier, OrderId, StoreError, execution::Refusal, writer::WriteContext};
use crate::order::{Fingerprint, IdempotencyKey, Keyed, Reference};

/// The most rows that one prune deletes of each table, so that no commit waits long for it.
const PRUNED_ROWS_MAX: u32 = 500;

/// Claims the key for an order that was just written, with the answer if the order has ended, and returns whether no other order
/// has the key.
pub(super) fn claim(
    context: &WriteContext,
    id: OrderId,
    keyed: &Keyed,
    answer: Option<&Answered>,
) -> rusqlite::Result<bool> {
    let claimed = context
        .connection
        .prepare_cached(
            "INSERT INTO checkout_answers (key, fingerprint, order_id, at_ms, status, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            keyed.key.as_str(),
            keyed.fingerprint.as_bytes(),
            id.row(),
            context.running.now_ms(),
            answer.map(|answer| answer.status),
            answer.map(|answer| &answer.body[..]),
        ])?;
    Ok(claimed > 0)
}

/// Stores the answer to the order's client, if the client gave a key. Without an answer the key becomes free.
pub(super) fn end_checkout(context: &WriteContext, id: OrderId, answer: Option<&Answered>) -> rusqlite::Result<()> {
    let connection = &context.connection;
    match answer {
        Some(Answered { status, body }) => connection
            .prepare_cached(
                "UPDATE checkout_answers SET status = ?2, body = ?3, at_ms = ?4 WHERE order_id = ?1 AND status IS NULL",
            )?
            .execute(params![id.row(), status, &body[..], context.running.now_ms()])?,
        None => connection
            .prepare_cached("DELETE FROM checkout_answers WHERE order_id = ?1 AND status IS NULL")?
            .execute([id.row()])?,
    };
    Ok(())
}

/// Undoes [`claim`] in the same transaction.
pub(super) fn forget_checkout(connection: &Connection, id: OrderId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM checkout_answers WHERE order_id = ?1")?.execute([id.row()]).map(drop)
}

/// Frees the keys of orders that failed without an answer.
pub(super) fn forget_interrupted(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM checkout_answers INDEXED BY checkout_answers_awaited
         WHERE status IS NULL AND order_id NOT IN (SELECT id FROM orders WHERE ended_at_ms IS NULL)",
        [],
    )?;
    Ok(())
}

/// Returns the result of the checkout with that key.
pub(in crate::store) fn of_checkout(
    connection: &Connection,
    key: &IdempotencyKey,
) -> Result<Option<Earlier>, StoreError> {
    let mut reading = connection.prepare_cached(
        "SELECT fingerprint, CASE WHEN ended_at_ms IS NOT NULL THEN checkout_answers.status END, body
         FROM checkout_answers JOIN orders ON orders.id = order_id WHERE key = ?1",
    )?;
    Ok(reading.query_row([key.as_str()], earlier).optional()?)
}

/// Stores the answer to a deduct's caller, if the caller gave a key.
pub(super) fn end_deduct(
    context: &WriteContext,
    reference: &Reference,
    answer: Option<&(Fingerprint, Answered)>,
) -> rusqlite::Result<()> {
    let Some((fingerprint, answer)) = answer else { return Ok(()) };
    context
        .connection
        .prepare_cached(
            "INSERT INTO deduct_answers (reference, fingerprint, status, body, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (reference) DO NOTHING",
        )?
        .execute(params![
            reference.as_str(),
            fingerprint.as_bytes(),
            answer.status,
            &answer.body[..],
            context.running.now_ms(),
        ])?;
    Ok(())
}

/// Deletes the answer to a deduct's caller, because it is no longer true.
pub(super) fn forget_deduct(connection: &Connection, reference: &Reference) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM deduct_answers WHERE reference = ?1")?.execute([reference.as_str()])?;
    Ok(())
}

/// Returns the result of the deduct under that reference.
pub(in crate::store) fn of_deduct(
    connection: &Connection,
    reference: &Reference,
) -> Result<Option<Earlier>, StoreError> {
    let mut reading =
        connection.prepare_cached("SELECT fingerprint, status, body FROM deduct_answers WHERE reference = ?1")?;
    Ok(reading.query_row([reference.as_str()], earlier).optional()?)
}

/// Deletes some of the answers older than `kept`, and returns whether there may be more.
pub(super) fn prune(context: &WriteContext, kept: Duration) -> Result<bool, Refusal<StoreError>> {
    let connection = &context.connection;
    let before_ms = context.running.before(kept);
    context.running.write(connection)?;
    // An order that waits for a release keeps its key, however long that takes.
    let checkouts = connection
        .prepare_cached(
            "DELETE FROM checkout_answers WHERE rowid IN (
                 SELECT rowid FROM checkout_answers INDEXED BY checkout_answers_by_age
                 WHERE at_ms < ?1 AND order_id NOT IN (SELECT id FROM orders WHERE ended_at_ms IS NULL) LIMIT ?2)",
        )?
        .execute(params![before_ms, PRUNED_ROWS_MAX])?;
    let deducts = connection
        .prepare_cached(
            "DELETE FROM deduct_answers WHERE rowid IN (
                 SELECT rowid FROM deduct_answers INDEXED BY deduct_answers_by_age WHERE at_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![before_ms, PRUNED_ROWS_MAX])?;
    Ok(u32::try_from(checkouts.max(deducts)) == Ok(PRUNED_ROWS_MAX))
}

fn earlier(row: &Row<'_>) -> rusqlite::Result<Earlier> {
    let answer = match row.get(1)? {
        Some(status) => Some(Answered { status, body: Bytes::from(row.get::<_, Vec<u8>>(2)?) }),
        None => None,
    };
    Ok(Earlier { fingerprint: Fingerprint::of_bytes(row.get(0)?), answer })
}
