//! What other hosts of a shared store have changed: this one compiles and checks it for itself, and makes it live here.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    Plugins, SwapError,
    registry::Published,
    rollout::{Plan, Rollout},
};
use crate::{
    hooks::Kind,
    store::{RolloutRow, RolloutState},
};

/// How long a change waits for the other hosts to follow.
const SPREAD_WITHIN: Duration = Duration::from_secs(15);
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
        for kind in Kind::ALL {
            let live = self.live_version(kind).await?;
            let here = self.snapshot();
            let now = here.plugin(kind).numbered();
            if now.is_some_and(|now| now.number == live.id) {
                continue;
            }
            let plugin = self.catalogue.version(&live.text).await?;
            plugin.set_version(&live);
            let next = here.with(plugin).map_err(SwapError::Host)?;
            let rollout = self.registry.rollout().filter(|rollout| rollout.kind() != kind);
            self.publish(Published::new(&next, rollout).map_err(SwapError::Host)?);
            let (from, to) = (here.plugin(kind).identity(), next.plugin(kind).identity());
            tracing::info!(kind = kind.as_str(), by = live.changed_by, %from, %to, "{to} is live in the place of {from}: another host changed it");
        }
        self.follow_rollout(self.store.open_rollout().await?).await
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
                let plugin = self.catalogue.version(&row.version.text).await?;
                plugin.set_version(&row.version);
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

    /// Waits until the other hosts run what is live, and returns those that don't in time.
    pub async fn spread(&self) -> Vec<String> {
        if !self.store.is_shared() {
            return Vec::new();
        }
        let until = Instant::now() + SPREAD_WITHIN;
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
