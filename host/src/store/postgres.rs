//! The store in PostgreSQL, which several hosts use at a time.
//!
//! A host has a lease on the database's clock (`host.rs`), and carries out commands in lanes (`lanes.rs`): holds, ends, and
//! everything else. SQL stands in this folder only. It is written for READ COMMITTED, so that every change says which state it
//! expects, and keeps to what engines of the same SQL have: no triggers, no functions, no locks but those of rows.

mod activity;
mod approvals;
mod catalogue;
mod connection;
mod copy;
mod desk;
mod doctor;
mod ending;
mod endings;
mod holding;
mod holds;
mod host;
mod lanes;
mod ledger;
mod link;
mod numbers;
mod plugins;
mod query;
mod reading;
mod returns;
mod rollouts;
mod schema;
mod stock;
#[cfg(test)]
mod tests;
mod transaction;

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub(super) use self::copy::CopyEnd;
use self::{
    connection::Connection,
    ending::Ending,
    holding::Holding,
    host::{Host, Keeper, Keeping},
    lanes::{Lanes, lanes},
    link::{Failed, Link, Session},
    returns::settle_abandoned,
    transaction::in_time,
};
// What the files of this folder have of the store's.
use super::{
    Answered, ApprovalId, ApprovalRow, ApprovalState, Audited, DatabaseError, Durability, Earlier, Examined, Finding,
    Gauges, HookChange, HookOrder, HostRow, Inventory, LedgerMismatch, NewOrder, OpenError, Opened, Order, OrderId,
    OrdersFilter, Origin, Outage, Page, PluginEvent, PluginVersion, PostgresSettings, Released, RolloutId, RolloutRow,
    RolloutState, StockChanged, StockError, StockLevel, StoreError, StoredCatalogue, SwapAction, TakeError, Taker,
    VersionId, VersionState, VersionText, command, folder, json, now_ms, page, queue, saturated,
};
use super::{
    command::{Lane, OpenOrder, OrderCommand, ReservationCommand, Take, UpkeepCommand},
    items::Items,
    json::OrderText,
    queue::{Queue, Sent, Shared},
};
use crate::order::{Item, StockLine, sum_by_item};

/// How long a close waits for the database.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) queue: Queue<Lanes>,
    lanes: Lanes,
    link: Link,
    host: Arc<Host>,
    items: Arc<Items>,
    shared: Arc<Shared>,
    looking_up: tokio::sync::Mutex<Option<Arc<Session>>>,
    readers: Semaphore,
    idle: Mutex<Vec<Session>>,
    readers_count: usize,
    wait_max: Duration,
    giving_up: CancellationToken,
    /// Ends the keeper of the lease, and with it the host's row.
    leaving: CancellationToken,
    lanes_at_work: AbortOnDropHandle<()>,
    /// Held as long as this host serves from its folder.
    guard: Mutex<Option<File>>,
    keeper: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// Brings the database to this build's schema, and returns how many statements that took.
///
/// # Errors
/// Say what to do about it.
pub async fn migrate(settings: &PostgresSettings) -> Result<usize, OpenError> {
    schema::migrate(&Link::new(settings)?).await
}

/// Returns the hosts that serve, and those that died within a day.
///
/// # Errors
/// Say what to do about it.
pub async fn hosts(settings: &PostgresSettings) -> Result<Vec<HostRow>, OpenError> {
    let client = migrated(&Link::new(settings)?).await?;
    in_time(host::list(&client)).await.map_err(failed)
}

/// Checks the rows by the shop's rules, while hosts serve or not. Reads all of them.
///
/// # Errors
/// Say what to do about it.
pub async fn examine(settings: &PostgresSettings) -> Result<Examined, OpenError> {
    let client = migrated(&Link::new(settings)?).await?;
    doctor::examine(&client).await.map_err(failed)
}

/// Returns a connection to a database that has this build's schema.
async fn migrated(link: &Link) -> Result<Session, OpenError> {
    let client = link.reach().await?;
    schema::check(&client).await?;
    Ok(client)
}

fn failed(failed: Failed) -> OpenError {
    OpenError::Postgres(failed.cause())
}

impl Postgres {
    /// Connects to the database, enters this host and settles what dead hosts left.
    ///
    /// # Errors
    /// Say what to do about it.
    pub(super) async fn connect(settings: &PostgresSettings) -> Result<(Self, Opened), OpenError> {
        let guard = folder::guard(&settings.folder)?;
        let identity = host::identity(&settings.folder)?;
        let link = Link::new(settings)?;
        let client = migrated(&link).await?;
        let is_synchronous = host::is_synchronous(&client).await.map_err(failed)?;
        if settings.require_synchronous && is_synchronous == Some(false) {
            return Err(OpenError::NotSynchronous);
        }
        let host = Arc::new(Host::new(settings.host_name.clone(), identity, settings.require_synchronous));
        host.note_synchronous(is_synchronous);
        in_time(host.enter(&client)).await.map_err(failed)?;
        let mut opened = Opened::default();
        loop {
            let settled =
                in_time(settle_abandoned(&client, host.id(), settings.order_age_max)).await.map_err(failed)?;
            opened.interrupted_orders += settled.orders;
            opened.returned_reservations += settled.reservations;
            if settled.orders == 0 && settled.reservations == 0 {
                break;
            }
        }
        let items = Arc::new(Items::new(in_time(query::items(&client)).await.map_err(failed)?));
        let shared = Arc::<Shared>::default();
        let (ended, ending) = watch::channel(());
        let (lanes, ends) = lanes();
        let queue = Queue::new(lanes.clone(), settings.queue_commands_max, Arc::clone(&shared), ending);
        let (giving_up, leaving) = (CancellationToken::new(), CancellationToken::new());
        let batch_commands_max = settings.batch_commands_max.max(1);
        let mut tasks = JoinSet::new();
        let holding = Holding {
            commands: ends.holds,
            lanes: lanes.clone(),
            connection: Connection::new(link.clone(), Some(client)),
            host: Arc::clone(&host),
            shared: Arc::clone(&shared),
            batch_commands_max,
            linger: settings.linger,
            resting: BTreeMap::new(),
        };
        let ending = Ending {
            commands: ends.endings,
            connection: Connection::new(link.clone(), None),
            host: Arc::clone(&host),
            shared: Arc::clone(&shared),
            batch_commands_max,
            giving_up: giving_up.clone(),
        };
        let connection = Connection::new(link.clone(), None);
        let (shared_here, items_here) = (Arc::clone(&shared), Arc::clone(&items));
        tasks.spawn(holding.run());
        tasks.spawn(ending.run());
        tasks.spawn(async move { desk::run(ends.desk, connection, &shared_here, &items_here).await });
        let lanes_at_work = AbortOnDropHandle::new(tokio::spawn(watch_over(tasks, ended)));
        let keeping = Keeping {
            connection: Connection::new(link.clone(), None),
            host: Arc::clone(&host),
            items: Arc::clone(&items),
            shared: Arc::clone(&shared),
            order_age_max: settings.order_age_max,
        };
        let keeper = tokio::spawn(Keeper::new(&link, keeping, leaving.clone()).run());
        let readers_count = settings.readers.max(1);
        let postgres = Self {
            queue,
            lanes,
            link,
            host,
            items,
            shared,
            looking_up: tokio::sync::Mutex::default(),
            readers: Semaphore::new(readers_count),
            idle: Mutex::default(),
            readers_count,
            wait_max: settings.wait_max,
            giving_up,
            leaving,
            lanes_at_work,
            guard: Mutex::new(Some(guard)),
            keeper: tokio::sync::Mutex::new(Some(keeper)),
        };
        Ok((postgres, opened))
    }

    /// Gives an order its number and queues its creation. One that has a key is written before anything is decided about it: another
    /// host may be carrying out the same request.
    ///
    /// # Errors
    /// When the creation can't be queued, or the key is taken: then there is no such order.
    pub(super) async fn open_order(
        &self,
        mut order: NewOrder,
        lane: Lane,
    ) -> Result<(OrderId, Sent<SystemTime, StoreError>), StoreError> {
        if let Some(outage) = self.host.outage() {
            return Err(StoreError::Unavailable(outage));
        }
        let keyed = order.keyed.take();
        let is_keyed = keyed.is_some();
        let lane = if is_keyed && lane == Lane::Rest { Lane::Step } else { lane };
        let order = OrderText::new(order)?;
        let number = tokio::time::timeout(self.wait_max, self.host.numbers.next()).await;
        let id = number.map_err(|_elapsed| StoreError::Overloaded { queued_max: self.queue.commands_max() })??;
        let open = |reply| OrderCommand::Open(Box::new(OpenOrder { id, order, keyed, lane, reply }));
        let created = match self.queue.send(open) {
            Ok(created) => created,
            Err(error) => {
                self.host.numbers.settled([id].into_iter());
                return Err(error);
            }
        };
        if !is_keyed {
            return Ok((id, created));
        }
        let at = created.outcome().await?;
        Ok((id, self.queue.answered(Ok(at))))
    }

    /// Has an opening that waits for its first take carried out.
    pub(super) fn wake(&self) {
        self.lanes.wake();
    }

    pub(super) async fn take(&self, taker: Taker, lines: &[StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        let pieces = Arc::new(sum_by_item(lines));
        let take = |reply| ReservationCommand::Take(Take { taker, pieces, was_ahead: false, reply });
        self.queue.submit(take).await
    }

    /// Returns whether the host has committed something within the last `ago`, nothing failed since, and it may take orders.
    pub(super) fn committed_within(&self, ago: Duration) -> bool {
        self.host.outage().is_none() && self.queue.committed_within(ago)
    }

    /// # Errors
    /// When the host can take no order.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        if let Some(outage) = self.host.outage() {
            return Err(StoreError::Unavailable(outage));
        }
        self.queue.submit(|reply| UpkeepCommand::CheckReadiness { reply }).await
    }

    pub(super) fn plugins_epoch(&self) -> u64 {
        self.host.plugins_epoch()
    }

    pub(super) fn catalogue_epoch(&self) -> Option<u64> {
        self.host.catalogue_epoch()
    }

    pub(super) fn note_followed(&self, epoch: u64) {
        self.host.note_followed(epoch);
    }

    pub(super) fn leads(&self) -> bool {
        self.host.has_lease() && self.host.is_first()
    }

    pub(super) fn knows(&self, item: &Item) -> bool {
        self.items.contains(item)
    }

    pub(super) fn gauges(&self) -> Gauges {
        Gauges {
            hosts: self.host.hosts(),
            lease_age: self.host.lease_age(),
            without_standby: self.host.is_without_standby(),
            ..self.queue.gauges(self.items.count())
        }
    }

    /// Carries out the queued commands as far as the database lets it, and takes the host's row away.
    pub(super) async fn close(&self) {
        self.readers.close();
        self.shared.closing.store(true, Relaxed);
        self.lanes.wake();
        let deadline = tokio::time::Instant::now() + CLOSE_WITHIN;
        while self.shared.queued_commands.load(Relaxed) > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.giving_up.cancel();
        self.leaving.cancel();
        if let Some(keeper) = self.keeper.lock().await.take() {
            _ = keeper.await;
        }
        self.lanes_at_work.abort();
        self.queue.until_ended().await;
        self.idle.lock().clear();
        self.looking_up.lock().await.take();
        drop(self.guard.lock().take());
    }
}

/// Waits until a lane has ended, which none does by itself. Whoever waits for the store's end learns it then.
async fn watch_over(mut lanes: JoinSet<()>, ended: watch::Sender<()>) {
    if let Some(Err(broken)) = lanes.join_next().await {
        tracing::error!(error = %broken, "a lane of the order store stopped; no order can be taken until till is restarted");
    }
    drop(ended);
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The lanes' tasks end with their handle; the keeper is its own.
        self.leaving.cancel();
    }
}
