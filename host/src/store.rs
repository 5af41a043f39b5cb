//! The shop's memory: orders, stock and the ledger between them, durable in one SQLite file.
//!
//! One thread writes, in batches that share an fsync; a few connections read beside it. What is acknowledged as
//! durable survives a power cut.
//!
//! Invariants: stock is never below 0. Opening stock plus movements is the stock of every item, at every commit.
//! Stock that is held belongs to a pending order or to a deduct that isn't confirmed yet. An order has one end.
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
mod counters;
mod doctor;
mod error;
mod items;
mod json;
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
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use tokio::sync::watch;

pub use backup::{BackedUp, BackupError, GoesOnPast, Restored, backup, restore};
pub use doctor::{Examined, Finding, examine};
pub use error::{OpenError, Outage, StockError, StoreError, TakeError};
pub use place::Lost;
pub use record::{
    Answered, Durability, Earlier, Gauges, Inventory, LedgerMismatch, NewOrder, Opened, Order, OrderId, OrdersFilter,
    Page, Released, StockChanged, StockLevel, Taker,
};
pub use rollouts::{RolloutId, RolloutRow, RolloutState};
pub use version::{BY_FOLDER, PluginEvent, PluginVersion, SwapAction, VersionId, VersionState, VersionText};

use self::{
    alarm::Alarm,
    counters::{Numbers, RunningTime},
    items::Items,
    json::{OrderText, ReceiptText},
    place::Place,
    queue::{Lane, Queue, Shared},
    reader::Readers,
    writer::{WriteContext, Writer},
};
use crate::{
    order::{Fingerprint, IdempotencyKey, Item, Receipt, Reference, StockLine, sum_by_item},
    units::{MIB, i64_of},
};

/// The most that a page of a list holds, bytes of what the store has of it. The rest is on the next page.
pub const LIST_BYTES_MAX: usize = MIB;

/// Where the store is and how much it may take on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of `till.db`; made if it is missing. No other till may use it meanwhile.
    pub folder: PathBuf,
    /// Commands that may wait for the writer; as many again are kept for those that end an order.
    pub queue_commands_max: usize,
    /// Commands that share one commit.
    pub batch_commands_max: usize,
    /// How long steps that nobody waits for may stay uncommitted.
    pub linger: Duration,
    /// Connections that read beside the writer; as many again look for keys.
    pub readers: usize,
    /// How long to wait for a lock or a reader before it counts as failed.
    pub busy_timeout: Duration,
    /// How long the file's structure is looked through when it is opened.
    pub look_within: Duration,
    /// Bytes of the write-ahead log past which there is a warning.
    pub log_bytes_warn: u64,
}

/// A handle to the store, cheap to clone. It stays open until [`Store::close`] or until the last handle is dropped.
///
/// Every call may be dropped midway: what was queued by then is carried out, only unheard.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    readers: Readers,
    /// Apart, so that no page of orders keeps a checkout waiting that only asks for its key.
    key_readers: Readers,
    items: Arc<Items>,
    shared: Arc<Shared>,
    alarm: Arc<Alarm>,
    place: Arc<Place>,
}

impl Store {
    /// Opens the store and settles what a crash left behind. Blocks on the disk.
    ///
    /// # Errors
    /// Names the file or folder, and says what to do about it.
    pub fn open(settings: &Settings) -> Result<(Self, Opened), OpenError> {
        let guard = open::guard(&settings.folder)?;
        let file = settings.folder.join("till.db");
        open::refuse_half(&settings.folder)?;
        let mut connection = open::connection(&file, settings.busy_timeout, settings.look_within)?;
        open::sync_folder(&settings.folder)?;
        let of_sqlite = |source| OpenError::of_sqlite(&file, source);
        let opened = recovery::settle(&mut connection).map_err(of_sqlite)?;
        let last_order_id = Numbers::of(&connection).map_err(of_sqlite)?.order_id;
        let running = RunningTime::of(&connection).map_err(of_sqlite)?;
        let items = query::items(&connection).map_err(|source| OpenError::of_store(&file, source))?;
        let place = Place::of(&settings.folder, &guard)?;

        let items = Arc::new(Items::new(items));
        let shared = Arc::new(Shared::default());
        let awaiting_release_orders = i64_of(opened.awaiting_release_orders);
        shared.unresolved_orders.store(awaiting_release_orders, Relaxed);
        shared.awaiting_release_orders.store(awaiting_release_orders, Relaxed);
        let (ended, ending) = watch::channel(());
        let log = settings.folder.join("till.db-wal");
        let alarm = Alarm::new(file.clone(), log, settings.log_bytes_warn);
        let (queue, commands) = Queue::new(settings.queue_commands_max, Arc::clone(&shared), ending);
        let writer = Writer {
            context: WriteContext::new(connection, running, last_order_id),
            commands,
            shared: Arc::clone(&shared),
            items: Arc::clone(&items),
            alarm: Arc::clone(&alarm),
            place: Arc::clone(&place),
            batch_commands_max: settings.batch_commands_max.max(1),
            linger: settings.linger,
            changed_rows: 0,
            guard,
            ended,
        };
        thread::Builder::new().name("till-store".into()).spawn(move || writer.run()).map_err(OpenError::Thread)?;
        let readers = || Readers::new(file.clone(), settings.readers, settings.busy_timeout, Arc::clone(&alarm));
        let (readers, key_readers) = (readers(), readers());
        Ok((Self(Arc::new(Inner { queue, readers, key_readers, items, shared, alarm, place })), opened))
    }

    /// Places an order: PENDING, and its number. Its key is taken with it.
    ///
    /// # Errors
    /// `ReferenceTaken` when an order of this reference exists.
    pub async fn create_order(&self, mut order: NewOrder, durability: Durability) -> Result<OrderId, StoreError> {
        let keyed = order.keyed.take();
        let order = OrderText::new(order)?;
        self.0
            .queue
            .submit(durability.into(), move |context| sqlite::create_order(context, &order, keyed.as_ref()))
            .await
    }

    /// Takes all lines from the stock, summed by item, and returns what is left of each item, by name; or takes
    /// nothing. What is taken is held until the order ends or the deduct is settled; it isn't committed yet.
    ///
    /// # Errors
    /// `Shortage`, `AlreadyTaken` or `Released`; `Store(ReservationGone)` when the order is no longer pending.
    pub async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        let pieces = sum_by_item(lines);
        self.0.queue.submit(Lane::Step, move |context| reservations::take(context, &taker, &pieces)).await
    }

    /// Completes a pending order, makes its reservation final and keeps the answer under the order's key, if it has
    /// one: in one transaction. Durable when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when the order isn't pending, was lost with a failed batch, or its stock is local and not
    /// held: then nothing was changed. After `Unavailable` the order is still open: fail it.
    pub async fn complete_order(
        &self,
        id: OrderId,
        receipt: &Receipt,
        answer: Option<Answered>,
    ) -> Result<(), StoreError> {
        let receipt = ReceiptText::new(receipt)?;
        let complete = move |context: &mut WriteContext| sqlite::complete_order(context, id, &receipt, answer.as_ref());
        self.0.queue.submit(Lane::Ending, complete).await
    }

    /// Fails an order, gives back what it holds here, and keeps the answer under its key; without an answer the key
    /// is free again, unless one was kept before. Durable when it returns. An order that failed before, or that was
    /// lost with a failed batch and so holds nothing, is fine as it is.
    ///
    /// # Errors
    /// `OrderEnded` when it is completed. After `Overloaded` or `Unavailable` it still holds its stock: try again.
    pub async fn fail_order(&self, id: OrderId, reason: &str, answer: Option<Answered>) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        let fail = move |context: &mut WriteContext| sqlite::fail_order(context, id, &reason, answer.as_ref());
        self.0.queue.submit(Lane::Ending, fail).await
    }

    /// Notes that nobody knows whether the remote inventory took stock for the order: PENDING_RELEASE, until
    /// [`Store::fail_order`]. The answer is kept under the order's key, but only the order's end brings it to light.
    /// Durable when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when it isn't a pending remote order.
    pub async fn await_release(&self, id: OrderId, reason: &str, answer: Option<Answered>) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        let wait = move |context: &mut WriteContext| sqlite::await_release(context, id, &reason, answer.as_ref());
        self.0.queue.submit(Lane::Ending, wait).await
    }

    /// Makes another till's deduct final, and keeps what it is answered. Durable when it returns; answer that till
    /// only then.
    ///
    /// # Errors
    /// `ReservationGone` when it is neither held nor final, `OfLocalOrder` when it isn't a deduct's.
    pub async fn settle(
        &self,
        reference: &Reference,
        answer: Option<(Fingerprint, Answered)>,
    ) -> Result<(), StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(Lane::Ending, move |context| sqlite::settle(context, &reference, answer.as_ref())).await
    }

    /// Gives back what another till's deduct holds, for it came to nothing, and keeps what it is answered. Without an
    /// answer a reference that took nothing may be used again. Durable when it returns; answer that till only then.
    ///
    /// # Errors
    /// `OfLocalOrder` when it isn't a deduct's. After `Overloaded` or `Unavailable` it still holds its stock: try again.
    pub async fn refuse(
        &self,
        reference: &Reference,
        answer: Option<(Fingerprint, Answered)>,
    ) -> Result<(), StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(Lane::Ending, move |context| sqlite::refuse(context, &reference, answer.as_ref())).await
    }

    /// Gives back what the order or deduct holds, so that it may take once more, and notes the plugins that decide from
    /// now on. What took nothing has nothing to give back. A remote order counts one deduct more.
    ///
    /// # Errors
    /// `OfLocalOrder` when a deduct's reference is an order's here.
    pub async fn start_over(&self, taker: Taker, plugins: String, durability: Durability) -> Result<(), StoreError> {
        let start_over = move |context: &mut WriteContext| reservations::start_over(context, &taker, &plugins);
        self.0.queue.submit(durability.into(), start_over).await
    }

    /// Gives back what another till's deduct took, held or final; the second time does nothing. A reference that
    /// nobody knows is remembered, so that its deduct, should it come late, takes nothing. Durable when it returns.
    ///
    /// # Errors
    /// `OfLocalOrder` when it isn't a deduct's.
    pub async fn release(&self, reference: &Reference) -> Result<Released, StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(Lane::Ending, move |context| sqlite::release(context, &reference)).await
    }

    /// Returns what came of the checkout of that key as of the last commit, `None` if its answer isn't kept.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_checkout(&self, key: &IdempotencyKey) -> Result<Option<Earlier>, StoreError> {
        let key = key.clone();
        self.0.key_readers.read(move |connection| answers::of_checkout(connection, &key)).await
    }

    /// Returns what came of another till's deduct as of the last commit, `None` if its answer isn't kept or no longer
    /// so.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_deduct(&self, reference: &Reference) -> Result<Option<Earlier>, StoreError> {
        let reference = reference.clone();
        self.0.key_readers.read(move |connection| answers::of_deduct(connection, &reference)).await
    }

    /// Forgets some of the answers that were kept for longer than that, and returns whether there may be more.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn prune_answers(&self, kept: Duration) -> Result<bool, StoreError> {
        self.0.queue.submit(Lane::Durable, move |context| answers::prune(context, kept)).await
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

    /// Returns a page of orders, ascending by number; an empty one after the last. Looking for the rare failed ones
    /// among many completed reads all of them: a page may take as long as the table is large.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn orders(&self, filter: OrdersFilter) -> Result<Page<Order>, StoreError> {
        self.0.readers.read(move |connection| query::orders(connection, &filter)).await
    }

    /// Returns the levels of the items behind that one, by name, as of the last commit: a page of them.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn stock(&self, after: Option<Item>) -> Result<Page<StockLevel>, StoreError> {
        self.0.readers.read(move |connection| query::stock(connection, after.as_ref())).await
    }

    /// Returns the levels of so many items of which there are the fewest, those first, as of the last commit.
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

    /// Gives the items that the store doesn't know yet their opening stock. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own: all of them or none.
    pub async fn seed_stock(&self, opening: &[(Item, u32)]) -> Result<(), StoreError> {
        let opening = opening.to_vec();
        self.0.queue.submit(Lane::Durable, move |context| stock::seed(context, opening)).await
    }

    /// Sets the item's stock to what was counted; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn set_stock(&self, item: &Item, on_hand: u32) -> Result<StockChanged, StoreError> {
        let item = item.clone();
        self.0.queue.submit(Lane::Durable, move |context| stock::set(context, &item, on_hand)).await
    }

    /// Adds to the item's stock, or takes away from it; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// `OutOfRange` when that would leave less than 0 or more than [`u32::MAX`]: then nothing was changed.
    pub async fn add_stock(&self, item: &Item, delta: i64) -> Result<StockChanged, StockError> {
        let item = item.clone();
        self.0.queue.submit(Lane::Durable, move |context| stock::add(context, &item, delta)).await
    }

    /// Takes the item out of the shop, with what is on hand of it; its past stays in the ledger. Durable when it returns.
    ///
    /// # Errors
    /// `Unknown` when the shop hasn't got it.
    pub async fn remove_stock(&self, item: &Item) -> Result<(), StockError> {
        let item = item.clone();
        self.0.queue.submit(Lane::Durable, move |context| stock::remove(context, &item)).await
    }

    /// Returns whether the store has a level for the item, be it 0. Takes no lock.
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

    /// Returns the store's figures, at the price of one `stat`.
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

    /// Returns when a row was written and committed: the store can take orders.
    ///
    /// # Errors
    /// What keeps it from that.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.queue.submit(Lane::Durable, sqlite::check_readiness).await
    }

    /// Looks whether the store's files are where they were opened, and says so in the log when they aren't. Without them nothing
    /// is committed. May be dropped midway.
    pub async fn look_at_place(&self) {
        let place = Arc::clone(&self.0.place);
        // On a disk that others keep busy it may take its time.
        _ = tokio::task::spawn_blocking(move || place.check()).await;
    }

    /// Returns whether rows were written and committed not longer ago than that, and nothing failed since.
    #[must_use]
    pub fn committed_within(&self, ago: Duration) -> bool {
        self.0.shared.committed_at().is_some_and(|at| at.elapsed() <= ago)
    }

    /// Returns when nothing can be written any more: after [`close`](Self::close), or when the writer has broken.
    pub async fn ended(&self) {
        self.0.queue.until_ended().await;
    }

    /// Carries out what is queued, moves the log into the file and lets go of it. Later calls get `Closed`; closing
    /// again waits for the same end.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.key_readers.close().await;
        self.0.queue.close().await;
    }
}
