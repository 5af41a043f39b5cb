//! Approvals: changes of a hook's plugins that wait for a second person (`plugins.approval`).

use super::{
    Engine, HookOrder, Page, PluginVersion, ROW_BYTES, Store, StoreError, VersionText, command::PluginCommand, sqlite,
};
use crate::hooks::{Installation, InstallationName};

/// An approval's number, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApprovalId(pub(super) i64);

impl ApprovalId {
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

/// The state of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    Waiting,
    /// Another person approved the change, and it was carried out.
    Approved,
    /// Somebody turned the change down, or took it back.
    Rejected,
}

impl ApprovalState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Approved, Self::Rejected].into_iter().find(|state| state.as_str() == text)
    }
}

/// A change of a hook's plugins. `V` is the version that is to be installed: its text when it is asked for, its row afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookChange<V> {
    /// The version becomes live before that installation, or as the last one.
    Install {
        version: V,
        before: Option<InstallationName>,
    },
    Uninstall {
        at: Installation,
    },
    Order(HookOrder),
}

impl<V> HookChange<V> {
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Uninstall { .. } => "uninstall",
            Self::Order(_) => "order",
        }
    }

    /// Returns the column `names`: the installation before which another one is asked, or a hook's order.
    pub(super) fn names(&self) -> String {
        match self {
            Self::Install { before, .. } => before.map(|before| before.to_string()).unwrap_or_default(),
            Self::Uninstall { .. } => String::new(),
            Self::Order(order) => order.to_string(),
        }
    }

    /// Reads a change of its columns; `None` if they make no sense.
    pub(super) fn of_columns(action: &str, at: Installation, version: Option<V>, names: &str) -> Option<Self> {
        match action {
            "install" => Some(Self::Install { version: version?, before: InstallationName::parse(names) }),
            "uninstall" => Some(Self::Uninstall { at }),
            "order" => Some(Self::Order(HookOrder { kind: at.kind, names: HookOrder::names_of(names) })),
            _ => None,
        }
    }
}

impl HookChange<PluginVersion> {
    /// Returns the installation that changes; for an order the hook alone.
    #[must_use]
    pub const fn at(&self) -> Installation {
        match self {
            Self::Install { version, .. } => version.text.at,
            Self::Uninstall { at } => *at,
            Self::Order(HookOrder { kind, .. }) => Installation::of(*kind),
        }
    }

    /// Returns the version that is to be installed.
    #[must_use]
    pub const fn version(&self) -> Option<&PluginVersion> {
        match self {
            Self::Install { version, .. } => Some(version),
            Self::Uninstall { .. } | Self::Order(_) => None,
        }
    }

    /// Returns what the audit says of the change when it is asked for.
    pub(super) fn asked(&self, id: ApprovalId, reason: &str) -> String {
        let names = self.names();
        let names = if names.is_empty() { names } else { format!(" {names}") };
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        format!("approval {}, {}{names}{reason}", id.number(), self.action())
    }
}

/// A change that waits for a second person, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    pub id: ApprovalId,
    pub change: HookChange<PluginVersion>,
    pub state: ApprovalState,
    /// Why the approval is in that state.
    pub reason: String,
    pub asked_by: String,
    /// Unix time in ms.
    pub asked_at_ms: u64,
    pub changed_by: String,
    /// Unix time in ms.
    pub changed_at_ms: u64,
}

impl ApprovalRow {
    /// Returns about how many bytes it has of the store.
    pub(super) fn bytes(&self) -> usize {
        let settings = self.change.version().map(|version| &version.text.settings).into_iter().flatten();
        let settings_bytes: usize = settings.map(|(key, value)| key.len() + value.len()).sum();
        2 * ROW_BYTES + self.reason.len() + settings_bytes
    }
}

impl Store {
    /// Keeps a change until a second person approves it. What is to be installed is a candidate until then. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn ask_approval(
        &self,
        change: HookChange<VersionText>,
        by: String,
        reason: String,
    ) -> Result<ApprovalRow, StoreError> {
        self.submit(|reply| PluginCommand::AskApproval { change, by, reason, reply }).await
    }

    /// Turns a change down, and withdraws what was to be installed. Durable when it returns.
    ///
    /// # Errors
    /// `NotWaiting` when somebody has decided about it before.
    pub async fn reject_approval(&self, id: ApprovalId, by: String, reason: String) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::RejectApproval { id, by, reason, reply }).await
    }

    /// Returns the approval of that number, `None` if there is none.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        let mut page = self.approvals(Some(ApprovalId(id.0.saturating_add(1))), 1).await?;
        Ok(page.rows.pop().filter(|row| row.id == id))
    }

    /// Returns a page of the approvals, newest first: at most `limit`, from after `after`.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn approvals(&self, after: Option<ApprovalId>, limit: u32) -> Result<Page<ApprovalRow>, StoreError> {
        let before = after.map_or(i64::MAX, |id| id.0);
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::approvals::rows(connection, before, limit)).await
            }
            Engine::Postgres(postgres) => postgres.approvals(before, limit).await,
        }
    }
}
