//! The two-person rule (`plugins.approval`): whoever deploys a version or changes its settings doesn't make it live.
//!
//! A change that would be live at once becomes a paused rollout, and its promotion takes a token of another name. Until then the version runs
//! on no request, or as a shadow, or as a small canary if its rollout is one. Taking a version off the requests takes one person.

use super::{Author, Plan, Plugins, SwapError, When};
use crate::{
    hooks::Installation,
    store::{PluginVersion, RolloutState, SwapAction},
    tokens::name_in,
    versions::rollout::{Mode, PlanChanges, Rollout},
};

/// Why a change waits for another person, or isn't carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error(
        "{began} began this rollout, so another person has to promote it: with any other token of the scope deploy or all (plugins.approval)"
    )]
    SamePerson { began: String },
    #[error(
        "while plugins.approval is on, a canary that nobody else has seen runs on {most} % of the requests at most \
         (plugins.approval_canary_percent_max); for all of them a second person promotes it"
    )]
    Share { most: f64 },
    #[error(
        "version {} of the {at} plugin was never live, so that going back to it would need no second person (plugins.approval); deploy its \
         file: till plugin deploy FILE", .version.id.number()
    )]
    NeverLive { at: Installation, version: Box<PluginVersion> },
    #[error(
        "while plugins.approval is on, nothing is installed, taken off or put in another order; start the host with \
         plugins.approval=off for that"
    )]
    Installing,
}

impl Plugins {
    /// Returns when a change takes effect, and whether it waits for another person.
    pub(super) fn approved(&self, when: When, action: SwapAction) -> Result<(When, bool), SwapError> {
        if !self.approval.is_on || !matches!(action, SwapAction::Deploy | SwapAction::Set) {
            return Ok((when, false));
        }
        let most = self.approval.canary_percent_max;
        match when {
            // A shadow: resuming it has no effect on any request.
            When::AtOnce => {
                let plan = self.plan(Mode::Shadow, PlanChanges::default());
                Ok((When::Tried(plan.map_err(|bad| SwapError::Host(bad.into()))?), true))
            }
            When::Tried(Plan { mode: Mode::Canary { percent }, .. }) if percent > most => {
                Err(ApprovalError::Share { most }.into())
            }
            tried => Ok((tried, false)),
        }
    }

    /// # Errors
    /// If the one who promotes a rollout has begun it.
    pub(super) fn check_second_person(&self, rollout: &Rollout, by: &str) -> Result<(), SwapError> {
        let began = name_in(&rollout.row.started_by);
        if self.approval.is_on && began == name_in(by) {
            return Err(ApprovalError::SamePerson { began: began.to_owned() }.into());
        }
        Ok(())
    }

    /// # Errors
    /// If a rollback names a version that was never live.
    pub(super) async fn check_was_live(&self, version: &PluginVersion) -> Result<(), SwapError> {
        if self.approval.is_on && !self.store.plugin_was_live(version.id).await? {
            let (at, version) = (version.text.at, Box::new(version.clone()));
            return Err(ApprovalError::NeverLive { at, version }.into());
        }
        Ok(())
    }

    /// # Errors
    /// If a hook's installations mustn't change, because only one person would decide about that.
    pub(super) fn check_installing(&self) -> Result<(), SwapError> {
        if self.approval.is_on { Err(ApprovalError::Installing.into()) } else { Ok(()) }
    }

    /// Pauses a rollout that has just begun in the store, until another person promotes it.
    pub(super) async fn wait_for_second_person(
        &self,
        row: &mut crate::store::RolloutRow,
        author: Author<'_>,
    ) -> Result<(), SwapError> {
        let reason = format!("waits for another person than {} to promote it", name_in(author.by));
        self.store.change_rollout(row.id, RolloutState::Paused, author.by.to_owned(), reason.clone()).await?;
        (row.state, row.reason) = (RolloutState::Paused, reason);
        Ok(())
    }
}
