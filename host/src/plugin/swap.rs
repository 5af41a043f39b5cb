//! Changing what is live while requests are served: a deploy, a rollback, a plugin's setting.
//!
//! ```text
//! admit, off to the side ─ keep the file ─ row, audit and `live` in one transaction ─ one atomic store ─ answered
//! ```
//!
//! One change at a time. A crash before the transaction leaves the old version live, after it the new one. A request
//! pins its snapshot when it begins: what is under way ends on the versions it started with, and none that begins after
//! a change was answered runs the old one.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use super::{Candidate, Identity, Kind, Plugin, Plugins, Refused, admission, shelf::ShelfError, start::text_of};
use crate::store::{PluginVersion, StoreError, SwapAction, VersionId, VersionText};

/// Settings to change: a value, or `None` for what the host's settings say.
pub type Changes = BTreeMap<String, Option<String>>;

/// The longest key and value of a plugin's setting, bytes.
const SETTING_BYTES_MAX: usize = 1024;
/// The most settings of one plugin.
const SETTINGS_MAX: usize = 64;

/// What came of a change that didn't, in `plugin_swaps_total`: the file was at fault, or the wish.
const REFUSED: &str = "refused";
const NOT_FOUND: &str = "not_found";

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("its world is {found}-plugin, wanted was {wanted}-plugin")]
    OtherKind { found: Kind, wanted: Kind },
    #[error("there is no {kind} plugin to go back to: no other was live that wasn't withdrawn")]
    NothingBefore { kind: Kind },
    #[error("there is no version {} of the {kind} plugin", .id.number())]
    NoVersion { kind: Kind, id: VersionId },
    #[error("a plugin has at most {SETTINGS_MAX} settings, each key and value of at most {SETTING_BYTES_MAX} bytes")]
    Settings,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} {reason}", .file.display())]
    Unusable { file: PathBuf, reason: String },
    #[error("{0:#}")]
    Host(anyhow::Error),
}

impl SwapError {
    /// Returns the error's word in `plugin_swaps_total`.
    const fn result(&self) -> &'static str {
        match self {
            Self::Shelf(ShelfError::Refused(_)) | Self::Refused(_) | Self::OtherKind { .. } | Self::Unusable { .. } => {
                REFUSED
            }
            Self::NothingBefore { .. } | Self::NoVersion { .. } | Self::Settings => NOT_FOUND,
            Self::Shelf(ShelfError::File(_)) | Self::Store(_) | Self::Host(_) => "failed",
        }
    }

    /// Returns whether it is the file's fault: the same file would be refused again.
    pub(super) fn is_refusal(&self) -> bool {
        self.result() == REFUSED
    }
}

/// What is live now.
#[derive(Debug, Clone)]
pub struct Swapped {
    pub version: PluginVersion,
    /// Whether that is what was live already.
    pub unchanged: bool,
}

impl Plugins {
    /// Makes the candidate live, with the settings of the version that it replaces.
    ///
    /// # Errors
    /// What is wrong with it; the live version stays.
    pub async fn deploy(&self, candidate: Candidate, wanted: Option<Kind>, by: &str) -> Result<Swapped, SwapError> {
        match self.try_deploy(candidate, wanted, by, async { true }).await {
            (kind, Ok(Some(swapped))) => self.told(kind, by, Ok(swapped)).await,
            (_, Ok(None)) => Err(SwapError::Host(anyhow::anyhow!("it was taken back"))),
            (kind, Err(error)) => self.told(kind, by, Err(error)).await,
        }
    }

    /// Does the same, but leaves it to the caller to have the outcome [told](Self::told), and asks once the candidate is
    /// admitted whether it is `still` wanted: `None` if it isn't.
    pub(super) async fn try_deploy(
        &self,
        candidate: Candidate,
        wanted: Option<Kind>,
        by: &str,
        still: impl Future<Output = bool> + Send,
    ) -> (Option<Kind>, Result<Option<Swapped>, SwapError>) {
        let _turn = self.changing.lock().await;
        match admission::kind_of(&candidate) {
            Ok(kind) => (Some(kind), self.deploy_of_kind(candidate, kind, wanted, by, still).await),
            Err(refused) => (None, Err(refused.into())),
        }
    }

    async fn deploy_of_kind(
        &self,
        candidate: Candidate,
        kind: Kind,
        wanted: Option<Kind>,
        by: &str,
        still: impl Future<Output = bool> + Send,
    ) -> Result<Option<Swapped>, SwapError> {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != kind) {
            return Err(SwapError::OtherKind { found: kind, wanted });
        }
        let (bytes, source) = (candidate.bytes.len(), candidate.source.clone());
        let admitted = self.shelf.admit(candidate).await?;
        if !still.await {
            return Ok(None);
        }
        let live = self.live_version(kind).await?;
        let text = VersionText { settings: live.text.settings.clone(), ..text_of(admitted.identity(), bytes) };
        let plugin = self.shelf.plugin(admitted, &text.settings);
        self.swap(live, plugin, text, SwapAction::Deploy, by, source).await.map(Some)
    }

    /// Makes the version before the live one live again, or the one that is named.
    ///
    /// # Errors
    /// When there is none, or it can't be had any more.
    pub async fn roll_back(&self, kind: Kind, to: Option<VersionId>, by: &str) -> Result<Swapped, SwapError> {
        let _turn = self.changing.lock().await;
        let swapped = self.roll_back_to(kind, to, by).await;
        self.told(Some(kind), by, swapped).await
    }

    async fn roll_back_to(&self, kind: Kind, to: Option<VersionId>, by: &str) -> Result<Swapped, SwapError> {
        let version = match to {
            None => self.store.last_good_plugin(kind).await?.ok_or(SwapError::NothingBefore { kind })?,
            Some(id) => {
                let version = self.store.plugin_version(id).await?.filter(|version| version.text.kind == kind);
                version.ok_or(SwapError::NoVersion { kind, id })?
            }
        };
        let plugin = self.shelf.version(&version.text).await?;
        let from = self.snapshot().plugin(kind).identity().to_string();
        let live = self.live_version(kind).await?;
        self.swap(live, plugin, version.text, SwapAction::Rollback, by, format!("from {from}")).await
    }

    /// Changes settings of the live plugin.
    ///
    /// # Errors
    /// When they are too many or too long.
    pub async fn set(&self, kind: Kind, changes: Changes, by: &str) -> Result<Swapped, SwapError> {
        let _turn = self.changing.lock().await;
        let swapped = self.set_live(kind, changes, by).await;
        self.told(Some(kind), by, swapped).await
    }

    async fn set_live(&self, kind: Kind, changes: Changes, by: &str) -> Result<Swapped, SwapError> {
        let live = self.live_version(kind).await?;
        let mut settings = live.text.settings.clone();
        let keys: Vec<_> = changes.keys().cloned().collect();
        for (key, value) in changes {
            match value {
                Some(value) => settings.insert(key, value),
                None => settings.remove(&key),
            };
        }
        let too_long = |(key, value): (&String, &String)| key.len().max(value.len()) > SETTING_BYTES_MAX;
        if settings.len() > SETTINGS_MAX || settings.iter().any(too_long) {
            return Err(SwapError::Settings);
        }
        let admitted = self.snapshot().plugin(kind).admitted();
        let plugin = self.shelf.plugin(admitted, &settings);
        let text = VersionText { settings, ..live.text.clone() };
        self.swap(live, plugin, text, SwapAction::Set, by, keys.join(", ")).await
    }

    async fn live_version(&self, kind: Kind) -> Result<PluginVersion, SwapError> {
        let live = self.store.live_plugin(kind).await?;
        live.ok_or_else(|| SwapError::Host(anyhow::anyhow!("the store has no live {kind} plugin")))
    }

    async fn swap(
        &self,
        live: PluginVersion,
        plugin: Plugin,
        text: VersionText,
        action: SwapAction,
        by: &str,
        detail: String,
    ) -> Result<Swapped, SwapError> {
        let kind = text.kind;
        if live.text.digest == text.digest && live.text.settings == text.settings {
            return Ok(Swapped { version: live, unchanged: true });
        }
        let before = self.snapshot();
        let next = before.with(plugin).map_err(SwapError::Host)?;
        let began = Instant::now();
        let version = self.store.publish_plugin(text, action, by.to_owned(), detail).await?;
        let store_ms = began.elapsed().as_secs_f64() * 1e3;
        self.metrics.set_plugins(next.identities().map(Identity::to_metric).collect());
        let (from, to) = (before.plugin(kind).identity().to_string(), next.plugin(kind).identity().to_string());
        self.registry.publish(next);
        tracing::info!(kind = kind.as_str(), action = action.as_str(), by, %from, %to, store_ms, "{to} is live in the place of {from}");
        Ok(Swapped { version, unchanged: false })
    }

    /// Notes that the plugin folder has what is live already, so that the next start doesn't take it for new there.
    pub(super) async fn note_folder_has(&self, version: &PluginVersion) {
        let VersionText { kind, digest, .. } = &version.text;
        if !self.store.was_started_with(*kind, digest).await.unwrap_or(true) {
            _ = self.store.note_folder_has(*kind, version.id).await;
        }
    }

    /// Counts the change, and notes one that was refused.
    pub(super) async fn told(
        &self,
        kind: Option<Kind>,
        by: &str,
        swapped: Result<Swapped, SwapError>,
    ) -> Result<Swapped, SwapError> {
        let result = match &swapped {
            Ok(Swapped { unchanged: true, .. }) => "unchanged",
            Ok(_) => "published",
            Err(error) => error.result(),
        };
        self.metrics.plugin_swap(kind.map_or("unknown", Kind::as_str), result);
        if let Err(error) = &swapped {
            // A wish that nothing fits is told to who had it.
            if result != NOT_FOUND {
                tracing::warn!(by, "no plugin was changed: {error}");
            }
            // The audit is for those who look back; what the caller is told doesn't hang on it.
            if result == REFUSED {
                _ = self.store.note_refused_plugin(kind, by.to_owned(), error.to_string()).await;
            }
        }
        swapped
    }
}
