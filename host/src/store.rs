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

mod activity;
mod approvals;
mod catalogue;
mod command;
mod copy;
mod error;
mod folder;
mod items;
mod json;
mod page;
mod plugins;
mod postgres;
mod queue;
mod record;
mod rollouts;
mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod version;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use activity::{HostChange, HostEvent, Sales, StockMovement};
pub use approvals::{ApprovalId, ApprovalRow, ApprovalState, HookChange};
pub use catalogue::StoredCatalogue;
pub use copy::{Copied, CopyError, Tally, copy_to_postgres, copy_to_sqlite};
pub use error::{DatabaseError, OpenError, Outage, StockError, StoreError, TakeError};
pub use postgres::{examine as examine_shared, hosts, migrate};
pub use record::{
    Answered, Durability, Earlier, Gauges, HostRow, Inventory, LedgerMismatch, NewOrder, Opened, Order, OrderId,
    OrdersFilter, Page, Released, StockChanged, StockLevel, Taker,
};
pub use rollouts::{RolloutId, RolloutRow, RolloutState};
pub use settings::{PostgresSettings, Settings};
pub use sqlite::{BackedUp, BackupError, Examined, Finding, GoesOnPast, Lost, Restored, backup, examine, restore};
pub use version::{
    Audited, BY_FOLDER, BY_WATCH, HookOrder, Origin, PluginEvent, PluginVersion, Signer, SwapAction, VersionId,
    VersionState, VersionText,
};

use self::{
    command::{Command, Lane, OrderCommand, ReservationCommand, StockCommand, UpkeepCommand},
    json::ReceiptText,
    page::{LEVEL_BYTES, ROW_BYTES, page},
    postgres::Postgres,
    queue::{Reply, Sent},
    record::{now_ms, saturated},
    sqlite::{MayTakeAhead, Sqlite},
};
use crate::{
    order::{Fingerprint, IdempotencyKey, Item, Receipt, Reference, StockLine},
    units::MIB,
};

/// The size of a page of a list, bytes of stored text. The rest is on the next page.
pub const LIST_BYTES_MAX: usize = MIB;

/// A handle to the store, cheap to clone. It stays open until [`Store::close`] or until the last handle is dropped.
///
/// Every call may be dropped midway: a command that is already queued is carried out, and nobody gets its result.
#[derive(Debug, Clone)]
pub struct Store(Arc<Engine>);

/// The database that keeps the store.
#[derive(Debug)]
enum Engine {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

/// An order that has its number, and whose creation is queued.
#[derive(Debug)]
pub struct BegunOrder {
    pub id: OrderId,
    created: Sent<SystemTime, StoreError>,
    _may_take: Option<MayTakeAhead>,
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
        self.store.wake();
        self.created.outcome().await
    }
}

impl Store {
    /// Opens the store and settles what a crash left behind. Blocks on the disk.
    ///
    /// # Errors
    /// Name the file or folder, and say what to do about it.
    pub fn open(settings: &Settings) -> Result<(Self, Opened), OpenError> {
        let (sqlite, opened) = Sqlite::open(settings)?;
        Ok((Self(Arc::new(Engine::Sqlite(Box::new(sqlite)))), opened))
    }

    /// Opens a store that several hosts share, and settles what dead ones left behind.
    ///
    /// # Errors
    /// Say what to do about it.
    pub async fn connect(settings: &PostgresSettings) -> Result<(Self, Opened), OpenError> {
        let (postgres, opened) = Postgres::connect(settings).await?;
        Ok((Self(Arc::new(Engine::Postgres(Box::new(postgres)))), opened))
    }

    /// Creates a pending order, claims its key, and returns its number.
    ///
    /// # Errors
    /// `ReferenceTaken` when an order of this reference exists, `KeyTaken` when another order has its key.
    pub async fn create_order(&self, order: NewOrder, durability: Durability) -> Result<OrderId, StoreError> {
        let begun = self.open_order(order, durability.into()).await?;
        let id = begun.id;
        begun.created.outcome().await.map(|_at| id)
    }

    /// Gives an order its number and queues its creation. A later command of the order is carried out after the creation, and
    /// finds no order if that failed. Nobody waits for a local order's queued creation, so it may be written with the order's
    /// end.
    ///
    /// # Errors
    /// When the creation can't be queued: then there is no such order.
    pub async fn begin_order(&self, order: NewOrder, durability: Durability) -> Result<BegunOrder, StoreError> {
        let may_rest = durability == Durability::Queued && order.inventory == Inventory::Local;
        self.open_order(order, if may_rest { Lane::Rest } else { durability.into() }).await
    }

    async fn open_order(&self, order: NewOrder, lane: Lane) -> Result<BegunOrder, StoreError> {
        let (id, created, may_take) = match &*self.0 {
            Engine::Sqlite(sqlite) => {
                let (id, created, may_take) = sqlite.open_order(order, lane)?;
                (id, created, Some(may_take))
            }
            Engine::Postgres(postgres) => {
                let (id, created) = postgres.open_order(order, lane).await?;
                (id, created, None)
            }
        };
        Ok(BegunOrder { id, created, _may_take: may_take, store: self.clone() })
    }

    /// Takes all lines from the stock, summed by item, or nothing. Returns what is left of each item, by name. The
    /// taken stock is held until the order ends or the deduct is settled; the change isn't committed yet. An order's first take
    /// may be answered before the writer carries it out (`levels.rs`): only an order that holds its stock is completed.
    ///
    /// # Errors
    /// `Shortage`, `AlreadyTaken` or `Released`; `Store(ReservationGone)` when the order is no longer pending.
    pub async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.take(taker, lines).await,
            Engine::Postgres(postgres) => postgres.take(taker, lines).await,
        }
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
        self.submit(|reply| OrderCommand::Complete { id, receipt, answer, reply }).await
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
        self.submit(|reply| OrderCommand::Fail { id, reason, answer, reply }).await
    }

    /// Sets an order to PENDING_RELEASE, until [`Store::fail_order`]: nobody knows whether the remote inventory took
    /// stock for it. The answer is stored under the order's key, but is given out only after the order's end. Durable
    /// when it returns.
    ///
    /// # Errors
    /// `ReservationGone` when it isn't a pending remote order.
    pub async fn await_release(&self, id: OrderId, reason: &str, answer: Option<Answered>) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.submit(|reply| OrderCommand::AwaitRelease { id, reason, answer, reply }).await
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
        self.submit(|reply| ReservationCommand::Settle { reference, answer, reply }).await
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
        self.submit(|reply| ReservationCommand::Refuse { reference, answer, reply }).await
    }

    /// Gives back the stock of an order or deduct, so that it may take once more, and records the plugins that decide
    /// from now on. Changes no stock if nothing was taken. A remote order counts one deduct more.
    ///
    /// # Errors
    /// `OfLocalOrder` when a deduct's reference is an order's here.
    pub async fn start_over(&self, taker: Taker, plugins: String, durability: Durability) -> Result<(), StoreError> {
        self.submit(|reply| ReservationCommand::StartOver { taker, plugins, durability, reply }).await
    }

    /// Gives back what another till's deduct took, held or final; a second release does nothing. An unknown reference
    /// is remembered, so that its deduct takes nothing if it comes late. Durable when it returns.
    ///
    /// # Errors
    /// `OfLocalOrder` when the reference isn't a deduct's.
    pub async fn release(&self, reference: &Reference) -> Result<Released, StoreError> {
        let reference = reference.clone();
        self.submit(|reply| ReservationCommand::Release { reference, reply }).await
    }

    /// Returns the result of the checkout with that key as of the last commit; `None` if no answer is stored.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_checkout(&self, key: &IdempotencyKey) -> Result<Option<Earlier>, StoreError> {
        let key = key.clone();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read_key(move |connection| sqlite::answers::of_checkout(connection, &key)).await
            }
            Engine::Postgres(postgres) => postgres.earlier_checkout(&key).await,
        }
    }

    /// Returns the result of another till's deduct as of the last commit; `None` if no answer is stored, or no longer.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn earlier_deduct(&self, reference: &Reference) -> Result<Option<Earlier>, StoreError> {
        let reference = reference.clone();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read_key(move |connection| sqlite::answers::of_deduct(connection, &reference)).await
            }
            Engine::Postgres(postgres) => postgres.earlier_deduct(&reference).await,
        }
    }

    /// Deletes some of the answers older than `kept`, and returns whether there may be more.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn prune_answers(&self, kept: Duration) -> Result<bool, StoreError> {
        self.submit(|reply| UpkeepCommand::PruneAnswers { kept, reply }).await
    }

    /// Returns the order of that reference as of the last commit, `None` if there is none.
    ///
    /// # Errors
    /// `Overloaded` when no reader is free in time, `Unreadable` when something else wrote to the file.
    pub async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Order>, StoreError> {
        let reference = reference.clone();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::query::order_by_reference(connection, &reference)).await
            }
            Engine::Postgres(postgres) => postgres.order_by_reference(&reference).await,
        }
    }

    /// Returns the order of that number as of the last commit, `None` if there is none.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn order_by_id(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::query::order_by_id(connection, id)).await,
            Engine::Postgres(postgres) => postgres.order_by_id(id).await,
        }
    }

    /// Returns a page of orders, in the filter's order; an empty page after the last order. A filter for rare orders,
    /// such as failed ones, may read the whole table for one page.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn orders(&self, filter: OrdersFilter) -> Result<Page<Order>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::query::orders(connection, &filter)).await,
            Engine::Postgres(postgres) => postgres.orders(filter).await,
        }
    }

    /// Returns a page of the levels of the items after `after`, by name, as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn stock(&self, after: Option<Item>) -> Result<Page<StockLevel>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::query::stock(connection, after.as_ref())).await
            }
            Engine::Postgres(postgres) => postgres.stock(after.as_ref()).await,
        }
    }

    /// Returns the `count` lowest levels, lowest first, as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn scarcest(&self, count: u32) -> Result<Vec<StockLevel>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::query::scarcest(connection, count)).await,
            Engine::Postgres(postgres) => postgres.scarcest(count).await,
        }
    }

    /// Returns the pieces of the item as of the last commit, `None` if the store doesn't know it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        let item = item.clone();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| Ok(sqlite::query::level_of(connection, &item)?)).await
            }
            Engine::Postgres(postgres) => postgres.level(&item).await,
        }
    }

    /// Sets the opening stock of the items that the store doesn't know yet. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own: all of them or none.
    pub async fn seed_stock(&self, opening: &[(Item, u32)]) -> Result<(), StoreError> {
        let opening = opening.to_vec();
        self.submit(|reply| StockCommand::Seed { opening, reply }).await
    }

    /// Sets the item's stock to a counted number; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn set_stock(&self, item: &Item, on_hand: u32, why: &str) -> Result<StockChanged, StoreError> {
        let (item, why) = (item.clone(), why.to_owned());
        self.submit(|reply| StockCommand::Set { item, counted: on_hand, why, reply }).await
    }

    /// Adds to the item's stock, or takes away from it; an unknown item becomes known. Durable when it returns.
    ///
    /// # Errors
    /// `OutOfRange` when that would leave less than 0 or more than [`u32::MAX`]; nothing was changed.
    pub async fn add_stock(&self, item: &Item, delta: i64, why: &str) -> Result<StockChanged, StockError> {
        let (item, why) = (item.clone(), why.to_owned());
        self.submit(|reply| StockCommand::Add { item, delta, why, reply }).await
    }

    /// Removes the item from the shop, with its stock on hand; its past stays in the ledger. Durable when it returns.
    ///
    /// # Errors
    /// `Unknown` when the shop doesn't have the item.
    pub async fn remove_stock(&self, item: &Item, why: &str) -> Result<(), StockError> {
        let (item, why) = (item.clone(), why.to_owned());
        self.submit(|reply| StockCommand::Remove { item, why, reply }).await
    }

    /// Returns whether the store has a level for the item, even if it is 0. Takes no lock.
    #[must_use]
    pub fn knows(&self, item: &Item) -> bool {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.knows(item),
            Engine::Postgres(postgres) => postgres.knows(item),
        }
    }

    /// Returns the items whose stock isn't opening plus movements. Reads the whole ledger.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn ledger_mismatches(&self) -> Result<Vec<LedgerMismatch>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(sqlite::query::ledger_mismatches).await,
            Engine::Postgres(postgres) => postgres.ledger_mismatches().await,
        }
    }

    /// Returns the store's figures, at the cost of one `stat`.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.gauges(),
            Engine::Postgres(postgres) => postgres.gauges(),
        }
    }

    /// Writes and commits a row, and returns when that is done: the store can take orders.
    ///
    /// # Errors
    /// The error that prevented it.
    pub async fn ready(&self) -> Result<(), StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.queue.submit(|reply| UpkeepCommand::CheckReadiness { reply }).await,
            Engine::Postgres(postgres) => postgres.ready().await,
        }
    }

    /// Checks whether the store's files are where they were opened, and logs it if they aren't. Nothing is committed
    /// while they are missing. May be dropped midway.
    pub async fn look_at_place(&self) {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.look_at_place().await,
            Engine::Postgres(_) => {}
        }
    }

    /// Returns whether rows were committed within the last `ago`, and nothing failed since.
    #[must_use]
    pub fn committed_within(&self, ago: Duration) -> bool {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.queue.committed_within(ago),
            Engine::Postgres(postgres) => postgres.committed_within(ago),
        }
    }

    /// Returns when nothing can be written any more: after [`close`](Self::close), or when the writer has broken.
    pub async fn ended(&self) {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.queue.until_ended().await,
            Engine::Postgres(postgres) => postgres.queue.until_ended().await,
        }
    }

    /// Carries out the queued commands, moves the log into the file and closes it. Later calls get `Closed`; a second
    /// `close` waits for the same end.
    pub async fn close(&self) {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    async fn submit<T, E: From<StoreError>, C: Into<Command>>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> C,
    ) -> Result<T, E> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.queue.submit(command).await,
            Engine::Postgres(postgres) => postgres.queue.submit(command).await,
        }
    }

    /// Has an opening that is held back carried out.
    fn wake(&self) {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.queue.wake(),
            Engine::Postgres(postgres) => postgres.wake(),
        }
    }
}
