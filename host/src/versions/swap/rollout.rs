//! Changing what is tried beside the live version: beginning, pausing, resuming, ending it.

use std::sync::Arc;

use super::{Became, Plan, Plugin, Plugins, Published, SwapError, Swapped};
use crate::{
    store::{PluginVersion, RolloutState, VersionText},
    versions::rollout::Rollout,
};

/// How the rollout that is under way is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutChange {
    /// The candidate becomes live.
    Promote,
    /// The candidate runs on no request until it is resumed.
    Pause,
    /// The candidate runs again, and is counted anew.
    Resume,
    /// An operator withdraws the candidate.
    Abort,
    /// The gates withdraw the candidate.
    RollBack,
}

impl RolloutChange {
    const fn state(self) -> RolloutState {
        match self {
            Self::Promote => RolloutState::Promoted,
            Self::Pause => RolloutState::Paused,
            Self::Resume => RolloutState::Running,
            Self::Abort => RolloutState::Aborted,
            Self::RollBack => RolloutState::RolledBack,
        }
    }
}

impl Plugins {
    /// Begins to try a version beside the live one. `waits`: it runs on no request, and waits for another person.
    pub(super) async fn begin_rollout(
        &self,
        live: PluginVersion,
        plugin: &Plugin,
        text: VersionText,
        (plan, waits): (Plan, bool),
        (by, detail): (&str, String),
    ) -> Result<Swapped, SwapError> {
        self.snapshot().with(plugin.clone()).map_err(SwapError::Host)?.check_owner()?;
        let plan_text = serde_json::to_string(&plan).map_err(|error| SwapError::Host(error.into()))?;
        let mut row = self.store.begin_rollout(text, plan_text, by.to_owned(), detail).await?;
        if waits {
            self.wait_for_second_person(&mut row, by.into()).await?;
        }
        let version = row.version.clone();
        plugin.set_version(&version);
        let rollout = Rollout::new(row, plan, plugin, self.runtime.limits.shadow_calls);
        self.publish(Published::new(&self.snapshot(), Some(Arc::clone(&rollout))).map_err(SwapError::Host)?);
        let (kind, candidate) = (rollout.at().kind.as_str(), plugin.identity());
        let number = rollout.row.id.number();
        if waits {
            tracing::info!(kind, by, rollout = number, "{candidate} waits for another person to promote it");
            return Ok(Swapped { version, became: Became::Waiting, replaces: Some(live) });
        }
        tracing::info!(kind, by, rollout = number, "{candidate} is tried: {:?}", rollout.plan.mode);
        Ok(Swapped { version, became: Became::Candidate, replaces: Some(live) })
    }

    /// Changes the rollout that is under way; with `this`, only if it is that one. The audit gets the reason.
    ///
    /// # Errors
    /// When there is no such rollout, when it is in that state already, or when the store can't write the change. A
    /// pause, an abort and a rollback take the candidate off the requests even if the store fails.
    pub async fn change_rollout(
        &self,
        this: Option<&Arc<Rollout>>,
        change: RolloutChange,
        by: &str,
        reason: &str,
    ) -> Result<Arc<Rollout>, SwapError> {
        let _turn = self.changing.lock().await;
        let is_this = |rollout: &Arc<Rollout>| this.is_none_or(|this| Arc::ptr_eq(this, rollout));
        let rollout = self.registry.rollout().filter(is_this).ok_or(SwapError::NoRollout)?;
        if matches!(change, RolloutChange::Promote | RolloutChange::Resume) {
            self.catalogue.check_still_trusted(rollout.candidate().identity()).await?;
        }
        let changed = self.change_this(&rollout, change, by, reason).await;
        let (kind, state) = (rollout.at().kind.as_str(), change.state());
        self.runtime.metrics.plugin_swaps(kind, if changed.is_ok() { state.as_str() } else { "failed" }, 1);
        changed?;
        let candidate = rollout.candidate();
        let candidate = candidate.identity();
        let told = format!("{candidate} is {}: {reason}", state.as_str().replace('_', " "));
        if change == RolloutChange::RollBack {
            tracing::warn!(kind, by, rollout = rollout.row.id.number(), "{told}");
        } else {
            tracing::info!(kind, by, rollout = rollout.row.id.number(), "{told}");
        }
        Ok(rollout)
    }

    async fn change_this(
        &self,
        rollout: &Arc<Rollout>,
        change: RolloutChange,
        by: &str,
        reason: &str,
    ) -> Result<(), SwapError> {
        let (live, id, state) = (self.snapshot(), rollout.row.id, change.state());
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let beside = |live, rollout| Published::new(live, rollout).map_err(SwapError::Host);
        match change {
            RolloutChange::Promote => {
                self.check_second_person(rollout, &by)?;
                let next = live.with(rollout.promoted()).map_err(SwapError::Host)?;
                let published = beside(&next, None)?;
                self.store.promote_rollout(&rollout.row, by, reason).await?;
                self.publish(published);
            }
            RolloutChange::Resume => {
                if rollout.is_running() {
                    return Err(SwapError::RolloutState(RolloutState::Running));
                }
                self.store.change_rollout(id, state, by, reason).await?;
                rollout.resume();
                self.publish(beside(&live, Some(Arc::clone(rollout)))?);
            }
            RolloutChange::Pause | RolloutChange::Abort | RolloutChange::RollBack => {
                if change == RolloutChange::Pause && !rollout.is_running() {
                    return Err(SwapError::RolloutState(RolloutState::Paused));
                }
                // Off the requests first: no customer should meet the candidate while the disk is written.
                rollout.pause();
                self.publish(beside(&live, Some(Arc::clone(rollout)))?);
                self.store.change_rollout(id, state, by, reason).await?;
                if !state.is_open() {
                    self.publish(beside(&live, None)?);
                }
            }
        }
        if !state.is_open() {
            self.ended.store(Some(Arc::clone(rollout)));
        }
        Ok(())
    }
}
