//! The lane of holds: orders are opened and their stock is taken, for all that is queued in one transaction.
//!
//! The transaction isn't waited for on the disk: nobody is told of an order before its end is durable, and the database's log is
//! one sequence, so that the end takes the hold along. What every order contends for comes last, and its locks are taken in
//! the order of the items' names.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::types::Type;

use super::{
    Inventory, OrderId, StockLevel, StoreError, TakeError, Taker,
    command::{OpenOrder, Take},
    ledger::{Movements, Why, lock_stock},
    link::{Failed, Session},
    now_ms, saturated,
    transaction::{BEGIN_STEP, Parameters, begin, change, commit, rows},
};
use crate::{order::Item, units::i64_of};

/// Orders to open, and takes in the order in which they came.
#[derive(Default)]
pub(super) struct Holds {
    pub(super) opens: Vec<OpenOrder>,
    pub(super) takes: Vec<Take>,
}

/// What came of each, in the same order.
pub(super) struct Held {
    pub(super) opened: Vec<Result<(), StoreError>>,
    pub(super) taken: Vec<Result<Vec<StockLevel>, TakeError>>,
}

/// The host in whose name something is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) host: i64,
    /// The lowest number under which it may begin an order afterwards, if that is known.
    pub(super) numbers_from: Option<i64>,
}

/// A take for which there is a reservation.
struct Reserved {
    reference: String,
    round: i64,
}

impl Holds {
    /// Writes all of it in one transaction; `None` if the host's lease is over.
    pub(super) async fn write(&self, client: &Session, holder: Holder) -> Result<Option<Held>, Failed> {
        let now_ms = now_ms();
        let (orders, deducts) = self.takers();
        let items: Vec<&str> = {
            let all: HashSet<&str> = self.takes.iter().flat_map(|take| take.pieces.keys()).map(Item::as_str).collect();
            all.into_iter().collect()
        };
        // An order that is opened here reserves as it is opened.
        let opening: HashSet<i64> = ids(&self.opens).map(OrderId::row).collect();
        let (here, before): (Vec<i64>, Vec<i64>) = orders.iter().partition(|id| opening.contains(id));
        let (_begun, is_alive, opened, mut of_orders, of_deducts, stock) = tokio::try_join!(
            biased;
            begin(client, BEGIN_STEP),
            keep(client, holder),
            open(client, &self.opens, Takers { ids: &here, now_ms }, holder.host),
            reserve_for_orders(client, &before, now_ms, holder.host),
            reserve_for_deducts(client, &deducts, now_ms, holder.host),
            lock_stock(client, &items),
        )?;
        if !is_alive {
            return Ok(None);
        }
        let opened_here = self.opens.iter().filter_map(|open| Some((open, opened.get(&open.id.row())?)));
        of_orders.extend(opened_here.filter_map(|(open, opened)| {
            let reference = || open.order.reference.as_str().to_owned();
            (opened.fate == Fate::Opened && open.order.inventory == Inventory::Local)
                .then(|| (open.id.row(), (reference(), opened.has_taken)))
        }));
        let mut reserved = self.reservations(&of_orders, &of_deducts);
        self.take_again(client, &mut reserved, now_ms, holder.host).await?;
        let Decided { taken, moved, short } = self.decide(reserved, stock);
        tokio::try_join!(
            biased;
            unhold(client, &short, now_ms),
            moved.write(client, Why::Reserved, now_ms),
            commit(client),
        )
        .map_err(Failed::of_commit)?;
        Ok(Some(Held { opened: fates(&self.opens, &opened), taken }))
    }

    /// Returns the orders and the references for which stock is taken, each once.
    fn takers(&self) -> (Vec<i64>, Vec<&str>) {
        let (mut orders, mut deducts) = (Vec::new(), Vec::new());
        for take in &self.takes {
            match &take.taker {
                Taker::Order(id) => orders.push(id.row()),
                Taker::Deduct(reference) => deducts.push(reference.as_str()),
            }
        }
        orders.sort_unstable();
        orders.dedup();
        deducts.sort_unstable();
        deducts.dedup();
        (orders, deducts)
    }

    /// Returns what each take may do: the first one of each taker that has a new reservation takes; one that has an older
    /// reservation is `AlreadyTaken` so far.
    fn reservations(
        &self,
        of_orders: &HashMap<i64, (String, bool)>,
        of_deducts: &HashSet<String>,
    ) -> Vec<Result<Reserved, TakeError>> {
        let mut seen = HashSet::new();
        let reserved = self.takes.iter().map(|take| {
            let reference = match &take.taker {
                Taker::Order(id) => match of_orders.get(&id.row()) {
                    // Only a pending order may hold stock: one that was lost or ended meanwhile would never give it back.
                    None => Err(StoreError::ReservationGone.into()),
                    Some((reference, true)) if seen.insert(reference.as_str()) => Ok(reference.clone()),
                    Some(_) => Err(TakeError::AlreadyTaken),
                },
                Taker::Deduct(reference) => match of_deducts.contains(reference.as_str()) {
                    true if seen.insert(reference.as_str()) => Ok(reference.as_str().to_owned()),
                    _ => Err(TakeError::AlreadyTaken),
                },
            };
            reference.map(|reference| Reserved { reference, round: 0 })
        });
        reserved.collect()
    }

    /// Lets those take once more that started over, and says `Released` to those that were released for good.
    async fn take_again(
        &self,
        client: &Session,
        reserved: &mut [Result<Reserved, TakeError>],
        now_ms: i64,
        host: i64,
    ) -> Result<(), Failed> {
        let older =
            self.takes.iter().zip(reserved).filter(|(_, outcome)| matches!(outcome, Err(TakeError::AlreadyTaken)));
        let older: Vec<_> = older.collect();
        if older.is_empty() {
            return Ok(());
        }
        let (mut ids, mut references) = (Vec::new(), Vec::new());
        for (take, _) in &older {
            match &take.taker {
                Taker::Order(id) => ids.push(id.row()),
                Taker::Deduct(reference) => references.push(reference.as_str()),
            }
        }
        let again = rows(
            client,
            "WITH older AS (
                 SELECT reference, id FROM orders WHERE id = ANY($1) AND inventory = 'local'
                 UNION ALL
                 SELECT reference, NULL FROM unnest($2) AS deducts(reference) WHERE (
                     SELECT true FROM orders WHERE orders.reference = deducts.reference AND inventory = 'local') IS NULL),
             again AS (
                 UPDATE reservations SET state = 'held', reopened = false, at_ms = $3, host = $4
                 FROM older WHERE reservations.reference = older.reference AND reopened
                 RETURNING reservations.reference, round)
             SELECT older.id, older.reference, again.round, state = 'released' AND NOT reopened
             FROM older JOIN reservations USING (reference) LEFT JOIN again USING (reference)",
            &[(&ids, Type::INT8_ARRAY), (&references, Type::TEXT_ARRAY), (&now_ms, Type::INT8), (&host, Type::INT8)],
        )
        .await?;
        let mut seen = HashSet::new();
        for (take, outcome) in older {
            let found = again.iter().find(|row| match &take.taker {
                Taker::Order(id) => row.get::<_, Option<i64>>(0) == Some(id.row()),
                Taker::Deduct(reference) => row.get::<_, &str>(1) == reference.as_str(),
            });
            let Some(row) = found else { continue };
            let (reference, round): (String, Option<i64>) = (row.get(1), row.get(2));
            if let Some(round) = round {
                if seen.insert(reference.clone()) {
                    *outcome = Ok(Reserved { reference, round });
                }
            } else if row.get::<_, bool>(3) {
                *outcome = Err(TakeError::Released);
            }
        }
        Ok(())
    }

    /// Decides which takes get their pieces, one after the other, and what that moves.
    fn decide(&self, reserved: Vec<Result<Reserved, TakeError>>, mut stock: BTreeMap<String, i64>) -> Decided {
        let (mut moved, mut short) = (Movements::default(), Vec::new());
        let taken = self.takes.iter().zip(reserved).map(|(take, reserved)| {
            let reserved = reserved?;
            let there = |stock: &BTreeMap<String, i64>, item: &Item| stock.get(item.as_str()).copied().unwrap_or(0);
            let lacking = take.pieces.iter().find(|(item, pieces)| there(&stock, item) < i64_of(**pieces));
            if let Some((item, pieces)) = lacking {
                let (requested, available) = (saturated(i64_of(*pieces)), saturated(there(&stock, item)));
                short.push(reserved);
                return Err(TakeError::Shortage { item: item.clone(), requested, available });
            }
            let levels = take.pieces.iter().map(|(item, pieces)| {
                let pieces = i64_of(*pieces);
                if let Some(on_hand) = stock.get_mut(item.as_str()) {
                    *on_hand -= pieces;
                }
                moved.add(&reserved.reference, reserved.round, item.as_str(), -pieces);
                StockLevel { item: item.clone(), on_hand: saturated(there(&stock, item)) }
            });
            Ok(levels.collect())
        });
        Decided { taken: taken.collect(), moved, short }
    }
}

/// What comes of the takes of a batch.
struct Decided {
    taken: Vec<Result<Vec<StockLevel>, TakeError>>,
    moved: Movements,
    /// Reservations for which there was too little.
    short: Vec<Reserved>,
}

/// The orders that take as soon as they are opened.
#[derive(Clone, Copy, Default)]
pub(super) struct Takers<'a> {
    ids: &'a [i64],
    now_ms: i64,
}

/// What an order's opening led to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    fate: Fate,
    /// Whether it has the new reservation that it asked for.
    has_taken: bool,
}

/// What came of an order's opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Opened,
    KeyTaken,
    ReferenceTaken,
}

/// Returns the answers to the callers of the openings.
pub(super) fn fates(opens: &[OpenOrder], opened: &HashMap<i64, Outcome>) -> Vec<Result<(), StoreError>> {
    let answer = |open: &OpenOrder| match opened.get(&open.id.row()).map(|opened| opened.fate) {
        Some(Fate::Opened) => Ok(()),
        Some(Fate::KeyTaken) => Err(StoreError::KeyTaken),
        Some(Fate::ReferenceTaken) | None => Err(StoreError::ReferenceTaken),
    };
    opens.iter().map(answer).collect()
}

/// Says up to which number the host's orders are written, and returns whether its lease lasts.
pub(super) async fn keep(client: &Session, Holder { host, numbers_from }: Holder) -> Result<bool, Failed> {
    let sql = "UPDATE hosts SET numbers_from = greatest(numbers_from, $2) WHERE id = $1 AND until > clock_timestamp()";
    Ok(change(client, sql, &[(&host, Type::INT8), (&numbers_from, Type::INT8)]).await? > 0)
}

/// Inserts pending orders, claims their keys and reserves for those that take, and says what came of each. One whose reference is taken
/// claims no key.
pub(super) async fn open(
    client: &Session,
    opens: &[OpenOrder],
    takers: Takers<'_>,
    host: i64,
) -> Result<HashMap<i64, Outcome>, Failed> {
    if opens.is_empty() {
        return Ok(HashMap::new());
    }
    let of = |get: fn(&OpenOrder) -> &str| -> Vec<&str> { opens.iter().map(get).collect() };
    let of_number = |get: fn(&OpenOrder) -> i64| -> Vec<i64> { opens.iter().map(get).collect() };
    let urls: Vec<Option<&str>> = opens.iter().map(|open| open.order.inventory.url()).collect();
    let keys: Vec<Option<&str>> =
        opens.iter().map(|open| open.keyed.as_ref().map(|keyed| keyed.key.as_str())).collect();
    let fingerprints: Vec<Option<&[u8]>> =
        opens.iter().map(|open| open.keyed.as_ref().map(|keyed| &keyed.fingerprint.as_bytes()[..])).collect();
    let opened = rows(
        client,
        "WITH new AS (
             SELECT *, (SELECT true FROM orders WHERE orders.reference = new.reference) IS NOT NULL AS is_known
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             AS new(id, reference, inventory, inventory_url, currency, decimals, lines, attributes, subtotal, trace_id, plugins,
                    placed_at_ms, key, fingerprint)),
         claimed AS (
             INSERT INTO checkout_answers (key, fingerprint, order_id)
             SELECT key, fingerprint, id FROM new WHERE key IS NOT NULL AND NOT is_known ORDER BY key
             ON CONFLICT (key) DO NOTHING RETURNING order_id),
         made AS (
             INSERT INTO orders (id, reference, status, inventory, inventory_url, currency, decimals, lines, attributes,
                                 subtotal, trace_id, plugins, placed_at_ms, host)
             SELECT id, reference, 'PENDING', inventory, inventory_url, currency, decimals, lines, attributes,
                    subtotal, trace_id, plugins, placed_at_ms, $15
             FROM new WHERE key IS NULL OR id IN (SELECT order_id FROM claimed) ORDER BY id
             ON CONFLICT (reference) DO NOTHING RETURNING id, reference, orders.inventory),
         held AS (
             INSERT INTO reservations (reference, state, at_ms, host)
             SELECT reference, 'held', $17, $15 FROM made WHERE inventory = 'local' AND id = ANY($16) ORDER BY reference
             ON CONFLICT (reference) DO NOTHING RETURNING reference)
         SELECT id, id IN (SELECT id FROM made), is_known OR key IS NULL OR id IN (SELECT order_id FROM claimed),
                reference IN (SELECT reference FROM held)
         FROM new",
        &[
            (&of_number(|open| open.id.row()), Type::INT8_ARRAY),
            (&of(|open| open.order.reference.as_str()), Type::TEXT_ARRAY),
            (&of(|open| open.order.inventory.as_str()), Type::TEXT_ARRAY),
            (&urls, Type::TEXT_ARRAY),
            (&of(|open| open.order.currency.code()), Type::TEXT_ARRAY),
            (&opens.iter().map(|open| i16::from(open.order.currency.decimals())).collect::<Vec<_>>(), Type::INT2_ARRAY),
            (&of(|open| &open.order.lines), Type::TEXT_ARRAY),
            (&of(|open| &open.order.attributes), Type::TEXT_ARRAY),
            (&of_number(|open| open.order.subtotal), Type::INT8_ARRAY),
            (&of(|open| &open.order.trace_id), Type::TEXT_ARRAY),
            (&of(|open| &open.order.plugins), Type::TEXT_ARRAY),
            (&of_number(|open| open.order.placed_at_ms), Type::INT8_ARRAY),
            (&keys, Type::TEXT_ARRAY),
            (&fingerprints, Type::BYTEA_ARRAY),
            (&host, Type::INT8),
            (&takers.ids, Type::INT8_ARRAY),
            (&takers.now_ms, Type::INT8),
        ],
    )
    .await?;
    let fate = |row: &tokio_postgres::Row| match (row.get(1), row.get(2)) {
        (true, _) => Fate::Opened,
        (false, true) => Fate::ReferenceTaken,
        (false, false) => Fate::KeyTaken,
    };
    Ok(opened.iter().map(|row| (row.get(0), Outcome { fate: fate(row), has_taken: row.get(3) })).collect())
}

/// Reserves for pending local orders. Returns the reference of each, and whether it has taken for the first time.
async fn reserve_for_orders(
    client: &Session,
    ids: &[i64],
    now_ms: i64,
    host: i64,
) -> Result<HashMap<i64, (String, bool)>, Failed> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let reserved = rows(
        client,
        "WITH pending AS MATERIALIZED (
             SELECT id, reference FROM orders WHERE id = ANY($1) AND status = 'PENDING' AND inventory = 'local'
             ORDER BY id FOR NO KEY UPDATE),
         made AS (
             INSERT INTO reservations (reference, state, at_ms, host)
             SELECT reference, 'held', $2, $3 FROM pending ORDER BY reference
             ON CONFLICT (reference) DO NOTHING RETURNING reference)
         SELECT id, reference, reference IN (SELECT reference FROM made) FROM pending",
        &[(&ids, Type::INT8_ARRAY), (&now_ms, Type::INT8), (&host, Type::INT8)],
    )
    .await?;
    Ok(reserved.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

/// Reserves for other tills' deducts, and returns the references that have taken for the first time.
async fn reserve_for_deducts(
    client: &Session,
    references: &[&str],
    now_ms: i64,
    host: i64,
) -> Result<HashSet<String>, Failed> {
    if references.is_empty() {
        return Ok(HashSet::new());
    }
    let reserved = rows(
        client,
        "INSERT INTO reservations (reference, state, at_ms, host)
         SELECT reference, 'held', $2, $3 FROM unnest($1) AS deducts(reference)
         WHERE (SELECT true FROM orders WHERE orders.reference = deducts.reference AND inventory = 'local') IS NULL
         ORDER BY reference ON CONFLICT (reference) DO NOTHING RETURNING reference",
        &[(&references, Type::TEXT_ARRAY), (&now_ms, Type::INT8), (&host, Type::INT8)],
    )
    .await?;
    Ok(reserved.iter().map(|row| row.get(0)).collect())
}

/// Takes back reservations for which there was too little.
async fn unhold(client: &Session, short: &[Reserved], now_ms: i64) -> Result<(), Failed> {
    if short.is_empty() {
        return Ok(());
    }
    let (first, again): (Vec<&Reserved>, Vec<&Reserved>) = short.iter().partition(|reserved| reserved.round == 0);
    let references = |of: Vec<&Reserved>| of.iter().map(|reserved| reserved.reference.clone()).collect::<Vec<_>>();
    // One statement, for the COMMIT is sent right behind it.
    let sql = "WITH gone AS (DELETE FROM reservations WHERE reference = ANY($1) AND state NOT IN ('final', 'released'))
               UPDATE reservations SET state = 'released', reopened = true, at_ms = $3
               WHERE reference = ANY($2) AND state NOT IN ('final', 'released')";
    let parameters: &Parameters<'_> =
        &[(&references(first), Type::TEXT_ARRAY), (&references(again), Type::TEXT_ARRAY), (&now_ms, Type::INT8)];
    change(client, sql, parameters).await.map(drop)
}

/// Returns the numbers of the orders.
pub(super) fn ids(opens: &[OpenOrder]) -> impl Iterator<Item = OrderId> {
    opens.iter().map(|open| open.id)
}
