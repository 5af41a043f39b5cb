//! Changing what is tried beside the live version: beginning, pausing, resuming, ending it.

use std::sync::Arc;

use super::{Became, Plan, Plugin, Plugins, Published, SwapError, Swapped};
use crate::{
    store::{RolloutState, VersionText},
    versions::rollout::Rollout,
};

/// What becomes of the rollout that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutChange {
    /// Its version becomes live.
    Promote,
    /// Its version runs on no request for now.
    Pause,
    /// It runs again, and is counted anew.
    Resume,
    /// Its version is withdrawn, as somebody wants it.
    Abort,
    /// Its version is withdrawn, as its gates want it.
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
    /// Tries a version beside the live one. What it ran on before is left alone.
    pub(super) async fn begin_rollout(
        &self,
        plugin: &Plugin,
        text: VersionText,
        plan: Plan,
        (by, detail): (&str, String),
    ) -> Result<Swapped, SwapError> {
        let plan_text = serde_json::to_string(&plan).map_err(|error| SwapError::Host(error.into()))?;
        let row = self.store.begin_rollout(text, plan_text, by.to_owned(), detail).await?;
        let version = row.version.clone();
        plugin.is_version(&version);
        let rollout = Rollout::new(row, plan, plugin, self.runtime.limits.shadow_calls);
        self.publish(Published::new(&self.snapshot(), Some(Arc::clone(&rollout))).map_err(SwapError::Host)?);
        let (kind, candidate) = (rollout.kind().as_str(), plugin.identity());
        tracing::info!(kind, by, rollout = rollout.row.id.number(), "{candidate} is tried: {:?}", rollout.plan.mode);
        Ok(Swapped { version, became: Became::Candidate })
    }

    /// Changes the rollout that is under way, or only `this` one, for a reason that the audit has.
    ///
    /// # Errors
    /// When there is none, or it is so already, or the store can't note it. A version that is to run on nothing doesn't,
    /// whatever the store says.
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
        let changed = self.change_this(&rollout, change, by, reason).await;
        let (kind, state) = (rollout.kind().as_str(), change.state());
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
                // First off the requests: whoever buys meanwhile mustn't wait for the disk.
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
