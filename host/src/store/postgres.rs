//! The store in PostgreSQL, which several hosts use at a time.
//!
//! A host has a lease on the database's clock (`host.rs`), and carries out commands in lanes (`lanes.rs`): holds, ends, and
//! everything else. SQL stands in this folder only. It is written for READ COMMITTED, so that every change says which state it
//! expects, and keeps to what engines of the same SQL have: no triggers, no functions, no locks but those of rows.

mod desk;
mod doctor;
mod ending;
mod endings;
mod holding;
mod holds;
mod host;
mod lanes;
mod link;
mod numbers;
mod plugins;
mod query;
mod returns;
mod schema;
mod stock;
#[cfg(test)]
mod tests;
mod transaction;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

// What the files of this folder have of the store's.
use self::{
    ending::Ending,
    holding::{Holding, connected},
    host::{Host, Keeper},
    lanes::{Lanes, lanes},
    link::{Failed, Link, Session},
    returns::settle_abandoned,
    transaction::in_time,
};
use super::{
    Answered, DatabaseError, Durability, Earlier, Examined, Finding, Gauges, HostRow, Inventory, LedgerMismatch,
    NewOrder, OpenError, Opened, Order, OrderId, OrdersFilter, Outage, Page, PluginEvent, PluginVersion,
    PostgresSettings, Released, RolloutId, RolloutRow, RolloutState, StockChanged, StockError, StockLevel, StoreError,
    SwapAction, TakeError, Taker, VersionId, VersionState, VersionText, command, json, page, queue, saturated,
};
use super::{
    command::{Command, Lane, OpenOrder, OrderCommand, ReservationCommand, Take, UpkeepCommand},
    items::Items,
    json::OrderText,
    queue::{Queue, Sent, Shared, Unacknowledged},
    sqlite::open::guard,
};
use crate::{
    hooks::Kind,
    order::{IdempotencyKey, Item, Reference, StockLine, sum_by_item},
    units::{i64_of, millis},
};

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
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    /// Held as long as this host serves from its folder.
    guard: Mutex<Option<File>>,
    keeper: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// Returns the result of a query on the last commit.
macro_rules! read {
    ($postgres:ident, |$client:ident| $query:expr) => {{
        let mut reading = $postgres.reading().await?;
        loop {
            let $client = reading.client().await?;
            let outcome = in_time($query).await;
            if let Some(outcome) = reading.outcome(outcome) {
                break outcome;
            }
        }
    }};
}

/// Returns the result of a query for one thing, over the connection that such queries share: they follow each other without
/// waiting, and never wait for a page of orders.
macro_rules! look_up {
    ($postgres:ident, |$client:ident| $query:expr) => {{
        let mut is_repeated = false;
        loop {
            let connection = $postgres.for_looking_up().await?;
            let $client = &*connection;
            match in_time($query).await {
                Ok(outcome) => break outcome,
                Err(Failed::Lost(_)) if !is_repeated => is_repeated = true,
                Err(Failed::Unknown(error)) => break Err(StoreError::Unavailable(Outage::Database(error))),
                Err(failed) => break Err(failed.into()),
            }
        }
    }};
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
    let link = Link::new(settings)?;
    let client = link.connect().await.map_err(|source| OpenError::Unreachable { hosts: link.hosts(), source })?;
    schema::check(&client).await?;
    in_time(host::list(&client)).await.map_err(|failed| OpenError::Unsettled(Box::new(failed.into())))
}

/// Checks the rows by the shop's rules, while hosts serve or not. Reads all of them.
///
/// # Errors
/// Say what to do about it.
pub async fn examine(settings: &PostgresSettings) -> Result<Examined, OpenError> {
    let link = Link::new(settings)?;
    let client = link.connect().await.map_err(|source| OpenError::Unreachable { hosts: link.hosts(), source })?;
    schema::check(&client).await?;
    doctor::examine(&client).await.map_err(|failed| OpenError::Unsettled(Box::new(failed.into())))
}

impl Postgres {
    /// Connects to the database, enters this host and settles what dead hosts left.
    ///
    /// # Errors
    /// Say what to do about it.
    pub(super) async fn connect(settings: &PostgresSettings) -> Result<(Self, Opened), OpenError> {
        let guard = guard(&settings.folder)?;
        let folder = identity(&settings.folder)?;
        let link = Link::new(settings)?;
        let client = link.connect().await.map_err(|source| OpenError::Unreachable { hosts: link.hosts(), source })?;
        schema::check(&client).await?;
        match host::is_synchronous(&client).await.map_err(OpenError::Postgres)? {
            Some(false) if settings.require_synchronous => return Err(OpenError::NotSynchronous),
            Some(false) => tracing::warn!(
                "the database has no synchronous standby: if its machine is lost, so are the orders that were acknowledged last \
                 (set synchronous_standby_names there, and store.require_synchronous here)"
            ),
            _ => {}
        }
        let host = Arc::new(Host::new(settings.host_name.clone(), folder));
        let failed = |failed: Failed| OpenError::Unsettled(Box::new(failed.into()));
        in_time(host.enter(&client)).await.map_err(failed)?;
        let mut opened = Opened::default();
        let age_max_ms = i64_of(millis(settings.order_age_max));
        loop {
            let settled = in_time(settle_abandoned(&client, host.id(), age_max_ms)).await.map_err(failed)?;
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
            link: link.clone(),
            host: Arc::clone(&host),
            shared: Arc::clone(&shared),
            batch_commands_max,
            linger: settings.linger,
            client: Some(client),
            resting: BTreeMap::new(),
        };
        let ending = Ending {
            commands: ends.endings,
            link: link.clone(),
            host: Arc::clone(&host),
            shared: Arc::clone(&shared),
            batch_commands_max,
            client: None,
            giving_up: giving_up.clone(),
        };
        // Whoever waits for the store's end waits until the last lane is gone.
        let (first, second, third) = (ended.clone(), ended.clone(), ended);
        tasks.spawn(async move {
            holding.run().await;
            drop(first);
        });
        tasks.spawn(async move {
            ending.run().await;
            drop(second);
        });
        let desk = desk(ends.desk, link.clone(), Arc::clone(&shared), Arc::clone(&items));
        tasks.spawn(async move {
            desk.await;
            drop(third);
        });
        let keeper = Keeper {
            link: link.clone(),
            host: Arc::clone(&host),
            items: Arc::clone(&items),
            shared: Arc::clone(&shared),
            order_age_max: settings.order_age_max,
            stopping: leaving.clone(),
        };
        let keeper = tokio::spawn(keeper.run());
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
            tasks: tokio::sync::Mutex::new(tasks),
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
        if !self.host.has_lease() {
            return Err(StoreError::Unavailable(Outage::LeaseOver));
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

    pub(super) async fn earlier_checkout(&self, key: &IdempotencyKey) -> Result<Option<Earlier>, StoreError> {
        look_up!(self, |client| found(query::earlier_checkout(client, key)))
    }

    pub(super) async fn earlier_deduct(&self, reference: &Reference) -> Result<Option<Earlier>, StoreError> {
        look_up!(self, |client| found(query::earlier_deduct(client, reference)))
    }

    pub(super) async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Order>, StoreError> {
        let of = &[(&reference.as_str() as _, Type::TEXT)];
        look_up!(self, |client| query::order_by(client, "reference = $1", of))
    }

    pub(super) async fn order_by_id(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let of = &[(&id.row() as _, Type::INT8)];
        look_up!(self, |client| query::order_by(client, "id = $1", of))
    }

    pub(super) async fn orders(&self, filter: OrdersFilter) -> Result<Page<Order>, StoreError> {
        read!(self, |client| query::orders(client, &filter))
    }

    pub(super) async fn stock(&self, after: Option<&Item>) -> Result<Page<StockLevel>, StoreError> {
        read!(self, |client| query::stock(client, after))
    }

    pub(super) async fn scarcest(&self, count: u32) -> Result<Vec<StockLevel>, StoreError> {
        read!(self, |client| query::scarcest(client, count))
    }

    pub(super) async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        look_up!(self, |client| found(query::level_of(client, item)))
    }

    pub(super) async fn ledger_mismatches(&self) -> Result<Vec<LedgerMismatch>, StoreError> {
        read!(self, |client| found(query::ledger_mismatches(client)))
    }

    pub(super) async fn plugin_versions(
        &self,
        after: Option<VersionId>,
        limit: u32,
    ) -> Result<Page<PluginVersion>, StoreError> {
        read!(self, |client| plugins::versions(client, after, limit))
    }

    pub(super) async fn live_plugin(&self, kind: Kind) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::live(client, kind))
    }

    pub(super) async fn last_good_plugin(&self, kind: Kind) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::last_good(client, kind))
    }

    pub(super) async fn plugin_version(&self, id: VersionId) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::by_id(client, id))
    }

    pub(super) async fn was_started_with(&self, kind: Kind, digest: &str) -> Result<bool, StoreError> {
        read!(self, |client| plugins::started_with(client, kind, digest))
    }

    pub(super) async fn plugin_events(&self, after: Option<u64>, limit: u32) -> Result<Page<PluginEvent>, StoreError> {
        read!(self, |client| plugins::events(client, after, limit))
    }

    pub(super) async fn open_rollout(&self) -> Result<Option<RolloutRow>, StoreError> {
        let open = "state IN ('running', 'paused')";
        let page = read!(self, |client| plugins::rollouts(client, open, i64::MAX, 1));
        Ok(page?.rows.pop())
    }

    pub(super) async fn rollouts(&self, after: Option<RolloutId>, limit: u32) -> Result<Page<RolloutRow>, StoreError> {
        let before = after.map_or(i64::MAX, |id| id.0);
        read!(self, |client| plugins::rollouts(client, "true", before, limit))
    }

    /// Returns whether the host has committed something within the last `ago`, nothing failed since, and its lease lasts.
    pub(super) fn committed_within(&self, ago: Duration) -> bool {
        self.host.has_lease() && self.queue.committed_within(ago)
    }

    /// # Errors
    /// When the host can take no order.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        if !self.host.has_lease() {
            return Err(StoreError::Unavailable(Outage::LeaseOver));
        }
        self.queue.submit(|reply| UpkeepCommand::CheckReadiness { reply }).await
    }

    pub(super) fn plugins_epoch(&self) -> u64 {
        self.host.plugins_epoch()
    }

    pub(super) fn note_followed(&self, epoch: u64) {
        self.host.note_followed(epoch);
    }

    pub(super) fn decides(&self) -> bool {
        self.host.is_first()
    }

    pub(super) async fn hosts_behind(&self) -> Result<Vec<String>, StoreError> {
        let host = self.host.id();
        read!(self, |client| found(plugins::hosts_behind(client, host)))
    }

    pub(super) async fn keep_plugin_file(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        read!(self, |client| found(plugins::keep_file(client, digest, bytes)))
    }

    pub(super) async fn plugin_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, |client| found(plugins::file(client, digest)))
    }

    pub(super) fn knows(&self, item: &Item) -> bool {
        self.items.contains(item)
    }

    pub(super) fn gauges(&self) -> Gauges {
        Gauges { hosts: self.host.hosts(), lease_age: self.host.lease_age(), ..self.queue.gauges(self.items.count()) }
    }

    async fn for_looking_up(&self) -> Result<Arc<Session>, StoreError> {
        let mut kept = self.looking_up.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let connected = self.link.connect().await;
        let client = Arc::new(connected.map_err(|error| StoreError::Unavailable(Outage::Database(error)))?);
        Ok(Arc::clone(kept.insert(client)))
    }

    /// Waits for the right to read over a connection of its own.
    async fn reading(&self) -> Result<Reading<'_>, StoreError> {
        let permit = tokio::time::timeout(self.wait_max, self.readers.acquire()).await;
        let permit = permit
            .map_err(|_elapsed| StoreError::Overloaded { queued_max: self.readers_count })?
            .map_err(|_closed| StoreError::Closed)?;
        Ok(Reading { postgres: self, client: None, is_fresh: false, _permit: permit })
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
        self.tasks.lock().await.shutdown().await;
        self.idle.lock().clear();
        self.looking_up.lock().await.take();
        drop(self.guard.lock().take());
    }
}

/// A read under way.
struct Reading<'a> {
    postgres: &'a Postgres,
    client: Option<Session>,
    /// Whether the connection was made for this read. One that lay idle may have been lost since.
    is_fresh: bool,
    _permit: tokio::sync::SemaphorePermit<'a>,
}

impl Reading<'_> {
    async fn client(&mut self) -> Result<&Session, StoreError> {
        let kept = if self.is_fresh { None } else { self.postgres.idle.lock().pop() };
        let client = match kept.filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                self.is_fresh = true;
                let connected = self.postgres.link.connect().await;
                connected.map_err(|error| StoreError::Unavailable(Outage::Database(error)))?
            }
        };
        Ok(self.client.insert(client))
    }

    /// Returns the read's outcome; `None` if it is to be tried over another connection.
    fn outcome<T>(&mut self, outcome: Result<Result<T, StoreError>, Failed>) -> Option<Result<T, StoreError>> {
        match outcome {
            Ok(outcome) => {
                self.postgres.idle.lock().extend(self.client.take());
                Some(outcome)
            }
            Err(Failed::Lost(_)) if !self.is_fresh => {
                self.is_fresh = true;
                None
            }
            // A read has no outcome that could be unknown.
            Err(Failed::Unknown(error)) => Some(Err(StoreError::Unavailable(Outage::Database(error)))),
            Err(failed) => Some(Err(failed.into())),
        }
    }
}

/// Returns what the folder is known by: a text in a file of it, made when a till first serves from it.
fn identity(folder: &Path) -> Result<String, OpenError> {
    let file = folder.join("till.host");
    let unusable = |source| OpenError::Folder { folder: folder.into(), source };
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(known) = text.trim().parse::<Uuid>()
    {
        return Ok(known.to_string());
    }
    let new = Uuid::now_v7().to_string();
    fs::write(&file, &new).map_err(unusable)?;
    Ok(new)
}

/// Returns what was found, of a query whose rows make sense in any case.
async fn found<T>(query: impl Future<Output = Result<T, Failed>>) -> Result<Result<T, StoreError>, Failed> {
    query.await.map(Ok)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The lanes' tasks end with their set; the keeper is its own.
        self.leaving.cancel();
    }
}

/// Carries out the lane of everything else, over one connection.
async fn desk(mut commands: mpsc::UnboundedReceiver<Command>, link: Link, shared: Arc<Shared>, items: Arc<Items>) {
    let mut client = None;
    while let Some(command) = commands.recv().await {
        match connected(&mut client, &link).await {
            Ok(connection) => {
                if desk::execute(connection, command, &items).await {
                    shared.committed(1);
                } else {
                    shared.batch_failed();
                    client = None;
                }
            }
            Err(failed) => {
                shared.batch_failed();
                let cause = match failed {
                    Failed::Crossed(error) | Failed::Refused(error) | Failed::Lost(error) | Failed::Unknown(error) => {
                        Unacknowledged::Undone(Outage::Database(error))
                    }
                };
                command.unexecuted().tell(Err(cause));
            }
        }
        shared.queued_commands.fetch_sub(1, Relaxed);
    }
}
