//! The two-person rule (`plugins.approval`): whoever deploys a version or changes its settings doesn't make it live.
//!
//! A change that would be live at once becomes a paused rollout, and its promotion takes a token of another name. Until then the version runs
//! on no request, or as a shadow, or as a small canary if its rollout is one. Taking a version off the requests takes one person.
//!
//! Installing a plugin, taking one off and another order are kept as approvals: each is carried out when another person approves it.

use super::{Author, Plan, Plugins, SwapError, When};
use crate::{
    hooks::Installation,
    store::{
        ApprovalId, ApprovalRow, ApprovalState, Audited, HookChange, PluginVersion, RolloutState, StoreError,
        SwapAction, VersionText,
    },
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
        "{asked} asked for this, so another person has to approve it: with any other token of the scope deploy or all (plugins.approval)"
    )]
    SameApprover { asked: String },
}

/// How somebody decides about a change that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The change is carried out.
    Approve,
    /// Nothing is changed.
    Reject,
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
        match self.same_person(&rollout.row.started_by, by) {
            Some(began) => Err(ApprovalError::SamePerson { began }.into()),
            None => Ok(()),
        }
    }

    /// Returns the token's name if both are by one, and it takes two.
    fn same_person(&self, first: &str, by: &str) -> Option<String> {
        let name = name_in(first);
        (self.approval.is_on && name == name_in(by)).then(|| name.to_owned())
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

    /// Returns whether a change of a hook's plugins waits for another person first.
    pub(super) fn waits(&self, audited: &Audited) -> bool {
        self.approval.is_on && audited.approval.is_none()
    }

    /// Keeps a change of a hook's plugins until another person approves it.
    pub(super) async fn ask(
        &self,
        change: HookChange<VersionText>,
        Audited { by, detail, .. }: &Audited,
    ) -> Result<ApprovalRow, SwapError> {
        let row = self.store.ask_approval(change, by.clone(), detail.clone()).await?;
        let (at, number, action) = (row.change.at(), row.id.number(), row.change.action());
        tracing::info!(
            kind = at.kind.as_str(),
            by,
            approval = number,
            "{action} {at} waits for another person to approve it"
        );
        Ok(row)
    }

    /// Approves a change that waits, which is carried out, or rejects it.
    ///
    /// # Errors
    /// If there is no such approval, somebody has decided about it, the one who asked for the change approves it, or it can't be
    /// carried out; then it waits still.
    pub async fn decide(
        &self,
        id: ApprovalId,
        decision: Decision,
        author: Author<'_>,
    ) -> Result<ApprovalRow, SwapError> {
        let find = async || self.store.approval(id).await?.ok_or(SwapError::NoApproval { id });
        let row = find().await?;
        if row.state != ApprovalState::Waiting {
            return Err(StoreError::NotWaiting.into());
        }
        match decision {
            Decision::Approve => self.approve(row, author).await?,
            Decision::Reject => {
                let reason = author.reason.unwrap_or("asked for").to_owned();
                self.store.reject_approval(id, author.by.to_owned(), reason).await?;
                tracing::info!(
                    by = author.by,
                    approval = id.number(),
                    "{} {} is rejected",
                    row.change.action(),
                    row.change.at()
                );
            }
        }
        find().await
    }

    async fn approve(&self, row: ApprovalRow, author: Author<'_>) -> Result<(), SwapError> {
        if let Some(asked) = self.same_person(&row.asked_by, author.by) {
            return Err(ApprovalError::SameApprover { asked }.into());
        }
        let detail = author.detail(format!("approval {}, asked for by {}", row.id.number(), row.asked_by));
        let audited = Audited { by: author.by.to_owned(), detail, approval: Some(row.id) };
        match row.change {
            HookChange::Install { version, before } => {
                let at = version.text.at;
                let plugin = self.catalogue.version(&version.text).await;
                let installed = match plugin {
                    Ok(plugin) => self.install_plugin(plugin, version.text, before, audited).await,
                    Err(unusable) => Err(unusable.into()),
                };
                self.record_result(Some(at), author.by, installed).await.map(drop)
            }
            HookChange::Uninstall { at } => self.uninstall_audited(at, audited).await.map(drop),
            HookChange::Order(order) => self.reorder_audited(order, audited).await.map(drop),
        }
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
