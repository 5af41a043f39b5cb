//! Rollouts: a version that is tried beside the live one.
//!
//! A rollout's plan is kept as the JSON that it was begun with; the store doesn't parse it.

use super::{Engine, Page, PluginVersion, Store, StoreError, VersionText, command::PluginCommand, sqlite};

/// The state of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutState {
    Running,
    /// The version serves no request until somebody resumes, promotes or aborts the rollout.
    Paused,
    /// Its version is the live one.
    Promoted,
    /// Its gates withdrew the version.
    RolledBack,
    /// Somebody withdrew it.
    Aborted,
    /// Another version became live meanwhile.
    Superseded,
}

impl RolloutState {
    const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::Promoted, Self::RolledBack, Self::Aborted, Self::Superseded];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
        }
    }

    /// Returns whether the rollout has no end yet.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Returns the audit's word for the change to this state.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Running => "resume",
            Self::Paused => "pause",
            Self::Promoted => "promote",
            Self::RolledBack => "rollback",
            Self::Aborted => "abort",
            Self::Superseded => "supersede",
        }
    }
}

/// A rollout's number, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RolloutId(pub(super) i64);

impl RolloutId {
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Returns the id of that number, `None` past 2^63.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        i64::try_from(number).ok().map(Self)
    }
}

/// A version that is or was tried beside the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    pub id: RolloutId,
    pub version: PluginVersion,
    /// The JSON that the rollout was begun with.
    pub plan: String,
    pub state: RolloutState,
    /// Why the rollout is in that state.
    pub reason: String,
    pub started_by: String,
    /// Unix time in ms.
    pub started_at_ms: u64,
    pub changed_by: String,
    /// Unix time in ms.
    pub changed_at_ms: u64,
}

impl Store {
    /// Begins a rollout of a version. Durable when it returns.
    ///
    /// # Errors
    /// `RolloutOpen` while another rollout is open.
    pub async fn begin_rollout(
        &self,
        text: VersionText,
        plan: String,
        by: String,
        detail: String,
    ) -> Result<RolloutRow, StoreError> {
        self.submit(|reply| PluginCommand::BeginRollout { text, plan, by, detail, reply }).await
    }

    /// Pauses, resumes or ends a rollout, other than by promotion. An end withdraws the rollout's version, unless that
    /// is live. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own; a rollout that is over stays as it is.
    pub async fn change_rollout(
        &self,
        id: RolloutId,
        state: RolloutState,
        by: String,
        reason: String,
    ) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::ChangeRollout { id, state, by, reason, reply }).await
    }

    /// Ends a rollout and makes its version live, in one transaction. Returns the version. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn promote_rollout(
        &self,
        rollout: &RolloutRow,
        by: String,
        reason: String,
    ) -> Result<PluginVersion, StoreError> {
        let (id, text) = (rollout.id, rollout.version.text.clone());
        self.submit(|reply| PluginCommand::PromoteRollout { id, text, by, reason, reply }).await
    }

    /// Tells the other hosts what this one has counted of a rollout, and returns what they have. Only a host that runs what is
    /// live as of `epoch` is heard: another one may count for a rollout that was resumed meanwhile, and is counted anew. None where
    /// the store is one till's.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn exchange_counts(
        &self,
        id: RolloutId,
        epoch: u64,
        counter: i64,
        counts: &str,
    ) -> Result<Vec<String>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(postgres) => postgres.exchange_counts(id, epoch, counter, counts).await,
        }
    }

    /// Returns the open rollout, if there is one.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn open_rollout(&self) -> Result<Option<RolloutRow>, StoreError> {
        let open = "state = 'running' OR state = 'paused'";
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .read(move |connection| Ok(sqlite::rollouts::rows(connection, open, i64::MAX, 1)?.rows.pop()))
                    .await
            }
            Engine::Postgres(postgres) => postgres.open_rollout().await,
        }
    }

    /// Returns a page of the rollouts, newest first: at most `limit`, from after `after`.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn rollouts(&self, after: Option<RolloutId>, limit: u32) -> Result<Page<RolloutRow>, StoreError> {
        let before = after.map_or(i64::MAX, |id| id.0);
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::rollouts::rows(connection, "TRUE", before, limit)).await
            }
            Engine::Postgres(postgres) => postgres.rollouts(after, limit).await,
        }
    }
}
