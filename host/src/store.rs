//! The shop's memory: orders, stock and the ledger between them, durable in one SQLite file.
//!
//! One thread writes, in batches that share an fsync; a few connections read concurrently. A write acknowledged as
//! durable survives a power cut.
//!
//! Invariants: stock is never below 0. At every commit, the stock of each item is its opening stock plus its movements.
//! Held stock belongs to a pending order or to a deduct that isn't confirmed yet. An order has one end.
//!
//! ```text
//! create_order ─▶ PENDING ─ take ─▶ held ─ complete_order ─▶ COMPLETED, final
//!                    │                └─── fail_order ─────▶ FAILED, released
//!                    └─ await_release (remote) ─▶ PENDING_RELEASE ─ fail_order ─▶ FAILED
//! another till's:  take ─▶ held ─ settle ─▶ final ─ release ─▶ released
//! ```

mod alarm;
mod answers;
mod backup;
mod channel;
mod command;
mod counters;
mod doctor;
mod error;
mod held;
mod items;
mod json;
mod levels;
mod open;
mod place;
mod plugins;
mod query;
mod queue;
mod reader;
mod record;
mod recovery;
mod reservations;
mod rollouts;
mod schema;
mod sqlite;
mod stock;
#[cfg(test)]
mod tests;
mod version;
mod writer;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::sync::watch;

pub use backup::{BackedUp, BackupError, GoesOnPast, Restored, backup, restore};
pub use doctor::{Examined, Finding, examine};
pub use error::{DatabaseError, OpenError, Outage, StockError, StoreError, TakeError};
pub use place::Lost;
pub use record::{
    Answered, Durability, Earlier, Gauges, Inventory, LedgerMismatch, NewOrder, Opened, Order, OrderId, OrdersFilter,
    Page, Released, StockChanged, StockLevel, Taker,
};
pub use rollouts::{RolloutId, RolloutRow, RolloutState};
pub use version::{BY_FOLDER, PluginEvent, PluginVersion, SwapAction, VersionId, VersionState, VersionText};

use self::{
    alarm::Alarm,
    command::{Lane, OpenOrder, OrderCommand, ReservationCommand, StockCommand, Take, UpkeepCommand},
    counters::{Numbers, RunningTime},
    held::Held,
    items::Items,
    json::{OrderText, ReceiptText},
    levels::{Levels, MayTakeAhead},
    place::Place,
    queue::{Queue, Sent, Shared},
    reader::Readers,
    writer::{WriteContext, Writer},
};
use crate::{
    order::{Fingerprint, IdempotencyKey, Item, Receipt, Reference, StockLine, sum_by_item},
    units::{MIB, i64_of},
};

/// The size of a page of a list, bytes of stored text. The rest is on the next page.
pub const LIST_BYTES_MAX: usize = MIB;

/// Where the store is, and its limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of `till.db`; made if it is missing. No other till may use it meanwhile.
    pub folder: PathBuf,
    /// Commands that may wait for the writer. The same number of extra places is reserved for commands that end an
    /// order.
    pub queue_commands_max: usize,
    /// Commands that share one commit.
    pub batch_commands_max: usize,
    /// How long steps that nobody waits for may stay uncommitted.
    pub linger: Duration,
    /// Read-only connections. The same number of extra connections looks up keys.
    pub readers: usize,
    /// How long to wait for a lock or a reader before it counts as failed.
    pub busy_timeout: Duration,
    /// How long the file's structure is checked when it is opened.
    pub look_within: Duration,
    /// The size of the write-ahead log that causes a warning, bytes.
    pub log_bytes_warn: u64,
}

/// A handle to the store, cheap to clone. It stays open until [`Store::close`] or until the last handle is dropped.
///
/// Every call may be dropped midway: a command that is already queued is carried out, and nobody gets its result.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    readers: Readers,
    /// Separate connections, so that a checkout's key lookup never waits for a page of orders.
    key_readers: Readers,
    items: Arc<Items>,
    shared: Arc<Shared>,
    alarm: Arc<Alarm>,
    place: Arc<Place>,
    /// The highest number that an order was given, rolled back or not. SQLite would give the number of an order that was
    /// rolled back to the next one, and the first one's caller would complete the other's order.
    last_order_id: Mutex<i64>,
    levels: Arc<Levels>,
}

/// An order that has its number, and whose creation is queued.
#[derive(Debug)]
pub struct BegunOrder {
    pub id: OrderId,
    created: Sent<SystemTime, StoreError>,
    _may_take: MayTakeAhead,
    store: Store,
}

impl BegunOrder {
    /// Waits for the creation, and returns when it was done: executed or committed, as its durability says. Whoever asks before
    /// the order's end has the creation carried out by itself, which costs more.
    ///
    /// # Errors
    /// `ReferenceTaken` when an order of this reference exists, `KeyTaken` when another order has its key.
    pub async fn created(mut self) -> Result<SystemTime, StoreError> {
        if let Some(outcome) = self.created.known() {
            return outcome;
        }
        self.store.0.queue.wake();
        self.created.outcome().await
    }
}

impl Store {
    /// Opens the store and settles what a crash left behind. Blocks on the disk.
    ///
    /// # Errors
    /// Name the file or folder, and say what to do about it.
    pub fn open(settings: &Settings) -> Result<(Self, Opened), OpenError> {
        let guard = open::guard(&settings.folder)?;
        let file = settings.folder.join("till.db");
        open::refuse_half(&settings.folder)?;
        let mut connection = open::connection(&file, settings.busy_timeout, settings.look_within)?;
        open::sync_folder(&settings.folder)?;
        let of_sqlite = |source| OpenError::of_sqlite(&file, source);
        let opened = recovery::settle(&mut connection).map_err(of_sqlite)?;
        let last_order_id = Mutex::new(Numbers::of(&connection).map_err(of_sqlite)?.order_id);
        let running = RunningTime::of(&connection).map_err(of_sqlite)?;
        let items = query::items(&connection).map_err(|source| OpenError::of_store(&file, source))?;
        let place = Place::of(&settings.folder, &guard)?;

        let items = Arc::new(Items::new(items));
        let (shared, levels) = (Arc::new(Shared::default()), Arc::<Levels>::default());
        let awaiting_release_orders = i64_of(opened.awaiting_release_orders);
        shared.unresolved_orders.store(awaiting_release_orders, Relaxed);
        shared.awaiting_release_orders.store(awaiting_release_orders, Relaxed);
        let (ended, ending) = watch::channel(());
        let log = settings.folder.join("till.db-wal");
        let alarm = Alarm::new(file.clone(), log, settings.log_bytes_warn);
        let (queue, commands) = Queue::new(settings.queue_commands_max, Arc::clone(&shared), ending);
        let writer = Writer {
            context: WriteContext::new(connection, running, Arc::clone(&levels)),
            commands,
            shared: Arc::clone(&shared),
            items: Arc::clone(&items),
            alarm: Arc::clone(&alarm),
            place: Arc::clone(&place),
            batch_commands_max: settings.batch_commands_max.max(1),
            linger: settings.linger,
            changed_rows: 0,
            held: Held::default(),
            rests: false,
            guard,
            ended,
        };
        thread::Builder::new().name("till-store".into()).spawn(move || writer.run()).map_err(OpenError::Thread)?;
        let readers = || Readers::new(file.clone(), settings.readers, settings.busy_timeout, Arc::clone(&alarm));
        let (readers, key_readers) = (readers(), readers());
        Ok((
            Self(Arc::new(Inner { queue, readers, key_readers, items, shared, alarm, place, last_order_id, levels })),
            opened,
        ))
    }

    /// Creates a pending order, claims its key, and returns its number.
    ///
    /// # Errors
    /// `ReferenceTaken` when an order of this reference exists, `KeyTaken` when another order has its key.
    pub async fn create_order(&self, order: NewOrder, durability: Durability) -> Result<OrderId, StoreError> {
        let begun = self.open_order(order, durability.into())?;
        let id = begun.id;
        begun.created.outcome().await.map(|_at| id)
    }

    /// Gives an order its number and queues its creation. A later command of the order is carried out after the creation, and
    /// finds no order if that failed. Nobody waits for a local order's queued creation, so it may be written with the order's
    /// end.
    ///
    /// # Errors
    /// When the creation can't be queued: then there is no such order.
    pub fn begin_order(&self, order: NewOrder, durability: Durability) -> Result<BegunOrder, StoreError> {
        let may_rest = durability == Durability::Queued && order.inventory == Inventory::Local;
        self.open_order(order, if may_rest { Lane::Rest } else { durability.into() })
    }

    fn open_order(&self, mut order: NewOrder, lane: Lane) -> Result<BegunOrder, StoreError> {
        let keyed = order.keyed.take();
        let order = OrderText::new(order)?;
        // Under the lock, so that orders are created in the order of their numbers: who reads page by page misses none.
        let mut last = self.0.last_order_id.lock();
        let id = last.checked_add(1).and_then(OrderId::of_row).ok_or(StoreError::NumbersUsedUp)?;
        let open = |reply| OrderCommand::Open(Box::new(OpenOrder { id, order, keyed, lane, reply }));
        let created = self.0.queue.send(open)?;
        *last = id.row();
        drop(last);
        Ok(BegunOrder { id, created, _may_take: self.0.levels.order_begun(id), store: self.clone() })
    }

    /// Takes all lines from the stock, summed by item, or nothing. Returns what is left of each item, by name. The
    /// taken stock is held until the order ends or the deduct is settled; the change isn't committed yet. An order's first take
    /// may be answered before the writer carries it out (`levels.rs`): only an order that holds its stock is completed.
    ///
    /// # Errors
    /// `Shortage`, `AlreadyTaken` or `Released`; `Store(ReservationGone)` when the order is no longer pending.
    pub async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        let pieces = Arc::new(sum_by_item(lines));
        if let Some(levels) = self.take_ahead(&taker, &pieces)? {
            return Ok(levels);
        }
        let take = |reply| ReservationCommand::Take(Take { taker, pieces, was_ahead: false, reply });
        self.0.queue.submit(take).await
    }

    /// Takes without waiting for the writer, if it is an order's first take and there is certain to be enough.
    fn take_ahead(
        &self,
        taker: &Taker,
        pieces: &Arc<BTreeMap<Item, u64>>,
    ) -> Result<Option<Vec<StockLevel>>, StoreError> {
        let Taker::Order(id) = *taker else { return Ok(None) };
        self.0.levels.take_ahead(id, pieces, || {
            let (taker, pieces) = (taker.clone(), Arc::clone(pieces));
            let take = |reply| ReservationCommand::Take(Take { taker, pieces, was_ahead: true, reply });
            self.0.queue.send(take).map(drop)
        })
    }

    /// Completes a pending order, makes its reservation final and stores the answer under the order's key, if it has
    /// one, all in one transaction. Durable when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when the order isn't pending, was lost with a failed batch, or its stock is local and not
    /// held; nothing was changed. After `Unavailable` the order is still open: fail it.
    pub async fn complete_order(
        &self,
        id: OrderId,
        receipt: &Receipt,
        answer: Option<Answered>,
    ) -> Result<(), StoreError> {
        let receipt = Box::new(ReceiptText::new(receipt)?);
        self.0.queue.submit(|reply| OrderCommand::Complete { id, receipt, answer, reply }).await
    }

    /// Fails an order, gives back its stock in this store, and stores the answer under its key. Without an answer the
    /// key becomes free, unless an answer was stored before. Durable when it returns. An order that failed before, or
    /// that was lost with a failed batch and so holds nothing, stays as it is.
    ///
    /// # Errors
    /// `OrderEnded` when the order is completed. After `Overloaded` or `Unavailable` the order still
    /// holds its stock: try again.
    pub async fn fail_order(&self, id: OrderId, reason: &str, answer: Option<Answered>) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.0.queue.submit(|reply| OrderCommand::Fail { id, reason, answer, reply }).await
    }

    /// Sets an order to PENDING_RELEASE, until [`Store::fail_order`]: nobody knows whether the remote inventory took
    /// stock for it. The answer is stored under the order's key, but is given out only after the order's end. Durable
    /// when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when it isn't a pending remote order.
    pub async fn await_release(&self, id: OrderId, reason: &str, answer: Option<Answered>) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.0.queue.submit(|reply| OrderCommand::AwaitRelease { id, reason, answer, reply }).await
    }

    /// Makes another till's deduct final, and stores the answer to it. Durable when it returns; answer that till only
    /// then.
    ///
    /// # Errors
    /// `ReservationGone` when the reservation is neither held nor final, `OfLocalOrder` when it isn't a deduct's.
    pub async fn settle(
        &self,
        reference: &Reference,
        answer: Option<(Fingerprint, Answered)>,
    ) -> Result<(), StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(|reply| ReservationCommand::Settle { reference, answer, reply }).await
    }

    /// Gives back the stock of another till's failed deduct, and stores the answer to it. Without an answer a reference
    /// that took nothing may be used again. Durable when it returns; answer that till only then.
    ///
    /// # Errors
    /// `OfLocalOrder` when the reference isn't a deduct's. After `Overloaded` or `Unavailable` the deduct still holds
    /// its stock: try again.
    pub async fn refuse(
        &self,
        reference: &Reference,
        answer: Option<(Fingerprint, Answered)>,
    ) -> Result<(), StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(|reply| ReservationCommand::Refuse { reference, answer, reply }).await
    }

    /// Gives back the stock of an order or deduct, so that it may take once more, and records the plugins that decide
    /// from now on. Changes no stock if nothing was taken. A remote order counts one deduct more.
    ///
    /// # Errors
    /// `OfLocalOrder` when a deduct's reference is an order's here.
    pub async fn start_over(&self, taker: Taker, plugins: String, durability: Durability) -> Result<(), StoreError> {
        self.0.queue.submit(|reply| ReservationCommand::StartOver { taker, plugins, durability, reply }).await
    }

    /// Gives back what another till's deduct took, held or final; a second release does nothing. An unknown reference
    /// is remembered, so that its deduct takes nothing if it comes late. Durable when it returns.
    ///
    /// # Errors
    /// `OfLocalOrder` when the reference isn't a deduct's.
    pub async fn release(&self, reference: &Reference) -> Result<Released, StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(|reply| ReservationCommand::Release { reference, reply }).await
    }

    /// Returns the result of the checkout with that key as of the last commit; `None` if no answer is stored.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_checkout(&self, key: &IdempotencyKey) -> Result<Option<Earlier>, StoreError> {
        let key = key.clone();
        self.0.key_readers.read(move |connection| answers::of_checkout(connection, &key)).await
    }

    /// Returns the result of another till's deduct as of the last commit; `None` if no answer is stored, or no longer.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_deduct(&self, reference: &Reference) -> Result<Option<Earlier>, StoreError> {
        let reference = reference.clone();
        self.0.key_readers.read(move |connection| answers::of_deduct(connection, &reference)).await
    }

    /// Deletes some of the answers older than `kept`, and returns whether there may be more.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn prune_answers(&self, kept: Duration) -> Result<bool, StoreError> {
        self.0.queue.submit(|reply| UpkeepCommand::PruneAnswers { kept, reply }).await
    }

    /// Returns the order of that reference as of the last commit, `None` if there is none.
    ///
    /// # Errors
    /// `Overloaded` when no reader is free in time, `Unreadable` when something else wrote to the file.
    pub async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Order>, StoreError> {
        let reference = reference.clone();
        self.0.readers.read(move |connection| query::order_by_reference(connection, &reference)).await
    }

    /// Returns the order of that number as of the last commit, `None` if there is none.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn order_by_id(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.0.readers.read(move |connection| query::order_by_id(connection, id)).await
    }

    /// Returns a page of orders, ascending by number; an empty page after the last order. A filter for rare orders,
    /// such as failed ones, may read the whole table for one page.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn orders(&self, filter: OrdersFilter) -> Result<Page<Order>, StoreError> {
        self.0.readers.read(move |connection| query::orders(connection, &filter)).await
    }

    /// Returns a page of the levels of the items after `after`, by name, as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn stock(&self, after: Option<Item>) -> Result<Page<StockLevel>, StoreError> {
        self.0.readers.read(move |connection| query::stock(connection, after.as_ref())).await
    }

    /// Returns the `count` lowest levels, lowest first, as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn scarcest(&self, count: u32) -> Result<Vec<StockLevel>, StoreError> {
        self.0.readers.read(move |connection| query::scarcest(connection, count)).await
    }

    /// Returns the pieces of the item as of the last commit, `None` if the store doesn't know it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        let item = item.clone();
        let read = move |connection: &_| Ok(query::level_of(connection, &item)?);
        self.0.readers.read(read).await
    }

    /// Sets the opening stock of the items that the store doesn't know yet. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own: all of them or none.
    pub async fn seed_stock(&self, opening: &[(Item, u32)]) -> Result<(), StoreError> {
        let opening = opening.to_vec();
        self.0.queue.submit(|reply| StockCommand::Seed { opening, reply }).await
    }

    /// Sets the item's stock to a counted number; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn set_stock(&self, item: &Item, on_hand: u32) -> Result<StockChanged, StoreError> {
        let item = item.clone();
        self.0.queue.submit(|reply| StockCommand::Set { item, counted: on_hand, reply }).await
    }

    /// Adds to the item's stock, or takes away from it; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// `OutOfRange` when that would leave less than 0 or more than [`u32::MAX`]; nothing was changed.
    pub async fn add_stock(&self, item: &Item, delta: i64) -> Result<StockChanged, StockError> {
        let item = item.clone();
        self.0.queue.submit(|reply| StockCommand::Add { item, delta, reply }).await
    }

    /// Removes the item from the shop, with its stock on hand; its past stays in the ledger. Durable when it returns.
    ///
    /// # Errors
    /// `Unknown` when the shop doesn't have the item.
    pub async fn remove_stock(&self, item: &Item) -> Result<(), StockError> {
        let item = item.clone();
        self.0.queue.submit(|reply| StockCommand::Remove { item, reply }).await
    }

    /// Returns whether the store has a level for the item, even if it is 0. Takes no lock.
    #[must_use]
    pub fn knows(&self, item: &Item) -> bool {
        self.0.items.contains(item)
    }

    /// Returns the items whose stock isn't opening plus movements. Reads the whole ledger.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn ledger_mismatches(&self) -> Result<Vec<LedgerMismatch>, StoreError> {
        self.0.readers.read(query::ledger_mismatches).await
    }

    /// Returns the store's figures, at the cost of one `stat`.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let Inner { queue, items, shared, alarm, .. } = &*self.0;
        Gauges {
            queued_commands: shared.queued_commands.load(Relaxed),
            queued_commands_max: queue.commands_max(),
            commits: shared.commits.load(Relaxed),
            committed_commands: shared.committed_commands.load(Relaxed),
            failed_batches: shared.failed_batches.load(Relaxed),
            unresolved_orders: u64::try_from(shared.unresolved_orders.load(Relaxed)).unwrap_or(0),
            awaiting_release_orders: u64::try_from(shared.awaiting_release_orders.load(Relaxed)).unwrap_or(0),
            known_items: items.count(),
            wal_bytes: alarm.log_bytes(),
        }
    }

    /// Writes and commits a row, and returns when that is done: the store can take orders.
    ///
    /// # Errors
    /// The error that prevented it.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.queue.submit(|reply| UpkeepCommand::CheckReadiness { reply }).await
    }

    /// Checks whether the store's files are where they were opened, and logs it if they aren't. Nothing is committed
    /// while they are missing. May be dropped midway.
    pub async fn look_at_place(&self) {
        let place = Arc::clone(&self.0.place);
        // The check may be slow on a busy disk.
        _ = tokio::task::spawn_blocking(move || place.check()).await;
    }

    /// Returns whether rows were committed within the last `ago`, and nothing failed since.
    #[must_use]
    pub fn committed_within(&self, ago: Duration) -> bool {
        self.0.shared.committed_at().is_some_and(|at| at.elapsed() <= ago)
    }

    /// Returns when nothing can be written any more: after [`close`](Self::close), or when the writer has broken.
    pub async fn ended(&self) {
        self.0.queue.until_ended().await;
    }

    /// Carries out the queued commands, moves the log into the file and closes it. Later calls get `Closed`; a second
    /// `close` waits for the same end.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.key_readers.close().await;
        self.0.queue.close().await;
    }
}
