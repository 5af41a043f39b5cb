//! Watches tags in registries while the host serves: what a tag has newly been moved to is tried as a canary, never swapped in.
//!
//! ```text
//! every watch_every_ms ─ the tag's digest ─ is it new? ─ pulled by that digest ─ a canary, and its gates decide
//! ```
//!
//! Only a move of the tag counts. The history says which digest of a tag came last, so neither a restart nor another host that takes
//! over tries a version again that was refused, rolled back, or replaced by command. While a rollout is under way, a tag that was moved
//! waits. Of the hosts that share a store one looks.
//!
//! A registry that can't be asked changes nothing. It is logged once, and asked ever less often until it answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::{JoinError, JoinHandle};

use super::{Candidate, How, Mode, PlanChanges, Plugins, SwapError, When, kind_of};
use crate::{
    config::{Settings, WatchedTag},
    hooks::Installation,
    oci::{Client, Digest, OciError, Reference},
    store::{BY_WATCH, PluginEvent, StoreError, VersionState},
    trust::Entry,
};

/// How many lines of the history, and how many versions, are looked through.
const LOOKED_THROUGH: u32 = 1_000;
/// How much less often a registry is asked at most that can't be asked.
const SLOWED_MAX: u32 = 32;
/// By how much of itself the time until the next look differs, so that many hosts don't ask at once.
const JITTER: f64 = 0.1;

/// Watches the tags until it is dropped. A canary that is just beginning then is as after a crash: in the store or not.
#[derive(Debug)]
pub struct TagWatcher(JoinHandle<()>);

/// What will be watched.
#[derive(Debug)]
pub struct Tags {
    client: Client,
    how: How,
    every: Duration,
    tags: Vec<Tag>,
}

impl Tags {
    /// Returns the tags that the settings name, `None` if they name none.
    ///
    /// # Errors
    /// If what is needed to ask their registries can't be read.
    pub fn of(plugins: &Plugins, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let watched = &settings.plugins.watch;
        if watched.is_empty() {
            return Ok(None);
        }
        let mode = Mode::Canary { percent: settings.plugins.watch_canary_percent };
        let plan = plugins.plan(mode, PlanChanges::default())?;
        let now = Instant::now();
        let tag = |watched: &WatchedTag| Tag {
            watched: watched.clone(),
            last: None,
            said: Said::Nothing,
            failures: 0,
            due: now,
        };
        Ok(Some(Self {
            client: Client::new(settings.oci.rules(&settings.limits))?,
            how: How { when: When::Tried(plan), forced: false },
            every: Duration::from_millis(settings.plugins.watch_every_ms),
            tags: watched.iter().map(tag).collect(),
        }))
    }
}

impl TagWatcher {
    #[must_use]
    pub fn start(plugins: Arc<Plugins>, tags: Tags) -> Self {
        let Tags { client, how, every, tags } = tags;
        Self(tokio::spawn(Watch { plugins, client, how, every }.run(tags)))
    }

    /// Waits for the watcher's end, which only a panic causes.
    ///
    /// # Errors
    /// The panic.
    pub async fn ended(&mut self) -> Result<(), JoinError> {
        (&mut self.0).await
    }
}

impl Drop for TagWatcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A tag, and what is known of it.
#[derive(Debug)]
struct Tag {
    watched: WatchedTag,
    /// The digest that was last dealt with.
    last: Option<Digest>,
    said: Said,
    /// Looks that failed, one after the other.
    failures: u32,
    due: Instant,
}

/// What the log was last told of a tag.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Watched,
    Waits,
    Failed(String),
}

/// Why a look ended without a result.
enum Unfinished {
    /// A rollout is under way.
    Waits,
    Failed(String),
}

impl From<OciError> for Unfinished {
    fn from(error: OciError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

struct Watch {
    plugins: Arc<Plugins>,
    client: Client,
    how: How,
    every: Duration,
}

impl Watch {
    async fn run(self, mut tags: Vec<Tag>) {
        loop {
            for tag in &mut tags {
                if tag.due <= Instant::now() {
                    self.look(tag).await;
                }
            }
            let Some(due) = tags.iter().map(|tag| tag.due).min() else { return };
            tokio::time::sleep_until(due.into()).await;
        }
    }

    /// Looks where the tag leads, deals with what is new, and says when to look again.
    async fn look(&self, tag: &mut Tag) {
        let looked = if self.plugins.store.leads() { self.deal_with(tag).await } else { Ok(()) };
        let named = &tag.watched.reference;
        let said = match looked {
            Ok(()) => Said::Watched,
            Err(Unfinished::Waits) => Said::Waits,
            Err(Unfinished::Failed(reason)) => Said::Failed(reason),
        };
        tag.failures = if matches!(said, Said::Failed(_)) { tag.failures.saturating_add(1) } else { 0 };
        tag.due = Instant::now() + until_next(self.every, tag.failures);
        if said != tag.said {
            match &said {
                Said::Nothing => {}
                Said::Watched => tracing::info!("the tag {named} is watched"),
                Said::Waits => tracing::info!(
                    "the tag {named} was moved; its version is tried when the rollout under way has ended"
                ),
                Said::Failed(reason) => {
                    tracing::warn!("the tag {named} isn't followed for now, and what is live stays: {reason}");
                }
            }
            tag.said = said;
        }
    }

    async fn deal_with(&self, tag: &mut Tag) -> Result<(), Unfinished> {
        let named = &tag.watched.reference;
        let digest = self.client.digest(named).await?;
        if tag.last.as_ref() == Some(&digest) {
            return Ok(());
        }
        let pinned = named.pinned(digest.clone());
        if !self.is_in_history(&tag.watched, &pinned).await? {
            if self.plugins.registry.rollout().is_some() {
                return Err(Unfinished::Waits);
            }
            self.pull_and_try(tag.watched.at, &pinned).await?;
        }
        tag.last = Some(digest);
        Ok(())
    }

    /// Returns whether the history has that digest as the tag's last one at its place, or as one that was refused.
    async fn is_in_history(&self, watched: &WatchedTag, pinned: &Reference) -> Result<bool, StoreError> {
        let events = self.plugins.store.plugin_events(None, LOOKED_THROUGH).await?.rows;
        let (of_tag, pinned) = (format!("{}@", watched.reference), pinned.to_string());
        let at = watched.at.map(|at| at.to_string());
        // A file whose hook couldn't be read was refused for all places.
        let is_here = |event: &&PluginEvent| at.is_none() || event.at.is_none() || event.at == at;
        let last = events.iter().filter(is_here).find(|event| event.detail.contains(&of_tag));
        let is_last = last.is_some_and(|event| event.detail.contains(&pinned));
        let is_refused = |event: &PluginEvent| event.action == "refuse" && event.detail.contains(&pinned);
        Ok(is_last || events.iter().filter(is_here).any(is_refused))
    }

    async fn pull_and_try(&self, at: Option<Installation>, pinned: &Reference) -> Result<(), Unfinished> {
        let candidate = match self.client.pull(pinned).await {
            Ok(pulled) => Candidate::from(pulled),
            Err(reason) if reason.is_refusal() => {
                let refused = SwapError::NotPulled { reference: Box::new(pinned.clone()), reason: Box::new(reason) };
                _ = self.plugins.record_result(at, BY_WATCH, Err(refused)).await;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        // Nothing is parsed of a file that isn't trusted. That, and a file without a hook, is refused below, with the reason.
        let is_trusted = self.plugins.vet(&candidate.source, candidate.bytes.clone(), Entry::New).await.is_ok();
        let of_file = || is_trusted.then(|| kind_of(&candidate.bytes).ok().map(Installation::of)).flatten();
        let place = at.or_else(of_file);
        if let Some(why) = self.needs_no_trial(place, Digest::of(&candidate.bytes).hex()).await? {
            tracing::info!("{pinned} isn't tried: {why}");
            return Ok(());
        }
        let (place, tried) = self.plugins.deploy_unrecorded(candidate, at, self.how, BY_WATCH.into()).await;
        match tried {
            Err(SwapError::Store(StoreError::RolloutOpen)) => Err(Unfinished::Waits),
            Err(error) if !error.is_refusal() => Err(Unfinished::Failed(error.to_string())),
            tried => {
                let tried = self.plugins.record_result(place, BY_WATCH, tried).await;
                if let Ok(swapped) = tried {
                    let (name, version) = (swapped.version.text.name, swapped.version.text.version);
                    tracing::info!("{name}@{version} is tried: a tag leads to {pinned} now");
                }
                Ok(())
            }
        }
    }

    /// Returns why a file isn't tried at a place: it is live there, or it was rolled back there.
    async fn needs_no_trial(&self, at: Option<Installation>, digest: &str) -> Result<Option<&'static str>, StoreError> {
        let Some(at) = at else { return Ok(None) };
        if self.plugins.snapshot().at(at).is_some_and(|live| live.identity().digest == digest) {
            return Ok(Some("it is live already"));
        }
        let versions = self.plugins.store.plugin_versions(None, LOOKED_THROUGH).await?.rows;
        let of_file = versions.iter().find(|version| version.text.at == at && version.text.digest == digest);
        let is_withdrawn = of_file.is_some_and(|version| version.state == VersionState::Withdrawn);
        Ok(is_withdrawn.then_some("it was rolled back here; till plugin deploy tries it again"))
    }
}

/// Returns how long it is until the next look.
fn until_next(every: Duration, failures: u32) -> Duration {
    let slowed = 2_u32.saturating_pow(failures.saturating_sub(1)).min(SLOWED_MAX);
    every.saturating_mul(slowed).mul_f64(rand::random_range(1.0 - JITTER..=1.0 + JITTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_fails_is_asked_ever_less_often() {
        let every = Duration::from_secs(60);
        for (failures, factor) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 32), (u32::MAX, 32)] {
            let wanted = every * factor;
            for _ in 0..100 {
                let until = until_next(every, failures);
                assert!(until >= wanted.mul_f64(0.89) && until <= wanted.mul_f64(1.11), "{failures}: {until:?}");
            }
        }
    }
}
