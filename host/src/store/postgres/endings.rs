//! The lane of ends: what is durable before anybody is told of it, for all that is queued in one transaction.
//!
//! Each end changes only the rows of its own order or deduct, under the state that it expects: that guard is also the fence
//! against a host that was taken for dead and comes back. No two hosts wait for each other here, and the database shares
//! one flush among all.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::Type;

use super::{
    Answered, OrderId, StoreError,
    command::OpenOrder,
    holds::{Holder, Takers, fates, keep, open},
    json::ReceiptText,
    link::{Failed, Session},
    now_ms,
    queue::Reply,
    transaction::{BEGIN_DURABLE, Parameters, begin, change, commit, rows},
};
use crate::order::{Fingerprint, Reference, Status};

/// Keeps the answers that come with the orders in `done`, under the keys that have none.
macro_rules! told {
    () => {
        "told AS (
             UPDATE checkout_answers SET status = done.status, body = done.body, at = clock_timestamp()
             FROM done WHERE order_id = done.id AND checkout_answers.status IS NULL AND done.status IS NOT NULL)"
    };
}
pub(super) use told;

/// Frees the keys of the orders in `done` that come without an answer, unless there is one from before.
macro_rules! freed {
    () => {
        "freed AS (
             DELETE FROM checkout_answers USING done
             WHERE order_id = done.id AND checkout_answers.status IS NULL AND done.status IS NULL)"
    };
}
pub(super) use freed;

/// Orders and deducts to end, and orders that have to be durable before anything else is done for them.
#[derive(Default)]
pub(super) struct Endings {
    pub(super) opens: Vec<OpenOrder>,
    pub(super) completes: Vec<Complete>,
    pub(super) awaits: Vec<Await>,
    pub(super) settles: Vec<Settle>,
}

pub(super) struct Complete {
    pub(super) id: OrderId,
    pub(super) receipt: Box<ReceiptText>,
    pub(super) answer: Option<Answered>,
    pub(super) reply: Reply<(), StoreError>,
}

pub(super) struct Await {
    pub(super) id: OrderId,
    pub(super) reason: String,
    pub(super) answer: Option<Answered>,
    pub(super) reply: Reply<(), StoreError>,
}

pub(super) struct Settle {
    pub(super) reference: Reference,
    pub(super) answer: Option<(Fingerprint, Answered)>,
    pub(super) reply: Reply<(), StoreError>,
}

/// What came of each, in the same order.
pub(super) struct Ended {
    pub(super) opened: Vec<Result<(), StoreError>>,
    pub(super) completed: Vec<Result<(), StoreError>>,
    pub(super) awaited: Vec<Result<(), StoreError>>,
    pub(super) settled: Vec<Result<(), StoreError>>,
}

impl Endings {
    pub(super) fn count(&self) -> usize {
        self.opens.len() + self.completes.len() + self.awaits.len() + self.settles.len()
    }

    /// Writes all of it in one transaction. `is_repeated` if it was tried before and nobody knows whether that counted: what is
    /// found done then counts as done here.
    pub(super) async fn write(&self, client: &Session, holder: Holder, is_repeated: bool) -> Result<Ended, Failed> {
        let now_ms = now_ms();
        let keeping = async { if self.opens.is_empty() { Ok(true) } else { keep(client, holder).await } };
        let (_begun, _kept, opened, completed, awaited, settled, _committed) = tokio::try_join!(
            biased;
            begin(client, BEGIN_DURABLE),
            keeping,
            open(client, &self.opens, Takers::default(), holder.host),
            complete(client, &self.completes, now_ms),
            wait_for_release(client, &self.awaits),
            settle(client, &self.settles, now_ms),
            commit(client),
        )
        .map_err(Failed::of_commit)?;
        let mut ended = Ended {
            opened: fates(&self.opens, &opened),
            completed: of_orders(self.completes.iter().map(|complete| complete.id), &completed),
            awaited: of_orders(self.awaits.iter().map(|waiting| waiting.id), &awaited),
            settled: self.settles.iter().map(|settle| settled_as(&settled, &settle.reference)).collect(),
        };
        if is_repeated {
            self.count_what_was_done(client, &mut ended).await?;
        }
        Ok(ended)
    }

    /// Looks up the orders that an earlier try, whose COMMIT nobody answered, has opened or ended after all.
    async fn count_what_was_done(&self, client: &Session, ended: &mut Ended) -> Result<(), Failed> {
        let wanted = (self
            .opens
            .iter()
            .zip(&mut ended.opened)
            .map(|(open, outcome)| (open.id, Status::Pending, outcome)))
        .chain(
            self.completes.iter().zip(&mut ended.completed).map(|(one, outcome)| (one.id, Status::Completed, outcome)),
        )
        .chain(
            self.awaits.iter().zip(&mut ended.awaited).map(|(one, outcome)| (one.id, Status::PendingRelease, outcome)),
        )
        .filter(|(_, _, outcome)| outcome.is_err());
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = wanted.iter().map(|(id, ..)| id.row()).collect();
        let found =
            rows(client, "SELECT id, status FROM orders WHERE id = ANY($1)", &[(&ids, Type::INT8_ARRAY)]).await?;
        let found: HashMap<i64, String> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        let done: Vec<_> = wanted
            .into_iter()
            .filter(|(id, status, _)| found.get(&id.row()).is_some_and(|found| found == status.as_str()))
            .collect();
        if !done.is_empty() {
            // A server that took over may have them alone. What is committed after them waits for a standby that has both.
            let sql = "UPDATE counters SET value = value WHERE name = 'host_id'";
            tokio::try_join!(biased; begin(client, BEGIN_DURABLE), change(client, sql, &[]), commit(client))?;
        }
        for (_, _, outcome) in done {
            *outcome = Ok(());
        }
        Ok(())
    }
}

fn of_orders(ids: impl Iterator<Item = OrderId>, done: &HashSet<i64>) -> Vec<Result<(), StoreError>> {
    ids.map(|id| if done.contains(&id.row()) { Ok(()) } else { Err(StoreError::ReservationGone) }).collect()
}

/// Completes pending orders, makes their reservations final and keeps the answers. Returns the numbers of those completed.
async fn complete(client: &Session, completes: &[Complete], now_ms: i64) -> Result<HashSet<i64>, Failed> {
    if completes.is_empty() {
        return Ok(HashSet::new());
    }
    let answers = Answers::of(completes.iter().map(|complete| complete.answer.as_ref()));
    let ids: Vec<i64> = completes.iter().map(|complete| complete.id.row()).collect();
    let totals: Vec<i64> = completes.iter().map(|complete| complete.receipt.total).collect();
    let adjustments: Vec<&str> = completes.iter().map(|complete| complete.receipt.adjustments.as_str()).collect();
    let attributes: Vec<&str> = completes.iter().map(|complete| complete.receipt.attributes.as_str()).collect();
    let sql = concat!(
        "WITH ended AS (
             SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
             AS ended(id, total, adjustments, receipt_attributes, status, body)),
         done AS (
             UPDATE orders SET status = 'COMPLETED', total = ended.total, adjustments = ended.adjustments,
                               receipt_attributes = ended.receipt_attributes, ended_at_ms = $7
             FROM ended WHERE orders.id = ended.id AND orders.status = 'PENDING'
                 AND (inventory = 'remote' OR (SELECT state FROM reservations
                      WHERE reservations.reference = orders.reference) = 'held')
             RETURNING orders.id, reference, inventory, ended.status, ended.body),
         final AS (
             UPDATE reservations SET state = 'final', at_ms = $7
             FROM done WHERE reservations.reference = done.reference AND inventory = 'local' AND state NOT IN ('final', 'released')),
",
        told!(),
        ",",
        freed!(),
        " SELECT id FROM done"
    );
    let parameters: &Parameters<'_> = &[
        (&ids, Type::INT8_ARRAY),
        (&totals, Type::INT8_ARRAY),
        (&adjustments, Type::TEXT_ARRAY),
        (&attributes, Type::TEXT_ARRAY),
        (&answers.statuses, Type::INT2_ARRAY),
        (&answers.bodies, Type::BYTEA_ARRAY),
        (&now_ms, Type::INT8),
    ];
    Ok(rows(client, sql, parameters).await?.iter().map(|row| row.get(0)).collect())
}

/// Sets remote orders to PENDING_RELEASE. An answer is kept; without one the key stays claimed until the order's end.
async fn wait_for_release(client: &Session, awaits: &[Await]) -> Result<HashSet<i64>, Failed> {
    if awaits.is_empty() {
        return Ok(HashSet::new());
    }
    let answers = Answers::of(awaits.iter().map(|waiting| waiting.answer.as_ref()));
    let ids: Vec<i64> = awaits.iter().map(|waiting| waiting.id.row()).collect();
    let reasons: Vec<&str> = awaits.iter().map(|waiting| waiting.reason.as_str()).collect();
    let sql = concat!(
        "WITH ended AS (
             SELECT * FROM unnest($1, $2, $3, $4) AS ended(id, reason, status, body)),
         done AS (
             UPDATE orders SET status = 'PENDING_RELEASE', reason = ended.reason
             FROM ended WHERE orders.id = ended.id AND inventory = 'remote' AND orders.status = 'PENDING'
             RETURNING orders.id, ended.status, ended.body),",
        told!(),
        " SELECT id FROM done"
    );
    let parameters: &Parameters<'_> = &[
        (&ids, Type::INT8_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&answers.statuses, Type::INT2_ARRAY),
        (&answers.bodies, Type::BYTEA_ARRAY),
    ];
    Ok(rows(client, sql, parameters).await?.iter().map(|row| row.get(0)).collect())
}

/// What a deduct's reservation is after it was to be made final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Final,
    OfLocalOrder,
}

/// Makes other tills' deducts final and stores the answers. Returns what became of those that were held or final.
async fn settle(client: &Session, settles: &[Settle], now_ms: i64) -> Result<HashMap<String, Settled>, Failed> {
    if settles.is_empty() {
        return Ok(HashMap::new());
    }
    let answers = Answers::of(settles.iter().map(|settle| settle.answer.as_ref().map(|(_, answer)| answer)));
    let references: Vec<&str> = settles.iter().map(|settle| settle.reference.as_str()).collect();
    let fingerprints: Vec<Option<&[u8]>> = settles
        .iter()
        .map(|settle| settle.answer.as_ref().map(|(fingerprint, _)| &fingerprint.as_bytes()[..]))
        .collect();
    let sql = "WITH asked AS (
             SELECT DISTINCT ON (reference) *, (SELECT true FROM orders
                 WHERE orders.reference = asked.reference AND inventory = 'local') IS NOT NULL AS is_local
             FROM unnest($1, $2, $3, $4) AS asked(reference, fingerprint, status, body) ORDER BY reference),
         done AS (
             UPDATE reservations SET state = 'final', at_ms = CASE state WHEN 'held' THEN $5 ELSE at_ms END
             FROM asked WHERE reservations.reference = asked.reference AND NOT is_local AND state IN ('held', 'final')
             RETURNING reservations.reference),
         told AS (
             INSERT INTO deduct_answers (reference, fingerprint, status, body)
             SELECT reference, fingerprint, status, body FROM asked
             WHERE reference IN (SELECT reference FROM done) AND fingerprint IS NOT NULL ON CONFLICT (reference) DO NOTHING)
         SELECT reference, is_local FROM asked WHERE is_local OR reference IN (SELECT reference FROM done)";
    let parameters: &Parameters<'_> = &[
        (&references, Type::TEXT_ARRAY),
        (&fingerprints, Type::BYTEA_ARRAY),
        (&answers.statuses, Type::INT2_ARRAY),
        (&answers.bodies, Type::BYTEA_ARRAY),
        (&now_ms, Type::INT8),
    ];
    let settled = rows(client, sql, parameters).await?;
    let state = |is_local| if is_local { Settled::OfLocalOrder } else { Settled::Final };
    Ok(settled.iter().map(|row| (row.get(0), state(row.get(1)))).collect())
}

fn settled_as(settled: &HashMap<String, Settled>, reference: &Reference) -> Result<(), StoreError> {
    match settled.get(reference.as_str()) {
        Some(Settled::Final) => Ok(()),
        Some(Settled::OfLocalOrder) => Err(StoreError::OfLocalOrder),
        None => Err(StoreError::ReservationGone),
    }
}

/// Answers as two columns.
pub(super) struct Answers<'a> {
    pub(super) statuses: Vec<Option<i16>>,
    pub(super) bodies: Vec<Option<&'a [u8]>>,
}

impl<'a> Answers<'a> {
    pub(super) fn of(answers: impl Iterator<Item = Option<&'a Answered>>) -> Self {
        let columns = answers.map(|answer| match answer {
            Some(Answered { status, body }) => (i16::try_from(*status).ok(), Some(&body[..])),
            None => (None, None),
        });
        let (statuses, bodies) = columns.unzip();
        Self { statuses, bodies }
    }
}

/// Stores the answer to a deduct's caller, if there is one and none was stored before.
pub(super) async fn end_deduct(
    client: &Session,
    reference: &str,
    answer: Option<&(Fingerprint, Answered)>,
) -> Result<(), Failed> {
    let Some((fingerprint, Answered { status, body })) = answer else { return Ok(()) };
    let sql = "INSERT INTO deduct_answers (reference, fingerprint, status, body) VALUES ($1, $2, $3, $4)
               ON CONFLICT (reference) DO NOTHING";
    let status = i16::try_from(*status).unwrap_or(i16::MAX);
    let parameters: &Parameters<'_> = &[
        (&reference, Type::TEXT),
        (&&fingerprint.as_bytes()[..], Type::BYTEA),
        (&status, Type::INT2),
        (&&body[..], Type::BYTEA),
    ];
    change(client, sql, parameters).await.map(drop)
}
