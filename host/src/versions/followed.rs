//! What other hosts of a shared store have changed: this one compiles and checks it for itself, and makes it live here.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    Plugin, Plugins, Snapshot, SwapError,
    registry::Published,
    rollout::{Plan, Rollout},
    start::installed,
};
use crate::{
    hooks::{Installation, Kind},
    store::{PluginVersion, RolloutRow, RolloutState},
};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Plugins {
    /// Makes live here what is live in the store, if another host has changed it. Says what keeps it from that, once for each
    /// change.
    pub(super) async fn follow_others(&self, said: &mut Option<u64>) {
        let epoch = self.store.plugins_epoch();
        if epoch == self.followed.load(Relaxed) {
            return;
        }
        let _turn = self.changing.lock().await;
        match self.follow().await {
            Ok(()) => {
                self.followed.store(epoch, Relaxed);
                self.store.note_followed(epoch);
            }
            Err(error) if *said != Some(epoch) => {
                *said = Some(epoch);
                tracing::error!("what another host made live can't be made live here, and is tried again: {error}");
            }
            Err(_) => {}
        }
    }

    async fn follow(&self) -> Result<(), SwapError> {
        let mut live = Vec::new();
        for kind in Kind::REQUIRED {
            live.push(self.live_version(Installation::of(kind)).await?);
        }
        live.extend(installed(&self.store).await?);
        let here = self.snapshot();
        let number = |plugin: &Plugin| plugin.numbered().map(|numbered| numbered.number);
        if !here.plugins().map(number).eq(live.iter().map(|version| Some(version.id))) {
            let mut plugins = Vec::new();
            for version in &live {
                let kept = here.at(version.text.at).filter(|plugin| number(plugin) == Some(version.id));
                plugins.push(match kept {
                    Some(plugin) => plugin.clone(),
                    None => self.loaded(version).await?,
                });
            }
            let next = Snapshot::new(plugins).map_err(SwapError::Host)?;
            let is_kept = |at| here.at(at).and_then(number) == next.at(at).and_then(number);
            let rollout = self.registry.rollout().filter(|rollout| is_kept(rollout.at()));
            self.publish(Published::new(&next, rollout).map_err(SwapError::Host)?);
            for version in live.iter().filter(|version| !is_kept(version.text.at)) {
                let at = version.text.at;
                let to = next.at(at).map(Plugin::identity).map(ToString::to_string).unwrap_or_default();
                let from = here.at(at).map_or_else(|| "none".to_owned(), |plugin| plugin.identity().to_string());
                tracing::info!(
                    kind = at.kind.as_str(),
                    by = version.changed_by,
                    from,
                    to,
                    "{to} is live in the place of {from}: another host changed it"
                );
            }
            for gone in here.plugins().filter(|plugin| next.at(plugin.identity().at).is_none()) {
                let gone = gone.identity();
                tracing::info!(
                    kind = gone.at.kind.as_str(),
                    "{gone} isn't installed any more: another host changed it"
                );
            }
        }
        self.follow_rollout(self.store.open_rollout().await?).await
    }

    async fn loaded(&self, version: &PluginVersion) -> Result<Plugin, SwapError> {
        let plugin = self.catalogue.version(&version.text).await?;
        plugin.set_version(version);
        Ok(plugin)
    }

    async fn follow_rollout(&self, open: Option<RolloutRow>) -> Result<(), SwapError> {
        let beside = |rollout| Published::new(&self.snapshot(), rollout).map_err(SwapError::Host);
        let here = self.registry.rollout();
        match (open, here) {
            (None, None) => {}
            (None, Some(here)) => {
                here.pause();
                self.publish(beside(None)?);
                tracing::info!(
                    rollout = here.row.id.number(),
                    "rollout {} was ended by another host",
                    here.row.id.number()
                );
                self.ended.store(Some(here));
            }
            (Some(row), Some(here)) if row.id == here.row.id => match row.state == RolloutState::Running {
                is_running if is_running == here.is_running() => {}
                true => {
                    here.resume();
                    self.publish(beside(Some(here))?);
                }
                false => {
                    here.pause();
                    self.publish(beside(Some(here))?);
                }
            },
            (Some(row), _) => {
                let plan = serde_json::from_str::<Plan>(&row.plan)
                    .context("read a rollout's plan")
                    .map_err(SwapError::Host)?;
                let plugin = self.loaded(&row.version).await?;
                let number = row.id.number();
                let rollout = Rollout::new(row, plan, &plugin, self.runtime.limits.shadow_calls);
                self.publish(beside(Some(Arc::clone(&rollout)))?);
                tracing::info!(rollout = number, "{} is tried: another host began it", plugin.identity());
            }
        }
        Ok(())
    }

    /// Tells the other hosts what this one has counted of the rollout, and learns what they have.
    pub(super) async fn exchange_counts(&self) {
        let rollout = self.registry.rollout().filter(|rollout| self.store.is_shared() && rollout.is_running());
        let Some(rollout) = rollout else { return };
        let epoch = self.followed.load(Relaxed);
        let Ok(counts) = serde_json::to_string(&rollout.own_counts()) else { return };
        // What fails is exchanged next time; the store's own figures show the problem.
        if let Ok(others) = self.store.exchange_counts(rollout.row.id, epoch, rollout.counter, &counts).await {
            // A newer till's may not be understood.
            rollout.set_others(others.iter().filter_map(|counts| serde_json::from_str(counts).ok()));
        }
    }

    /// Waits until the other hosts run what is live, and returns those that don't in time (`limits.spread_ms`).
    pub async fn spread(&self) -> Vec<String> {
        if !self.store.is_shared() {
            return Vec::new();
        }
        let until = Instant::now() + Duration::from_millis(self.runtime.limits.spread_ms);
        loop {
            match self.store.hosts_behind().await {
                Ok(behind) if behind.is_empty() => return behind,
                Ok(behind) if Instant::now() >= until => {
                    tracing::warn!("these hosts don't run yet what is live: {}", behind.join(", "));
                    return behind;
                }
                Err(error) if Instant::now() >= until => return vec![format!("unknown: {error}")],
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }
}
