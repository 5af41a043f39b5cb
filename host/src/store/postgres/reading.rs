//! What is read from the database: lists over connections that are lent out one by one, single things over one that all share.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio_postgres::types::Type;

use super::{
    ApprovalRow, DatabaseError, Earlier, LedgerMismatch, Order, OrderId, OrdersFilter, Outage, Page, PluginEvent,
    PluginVersion, Postgres, RolloutId, RolloutRow, StockLevel, StoreError, StoredCatalogue, VersionId, activity,
    approvals, catalogue,
    link::{Failed, Session},
    plugins, query, rollouts,
    transaction::{in_time, within},
};
use crate::{
    hooks::{Installation, InstallationName, Kind},
    order::{IdempotencyKey, Item, Reference},
    store::{HostEvent, Sales, StockMovement},
    units::i64_of,
};

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
                Err(Failed::Unknown(error)) => break Err(unavailable(error)),
                Err(failed) => break Err(failed.into()),
            }
        }
    }};
}

impl Postgres {
    pub(in crate::store) async fn earlier_checkout(&self, key: &IdempotencyKey) -> Result<Option<Earlier>, StoreError> {
        look_up!(self, |client| found(query::earlier_checkout(client, key)))
    }

    pub(in crate::store) async fn earlier_deduct(&self, reference: &Reference) -> Result<Option<Earlier>, StoreError> {
        look_up!(self, |client| found(query::earlier_deduct(client, reference)))
    }

    pub(in crate::store) async fn order_by_reference(
        &self,
        reference: &Reference,
    ) -> Result<Option<Order>, StoreError> {
        let of = &[(&reference.as_str() as _, Type::TEXT)];
        look_up!(self, |client| query::order_by(client, "reference = $1", of))
    }

    pub(in crate::store) async fn order_by_id(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let of = &[(&id.row() as _, Type::INT8)];
        look_up!(self, |client| query::order_by(client, "id = $1", of))
    }

    pub(in crate::store) async fn orders(&self, filter: OrdersFilter) -> Result<Page<Order>, StoreError> {
        read!(self, |client| query::orders(client, &filter))
    }

    pub(in crate::store) async fn stock(&self, after: Option<&Item>) -> Result<Page<StockLevel>, StoreError> {
        read!(self, |client| query::stock(client, after))
    }

    pub(in crate::store) async fn scarcest(&self, count: u32) -> Result<Vec<StockLevel>, StoreError> {
        read!(self, |client| query::scarcest(client, count))
    }

    pub(in crate::store) async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        look_up!(self, |client| found(query::level_of(client, item)))
    }

    pub(in crate::store) async fn ledger_mismatches(&self) -> Result<Vec<LedgerMismatch>, StoreError> {
        read!(self, |client| found(query::ledger_mismatches(client)))
    }

    pub(in crate::store) async fn plugin_versions(
        &self,
        after: Option<VersionId>,
        limit: u32,
    ) -> Result<Page<PluginVersion>, StoreError> {
        read!(self, |client| plugins::versions(client, after, limit))
    }

    pub(in crate::store) async fn live_plugin(&self, at: Installation) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::live(client, at))
    }

    pub(in crate::store) async fn live_plugins(&self) -> Result<Vec<PluginVersion>, StoreError> {
        read!(self, |client| plugins::all_live(client))
    }

    pub(in crate::store) async fn hook_order(&self, kind: Kind) -> Result<Vec<InstallationName>, StoreError> {
        read!(self, |client| plugins::hook_order(client, kind))
    }

    pub(in crate::store) async fn last_good_plugin(
        &self,
        at: Installation,
    ) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::last_good(client, at))
    }

    pub(in crate::store) async fn plugin_version(&self, id: VersionId) -> Result<Option<PluginVersion>, StoreError> {
        read!(self, |client| plugins::by_id(client, id))
    }

    pub(in crate::store) async fn is_known_plugin(&self, digest: &str) -> Result<bool, StoreError> {
        read!(self, |client| plugins::is_known(client, digest))
    }

    pub(in crate::store) async fn last_signed_plugin(&self, kind: Kind, name: &str) -> Result<Option<u64>, StoreError> {
        read!(self, |client| plugins::last_signed(client, kind, name))
    }

    pub(in crate::store) async fn was_started_with(&self, at: Installation, digest: &str) -> Result<bool, StoreError> {
        read!(self, |client| plugins::started_with(client, at, digest))
    }

    pub(in crate::store) async fn plugin_was_live(&self, id: VersionId) -> Result<bool, StoreError> {
        read!(self, |client| plugins::was_live(client, id))
    }

    pub(in crate::store) async fn knows_plugin(&self, at: Installation, digest: &str) -> Result<bool, StoreError> {
        read!(self, |client| plugins::knows(client, at, digest))
    }

    pub(in crate::store) async fn plugin_events(
        &self,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<PluginEvent>, StoreError> {
        read!(self, |client| plugins::events(client, after, limit))
    }

    pub(in crate::store) async fn host_events(
        &self,
        before_ms: u64,
        limit: u32,
    ) -> Result<Page<HostEvent>, StoreError> {
        read!(self, |client| activity::host_events(client, before_ms, limit))
    }

    pub(in crate::store) async fn last_settings(&self, host: &str) -> Result<Option<String>, StoreError> {
        read!(self, |client| found(activity::last_settings(client, host)))
    }

    pub(in crate::store) async fn stock_movements(
        &self,
        item: Option<&Item>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<StockMovement>, StoreError> {
        read!(self, |client| activity::movements(client, item, after, limit))
    }

    pub(in crate::store) async fn sales(&self, since_ms: u64) -> Result<Sales, StoreError> {
        read!(self, |client| activity::sales(client, since_ms))
    }

    pub(in crate::store) async fn open_rollout(&self) -> Result<Option<RolloutRow>, StoreError> {
        let open = "state IN ('running', 'paused')";
        let page = read!(self, |client| rollouts::rollouts(client, open, i64::MAX, 1));
        Ok(page?.rows.pop())
    }

    pub(in crate::store) async fn rollouts(
        &self,
        after: Option<RolloutId>,
        limit: u32,
    ) -> Result<Page<RolloutRow>, StoreError> {
        let before = after.map_or(i64::MAX, |id| id.0);
        read!(self, |client| rollouts::rollouts(client, "true", before, limit))
    }

    pub(in crate::store) async fn approvals(&self, before: i64, limit: u32) -> Result<Page<ApprovalRow>, StoreError> {
        read!(self, |client| approvals::approvals(client, before, limit))
    }

    pub(in crate::store) async fn hosts_behind(&self) -> Result<Vec<String>, StoreError> {
        let host = self.host.id();
        read!(self, |client| found(plugins::hosts_behind(client, host)))
    }

    pub(in crate::store) async fn exchange_counts(
        &self,
        id: RolloutId,
        epoch: u64,
        counter: i64,
        counts: &str,
    ) -> Result<Vec<String>, StoreError> {
        read!(self, |client| found(rollouts::exchange_counts(client, id, i64_of(epoch), counter, counts)))
    }

    pub(in crate::store) async fn catalogue(&self) -> Result<StoredCatalogue, StoreError> {
        let mut reading = self.reading().await?;
        loop {
            let client = reading.client().await?;
            let outcome = within(catalogue::WITHIN, found(catalogue::read(client))).await;
            if let Some(outcome) = reading.outcome(outcome) {
                return outcome;
            }
        }
    }

    pub(in crate::store) async fn keep_plugin_file(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        read!(self, |client| found(plugins::keep_file(client, digest, bytes)))
    }

    pub(in crate::store) async fn plugin_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, |client| found(plugins::file(client, digest)))
    }

    /// Returns the connection over which single things are looked up.
    async fn for_looking_up(&self) -> Result<Arc<Session>, StoreError> {
        let mut kept = self.looking_up.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let connected = self.link.connect().await;
        let client = Arc::new(connected.map_err(unavailable)?);
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
}

/// A read under way.
struct Reading<'a> {
    postgres: &'a Postgres,
    client: Option<Session>,
    /// Whether the connection was made for this read. One that lay idle may have been lost since.
    is_fresh: bool,
    _permit: SemaphorePermit<'a>,
}

impl Reading<'_> {
    async fn client(&mut self) -> Result<&Session, StoreError> {
        let kept = if self.is_fresh { None } else { self.postgres.idle.lock().pop() };
        let client = match kept.filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                self.is_fresh = true;
                let connected = self.postgres.link.connect().await;
                connected.map_err(unavailable)?
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
            Err(Failed::Unknown(error)) => Some(Err(unavailable(error))),
            Err(failed) => Some(Err(failed.into())),
        }
    }
}

/// Returns what was found, of a query whose rows make sense in any case.
async fn found<T>(query: impl Future<Output = Result<T, Failed>>) -> Result<Result<T, StoreError>, Failed> {
    query.await.map(Ok)
}

fn unavailable(error: DatabaseError) -> StoreError {
    StoreError::Unavailable(Outage::Database(error))
}
