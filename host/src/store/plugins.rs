//! The plugins' versions and the audit of their changes, for whoever asks the store.
//!
//! A version is a file with its settings: the same file with other settings is another version.

use super::{
    Audited, Engine, HookOrder, Page, PluginEvent, PluginVersion, Store, StoreError, SwapAction, VersionId,
    VersionText, command::PluginCommand, sqlite,
};
use crate::hooks::{Installation, InstallationName, Kind};

impl Store {
    /// Makes a version live and returns it, in the place of the version `over`. A rollback withdraws the version that was
    /// live before. An open rollout at the same installation ends. Durable when it returns.
    ///
    /// # Errors
    /// `PluginsChanged` when another version than `over` is live; for an [`SwapAction::Install`] without `over`, when any is.
    /// `NotWaiting` when somebody else has decided about the approval. Nothing was changed.
    pub async fn publish_plugin(
        &self,
        over: Option<VersionId>,
        text: VersionText,
        order: Option<HookOrder>,
        action: SwapAction,
        audited: Audited,
    ) -> Result<PluginVersion, StoreError> {
        self.submit(|reply| PluginCommand::Publish { over, text, order, action, audited, reply }).await
    }

    /// Takes a live version off its installation; what is left of the hook is asked in that order. Durable when it returns.
    ///
    /// # Errors
    /// `PluginsChanged` when another version is live there, `NotWaiting` when somebody else has decided about the approval; nothing
    /// was changed.
    pub async fn uninstall_plugin(
        &self,
        live: PluginVersion,
        order: HookOrder,
        audited: Audited,
    ) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::Uninstall { live, order, audited, reply }).await
    }

    /// Changes the order of a hook's installations. Durable when it returns.
    ///
    /// # Errors
    /// `NotWaiting` when somebody else has decided about the approval; nothing was changed.
    pub async fn reorder_plugins(&self, order: HookOrder, audited: Audited) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::Reorder { order, audited, reply }).await
    }

    /// Returns the order of a hook's installations; empty if none was set.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn hook_order(&self, kind: Kind) -> Result<Vec<InstallationName>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::hook_order(connection, kind)).await
            }
            Engine::Postgres(postgres) => postgres.hook_order(kind).await,
        }
    }

    /// Returns what is live at all installations.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn live_plugins(&self) -> Result<Vec<PluginVersion>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(sqlite::plugins::all_live).await,
            Engine::Postgres(postgres) => postgres.live_plugins().await,
        }
    }

    /// Records in the audit that a file was refused. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn note_refused_plugin(
        &self,
        at: Option<Installation>,
        by: String,
        detail: String,
    ) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::NoteRefusal { at, by, detail, reply }).await
    }

    /// Returns a page of all plugin versions, the last changed first: at most `limit`, from after `after`.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn plugin_versions(
        &self,
        after: Option<VersionId>,
        limit: u32,
    ) -> Result<Page<PluginVersion>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::versions(connection, after, limit)).await
            }
            Engine::Postgres(postgres) => postgres.plugin_versions(after, limit).await,
        }
    }

    /// Returns the live version of the installation.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn live_plugin(&self, at: Installation) -> Result<Option<PluginVersion>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::plugins::live(connection, at)).await,
            Engine::Postgres(postgres) => postgres.live_plugin(at).await,
        }
    }

    /// Returns the version to which a rollback returns: the last that was live and wasn't withdrawn.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn last_good_plugin(&self, at: Installation) -> Result<Option<PluginVersion>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::plugins::last_good(connection, at)).await,
            Engine::Postgres(postgres) => postgres.last_good_plugin(at).await,
        }
    }

    /// Returns the version of that number, `None` if there is none.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn plugin_version(&self, id: VersionId) -> Result<Option<PluginVersion>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::plugins::by_id(connection, id)).await,
            Engine::Postgres(postgres) => postgres.plugin_version(id).await,
        }
    }

    /// Records in the audit that the plugin folder has the live version. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn note_folder_has(&self, at: Installation, version: VersionId) -> Result<(), StoreError> {
        self.submit(|reply| PluginCommand::NoteFolderHas { at, version, reply }).await
    }

    /// Returns whether the host ever started with that file because its settings named the file or the folder it was
    /// in.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn was_started_with(&self, at: Installation, digest: &str) -> Result<bool, StoreError> {
        let digest = digest.to_owned();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::started_with(connection, at, &digest)).await
            }
            Engine::Postgres(postgres) => postgres.was_started_with(at, &digest).await,
        }
    }

    /// Returns whether a version of that file was ever accepted here.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn is_known_plugin(&self, digest: &str) -> Result<bool, StoreError> {
        let digest = digest.to_owned();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::is_known(connection, &digest)).await
            }
            Engine::Postgres(postgres) => postgres.is_known_plugin(&digest).await,
        }
    }

    /// Returns when the last signed of the accepted versions of a hook's plugin was signed, Unix time in ms; `None` if none
    /// was.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn last_signed_plugin(&self, kind: Kind, name: &str) -> Result<Option<u64>, StoreError> {
        let name = name.to_owned();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::last_signed(connection, kind, &name)).await
            }
            Engine::Postgres(postgres) => postgres.last_signed_plugin(kind, &name).await,
        }
    }

    /// Returns whether the version was ever live: not only a rollout's candidate.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn plugin_was_live(&self, id: VersionId) -> Result<bool, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(move |connection| sqlite::plugins::was_live(connection, id)).await,
            Engine::Postgres(postgres) => postgres.plugin_was_live(id).await,
        }
    }

    /// Returns whether there is or was a version of that file at an installation.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn knows_plugin(&self, at: Installation, digest: &str) -> Result<bool, StoreError> {
        let digest = digest.to_owned();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::knows(connection, at, &digest)).await
            }
            Engine::Postgres(postgres) => postgres.knows_plugin(at, &digest).await,
        }
    }

    /// Returns a page of the plugins' audit, newest first: at most `limit` lines, from after line `after`.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn plugin_events(&self, after: Option<u64>, limit: u32) -> Result<Page<PluginEvent>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::plugins::events(connection, after, limit)).await
            }
            Engine::Postgres(postgres) => postgres.plugin_events(after, limit).await,
        }
    }

    /// Returns how often the plugins were changed in a store that hosts share, as of the last beat; 0 for a store of one's own.
    #[must_use]
    pub fn plugins_epoch(&self) -> u64 {
        match &*self.0 {
            Engine::Sqlite(_) => 0,
            Engine::Postgres(postgres) => postgres.plugins_epoch(),
        }
    }

    /// Tells the other hosts that this one runs what was live at that epoch.
    pub fn note_followed(&self, epoch: u64) {
        match &*self.0 {
            Engine::Sqlite(_) => {}
            Engine::Postgres(postgres) => postgres.note_followed(epoch),
        }
    }

    /// Returns whether this host does what one does for all: judge rollouts, ask for releases, delete old answers, show the scarcest
    /// stock. It is the host of the lowest number among those with a lease. Two may think so for a second; each of these
    /// things may be done twice.
    #[must_use]
    pub fn leads(&self) -> bool {
        match &*self.0 {
            Engine::Sqlite(_) => true,
            Engine::Postgres(postgres) => postgres.leads(),
        }
    }

    /// Returns whether other hosts may change the plugins, too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(&*self.0, Engine::Postgres(_))
    }

    /// Returns the names of the other hosts that don't run yet what is live.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn hosts_behind(&self) -> Result<Vec<String>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(postgres) => postgres.hosts_behind().await,
        }
    }

    /// Keeps a plugin's file for the other hosts; in a store of one's own it is kept beside it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn keep_plugin_file(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match &*self.0 {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.keep_plugin_file(digest, bytes).await,
        }
    }

    /// Returns a plugin's file that another host may have kept.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn plugin_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.plugin_file(digest).await,
        }
    }
}
