//! The writer's commands for orders and deducts, in SQL; those for their stock are in `reservations.rs`.
//!
//! Each function is one command inside the batch's transaction. A command that refuses changes nothing, undoes what it changed, or
//! runs in a savepoint. Nothing is read and then changed: each UPDATE carries its own condition, each INSERT its conflict, and
//! the changed rows are counted. Rows are changed in one order: the order's, its reservation's, the stock by item.

use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};

use super::{
    Answered, DatabaseError, OrderId, Outage, Released, StoreError, activity, answers,
    command::{OpenOrder, OrderCommand, Take, UpkeepCommand},
    execution::{Executed, Refusal},
    held::Opening,
    json::{OrderText, ReceiptText},
    now_ms,
    reservations::{close, give_back, move_reservation, state_of, take_finally},
    writer::WriteContext,
};
use crate::order::{Fingerprint, Item, Keyed, Reference, Status};

impl OrderCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::Open(open) => {
                let OpenOrder { id, order, keyed, reply, .. } = *open;
                reply.executed(create_order(context, id, &order, keyed.as_ref()))
            }
            Self::Complete { id, receipt, answer, reply } => {
                reply.executed(complete_order(context, id, &receipt, answer.as_ref()))
            }
            Self::Fail { id, reason, answer, reply } => {
                reply.executed(fail_order(context, id, &reason, answer.as_ref()))
            }
            Self::AwaitRelease { id, reason, answer, reply } => {
                reply.executed(await_release(context, id, &reason, answer.as_ref()))
            }
        }
    }
}

impl UpkeepCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::PruneAnswers { kept, reply } => reply.executed(answers::prune(context, kept)),
            Self::CheckReadiness { reply } => reply.executed(check_readiness(context)),
            Self::NoteHost { host, what, detail, reply } => {
                let noted = activity::note_host(&context.connection, &host, what, &detail);
                reply.executed(noted.map_err(Refusal::Failed))
            }
            Self::Wake { reply } => reply.executed(Ok(())),
        }
    }
}

/// Inserts a pending order under its id and claims its key. Returns when that was done.
fn create_order(
    context: &mut WriteContext,
    id: OrderId,
    order: &OrderText,
    keyed: Option<&Keyed>,
) -> Result<SystemTime, Refusal<StoreError>> {
    let connection = &context.connection;
    if !insert_order(connection, id, order, None)? {
        return Err(no(StoreError::ReferenceTaken));
    }
    if let Some(keyed) = keyed
        && !answers::claim(context, id, keyed, None)?
    {
        delete_order(connection, id)?;
        return Err(no(StoreError::KeyTaken));
    }
    context.order_opened();
    Ok(SystemTime::now())
}

/// Writes a local order with its take and its completion at once, and returns true. If any of that can't be, nothing is changed:
/// then one after the other says what is wrong.
pub(super) fn sell(
    context: &WriteContext,
    Opening { open, take, .. }: &Opening,
    receipt: &ReceiptText,
    answer: Option<&Answered>,
) -> rusqlite::Result<bool> {
    let Some(Take { pieces, .. }) = take else { return Ok(false) };
    let OpenOrder { id, order, keyed, .. } = &**open;
    let connection = &context.connection;
    let reference = order.reference.as_str();
    // A key that gets no answer is claimed and let go.
    if keyed.is_some() && answer.is_none() {
        return Ok(false);
    }
    let now_ms = now_ms();
    if !insert_order(connection, *id, order, Some((receipt, now_ms)))? {
        return Ok(false);
    }
    if let Some(keyed) = keyed
        && !answers::claim(context, *id, keyed, answer)?
    {
        delete_order(connection, *id)?;
        return Ok(false);
    }
    if !take_finally(connection, reference, pieces, now_ms)? {
        answers::forget_checkout(connection, *id)?;
        delete_order(connection, *id)?;
        return Ok(false);
    }
    context.levels.executed_as_answered(pieces);
    Ok(true)
}

/// Inserts an order, pending or with its receipt and when it was completed. Returns false if there is one of its reference.
fn insert_order(
    connection: &Connection,
    id: OrderId,
    order: &OrderText,
    completed: Option<(&ReceiptText, i64)>,
) -> rusqlite::Result<bool> {
    let (receipt, ended_at_ms) = completed.unzip();
    let status = if completed.is_some() { Status::Completed } else { Status::Pending };
    let inserted = connection
        .prepare_cached(
            "INSERT INTO orders (id, reference, status, inventory, inventory_url, currency, decimals, lines, attributes,
                                 subtotal, trace_id, plugins, placed_at_ms, total, adjustments, receipt_attributes,
                                 ended_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             ON CONFLICT (reference) DO NOTHING",
        )?
        .execute(params![
            id.row(),
            order.reference.as_str(),
            status.as_str(),
            order.inventory.as_str(),
            order.inventory.url(),
            order.currency.code(),
            order.currency.decimals(),
            order.lines,
            order.attributes,
            order.subtotal,
            order.trace_id,
            order.plugins,
            order.placed_at_ms,
            receipt.map(|receipt| receipt.total),
            receipt.map(|receipt| &receipt.adjustments),
            receipt.map(|receipt| &receipt.attributes),
            ended_at_ms,
        ])?;
    Ok(inserted > 0)
}

/// Undoes [`insert_order`] in the same transaction.
fn delete_order(connection: &Connection, id: OrderId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM orders WHERE id = ?1")?.execute([id.row()]).map(drop)
}

/// Completes a pending order, makes its reservation final and keeps the answer.
fn complete_order(
    context: &mut WriteContext,
    id: OrderId,
    receipt: &ReceiptText,
    answer: Option<&Answered>,
) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    let now_ms = now_ms();
    let completed = connection
        .prepare_cached(
            "UPDATE orders SET status = 'COMPLETED', total = ?2, adjustments = ?3, receipt_attributes = ?4, ended_at_ms = ?5
             WHERE id = ?1 AND status = 'PENDING'
               AND (inventory = 'remote' OR EXISTS (SELECT 1 FROM reservations
                    WHERE reservations.reference = orders.reference AND state = 'held'))",
        )?
        .execute(params![id.row(), receipt.total, receipt.adjustments, receipt.attributes, now_ms])?;
    if completed == 0 {
        return Err(no(StoreError::ReservationGone));
    }
    // A remote order has no reservation here: one under its reference is a deduct's, of a till that calls itself.
    connection
        .prepare_cached(
            "UPDATE reservations SET state = 'final', at_ms = ?2
             WHERE state = 'held'
               AND reference = (SELECT reference FROM orders WHERE id = ?1 AND inventory = 'local')",
        )?
        .execute(params![id.row(), now_ms])?;
    answers::end_checkout(context, id, answer)?;
    context.order_ended(Status::Pending);
    Ok(())
}

/// Fails an order that has no end yet, gives back its stock, and stores the answer. A failed or lost order stays as it
/// is.
fn fail_order(
    context: &mut WriteContext,
    id: OrderId,
    reason: &str,
    answer: Option<&Answered>,
) -> Result<(), Refusal<StoreError>> {
    let Some(Standing { reference, is_local, status }) = standing(&context.connection, id)? else { return Ok(()) };
    let before = match Status::parse(&status) {
        Some(Status::Failed) => return Ok(()),
        Some(Status::Completed) => return Err(no(StoreError::OrderEnded { id, status: Status::Completed })),
        Some(before @ (Status::Pending | Status::PendingRelease)) => before,
        None => return Err(no(StoreError::Unreadable { column: "orders.status" })),
    };
    let connection = &context.connection;
    in_savepoint(connection, || {
        let now_ms = now_ms();
        let failed = connection
            .prepare_cached(
                "UPDATE orders SET status = 'FAILED', reason = ?2, ended_at_ms = ?3 WHERE id = ?1 AND status = ?4",
            )?
            .execute(params![id.row(), reason, now_ms, before.as_str()])?;
        if failed == 0 {
            return Err(no(StoreError::ReservationGone));
        }
        // When a till calls itself, a remote order's reference is a deduct's here, too. The deduct is released by its
        // own command.
        if is_local {
            give_back(connection, &reference, "held", now_ms)?;
        }
        Ok(answers::end_checkout(context, id, answer)?)
    })?;
    context.order_ended(before);
    Ok(())
}

/// Sets an order to PENDING_RELEASE, because a remote inventory may hold its stock, and stores the answer.
fn await_release(
    context: &mut WriteContext,
    id: OrderId,
    reason: &str,
    answer: Option<&Answered>,
) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    let changed = connection
        .prepare_cached(
            "UPDATE orders SET status = 'PENDING_RELEASE', reason = ?2
             WHERE id = ?1 AND inventory = 'remote' AND status = 'PENDING'",
        )?
        .execute(params![id.row(), reason])?;
    if changed == 0 {
        return Err(no(StoreError::ReservationGone));
    }
    if answer.is_some() {
        // Without an answer the key stays claimed: only the order's end frees it.
        answers::end_checkout(context, id, answer)?;
    }
    context.release_awaited();
    Ok(())
}

/// Makes another till's deduct final and stores the answer. A final deduct stays final.
pub(super) fn settle(
    context: &mut WriteContext,
    reference: &Reference,
    answer: Option<&(Fingerprint, Answered)>,
) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    refuse_local_order(connection, reference)?;
    let moved = move_reservation(connection, reference.as_str(), "held", "final", now_ms())?;
    let is_final = || state_of(connection, reference.as_str()).map(|state| state.as_deref() == Some("final"));
    if !moved && !is_final()? {
        return Err(no(StoreError::ReservationGone));
    }
    Ok(answers::end_deduct(context, reference, answer)?)
}

/// Gives back what a failed deduct took, and stores the answer. Without an answer a reference that took nothing counts
/// as unused.
pub(super) fn refuse(
    context: &mut WriteContext,
    reference: &Reference,
    answer: Option<&(Fingerprint, Answered)>,
) -> Result<(), Refusal<StoreError>> {
    let connection = &context.connection;
    refuse_local_order(connection, reference)?;
    in_savepoint(connection, || {
        give_back(connection, reference.as_str(), "held", now_ms())?;
        Ok(answers::end_deduct(context, reference, answer)?)
    })
}

/// Gives back what another till's deduct took, or stops it from ever taking.
pub(super) fn release(context: &mut WriteContext, reference: &Reference) -> Result<Released, Refusal<StoreError>> {
    let connection = &context.connection;
    refuse_local_order(connection, reference)?;
    in_savepoint(connection, || {
        let now_ms = now_ms();
        // A repeated deduct under this reference must learn that it is released, not that it succeeded.
        answers::forget_deduct(connection, reference)?;
        let tombstone = connection
            .prepare_cached(
                "INSERT INTO reservations (reference, state, at_ms) VALUES (?1, 'released', ?2)
                 ON CONFLICT (reference) DO NOTHING",
            )?
            .execute(params![reference.as_str(), now_ms])?;
        if tombstone > 0 {
            return Ok(Released::Tombstone);
        }
        let state = state_of(connection, reference.as_str())?.unwrap_or_default();
        if state == "released" {
            close(connection, reference.as_str())?;
            return Ok(Released::Before);
        }
        give_back(connection, reference.as_str(), &state, now_ms)?;
        Ok(Released::Returned)
    })
}

/// Writes a row, to show whether the store can commit.
fn check_readiness(context: &mut WriteContext) -> Result<(), Refusal<StoreError>> {
    context
        .connection
        .prepare_cached("INSERT OR REPLACE INTO readiness (id, checked_at_ms) VALUES (1, ?1)")?
        .execute([now_ms()])?;
    Ok(())
}

/// Returns the item's stock; `None` if the store doesn't know the item.
pub(super) fn on_hand(connection: &Connection, item: &Item) -> rusqlite::Result<Option<i64>> {
    let mut reading = connection.prepare_cached("SELECT on_hand FROM stock WHERE item = ?1")?;
    reading.query_row([item.as_str()], |row| row.get(0)).optional()
}

struct Standing {
    reference: String,
    is_local: bool,
    status: String,
}

fn standing(connection: &Connection, id: OrderId) -> rusqlite::Result<Option<Standing>> {
    let mut reading =
        connection.prepare_cached("SELECT reference, inventory = 'local', status FROM orders WHERE id = ?1")?;
    let read = |row: &Row<'_>| Ok(Standing { reference: row.get(0)?, is_local: row.get(1)?, status: row.get(2)? });
    reading.query_row([id.row()], read).optional()
}

/// Refuses a reference of this till's own orders, which end their reservations themselves.
pub(super) fn refuse_local_order(connection: &Connection, reference: &Reference) -> Result<(), Refusal<StoreError>> {
    if is_local_order(connection, reference)? { Err(no(StoreError::OfLocalOrder)) } else { Ok(()) }
}

/// Returns whether the reference is that of a local order, whose reservation only the order itself changes.
pub(super) fn is_local_order(connection: &Connection, reference: &Reference) -> rusqlite::Result<bool> {
    let mut reading = connection.prepare_cached("SELECT 1 FROM orders WHERE reference = ?1 AND inventory = 'local'")?;
    reading.exists([reference.as_str()])
}

/// Does all of `work` or nothing, and leaves the rest of the batch as it is.
///
/// # Errors
/// A broken rule of the schema is a refusal of this one command; any other SQLite error fails the batch.
pub(super) fn in_savepoint<T, E: From<StoreError>>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, Refusal<E>>,
) -> Result<T, Refusal<E>> {
    connection.prepare_cached("SAVEPOINT command")?.execute([])?;
    let outcome = work();
    let refusal = match outcome {
        Ok(value) => {
            connection.prepare_cached("RELEASE command")?.execute([])?;
            return Ok(value);
        }
        Err(Refusal::No(refusal)) => refusal,
        Err(Refusal::Failed(error)) if breaks_a_rule(&error) => StoreError::Refused(error.into()).into(),
        Err(Refusal::Failed(error)) => return Err(Refusal::Failed(error)),
    };
    connection.prepare_cached("ROLLBACK TO command")?.execute([])?;
    connection.prepare_cached("RELEASE command")?.execute([])?;
    Err(no(refusal))
}

fn breaks_a_rule(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

pub(super) const fn no<E>(refusal: E) -> Refusal<E> {
    Refusal::No(refusal)
}

/// Returns whether the error means that the file isn't what a till wrote.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        let is_damage = is_damage(&error);
        Self::new(error, is_damage)
    }
}

impl From<rusqlite::Error> for Outage {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
