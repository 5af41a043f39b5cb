//! The store in one SQLite file, which one till uses at a time.
//!
//! One thread writes, in batches that share an fsync; a few connections read concurrently.

pub(super) mod activity;
mod alarm;
pub(super) mod answers;
pub(super) mod approvals;
mod backup;
pub(super) mod catalogue;
mod channel;
mod copy;
mod counters;
mod doctor;
mod execution;
mod held;
mod levels;
mod open;
mod orders;
mod place;
pub(super) mod plugins;
pub(super) mod query;
mod reader;
mod recovery;
mod reservations;
pub(super) mod rollouts;
mod schema;
mod stock;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::SystemTime,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::watch;

pub use backup::{BackedUp, BackupError, GoesOnPast, Restored, backup, restore};
pub(super) use copy::CopyEnd;
pub use doctor::{Examined, Finding, examine};
#[cfg(test)]
pub(super) use execution::TestCommand;
pub(super) use levels::MayTakeAhead;
pub use place::Lost;

// What the files of this folder have of the store's.
use self::{
    alarm::Alarm,
    channel::Sender,
    counters::{Numbers, RunningTime},
    held::Held,
    levels::Levels,
    place::Place,
    reader::Readers,
    writer::{WriteContext, Writer},
};
use super::{
    Answered, ApprovalId, ApprovalRow, ApprovalState, Audited, DatabaseError, Earlier, Gauges, HookChange, Inventory,
    LEVEL_BYTES, LedgerMismatch, NewOrder, OpenError, Opened, Order, OrderId, OrdersFilter, Outage, Page,
    PluginVersion, ROW_BYTES, Released, RolloutId, RolloutRow, RolloutState, Settings, StockChanged, StockError,
    StockLevel, StoreError, StoredCatalogue, SwapAction, TakeError, Taker, VersionId, VersionState, VersionText,
    command, folder, items, json, now_ms, page, queue, saturated, version,
};
#[cfg(test)]
use super::{BegunOrder, Durability, Engine, Store};
use super::{
    command::{Lane, OpenOrder, OrderCommand, ReservationCommand, Take},
    items::Items,
    json::OrderText,
    queue::{Queue, Sent, Shared},
};
use crate::{
    order::{Item, StockLine, sum_by_item},
    units::i64_of,
};

#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) queue: Queue<Sender>,
    readers: Readers,
    /// Separate connections, so that a checkout's key lookup never waits for a page of orders.
    key_readers: Readers,
    items: Arc<Items>,
    alarm: Arc<Alarm>,
    place: Arc<Place>,
    /// The highest number that an order was given, rolled back or not. SQLite would give the number of an order that was
    /// rolled back to the next one, and the first one's caller would complete the other's order.
    last_order_id: Mutex<i64>,
    levels: Arc<Levels>,
}

impl Sqlite {
    /// Opens the file and settles what a crash left behind. Blocks on the disk.
    ///
    /// # Errors
    /// Name the file or folder, and say what to do about it.
    pub(super) fn open(settings: &Settings) -> Result<(Self, Opened), OpenError> {
        let guard = folder::guard(&settings.folder)?;
        let file = settings.folder.join("till.db");
        open::refuse_half(&settings.folder)?;
        let mut connection = open::connection(&file, settings.busy_timeout, settings.look_within)?;
        folder::sync_folder(&settings.folder)?;
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
        let (sender, commands) = channel::channel();
        let queue = Queue::new(sender, settings.queue_commands_max, Arc::clone(&shared), ending);
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
        Ok((Self { queue, readers, key_readers, items, alarm, place, last_order_id, levels }, opened))
    }

    /// Gives an order its number and queues its creation.
    ///
    /// # Errors
    /// When the creation can't be queued: then there is no such order.
    pub(super) fn open_order(
        &self,
        mut order: NewOrder,
        lane: Lane,
    ) -> Result<(OrderId, Sent<SystemTime, StoreError>, MayTakeAhead), StoreError> {
        let keyed = order.keyed.take();
        let order = OrderText::new(order)?;
        // Under the lock, so that orders are created in the order of their numbers: who reads page by page misses none.
        let mut last = self.last_order_id.lock();
        let id = last.checked_add(1).and_then(OrderId::of_row).ok_or(StoreError::NumbersUsedUp)?;
        let open = |reply| OrderCommand::Open(Box::new(OpenOrder { id, order, keyed, lane, reply }));
        let created = self.queue.send(open)?;
        *last = id.row();
        drop(last);
        Ok((id, created, self.levels.order_begun(id)))
    }

    /// Takes all lines from the stock, or nothing. An order's first take may be answered before the writer carries it out.
    ///
    /// # Errors
    /// As [`Store::take`](super::Store::take).
    pub(super) async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        let pieces = Arc::new(sum_by_item(lines));
        if let Some(levels) = self.take_ahead(&taker, &pieces)? {
            return Ok(levels);
        }
        let take = |reply| ReservationCommand::Take(Take { taker, pieces, was_ahead: false, reply });
        self.queue.submit(take).await
    }

    /// Takes without waiting for the writer, if it is an order's first take and there is certain to be enough.
    fn take_ahead(
        &self,
        taker: &Taker,
        pieces: &Arc<BTreeMap<Item, u64>>,
    ) -> Result<Option<Vec<StockLevel>>, StoreError> {
        let Taker::Order(id) = *taker else { return Ok(None) };
        self.levels.take_ahead(id, pieces, || {
            let (taker, pieces) = (taker.clone(), Arc::clone(pieces));
            let take = |reply| ReservationCommand::Take(Take { taker, pieces, was_ahead: true, reply });
            self.queue.send(take).map(drop)
        })
    }

    /// Returns the result of `read` on the last commit.
    ///
    /// # Errors
    /// `Overloaded` when no reader is free in time, `Unreadable` when something else wrote to the file.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(read).await
    }

    /// Reads as [`read`](Self::read) does, never behind a page of orders.
    pub(super) async fn read_key<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.key_readers.read(read).await
    }

    pub(super) fn knows(&self, item: &Item) -> bool {
        self.items.contains(item)
    }

    /// Returns the store's figures, at the cost of one `stat`.
    pub(super) fn gauges(&self) -> Gauges {
        Gauges { wal_bytes: self.alarm.log_bytes(), ..self.queue.gauges(self.items.count()) }
    }

    /// Checks whether the store's files are where they were opened.
    pub(super) async fn look_at_place(&self) {
        let place = Arc::clone(&self.place);
        // The check may be slow on a busy disk.
        _ = tokio::task::spawn_blocking(move || place.check()).await;
    }

    /// Carries out the queued commands, moves the log into the file and closes it.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.key_readers.close().await;
        self.queue.close().await;
    }
}
