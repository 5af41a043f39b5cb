//! Changing what is live while requests are served: a deploy, a rollback, a plugin's setting.
//!
//! ```text
//! admit ─ keep the file ─ row, audit and `live` in one transaction ─ one atomic store ─ answered
//! ```
//!
//! A version that is to be tried first becomes a rollout's candidate instead of live: `swap/rollout.rs`.
//!
//! Changes are made one at a time, except for admission, which takes long and must not hold up a rollback. A crash
//! before the transaction leaves the old version live, a crash after it the new one. A request pins its snapshot when
//! it begins: a request under way ends with the versions that it began with, and a request that begins after the change
//! was answered never runs the old version.

mod approval;
mod author;
mod install;
mod rollout;
mod settings;

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

pub use approval::{ApprovalError, Decision};
pub use author::Author;
pub use install::{InstallError, Placed};
pub use rollout::RolloutChange;
pub use settings::Changes;
use settings::{SETTING_BYTES_MAX, SETTINGS_MAX, UnknownSetting};

use super::{
    Candidate, CatalogueError, Plugin, Plugins, Refused, Snapshot,
    admission::{Configured, Examined, Trial},
    registry::Published,
    rollout::Plan,
    start::text_of,
    vetting::Arrival,
};
use crate::config::{REUSE, did_you_mean};
use crate::hooks::{Installation, Kind};
use crate::oci::{OciError, Reference};
use crate::outbound::UnusableGrant;
use crate::store::{ApprovalId, Audited, PluginVersion, RolloutState, StoreError, SwapAction, VersionId, VersionText};

/// Labels of failed changes in `plugin_swaps_total`: the file is at fault, or what the caller asked for.
const REFUSED: &str = "refused";
const NOT_FOUND: &str = "not_found";

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("it is a {kind} plugin: say where it is to be live with --kind {kind}/NAME ({}), or install it anew: till plugin install FILE --as NAME", listed(.installed))]
    NoPlace { kind: Kind, installed: Vec<Installation> },
    #[error("nothing is installed at {at}{hint}; till plugin status lists what is")]
    NotInstalled { at: Installation, hint: String },
    #[error("its world is {found}-plugin, wanted was {wanted}-plugin")]
    OtherKind { found: Kind, wanted: Kind },
    #[error("there is no {at} plugin to go back to: no other was live that wasn't withdrawn")]
    NothingBefore { at: Installation },
    #[error("there is no version {} of the {at} plugin; till plugin list shows them", .id.number())]
    NoVersion { at: Installation, id: VersionId },
    #[error(transparent)]
    Installing(#[from] InstallError),
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    #[error("there is no approval {}; till plugin approvals lists them", .id.number())]
    NoApproval { id: ApprovalId },
    #[error("no rollout is under way")]
    NoRollout,
    #[error("the rollout is {} already", .0.as_str())]
    RolloutState(RolloutState),
    #[error("a plugin has at most {SETTINGS_MAX} settings, each key and value of at most {SETTING_BYTES_MAX} bytes")]
    Settings,
    #[error(transparent)]
    UnknownSetting(#[from] UnknownSetting),
    #[error("{key} isn't for {kind}: {why}")]
    NotOfHook { key: &'static str, kind: Kind, why: &'static str },
    #[error("on_failure is closed or skip")]
    OnFailure,
    #[error("grants: {0}")]
    Grant(UnusableGrant),
    #[error("{REUSE} is {0}")]
    Reuse(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} {reason}", .file.display())]
    Unusable { file: PathBuf, reason: String },
    #[error("{reference} is refused: {reason}")]
    NotPulled { reference: Box<Reference>, reason: Box<OciError> },
    #[error("{0:#}")]
    Host(anyhow::Error),
}

impl SwapError {
    /// Returns the error's label in `plugin_swaps_total`.
    const fn result(&self) -> &'static str {
        match self {
            Self::Catalogue(CatalogueError::Refused(_))
            | Self::Refused(_)
            | Self::OtherKind { .. }
            | Self::Unusable { .. }
            | Self::NotPulled { .. } => REFUSED,
            Self::NothingBefore { .. }
            | Self::NoVersion { .. }
            | Self::NoPlace { .. }
            | Self::NotInstalled { .. }
            | Self::Installing(_)
            | Self::Approval(_)
            | Self::NoRollout
            | Self::RolloutState(_)
            | Self::NoApproval { .. }
            | Self::Store(StoreError::RolloutOpen | StoreError::PluginsChanged | StoreError::NotWaiting)
            | Self::NotOfHook { .. }
            | Self::OnFailure
            | Self::Grant(_)
            | Self::Reuse(_)
            | Self::UnknownSetting(_)
            | Self::Settings => NOT_FOUND,
            Self::Catalogue(CatalogueError::File(_) | CatalogueError::Store(_)) | Self::Store(_) | Self::Host(_) => {
                "failed"
            }
        }
    }

    /// Returns whether the file is at fault, so that the same file would be refused again.
    pub(super) fn is_refusal(&self) -> bool {
        self.result() == REFUSED
    }
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    AtOnce,
    /// After a rollout has tried the version.
    Tried(Plan),
}

/// How a change is carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct How {
    pub when: When,
    /// Whether to accept a candidate that decides nothing where the live version decides, and a setting that the plugin
    /// doesn't seem to know.
    pub forced: bool,
}

/// A version, and what a change made of it.
#[derive(Debug, Clone)]
pub struct Swapped {
    pub version: PluginVersion,
    pub became: Became,
    /// The live version that it replaced, or that it is tried beside; `None` if nothing was changed.
    pub replaces: Option<PluginVersion>,
}

impl Swapped {
    /// Returns the names of the replaced version's own settings that this version doesn't have.
    #[must_use]
    pub fn settings_left(&self) -> Vec<String> {
        let replaced = self.replaces.iter().flat_map(|replaced| replaced.text.settings.keys());
        replaced.filter(|key| !self.version.text.settings.contains_key(*key)).cloned().collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    Live,
    /// The version was live already.
    Unchanged,
    /// The version is tried beside the live one.
    Candidate,
    /// The version waits for another person, who makes it live.
    Waiting,
    /// The version is to be installed, and waits for another person's approval.
    Asked(ApprovalId),
}

impl Became {
    /// Returns the label in `plugin_swaps_total`, which the caller is told as well.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "published",
            Self::Unchanged => "unchanged",
            Self::Candidate => "candidate",
            Self::Waiting | Self::Asked(_) => "waiting",
        }
    }

    /// Returns the approval that the version waits for.
    #[must_use]
    pub const fn approval(self) -> Option<ApprovalId> {
        match self {
            Self::Asked(id) => Some(id),
            Self::Live | Self::Unchanged | Self::Candidate | Self::Waiting => None,
        }
    }
}

impl Plugins {
    /// Makes the candidate live, or tries it. A new version of the plugin that is live gets its settings; a plugin of
    /// another name begins without any, because what was set for the other one isn't meant for it.
    ///
    /// # Errors
    /// Says what is wrong with the candidate. The live version stays.
    pub async fn deploy(
        &self,
        candidate: Candidate,
        wanted: Option<Installation>,
        how: How,
        author: impl Into<Author<'_>> + Send,
    ) -> Result<Swapped, SwapError> {
        let author = author.into();
        let (at, deployed) = self.deploy_unrecorded(candidate, wanted, how, author).await;
        self.record_result(at, author.by, deployed).await
    }

    /// Deploys as [`deploy`](Self::deploy) does, but leaves it to the caller to pass the result to
    /// [`record_result`](Self::record_result). Returns the candidate's hook, too, if the file has
    /// one.
    pub(super) async fn deploy_unrecorded(
        &self,
        candidate: Candidate,
        wanted: Option<Installation>,
        how: How,
        author: Author<'_>,
    ) -> (Option<Installation>, Result<Swapped, SwapError>) {
        match self.catalogue.examine(candidate, Arrival::New(wanted)).await {
            Ok(examined) => {
                let own = examined.identity.at;
                let at = wanted.filter(|wanted| wanted.kind == own.kind).unwrap_or(own);
                (Some(at), self.deploy_examined(examined, wanted, how, author).await)
            }
            Err(refused) => (wanted, Err(refused.into())),
        }
    }

    async fn deploy_examined(
        &self,
        examined: Examined,
        wanted: Option<Installation>,
        How { when, forced }: How,
        author: Author<'_>,
    ) -> Result<Swapped, SwapError> {
        let at = self.place(examined.identity.at.kind, wanted)?;
        let examined = examined.installed_at(at);
        let (bytes, origin) = (examined.bytes.len(), examined.origin());
        let source = origin.source.clone();
        let before = self.live_version(at).await?.text;
        let probed_with = inherited(&before, &examined.identity.name);
        let now_live = self.installed(at)?.admitted();
        let trial = Trial::Anew { live: Some(Configured { plugin: &now_live, set: &before.settings }), forced };
        let admitted = self.catalogue.admit(examined, &probed_with, trial).await?;
        let _turn = self.changing.lock().await;
        let live = self.live_version(at).await?;
        let settings = inherited(&live.text, &admitted.identity().name);
        let text = VersionText { settings, ..text_of(admitted.identity(), bytes, origin) };
        if text.settings != probed_with {
            self.catalogue.probe(&admitted, &text.settings, trial).await?;
        }
        let plugin = self.catalogue.plugin(admitted, &text.settings);
        self.change(live, plugin, text, SwapAction::Deploy, when, (author.by, author.detail(source))).await
    }

    /// Returns where a plugin of that hook is deployed: where it is wanted, or at the only place that there can be.
    fn place(&self, kind: Kind, wanted: Option<Installation>) -> Result<Installation, SwapError> {
        match wanted {
            Some(wanted) if wanted.kind != kind => Err(SwapError::OtherKind { found: kind, wanted: wanted.kind }),
            Some(wanted) if wanted.name.is_some() || kind.is_required() => Ok(wanted),
            None if kind.is_required() => Ok(Installation::of(kind)),
            _ => {
                let installed = self.snapshot().of(kind).map(|plugin| plugin.identity().at).collect();
                Err(SwapError::NoPlace { kind, installed })
            }
        }
    }

    /// Returns the live plugin at an installation.
    pub(super) fn installed(&self, at: Installation) -> Result<Plugin, SwapError> {
        self.snapshot().at(at).cloned().ok_or_else(|| self.not_installed(at))
    }

    fn not_installed(&self, at: Installation) -> SwapError {
        let installed: Vec<_> = self.snapshot().plugins().map(|plugin| plugin.identity().at.to_string()).collect();
        let hint = did_you_mean(&at.to_string(), installed.iter().map(String::as_str));
        SwapError::NotInstalled { at, hint }
    }

    /// Makes the last good version before the live one live again, or the version `to`.
    ///
    /// # Errors
    /// When there is no such version, or it can't be loaded any more.
    pub async fn roll_back(
        &self,
        at: Installation,
        to: Option<VersionId>,
        author: impl Into<Author<'_>> + Send,
    ) -> Result<Swapped, SwapError> {
        let author = author.into();
        let swapped = self.roll_back_to(at, to, author).await;
        self.record_result(Some(at), author.by, swapped).await
    }

    async fn roll_back_to(
        &self,
        at: Installation,
        to: Option<VersionId>,
        author: Author<'_>,
    ) -> Result<Swapped, SwapError> {
        self.installed(at)?;
        let version = match to {
            None => self.store.last_good_plugin(at).await?.ok_or(SwapError::NothingBefore { at })?,
            Some(id) => {
                let version = self.store.plugin_version(id).await?.filter(|version| version.text.at == at);
                let version = version.ok_or(SwapError::NoVersion { at, id })?;
                self.check_was_live(&version).await?;
                version
            }
        };
        let plugin = self.catalogue.version(&version.text).await?;
        let _turn = self.changing.lock().await;
        let from = format!("from {}", self.installed(at)?.identity());
        let live = self.live_version(at).await?;
        let detail = author.detail(from);
        self.change(live, plugin, version.text, SwapAction::Rollback, When::AtOnce, (author.by, detail)).await
    }

    pub(super) async fn live_version(&self, at: Installation) -> Result<PluginVersion, SwapError> {
        self.store.live_plugin(at).await?.ok_or_else(|| self.not_installed(at))
    }

    /// Makes a version live, or a rollout's candidate. The last argument is the actor and the detail for the audit.
    async fn change(
        &self,
        live: PluginVersion,
        plugin: Plugin,
        text: VersionText,
        action: SwapAction,
        when: When,
        (by, detail): (&str, String),
    ) -> Result<Swapped, SwapError> {
        let at = text.at;
        let is_same = live.text.digest == text.digest && live.text.settings == text.settings;
        if is_same && when == When::AtOnce {
            return Ok(Swapped { version: live, became: Became::Unchanged, replaces: None });
        }
        let (when, waits) = self.approved(when, action)?;
        if let When::Tried(plan) = when {
            return self.begin_rollout(live, &plugin, text, (plan, waits), (by, detail)).await;
        }
        let before = self.snapshot();
        let next = before.with(plugin).map_err(SwapError::Host)?;
        next.check_owner()?;
        let rollout = self.registry.rollout();
        let (superseded, kept) = match rollout {
            Some(rollout) if rollout.at() == at => (Some(rollout), None),
            kept => (None, kept),
        };
        let published = Published::new(&next, kept).map_err(SwapError::Host)?;
        let began = Instant::now();
        let audited = Audited::new(by, detail);
        let version = self.store.publish_plugin(Some(live.id), text, None, action, audited).await?;
        if let Some(plugin) = next.at(at) {
            plugin.set_version(&version);
        }
        let store_ms = began.elapsed().as_secs_f64() * 1e3;
        self.publish(published);
        let identity =
            |snapshot: &Snapshot| snapshot.at(at).map(|plugin| plugin.identity().to_string()).unwrap_or_default();
        let (from, to, kind) = (identity(&before), identity(&next), at.kind.as_str());
        tracing::info!(kind, action = action.as_str(), by, %from, %to, store_ms, "{to} is live in the place of {from}");
        if let Some(rollout) = superseded {
            rollout.pause();
            let (number, candidate) = (rollout.row.id.number(), rollout.candidate());
            let candidate = candidate.identity();
            tracing::info!(kind, by, rollout = number, "{candidate} is superseded: {to} is live now");
            self.ended.store(Some(rollout));
        }
        Ok(Swapped { version, became: Became::Live, replaces: Some(live) })
    }

    pub(super) fn publish(&self, published: Published) {
        self.registry.publish(published);
        self.show_loaded();
    }

    /// Notes that the plugin folder holds the live version, so that the next start doesn't take its file for new.
    pub(super) async fn note_folder_has(&self, version: &PluginVersion) {
        let VersionText { at, digest, .. } = &version.text;
        if !self.store.was_started_with(*at, digest).await.unwrap_or(true) {
            _ = self.store.note_folder_has(*at, version.id).await;
        }
    }

    /// Counts a change, logs a failed one, and notes a refused one in the audit.
    pub(super) async fn record_result(
        &self,
        at: Option<Installation>,
        by: &str,
        swapped: Result<Swapped, SwapError>,
    ) -> Result<Swapped, SwapError> {
        let result = match &swapped {
            Ok(swapped) => swapped.became.as_str(),
            Err(error) => error.result(),
        };
        self.runtime.metrics.plugin_swaps(at.map_or("unknown", |at| at.kind.as_str()), result, 1);
        if let Err(error) = &swapped {
            // If what was asked for doesn't exist, only the caller has to know.
            if result != NOT_FOUND {
                tracing::warn!(by, "no plugin was changed: {error}");
            }
            // Best effort: the caller gets the same answer if the audit can't be written.
            if result == REFUSED {
                _ = self.store.note_refused_plugin(at, by.to_owned(), error.to_string()).await;
            }
        }
        swapped
    }
}

fn listed(installed: &[Installation]) -> String {
    match installed {
        [] => "nothing is installed there".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Returns the settings that a new file of that name has from the start: those of the live version, if the file is a
/// new version of the same plugin.
fn inherited(live: &VersionText, name: &str) -> BTreeMap<String, String> {
    if live.name == name { live.settings.clone() } else { BTreeMap::new() }
}
