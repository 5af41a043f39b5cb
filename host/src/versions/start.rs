//! What is live when the host starts: what was live when it stopped, unless the settings name something new.
//!
//! | | live |
//! |---|---|
//! | nothing was deployed, or the settings' plugin was live | what the settings name: the folder's, or the built-in one |
//! | a deployed version was live | that version |
//! | the same, and the folder has a file that the host was never started with | that file |
//! | the folder has several of a kind | the one the host was never started with; if all are known, what was live |
//! | a file of the folder can't be used, or is one of several | what was live, with an error in the log; the first start is refused |
//! | with `plugins.approval`, something was live | that version, whatever the folder has; a new file of the folder waits for a person |
//! | the deployed version can't be loaded | the one before it, else what the settings name; an error is logged |

use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

use anyhow::Context;

use super::{
    Plugin, Snapshot,
    admission::{Examined, Trial},
    built_in,
    catalogue::Catalogue,
    from_folder,
    rollout::{Plan, Rollout},
    vetting::Arrival,
};
use crate::{
    config::{Limits, Settings},
    hooks::{Installation, InstallationName, Kind, PerKind},
    runtime::{Identity, digest_of},
    store::{Audited, Origin, PluginVersion, RolloutState, Store, StoreError, SwapAction, VersionText},
};

/// The name in the audit for what the host makes live when it starts.
const BY: &str = "till";

/// Returns the snapshot to start with, and the digests of the folder's files by their names. Notes in the store which
/// versions are new.
///
/// # Errors
/// Says which plugin is refused, and why, or which is missing, unless something was live before.
pub(super) async fn snapshot(
    settings: &Settings,
    store: &Store,
    catalogue: &Catalogue,
) -> anyhow::Result<(Snapshot, BTreeMap<OsString, String>)> {
    let of_folder = settings.server.plugins.is_some();
    let candidates = match &settings.server.plugins {
        Some(folder) => from_folder(folder, &settings.limits)?,
        None => built_in().into_iter().map(Ok).collect(),
    };
    let mut digests = BTreeMap::new();
    let mut of_kinds = PerKind::<Vec<Examined>>::default();
    let mut refusals = Vec::new();
    for candidate in candidates {
        let examined = match candidate {
            Ok(candidate) => {
                if of_folder {
                    digests.insert(format!("{}.wasm", candidate.stem).into(), digest_of(&candidate.bytes));
                }
                catalogue.examine(candidate, Arrival::AtStart).await.map_err(Into::into)
            }
            Err(unreadable) => Err(unreadable),
        };
        match examined {
            Ok(examined) => of_kinds.of_mut(examined.identity.at.kind).push(examined),
            Err(refused) => {
                refusals.push(format!("{refused:#}"));
                log_unused(store, refused).await?;
            }
        }
    }
    let approval = settings.plugins.approval && of_folder;
    if approval {
        // The watcher takes the others for new, and has each wait for a person.
        for examined in of_kinds.iter().flatten() {
            let digest = &examined.identity.digest;
            let at = Installation::of(examined.identity.at.kind);
            if store.live_plugin(at).await?.is_some() && !store.knows_plugin(at, digest).await? {
                digests.retain(|_, known| known != digest);
            }
        }
    }
    let start = Start { store, catalogue, of_folder, approval, refusals };
    let mut plugins = Vec::new();
    for kind in Kind::REQUIRED {
        let candidates = std::mem::take(of_kinds.of_mut(kind));
        plugins.push(start.plugin(kind, candidates).await?);
    }
    for live in installed(store).await? {
        plugins.push(start.installed(&live).await?);
    }
    let snapshot = Snapshot::new(plugins)?;
    snapshot.check_owner()?;
    Ok((snapshot, digests))
}

/// Returns what is live at the hooks that may have several plugins, in the order in which they are asked.
///
/// # Errors
/// As [`Store::live_plugins`].
pub(super) async fn installed(store: &Store) -> Result<Vec<PluginVersion>, StoreError> {
    let mut live = store.live_plugins().await?;
    live.retain(|version| !version.text.at.kind.is_required());
    if live.is_empty() {
        return Ok(live);
    }
    let mut orders = PerKind::<Vec<InstallationName>>::default();
    for kind in Kind::ALL {
        *orders.of_mut(kind) = store.hook_order(kind).await?;
    }
    live.sort_by_key(|version| {
        let Installation { kind, name } = version.text.at;
        let place = orders.of(kind).iter().position(|ordered| Some(*ordered) == name);
        (kind, place.unwrap_or(usize::MAX), name)
    });
    Ok(live)
}

/// Returns the rollout that was under way when the host stopped, with nothing counted yet. Aborts the rollout if its
/// version can't be loaded any more.
///
/// # Errors
/// When the store can't be read or written.
pub(super) async fn rollout(
    limits: &Limits,
    store: &Store,
    catalogue: &Catalogue,
) -> anyhow::Result<Option<Arc<Rollout>>> {
    let Some(row) = store.open_rollout().await? else { return Ok(None) };
    let plan = serde_json::from_str::<Plan>(&row.plan).context("read its plan");
    let plugin = catalogue.version(&row.version.text).await.context("load its version");
    match plan.and_then(|plan| Ok((plan, plugin?))) {
        Ok((plan, plugin)) => {
            plugin.set_version(&row.version);
            Ok(Some(Rollout::new(row, plan, &plugin, limits.shadow_calls)))
        }
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!("rollout {} can't go on: {reason}", row.id.number());
            store.change_rollout(row.id, RolloutState::Aborted, BY.into(), reason).await?;
            Ok(None)
        }
    }
}

/// Logs that a file isn't used. A file that was refused while the host served must not keep it from starting again.
///
/// # Errors
/// Says what is wrong with the file, if a kind has no live version yet.
async fn log_unused(store: &Store, refused: anyhow::Error) -> anyhow::Result<()> {
    for kind in Kind::REQUIRED {
        if store.live_plugin(Installation::of(kind)).await?.is_none() {
            return Err(refused);
        }
    }
    tracing::error!("{refused:#}; what was live stays");
    Ok(())
}

struct Start<'a> {
    store: &'a Store,
    catalogue: &'a Catalogue,
    of_folder: bool,
    /// Whether what the folder has waits for a person.
    approval: bool,
    /// Why files were refused whose kind isn't known.
    refusals: Vec<String>,
}

impl Start<'_> {
    async fn plugin(&self, kind: Kind, candidates: Vec<Examined>) -> anyhow::Result<Plugin> {
        let live = self.store.live_plugin(Installation::of(kind)).await?;
        // Other hosts serve it: a start changes nothing of theirs.
        if self.store.is_shared()
            && let Some(live) = &live
        {
            let plugin = self.catalogue.version(&live.text).await;
            let plugin = plugin.with_context(|| format!("the live {kind} plugin of the shop's hosts"))?;
            plugin.set_version(live);
            return Ok(plugin);
        }
        let failed = match self.named(kind, candidates, live.as_ref()).await {
            Ok(plugin) => return Ok(plugin),
            Err(error) => error,
        };
        let before = match &live {
            Some(live) => self.deployed(live).await?,
            None => None,
        };
        let Some(plugin) = before else { return Err(failed) };
        tracing::error!("{failed:#}; what was live stays");
        Ok(plugin)
    }

    /// Returns the plugin that the settings name, or what was deployed in its place since.
    async fn named(
        &self,
        kind: Kind,
        candidates: Vec<Examined>,
        live: Option<&PluginVersion>,
    ) -> anyhow::Result<Plugin> {
        if let Some(live) = live.filter(|_| self.approval)
            && let Some(plugin) = self.deployed(live).await?
        {
            return Ok(plugin);
        }
        let chosen = self.choose(kind, candidates, live).await?;
        let examined = chosen.with_context(|| match self.refusals.as_slice() {
            [] => format!(
                "there is no {kind} plugin; put one into the folder, for example the built-in one: till plugin export \
                 {kind} FILE"
            ),
            refusals => format!("no {kind} plugin can be used: {}", refusals.join("; ")),
        })?;
        let digest = examined.identity.digest.clone();
        let is_new = self.of_folder && !self.store.was_started_with(Installation::of(kind), &digest).await?;
        if let Some(live) = live.filter(|live| live.action != SwapAction::Start && !is_new)
            && let Some(plugin) = self.deployed(live).await?
        {
            return Ok(plugin);
        }
        let (bytes, set, origin) = (examined.bytes.len(), BTreeMap::new(), examined.origin());
        // What served before may go on, even if a newer trial would refuse it.
        let was_live = live.is_some_and(|live| live.text.digest == digest);
        let trial = if was_live { Trial::Again } else { Trial::Anew { live: None, forced: false } };
        let plugin = self.catalogue.plugin(self.catalogue.admit(examined, &set, trial).await?, &set);
        if live.is_none_or(|live| live.text.digest != digest || live.action != SwapAction::Start) {
            let text = text_of(plugin.identity(), bytes, origin);
            let audited = Audited::new(BY, "named by the settings");
            plugin.set_version(&self.store.publish_plugin(None, text, None, SwapAction::Start, audited).await?);
        } else if let Some(live) = live {
            plugin.set_version(live);
        }
        Ok(plugin)
    }

    /// Returns the candidate to start with, `None` if there are none. A folder that is watched gathers several that
    /// were live one after the other; after a crash, the next start must not refuse them for that.
    async fn choose(
        &self,
        kind: Kind,
        mut candidates: Vec<Examined>,
        live: Option<&PluginVersion>,
    ) -> anyhow::Result<Option<Examined>> {
        if candidates.len() < 2 {
            return Ok(candidates.pop());
        }
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let is_known = self.store.was_started_with(Installation::of(kind), &candidate.identity.digest).await?;
            if is_known { known.push(candidate) } else { new.push(candidate) }
        }
        if let Some(second) = new.get(1) {
            anyhow::bail!("{} is a second plugin of its kind; leave one of each in the folder", second.source);
        }
        let is_live = |known: &Examined| {
            live.is_some_and(|live| live.action != SwapAction::Start || live.text.digest == known.identity.digest)
        };
        let known = || known.into_iter().find(is_live);
        let chosen = new.pop().or_else(known);
        anyhow::ensure!(
            chosen.is_some(),
            "there are several {kind} plugins, none of them live; leave one in the folder"
        );
        Ok(chosen)
    }

    /// Returns the version that is installed, or else the one before it. Without it the shop would sell as if nobody had installed
    /// it: past a validation, without a tax.
    async fn installed(&self, live: &PluginVersion) -> anyhow::Result<Plugin> {
        let at = live.text.at;
        if self.store.is_shared() {
            let plugin = self.catalogue.version(&live.text).await;
            let plugin = plugin.with_context(|| format!("the plugin that the shop's hosts have at {at}"))?;
            plugin.set_version(live);
            return Ok(plugin);
        }
        self.deployed(live).await?.with_context(|| {
            format!(
                "the plugin at {at} can't be loaded, nor one before it; put its file back, or restore the data folder"
            )
        })
    }

    /// Returns the deployed version, or else the one before it, which is made live; `None` if neither can be loaded.
    async fn deployed(&self, live: &PluginVersion) -> anyhow::Result<Option<Plugin>> {
        let failed = match self.catalogue.version(&live.text).await {
            Ok(plugin) => {
                plugin.set_version(live);
                return Ok(Some(plugin));
            }
            Err(error) => error,
        };
        tracing::error!("what was live can't be started with: {failed}");
        let Some(before) = self.store.last_good_plugin(live.text.at).await? else { return Ok(None) };
        match self.catalogue.version(&before.text).await {
            Ok(plugin) => {
                let detail = format!("the version after it can't be started with: {failed}");
                let version = self
                    .store
                    .publish_plugin(Some(live.id), before.text, None, SwapAction::Rollback, Audited::new(BY, detail))
                    .await?;
                plugin.set_version(&version);
                Ok(Some(plugin))
            }
            Err(error) => {
                tracing::error!("neither can the version before it: {error}");
                Ok(None)
            }
        }
    }
}

/// Returns the version as the store keeps it, without settings.
pub(super) fn text_of(identity: &Identity, bytes: usize, origin: Origin) -> VersionText {
    VersionText {
        at: identity.at,
        name: identity.name.clone(),
        version: identity.version.clone(),
        digest: identity.digest.clone(),
        bytes: bytes as u64,
        language: identity.language.clone(),
        settings: BTreeMap::new(),
        origin,
    }
}
