//! This process as one of the hosts of a shop: a row with a lease on the database's clock.
//!
//! A host says every second that it is there. Without an answer for the length of the lease it takes no new order, and the
//! others settle those that it has begun. A host that comes back after that begins anew under another number.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    HostRow, OpenError, Outage,
    connection::Connection,
    link::{Failed, Link, Session},
    numbers::Numbers,
    query,
    returns::{Abandoned, settle_abandoned},
    transaction::{BEGIN_DURABLE, Parameters, begin, commit, in_time, rows, step},
};
use crate::{
    store::{items::Items, queue::Shared},
    units::{i64_of, millis},
};

/// How often a host says that it is there.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How long that counts.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How often a host looks for orders that nobody drives any more.
const LOOK_FOR_ABANDONED: Duration = Duration::from_secs(3);

/// Returns what the folder is known by: a text in a file of it, made when a till first serves from it.
pub(super) fn identity(folder: &Path) -> Result<String, OpenError> {
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

/// This process's row, and what its beats have found.
#[derive(Debug)]
pub(super) struct Host {
    id: AtomicI64,
    name: String,
    /// What the folder that it serves from is known by.
    folder: String,
    lease_until: Mutex<Option<Instant>>,
    /// When a beat was last answered.
    beaten_at: Mutex<Option<Instant>>,
    /// How many hosts have a lease, and the lowest of their numbers.
    hosts: AtomicI64,
    first_host: AtomicI64,
    /// How often the plugins were changed, and which of the changes this host follows.
    plugins_epoch: AtomicI64,
    /// How often the catalogue was replaced; negative before the first beat.
    catalogue_epoch: AtomicI64,
    followed_epoch: AtomicI64,
    /// Whether the database has no synchronous standby, as of the last look.
    without_standby: AtomicBool,
    /// Whether such a database is refused.
    require_synchronous: bool,
    /// Whether a durable commit isn't answered.
    commits_wait: AtomicBool,
    pub(super) numbers: Numbers,
    /// The highest number of an order that was written, as of the last beat.
    last_number: AtomicI64,
}

/// What a beat finds.
struct Found {
    /// The highest number of an order that was written.
    last_number: i64,
    items_epoch: i64,
}

impl Host {
    pub(super) fn new(name: String, folder: String, require_synchronous: bool) -> Self {
        Self {
            id: AtomicI64::new(0),
            name,
            folder,
            lease_until: Mutex::new(None),
            beaten_at: Mutex::new(None),
            hosts: AtomicI64::new(0),
            first_host: AtomicI64::new(0),
            plugins_epoch: AtomicI64::new(0),
            catalogue_epoch: AtomicI64::new(-1),
            followed_epoch: AtomicI64::new(0),
            without_standby: AtomicBool::new(false),
            require_synchronous,
            commits_wait: AtomicBool::new(false),
            numbers: Numbers::default(),
            last_number: AtomicI64::new(0),
        }
    }

    pub(super) fn id(&self) -> i64 {
        self.id.load(Relaxed)
    }

    /// Returns how many hosts have a lease, as of the last beat.
    pub(super) fn hosts(&self) -> u64 {
        self.hosts.load(Relaxed).unsigned_abs()
    }

    /// Returns whether this is the host of the lowest number, as of the last beat.
    pub(super) fn is_first(&self) -> bool {
        self.first_host.load(Relaxed) == self.id()
    }

    pub(super) fn is_without_standby(&self) -> bool {
        self.without_standby.load(Relaxed)
    }

    /// Notes whether a standby confirms commits, and says so when that has changed: whoever manages the database may take the
    /// standby's name out while the standby is away.
    pub(super) fn note_synchronous(&self, is_synchronous: Option<bool>) {
        let is_without = is_synchronous == Some(false);
        match (self.without_standby.swap(is_without, Relaxed), is_without) {
            (false, true) => tracing::warn!(
                "the database has no synchronous standby: if its machine is lost, so are the orders that were acknowledged last \
                 (set synchronous_standby_names there, and store.require_synchronous here)"
            ),
            (true, false) => tracing::info!("the database has a synchronous standby again"),
            (false, false) | (true, true) => {}
        }
    }

    pub(super) fn plugins_epoch(&self) -> u64 {
        self.plugins_epoch.load(Relaxed).unsigned_abs()
    }

    pub(super) fn catalogue_epoch(&self) -> Option<u64> {
        u64::try_from(self.catalogue_epoch.load(Relaxed)).ok()
    }

    pub(super) fn note_followed(&self, epoch: u64) {
        self.followed_epoch.store(i64_of(epoch), Relaxed);
        // Whoever made the change waits for it.
        self.numbers.wanted.notify_one();
    }

    /// Returns for how long no beat was answered.
    pub(super) fn lease_age(&self) -> Duration {
        self.beaten_at.lock().map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Returns whether the host's lease lasts. Otherwise another host may have settled what this one began.
    pub(super) fn has_lease(&self) -> bool {
        self.lease_until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Returns why no new order may be begun, if there is a reason.
    pub(super) fn outage(&self) -> Option<Outage> {
        if !self.has_lease() {
            Some(Outage::LeaseOver)
        } else if self.require_synchronous && self.is_without_standby() {
            Some(Outage::NoStandby)
        } else {
            self.commits_wait.load(Relaxed).then_some(Outage::CommitsWait)
        }
    }

    /// Notes that a durable commit wasn't answered in time.
    pub(super) fn note_commits_wait(&self) {
        if !self.commits_wait.swap(true, Relaxed) {
            tracing::error!(
                "the database doesn't acknowledge commits: is its synchronous standby there? (SELECT application_name, sync_state FROM \
                 pg_stat_replication) No new orders are taken until it does; those under way wait"
            );
        }
    }

    /// Notes that a durable commit was answered.
    pub(super) fn note_committed(&self) {
        if self.commits_wait.swap(false, Relaxed) {
            tracing::info!("the database acknowledges commits again, and orders are taken");
        }
    }

    /// Notes that the database counts this host as dead.
    pub(super) fn lease_is_over(&self) {
        *self.lease_until.lock() = None;
    }

    /// Enters a row for this process, under a new number. Whoever served from the same folder before is dead: there is one till at
    /// a time in it. Its row goes, once the last transaction that it had begun is over, so that lists needn't stop before its numbers.
    pub(super) async fn enter(&self, client: &Session) -> Result<(), Failed> {
        let sent = Instant::now();
        let sql = "WITH number AS (
                 UPDATE counters SET value = value + 1 WHERE name = 'host_id' RETURNING value),
             given_out AS (SELECT value FROM counters WHERE name = 'order_id'),
             before AS (DELETE FROM hosts WHERE folder = $4)
             INSERT INTO hosts (id, name, version, folder, until, numbers_from)
             SELECT number.value, $1, $2, $4, clock_timestamp() + $3 * interval '1 ms', given_out.value + 1
             FROM number, given_out
             RETURNING id, (SELECT min(id) FROM hosts WHERE until > clock_timestamp() AND folder <> $4)";
        let lease_ms = millis(LEASE) as f64;
        let parameters: &Parameters<'_> = &[
            (&self.name, Type::TEXT),
            (&env!("CARGO_PKG_VERSION"), Type::TEXT),
            (&lease_ms, Type::FLOAT8),
            (&self.folder, Type::TEXT),
        ];
        let entered = step(client, sql, parameters).await?;
        let (id, before) = entered.first().map_or((0, None), |row| (row.get(0), row.get::<_, Option<i64>>(1)));
        self.id.store(id, Relaxed);
        self.first_host.store(before.unwrap_or(id), Relaxed);
        self.begin_lease(sent);
        Ok(())
    }

    /// Takes the row away: whoever looks for hosts finds this one ended, not dead.
    pub(super) async fn leave(&self, client: &Session) -> Result<(), Failed> {
        step(client, "DELETE FROM hosts WHERE id = $1", &[(&self.id(), Type::INT8)]).await.map(drop)
    }

    fn begin_lease(&self, sent: Instant) {
        *self.lease_until.lock() = Some(sent + LEASE);
        *self.beaten_at.lock() = Some(Instant::now());
    }

    /// Says that this host is there; `None` if it counts as dead.
    async fn beat(&self, client: &Session) -> Result<Option<Found>, Failed> {
        let sent = Instant::now();
        let sql = "WITH beat AS (
                 UPDATE hosts SET until = clock_timestamp() + $2 * interval '1 ms', numbers_from = greatest(numbers_from, $3), plugins_epoch = $4
                 WHERE id = $1 AND until > clock_timestamp() RETURNING id)
             SELECT (SELECT coalesce(max(id), 0) FROM orders),
                    (SELECT value FROM counters WHERE name = 'items_epoch'),
                    (SELECT count(*) FROM hosts WHERE until > clock_timestamp()),
                    (SELECT min(id) FROM hosts WHERE until > clock_timestamp()),
                    (SELECT value FROM counters WHERE name = 'plugins_epoch'),
                    (SELECT value FROM counters WHERE name = 'catalogue_epoch')
             FROM beat";
        let (id, lease_ms, lowest) = (self.id(), millis(LEASE) as f64, self.numbers.lowest(&[]));
        let followed = self.followed_epoch.load(Relaxed);
        let parameters: &Parameters<'_> =
            &[(&id, Type::INT8), (&lease_ms, Type::FLOAT8), (&lowest, Type::INT8), (&followed, Type::INT8)];
        let found = step(client, sql, parameters).await?;
        let Some(row) = found.first() else {
            self.lease_is_over();
            return Ok(None);
        };
        self.begin_lease(sent);
        self.hosts.store(row.get(2), Relaxed);
        self.first_host.store(row.get(3), Relaxed);
        self.plugins_epoch.store(row.get(4), Relaxed);
        self.catalogue_epoch.store(row.get(5), Relaxed);
        Ok(Some(Found { last_number: row.get(0), items_epoch: row.get(1) }))
    }

    /// Takes a block of numbers. With `is_only_block`, lists may go on up to it at once.
    async fn take_block(&self, client: &Session, size: i64, is_only_block: bool) -> Result<(), Failed> {
        let sql = "WITH block AS (
                 UPDATE counters SET value = value + $2 WHERE name = 'order_id' RETURNING value),
             moved AS (
                 UPDATE hosts SET numbers_from = block.value - $2 + 1 FROM block WHERE id = $1 AND $3)
             SELECT value FROM block";
        let parameters: &Parameters<'_> =
            &[(&self.id(), Type::INT8), (&size, Type::INT8), (&is_only_block, Type::BOOL)];
        let (_begun, taken, _committed) =
            tokio::try_join!(biased; begin(client, BEGIN_DURABLE), rows(client, sql, parameters), commit(client))?;
        if let Some(row) = taken.first() {
            let last: i64 = row.get(0);
            self.numbers.add(last - size + 1..last + 1);
        }
        Ok(())
    }
}

/// Keeps the host's lease, its numbers and its copy of the items, and settles what dead hosts left.
pub(super) struct Keeper {
    keeping: Keeping,
    blocks: Blocks,
    /// The database's hosts, for messages.
    database: String,
    stopping: CancellationToken,
}

/// Takes blocks of numbers. They have to be durable, unlike a beat, which must not wait behind them.
struct Blocks {
    connection: Connection,
    host: Arc<Host>,
}

/// What a host does once a second.
pub(super) struct Keeping {
    pub(super) connection: Connection,
    pub(super) host: Arc<Host>,
    pub(super) items: Arc<Items>,
    pub(super) shared: Arc<Shared>,
    /// How old an order may become while this host drives it.
    pub(super) order_age_max: Duration,
}

impl Keeper {
    pub(super) fn new(link: &Link, keeping: Keeping, stopping: CancellationToken) -> Self {
        let blocks = Blocks { connection: Connection::new(link.clone(), None), host: Arc::clone(&keeping.host) };
        Self { keeping, blocks, database: link.hosts(), stopping }
    }

    /// Runs until `stopping`.
    pub(super) async fn run(mut self) {
        let mut items_epoch = None;
        let mut looked_at = None;
        let mut is_told = false;
        while !self.stopping.is_cancelled() {
            let (kept, ()) =
                tokio::join!(in_time(self.keeping.keep(&mut items_epoch, &mut looked_at)), self.blocks.take());
            match kept {
                Ok(()) if std::mem::take(&mut is_told) => {
                    tracing::info!(
                        "the database answers again, and orders are taken{}",
                        self.keeping.where_it_is().await
                    );
                }
                Ok(()) => {}
                Err(failed) => {
                    self.keeping.connection.undo(&failed).await;
                    if !self.keeping.host.has_lease() && !std::mem::replace(&mut is_told, true) {
                        tracing::error!(
                            error = %failed.error(),
                            "the database {} hasn't answered for {} s: no orders are taken until it does",
                            self.database,
                            LEASE.as_secs()
                        );
                    }
                }
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.keeping.host.numbers.wanted.notified() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        if let Some(client) = self.keeping.connection.open_session() {
            _ = in_time(self.keeping.host.leave(client)).await;
        }
    }
}

impl Blocks {
    /// Takes what numbers the host wants.
    async fn take(&mut self) {
        let numbers = &Arc::clone(&self.host).numbers;
        if let Some(free) = numbers.give_up(self.host.last_number.load(Relaxed)) {
            let size = numbers.wants().unwrap_or(1);
            if !self.take_one(size, true).await {
                numbers.put_back(free);
            }
        }
        while let Some(size) = numbers.wants() {
            if !self.take_one(size, false).await {
                // The next beat tries again.
                return;
            }
        }
    }

    async fn take_one(&mut self, size: i64, is_only_block: bool) -> bool {
        let taken = match self.connection.session().await {
            Ok(client) => in_time(self.host.take_block(client, size, is_only_block)).await,
            Err(failed) => Err(failed),
        };
        if let Err(failed) = &taken {
            self.connection.undo(failed).await;
        }
        taken.is_ok()
    }
}

impl Keeping {
    /// Says which server it is, as far as that one knows.
    async fn where_it_is(&mut self) -> String {
        let sql = "SELECT host(inet_server_addr()) || ':' || inet_server_port()";
        let Ok(client) = self.connection.session().await else { return String::new() };
        let found = in_time(rows(client, sql, &[])).await.unwrap_or_default();
        let address = found.first().and_then(|row| row.get::<_, Option<String>>(0));
        address.map_or_else(String::new, |address| format!("; it is {address} now"))
    }

    async fn keep(&mut self, items_epoch: &mut Option<i64>, looked_at: &mut Option<Instant>) -> Result<(), Failed> {
        let client = self.connection.session().await?;
        let Some(found) = self.host.beat(client).await? else {
            tracing::warn!("this host counted as dead: others may have settled what it had begun; it begins anew");
            return self.host.enter(client).await;
        };
        self.host.last_number.store(found.last_number, Relaxed);
        if *items_epoch != Some(found.items_epoch) {
            let changes = self.items.changes();
            let items = query::items(client).await?;
            *items_epoch = self.items.replace(items, changes).then_some(found.items_epoch);
        }
        if looked_at.is_none_or(|at: Instant| at.elapsed() >= LOOK_FOR_ABANDONED) {
            settle_all(client, &self.host, self.order_age_max).await?;
            count_orders(client, &self.shared).await?;
            self.host.note_synchronous(is_synchronous(client).await?);
            *looked_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// Settles what nobody drives any more.
async fn settle_all(client: &Session, host: &Host, order_age_max: Duration) -> Result<(), Failed> {
    loop {
        let settled = settle_abandoned(client, host.id(), order_age_max).await?;
        if settled == Abandoned::default() {
            return Ok(());
        }
        tracing::warn!(
            orders = settled.orders,
            reservations = settled.reservations,
            "settled {} orders that no host drives any more, and gave back the stock of {} reservations",
            settled.orders,
            settled.reservations
        );
    }
}

async fn count_orders(client: &Session, shared: &Shared) -> Result<(), Failed> {
    let sql =
        "SELECT count(*), count(*) FILTER (WHERE status = 'PENDING_RELEASE') FROM orders WHERE ended_at_ms IS NULL";
    if let Some(row) = rows(client, sql, &[]).await?.first() {
        shared.unresolved_orders.store(row.get(0), Relaxed);
        shared.awaiting_release_orders.store(row.get(1), Relaxed);
    }
    Ok(())
}

/// Returns the hosts whose lease lasts, and those whose lease ended within a day.
pub(super) async fn list(client: &Session) -> Result<Vec<HostRow>, Failed> {
    let sql = "SELECT id, name, version, until > clock_timestamp(),
                      (extract(epoch FROM started_at) * 1000)::bigint, (extract(epoch FROM until) * 1000)::bigint,
                      (SELECT count(*) FROM orders WHERE ended_at_ms IS NULL AND orders.host = hosts.id)
               FROM hosts WHERE until > clock_timestamp() - interval '1 day' ORDER BY id";
    let found = rows(client, sql, &[]).await?;
    let number = |row: &tokio_postgres::Row, column| row.get::<_, i64>(column).unsigned_abs();
    let host = |row: &tokio_postgres::Row| HostRow {
        id: number(row, 0),
        name: row.get(1),
        version: row.get(2),
        serves: row.get(3),
        started_at_ms: number(row, 4),
        lease_until_ms: number(row, 5),
        open_orders: number(row, 6),
    };
    Ok(found.iter().map(host).collect())
}

/// Returns whether a standby confirms commits before they count. `None` if the database doesn't say.
pub(super) async fn is_synchronous(client: &Session) -> Result<Option<bool>, Failed> {
    let rows = client
        .query(
            "SELECT current_setting('synchronous_standby_names', true), current_setting('synchronous_commit', true)",
            &[],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (names, commit): (Option<String>, Option<String>) = (row.get(0), row.get(1));
    Ok(names.map(|names| !names.is_empty() && !matches!(commit.as_deref(), Some("off" | "local"))))
}
