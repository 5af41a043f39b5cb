//! What is live when the host starts: what was live when it stopped, unless the settings name something new.
//!
//! | | live |
//! |---|---|
//! | nothing was deployed, or the settings' plugin was live | what the settings name: the folder's, or the built-in one |
//! | a deployed version was live | that version |
//! | the same, and the folder has a file that was never started with | the folder's |
//! | the deployed version can't be had any more | the one before it, else what the settings name; an error in the log |

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;

use super::{
    Candidate, Identity, Kind, Plugin, Snapshot,
    admission::{Examined, examine},
    embedded, from_folder,
    rollout::{Plan, Rollout},
    shelf::Shelf,
};
use crate::{
    config::{Limits, Settings},
    store::{PluginVersion, RolloutState, Store, SwapAction, VersionText},
};

/// Who made live what the settings name.
const BY: &str = "till";

/// Returns the snapshot to start with, and notes in the store what of it is new.
///
/// # Errors
/// Says which plugin is refused, and why, or which is missing.
pub(super) async fn snapshot(settings: &Settings, store: &Store, shelf: &Shelf) -> anyhow::Result<Snapshot> {
    let of_folder = settings.server.plugins.is_some();
    let candidates = match &settings.server.plugins {
        Some(folder) => from_folder(folder, &settings.limits)?,
        None => embedded(),
    };
    let (checkout, inventory) = by_kind(candidates, &settings.limits).await?;
    let start = Start { store, shelf, of_folder };
    let checkout = start.plugin(Kind::Checkout, checkout).await?;
    let inventory = start.plugin(Kind::Inventory, inventory).await?;
    match (checkout, inventory) {
        (Plugin::Checkout(checkout), Plugin::Inventory(inventory)) => Snapshot::new(checkout, inventory),
        (checkout, inventory) => {
            anyhow::bail!("{} and {} are of the wrong kinds", checkout.identity(), inventory.identity())
        }
    }
}

/// Returns the rollout that was under way when the host stopped, with nothing counted yet. One whose version can't be had
/// any more is over.
///
/// # Errors
/// Only the store's own.
pub(super) async fn rollout(limits: &Limits, store: &Store, shelf: &Shelf) -> anyhow::Result<Option<Arc<Rollout>>> {
    let Some(row) = store.open_rollout().await? else { return Ok(None) };
    let plan = serde_json::from_str::<Plan>(&row.plan).context("read its plan");
    let plugin = shelf.version(&row.version.text).await.context("load its version");
    match plan.and_then(|plan| Ok((plan, plugin?))) {
        Ok((plan, plugin)) => Ok(Some(Rollout::new(row, plan, &plugin, limits.shadow_calls))),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!("rollout {} can't go on: {reason}", row.id.number());
            store.change_rollout(row.id, RolloutState::Aborted, BY.into(), reason).await?;
            Ok(None)
        }
    }
}

/// Returns the checkout candidate and the inventory candidate.
async fn by_kind(candidates: Vec<Candidate>, limits: &Limits) -> anyhow::Result<(Option<Examined>, Option<Examined>)> {
    let (mut checkout, mut inventory) = (None, None);
    for candidate in candidates {
        let examined = examine(candidate, limits).await?;
        let place = match examined.identity.kind {
            Kind::Checkout => &mut checkout,
            Kind::Inventory => &mut inventory,
        };
        let source = examined.source.clone();
        anyhow::ensure!(
            place.replace(examined).is_none(),
            "{source} is a second plugin of its kind; leave one of each in the folder"
        );
    }
    Ok((checkout, inventory))
}

struct Start<'a> {
    store: &'a Store,
    shelf: &'a Shelf,
    of_folder: bool,
}

impl Start<'_> {
    async fn plugin(&self, kind: Kind, examined: Option<Examined>) -> anyhow::Result<Plugin> {
        let examined = examined.with_context(|| {
            format!(
                "there is no {kind} plugin; put one into the folder, for example the built-in one: till plugin export \
                 {kind} FILE"
            )
        })?;
        let live = self.store.live_plugin(kind).await?;
        let digest = examined.identity.digest.clone();
        let is_new = self.of_folder && !self.store.was_started_with(kind, &digest).await?;
        if let Some(live) = live.as_ref().filter(|live| live.action != SwapAction::Start && !is_new)
            && let Some(plugin) = self.deployed(live).await?
        {
            return Ok(plugin);
        }
        let (bytes, set) = (examined.bytes.len(), BTreeMap::new());
        let plugin = self.shelf.plugin(self.shelf.admit(examined, &set).await?, &set);
        if live.is_none_or(|live| live.text.digest != digest || live.action != SwapAction::Start) {
            let text = text_of(plugin.identity(), bytes);
            self.store.publish_plugin(text, SwapAction::Start, BY.into(), "named by the settings".into()).await?;
        }
        Ok(plugin)
    }

    /// Returns the deployed version, or the one before it; `None` if neither can be had.
    async fn deployed(&self, live: &PluginVersion) -> anyhow::Result<Option<Plugin>> {
        let failed = match self.shelf.version(&live.text).await {
            Ok(plugin) => return Ok(Some(plugin)),
            Err(error) => error,
        };
        tracing::error!("what was live can't be started with: {failed}");
        let Some(before) = self.store.last_good_plugin(live.text.kind).await? else { return Ok(None) };
        match self.shelf.version(&before.text).await {
            Ok(plugin) => {
                let detail = format!("the version after it can't be started with: {failed}");
                self.store.publish_plugin(before.text, SwapAction::Rollback, BY.into(), detail).await?;
                Ok(Some(plugin))
            }
            Err(error) => {
                tracing::error!("neither can the version before it: {error}");
                Ok(None)
            }
        }
    }
}

/// Returns the version as the store has it, with nothing set for it.
pub(super) fn text_of(identity: &Identity, bytes: usize) -> VersionText {
    VersionText {
        kind: identity.kind,
        name: identity.name.clone(),
        version: identity.version.clone(),
        digest: identity.digest.clone(),
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        language: identity.language.clone(),
        settings: BTreeMap::new(),
    }
}
