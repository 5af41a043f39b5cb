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

mod error;
mod items;
mod json;
mod open;
mod query;
mod queue;
mod reader;
mod record;
mod schema;
mod sqlite;
mod stock;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use tokio::sync::watch;

pub use error::{OpenError, Outage, StockError, StoreError, TakeError};
pub use record::{
    Durability, Gauges, Inventory, LedgerMismatch, NewOrder, Opened, Order, OrderId, OrdersFilter, Released,
    StockLevel, Taker,
};

use self::{
    items::Items,
    json::{OrderText, ReceiptText},
    queue::{Kind, Queue, Shared},
    reader::Readers,
    writer::{Desk, Writer},
};
use crate::order::{Item, Receipt, Reference, StockLine, sum_by_item};

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
    /// Connections that read beside the writer.
    pub readers: usize,
    /// How long to wait for a lock or a reader before it counts as failed.
    pub busy_timeout: Duration,
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
    items: Arc<Items>,
    shared: Arc<Shared>,
    log: PathBuf,
}

impl Store {
    /// Opens the store and settles what a crash left behind. Blocks on the disk.
    ///
    /// # Errors
    /// Names the file or folder, and says what to do about it.
    pub fn open(settings: &Settings) -> Result<(Self, Opened), OpenError> {
        let guard = open::guard(&settings.folder)?;
        let file = settings.folder.join("till.db");
        let mut connection = open::connection(&file, settings.busy_timeout)?;
        open::sync_folder(&settings.folder)?;
        let of_sqlite = |source| OpenError::of_sqlite(&file, source);
        let opened = open::resolve(&mut connection).map_err(of_sqlite)?;
        let last_order_id = query::last_order_id(&connection).map_err(of_sqlite)?;
        let items = query::items(&connection).map_err(|source| OpenError::Unreadable { file: file.clone(), source })?;

        let items = Arc::new(Items::new(items));
        let shared = Arc::new(Shared::default());
        let unresolved_orders = i64::try_from(opened.awaiting_release_orders).unwrap_or(i64::MAX);
        shared.unresolved_orders.store(unresolved_orders, Relaxed);
        let (ended, ending) = watch::channel(());
        let (queue, commands) = Queue::new(settings.queue_commands_max, Arc::clone(&shared), ending);
        let writer = Writer {
            desk: Desk::new(connection, last_order_id),
            commands,
            shared: Arc::clone(&shared),
            items: Arc::clone(&items),
            batch_commands_max: settings.batch_commands_max.max(1),
            linger: settings.linger,
            guard,
            ended,
        };
        thread::Builder::new().name("till-store".into()).spawn(move || writer.run()).map_err(OpenError::Thread)?;
        let log = settings.folder.join("till.db-wal");
        let readers = Readers::new(file, settings.readers, settings.busy_timeout);
        Ok((Self(Arc::new(Inner { queue, readers, items, shared, log })), opened))
    }

    /// Places an order: PENDING, and its number.
    ///
    /// # Errors
    /// `ReferenceTaken` when an order of this reference exists.
    pub async fn create_order(&self, order: NewOrder, durability: Durability) -> Result<OrderId, StoreError> {
        let kind = match durability {
            Durability::Queued => Kind::Step,
            Durability::Committed => Kind::Durable,
        };
        let order = OrderText::new(order)?;
        self.0.queue.submit(kind, move |desk| sqlite::create_order(desk, &order)).await
    }

    /// Takes all lines from the stock, summed by item, and returns what is left of each item, by name; or takes
    /// nothing. What is taken is held until the order ends or the deduct is settled; it isn't committed yet.
    ///
    /// # Errors
    /// `Shortage`, `AlreadyTaken` or `Released`; `Store(ReservationGone)` when the order is no longer pending.
    pub async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        let pieces = sum_by_item(lines);
        self.0.queue.submit(Kind::Step, move |desk| sqlite::take(desk, &taker, &pieces)).await
    }

    /// Completes a pending order and makes its reservation final, in one transaction. Durable when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when the order isn't pending, was lost with a failed batch, or its stock is local and not
    /// held: then nothing was changed. After `Unavailable` the order is still open: fail it.
    pub async fn complete_order(&self, id: OrderId, receipt: &Receipt) -> Result<(), StoreError> {
        let receipt = ReceiptText::new(receipt)?;
        self.0.queue.submit(Kind::Ending, move |desk| sqlite::complete_order(desk, id, &receipt)).await
    }

    /// Fails an order and gives back what it holds here. Durable when it returns. An order that failed before, or
    /// that was lost with a failed batch and so holds nothing, is fine as it is.
    ///
    /// # Errors
    /// `OrderEnded` when it is completed. After `Overloaded` or `Unavailable` it still holds its stock: try again.
    pub async fn fail_order(&self, id: OrderId, reason: &str) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.0.queue.submit(Kind::Ending, move |desk| sqlite::fail_order(desk, id, &reason)).await
    }

    /// Notes that nobody knows whether the remote inventory took stock for the order: PENDING_RELEASE, until
    /// [`Store::fail_order`]. Durable when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when it isn't a remote order without an end.
    pub async fn await_release(&self, id: OrderId, reason: &str) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.0.queue.submit(Kind::Ending, move |desk| sqlite::await_release(desk, id, &reason)).await
    }

    /// Makes another till's deduct final. Durable when it returns; answer that till only then.
    ///
    /// # Errors
    /// `ReservationGone` when it is neither held nor final, `OfLocalOrder` when it isn't a deduct's.
    pub async fn settle(&self, reference: &Reference) -> Result<(), StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(Kind::Ending, move |desk| sqlite::settle(desk, &reference)).await
    }

    /// Gives back what another till's deduct took, held or final; the second time does nothing. A reference that
    /// nobody knows is remembered, so that its deduct, should it come late, takes nothing. Durable when it returns.
    ///
    /// # Errors
    /// `OfLocalOrder` when it isn't a deduct's.
    pub async fn release(&self, reference: &Reference) -> Result<Released, StoreError> {
        let reference = reference.clone();
        self.0.queue.submit(Kind::Ending, move |desk| sqlite::release(desk, &reference)).await
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
    pub async fn orders(&self, filter: OrdersFilter) -> Result<Vec<Order>, StoreError> {
        self.0.readers.read(move |connection| query::orders(connection, &filter)).await
    }

    /// Returns the level of every item, by name, as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn stock(&self) -> Result<Vec<StockLevel>, StoreError> {
        self.0.readers.read(query::stock).await
    }

    /// Returns the pieces of the item as of the last commit, `None` if the store doesn't know it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        let item = item.clone();
        let read = move |connection: &_| Ok(sqlite::on_hand(connection, &item)?.map(sqlite::saturated));
        self.0.readers.read(read).await
    }

    /// Gives the items that the store doesn't know yet their opening stock. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own: all of them or none.
    pub async fn seed_stock(&self, opening: &[(Item, u32)]) -> Result<(), StoreError> {
        let opening = opening.to_vec();
        self.0.queue.submit(Kind::Durable, move |desk| stock::seed(desk, opening)).await
    }

    /// Sets the item's stock to what was counted; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn set_stock(&self, item: &Item, on_hand: u32) -> Result<StockLevel, StoreError> {
        let item = item.clone();
        self.0.queue.submit(Kind::Durable, move |desk| stock::set(desk, &item, on_hand)).await
    }

    /// Adds to the item's stock, or takes away from it; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// `OutOfRange` when that would leave less than 0 or more than [`u32::MAX`]: then nothing was changed.
    pub async fn add_stock(&self, item: &Item, delta: i64) -> Result<StockLevel, StockError> {
        let item = item.clone();
        self.0.queue.submit(Kind::Durable, move |desk| stock::add(desk, &item, delta)).await
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
        let Inner { queue, items, shared, log, .. } = &*self.0;
        Gauges {
            queued_commands: shared.queued_commands.load(Relaxed),
            queued_commands_max: queue.commands_max(),
            commits: shared.commits.load(Relaxed),
            committed_commands: shared.committed_commands.load(Relaxed),
            failed_batches: shared.failed_batches.load(Relaxed),
            unresolved_orders: u64::try_from(shared.unresolved_orders.load(Relaxed)).unwrap_or(0),
            known_items: items.count(),
            // Never open the file for this: closing it again would drop SQLite's locks in this process.
            wal_bytes: fs::metadata(log).map_or(0, |metadata| metadata.len()),
        }
    }

    /// Returns when a row was written and committed: the store can take orders.
    ///
    /// # Errors
    /// What keeps it from that.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.queue.submit(Kind::Durable, sqlite::check_readiness).await
    }

    /// Carries out what is queued, moves the log into the file and lets go of it. Later calls get `Closed`; closing
    /// again waits for the same end.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.queue.close().await;
    }
}
