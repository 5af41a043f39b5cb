//! What the host does by itself, in a periodic task: it promotes, pauses or rolls back a rollout as the gates decide
//! (`rollout/gates.rs`), reports a breaker that has opened and may roll back to the previous version, and releases
//! memory that was kept for too long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Plugin, Plugins, RolloutChange, SwapError, release_memory::KeptForLong, rollout::Verdict};
use crate::store::StoreError;

/// How often all of it is checked: a candidate that fails is to be rolled back within a second.
const PERIOD: Duration = Duration::from_millis(100);
/// How often hosts tell each other what they have counted of a rollout.
const EXCHANGE: Duration = Duration::from_millis(500);
/// The names in the audit for changes that the host makes by itself.
const GATES: &str = "gates";
const BREAKER: &str = "breaker";

impl Plugins {
    /// Checks the rollout, the breakers and the kept memory every 100 ms until the host stops.
    pub async fn supervise(self: Arc<Self>, stopping: CancellationToken) {
        let mut kept = KeptForLong::new(&self.runtime.limits);
        let (mut said, mut exchanged_at) = (None, Instant::now());
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            self.follow_others(&mut said).await;
            if exchanged_at.elapsed() >= EXCHANGE {
                self.exchange_counts().await;
                exchanged_at = Instant::now();
            }
            self.judge().await;
            for plugin in self.snapshot().plugins() {
                self.watch_breaker(plugin).await;
            }
            self.release_memory(&mut kept).await;
        }
    }

    async fn judge(&self) {
        let Some(rollout) = self.registry.rollout().filter(|rollout| rollout.is_running()) else { return };
        if !self.store.leads() {
            return;
        }
        let gates = rollout.plan.gates;
        let (change, reason) = match rollout.verdict() {
            Verdict::GoOn => return,
            Verdict::Passed(reason) if gates.promote && !self.approval.is_on => (RolloutChange::Promote, reason),
            Verdict::Failed(reason) if gates.rollback => (RolloutChange::RollBack, reason),
            Verdict::Passed(reason) | Verdict::Thin(reason) | Verdict::Failed(reason) => (RolloutChange::Pause, reason),
        };
        match self.change_rollout(Some(&rollout), change, GATES, &reason).await {
            // Somebody else changed the rollout first.
            Ok(_)
            | Err(SwapError::NoRollout | SwapError::RolloutState(_) | SwapError::Store(StoreError::PluginsChanged)) => {
            }
            Err(error) => tracing::error!("what the gates want of rollout {} failed: {error}", rollout.row.id.number()),
        }
    }

    async fn watch_breaker(&self, live: &Plugin) {
        let at = live.identity().at;
        if live.breaker().take_openings() == 0 {
            return;
        }
        self.runtime.metrics.breakers_opened(at.kind.as_str(), 1);
        tracing::error!(kind = at.kind.as_str(), plugin = %live.identity(), "{} keeps breaking: it isn't called for now", live.identity());
        // Another host may have done so already: the version before that one is none that broke.
        let is_live = async || {
            let version = self.store.live_plugin(at).await.ok().flatten();
            version.map(|version| version.id) == live.numbered().map(|numbered| numbered.number)
        };
        if self.breaker_rolls_back
            && is_live().await
            && let Err(error) = self.roll_back(at, None, BREAKER).await
        {
            tracing::error!("no version before {} became live: {error}", live.identity());
        }
    }
}
