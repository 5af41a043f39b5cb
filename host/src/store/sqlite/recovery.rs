//! Recovery after a crash: no order is PENDING and no stock is held once the store is open.
//!
//! An order whose stock is in this store becomes FAILED; one whose inventory is another till's becomes PENDING_RELEASE, and
//! the shop asks for its release (`shop/release.rs`). Held stock was never confirmed to anybody, because a confirmation is
//! sent only after the reservation became final. So all held stock is given back, of local orders and of other tills.

use rusqlite::{Connection, params};

use super::{Opened, answers, now_ms, reservations::give_back};

/// Settles what a crash left in one transaction, before anything else reads the store.
pub(super) fn settle(connection: &mut Connection) -> rusqlite::Result<Opened> {
    let now_ms = now_ms();
    let transaction = connection.transaction()?;
    let held = {
        let mut reading = transaction.prepare("SELECT reference FROM reservations WHERE state = 'held'")?;
        reading.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for reference in &held {
        give_back(&transaction, reference, "held", now_ms)?;
    }
    let interrupted = transaction.execute(
        "UPDATE orders SET status = 'FAILED', reason = 'interrupted', ended_at_ms = ?1
         WHERE ended_at_ms IS NULL AND status = 'PENDING' AND inventory = 'local'",
        params![now_ms],
    )?;
    transaction.execute(
        "UPDATE orders SET status = 'PENDING_RELEASE', reason = 'interrupted'
         WHERE ended_at_ms IS NULL AND status = 'PENDING' AND inventory = 'remote'",
        [],
    )?;
    answers::forget_interrupted(&transaction)?;
    let awaiting: i64 =
        transaction.query_row("SELECT count(*) FROM orders WHERE ended_at_ms IS NULL", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(Opened {
        interrupted_orders: interrupted as u64,
        awaiting_release_orders: awaiting.unsigned_abs(),
        returned_reservations: held.len() as u64,
    })
}
