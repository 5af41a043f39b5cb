//! What gives stock back: failed orders, refused and released deducts, canaries' takes, and the orders of dead hosts.
//!
//! The locks are taken in one order everywhere: the order's row, its reservation, the stock by item.

use std::{collections::HashMap, time::Duration};

use tokio_postgres::types::Type;

use super::{
    Answered, OrderId, Released, StoreError, Taker,
    endings::{Answers, end_deduct, freed, told},
    ledger::{Movements, Why, lock_stock},
    link::{Failed, Session},
    now_ms,
    transaction::{BEGIN_DURABLE, BEGIN_STEP, Parameters, begin, change, commit, rollback, rows},
};
use crate::{
    order::{Fingerprint, Reference, Status},
    units::millis,
};

/// An order to fail, and the answer under its key.
pub(super) struct Failing<'a> {
    pub(super) id: OrderId,
    pub(super) reason: &'a str,
    pub(super) answer: Option<&'a Answered>,
}

/// Fails orders that have no end yet, gives back their stock and keeps the answers, in one transaction. Failed and lost orders
/// stay as they are.
pub(super) async fn fail(client: &Session, failing: &[Failing<'_>]) -> Result<Vec<Result<(), StoreError>>, Failed> {
    let now_ms = now_ms();
    let ids: Vec<i64> = failing.iter().map(|one| one.id.row()).collect();
    let sql = "SELECT id, status FROM orders WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    let parameters: &Parameters<'_> = &[(&ids, Type::INT8_ARRAY)];
    let (_begun, found) = tokio::try_join!(biased; begin(client, BEGIN_DURABLE), rows(client, sql, parameters))?;
    let found: HashMap<i64, String> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let outcome = |id: OrderId| match found.get(&id.row()).map(|status| Status::parse(status)) {
        None | Some(Some(Status::Failed | Status::Pending | Status::PendingRelease)) => Ok(()),
        Some(Some(status @ Status::Completed)) => Err(StoreError::OrderEnded { id, status }),
        Some(None) => Err(StoreError::Unreadable { column: "orders.status" }),
    };
    let answers = Answers::of(failing.iter().map(|one| one.answer));
    let reasons: Vec<&str> = failing.iter().map(|one| one.reason).collect();
    let sql = concat!(
        "WITH ended AS (SELECT * FROM unnest($1, $2, $3, $4) AS ended(id, reason, status, body)),
         done AS (
             UPDATE orders SET status = 'FAILED', reason = ended.reason, ended_at_ms = $5
             FROM ended WHERE orders.id = ended.id AND orders.status IN ('PENDING', 'PENDING_RELEASE')
             RETURNING orders.id, reference, inventory, ended.status, ended.body),",
        told!(),
        ",",
        freed!(),
        " SELECT reference FROM done WHERE inventory = 'local'"
    );
    let parameters: &Parameters<'_> = &[
        (&ids, Type::INT8_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&answers.statuses, Type::INT2_ARRAY),
        (&answers.bodies, Type::BYTEA_ARRAY),
        (&now_ms, Type::INT8),
    ];
    let local = rows(client, sql, parameters).await?;
    let references: Vec<String> = local.iter().map(|row| row.get(0)).collect();
    give_back(client, &references, Which::Held, now_ms).await?;
    commit(client).await?;
    Ok(failing.iter().map(|one| outcome(one.id)).collect())
}

/// Which reservations are given back.
#[derive(Clone, Copy)]
enum Which {
    Held,
    HeldOrFinal,
}

/// Releases the references' reservations, with the inverse of their rounds' movements. Returns the
/// references that were released.
async fn give_back(client: &Session, references: &[String], which: Which, now_ms: i64) -> Result<Vec<String>, Failed> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "WITH released AS (
             UPDATE reservations SET state = 'released', at_ms = $2
             WHERE reference = ANY($1) AND state NOT IN ('released', $3) RETURNING reference, round)
         SELECT released.reference, released.round, item, delta FROM released
         LEFT JOIN stock_movements AS taken
             ON taken.reference = released.reference AND taken.round = released.round AND kind = 'reserved'";
    let but = match which {
        Which::Held => "final",
        Which::HeldOrFinal => "released",
    };
    let parameters: &Parameters<'_> = &[(&references, Type::TEXT_ARRAY), (&now_ms, Type::INT8), (&but, Type::TEXT)];
    let taken = rows(client, sql, parameters).await?;
    let mut released: Vec<String> = taken.iter().map(|row| row.get(0)).collect();
    released.sort_unstable();
    released.dedup();
    let mut moved = Movements::default();
    for row in &taken {
        // A release may come before anything was taken.
        if let (Some(item), Some(delta)) = (row.get(2), row.get::<_, Option<i64>>(3)) {
            moved.add(row.get(0), row.get(1), item, -delta);
        }
    }
    lock_stock(client, &moved.items()).await?;
    moved.write(client, Why::Released, now_ms).await?;
    Ok(released)
}

/// Gives back what a failed deduct took, and stores the answer. Without an answer a reference that took nothing counts as
/// unused.
pub(super) async fn refuse(
    client: &Session,
    reference: &Reference,
    answer: Option<&(Fingerprint, Answered)>,
    host: i64,
) -> Result<Result<(), StoreError>, Failed> {
    begin(client, BEGIN_DURABLE).await?;
    if is_local_order(client, reference).await? {
        rollback(client).await?;
        return Ok(Err(StoreError::OfLocalOrder));
    }
    // The same deduct came to another host, too, and took there: nothing of it is this host's to give back or to answer.
    let elsewhere = "SELECT 1 FROM reservations WHERE reference = $1 AND host <> $2 AND state IN ('held', 'final') FOR NO KEY UPDATE";
    let parameters: &Parameters<'_> = &[(&reference.as_str(), Type::TEXT), (&host, Type::INT8)];
    if !rows(client, elsewhere, parameters).await?.is_empty() {
        rollback(client).await?;
        return Ok(Ok(()));
    }
    give_back(client, &[reference.as_str().to_owned()], Which::Held, now_ms()).await?;
    end_deduct(client, reference.as_str(), answer).await?;
    commit(client).await?;
    Ok(Ok(()))
}

/// Gives back what another till's deduct took, or stops it from ever taking.
pub(super) async fn release(
    client: &Session,
    reference: &Reference,
    host: i64,
) -> Result<Result<Released, StoreError>, Failed> {
    let now_ms = now_ms();
    begin(client, BEGIN_DURABLE).await?;
    if is_local_order(client, reference).await? {
        rollback(client).await?;
        return Ok(Err(StoreError::OfLocalOrder));
    }
    let of_reference: &Parameters<'_> = &[(&reference.as_str(), Type::TEXT)];
    // A repeated deduct under this reference must learn that it is released, not that it succeeded.
    change(client, "DELETE FROM deduct_answers WHERE reference = $1", of_reference).await?;
    let tombstone = "INSERT INTO reservations (reference, state, at_ms, host) VALUES ($1, 'released', $2, $3)
                     ON CONFLICT (reference) DO NOTHING";
    let parameters: &Parameters<'_> = &[(&reference.as_str(), Type::TEXT), (&now_ms, Type::INT8), (&host, Type::INT8)];
    let released = if change(client, tombstone, parameters).await? > 0 {
        Released::Tombstone
    } else if give_back(client, &[reference.as_str().to_owned()], Which::HeldOrFinal, now_ms).await?.is_empty() {
        change(client, "UPDATE reservations SET reopened = false WHERE reference = $1", of_reference).await?;
        Released::Before
    } else {
        Released::Returned
    };
    commit(client).await?;
    Ok(Ok(released))
}

/// Gives back what was taken, so that the same order or deduct may take once more, for other plugins.
pub(super) async fn start_over(
    client: &Session,
    taker: &Taker,
    plugins: &str,
    is_durable: bool,
) -> Result<Result<(), StoreError>, Failed> {
    begin(client, if is_durable { BEGIN_DURABLE } else { BEGIN_STEP }).await?;
    let reference = match taker {
        Taker::Deduct(reference) if is_local_order(client, reference).await? => {
            rollback(client).await?;
            return Ok(Err(StoreError::OfLocalOrder));
        }
        Taker::Deduct(reference) => Some(reference.as_str().to_owned()),
        Taker::Order(id) => {
            let sql =
                "UPDATE orders SET plugins = $2, deducts = deducts + (CASE inventory WHEN 'remote' THEN 1 ELSE 0 END)
                       WHERE id = $1 AND status = 'PENDING' RETURNING reference, inventory = 'local'";
            let changed = rows(client, sql, &[(&id.row(), Type::INT8), (&plugins, Type::TEXT)]).await?;
            // A remote order's stock isn't in this store.
            changed.first().filter(|row| row.get(1)).map(|row| row.get(0))
        }
    };
    if let Some(reference) = reference {
        let released = give_back(client, &[reference], Which::Held, now_ms()).await?;
        let sql = "UPDATE reservations SET reopened = true, round = round + 1 WHERE reference = ANY($1)";
        change(client, sql, &[(&released, Type::TEXT_ARRAY)]).await?;
    }
    commit(client).await?;
    Ok(Ok(()))
}

/// What an abandoned host left, and how much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Abandoned {
    pub(super) orders: u64,
    pub(super) reservations: u64,
}

/// The most orders, and deducts, that one transaction settles.
const SETTLED_MAX: i64 = 200;

/// Which orders and reservations nobody drives any more: those of hosts whose lease is over, and the host's own that are older
/// than any request may be.
const ABANDONED: &str = "(NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.id = host AND until > clock_timestamp())
                          OR host = $1 AND opened_at < clock_timestamp() - $2 * interval '1 ms')";

/// Fails abandoned local orders, gives back their stock and that of abandoned deducts, and lets abandoned remote orders wait for
/// their release. Whoever else is at it is left alone. Returns what was settled; none if there is no more. Nobody is told of it, so
/// it doesn't wait for the disk: if it is lost, it is done again.
pub(super) async fn settle_abandoned(client: &Session, host: i64, older_than: Duration) -> Result<Abandoned, Failed> {
    let now_ms = now_ms();
    let older_than_ms = millis(older_than) as f64;
    let mine: &Parameters<'_> = &[(&host, Type::INT8), (&older_than_ms, Type::FLOAT8), (&SETTLED_MAX, Type::INT8)];
    let orders = format!(
        "SELECT id, reference, inventory FROM orders WHERE ended_at_ms IS NULL AND status = 'PENDING' AND {ABANDONED}
         ORDER BY id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
    );
    let (_begun, orders) = tokio::try_join!(biased; begin(client, BEGIN_STEP), rows(client, &orders, mine))?;
    let (local, remote): (Vec<_>, Vec<_>) = orders.iter().partition(|row| row.get::<_, &str>(2) == "local");
    let numbers = |rows: &[&tokio_postgres::Row]| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>();
    let local_ids = numbers(&local);
    let failing = "WITH failed AS (
             UPDATE orders SET status = 'FAILED', reason = 'interrupted', ended_at_ms = $3 WHERE id = ANY($1)),
         freed AS (DELETE FROM checkout_answers WHERE order_id = ANY($1) AND status IS NULL)
         UPDATE orders SET status = 'PENDING_RELEASE', reason = 'interrupted' WHERE id = ANY($2)";
    let parameters: &Parameters<'_> =
        &[(&local_ids, Type::INT8_ARRAY), (&numbers(&remote), Type::INT8_ARRAY), (&now_ms, Type::INT8)];
    change(client, failing, parameters).await?;
    let deducts = format!(
        "SELECT reference FROM reservations WHERE state = 'held' AND {ABANDONED}
             AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.reference = reservations.reference AND inventory = 'local'
                             AND status = 'PENDING')
         ORDER BY reference LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
    );
    let deducts = rows(client, &deducts, mine).await?;
    let mut references: Vec<String> = local.iter().map(|row| row.get(1)).collect();
    references.extend(deducts.iter().map(|row| row.get::<_, String>(0)));
    let released = give_back(client, &references, Which::Held, now_ms).await?;
    commit(client).await?;
    Ok(Abandoned { orders: orders.len() as u64, reservations: released.len() as u64 })
}

/// Returns whether the reference is that of a local order, whose reservation only the order itself changes.
async fn is_local_order(client: &Session, reference: &Reference) -> Result<bool, Failed> {
    let sql = "SELECT 1 FROM orders WHERE reference = $1 AND inventory = 'local'";
    Ok(!rows(client, sql, &[(&reference.as_str(), Type::TEXT)]).await?.is_empty())
}
