//! Releases memory that is kept of ended calls for the next calls.
//!
//! wasmtime's pool keeps some memory of each slot that a call used, so that the next call there has fewer page faults.
//! After a peak it keeps memory for as many calls as ran at once, and never returns that to the system. So the whole
//! pool is replaced: the code of all plugins, a rollout's candidate included, is loaded into a fresh pool, and the old
//! pool is freed when its last call has ended. No request waits for that.

use std::time::{Duration, Instant};

use super::{Plugin, Plugins, Snapshot, registry::Published};
use crate::{
    config::Limits,
    runtime::{KeptMemory, kept_memory},
    units::MIB,
};

/// With fewer kept memories than this, it isn't worth reading how much memory is shared.
const MEMORIES_LOOKED_AT: usize = 8;
/// The least time between two replacements, however full the memory is.
const PAUSE: Duration = Duration::from_secs(1);

/// Decides when the pool is replaced.
#[derive(Debug)]
pub(super) struct KeptForLong {
    kept_max: usize,
    all_max: usize,
    rest: Duration,
    /// Since when each check has found more memory kept than allowed.
    above_since: Option<Instant>,
    renewed: Option<Instant>,
}

impl KeptForLong {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            kept_max: limits.resting_memory_mib * MIB,
            all_max: limits.guests_memory_mib * MIB,
            rest: Duration::from_millis(limits.resting_ms),
            above_since: None,
            renewed: None,
        }
    }

    /// Returns whether the pool is to be replaced: it kept more than `kept_max` bytes at every check during `rest`, or
    /// it does now, and the kept and the used bytes are more than `all_max` together.
    fn is_over(&mut self, kept: usize, used: usize, now: Instant) -> bool {
        if kept <= self.kept_max {
            self.above_since = None;
            return false;
        }
        let since = *self.above_since.get_or_insert(now);
        let is_full = kept.saturating_add(used) > self.all_max;
        let is_paused = self.renewed.is_some_and(|renewed| now.duration_since(renewed) < PAUSE);
        let is_over = !is_paused && (is_full || now.duration_since(since) >= self.rest);
        if is_over {
            (self.above_since, self.renewed) = (None, Some(now));
        }
        is_over
    }
}

impl Plugins {
    /// Drops idle instances, and replaces the pool if it has kept too much memory for too long.
    pub(super) async fn release_memory(&self, kept_for_long: &mut KeptForLong) {
        let live = self.snapshot();
        let candidate = self.registry.rollout().map(|rollout| Plugin::clone(&rollout.candidate()));
        let plugins: Vec<_> = live.plugins().cloned().chain(candidate).collect();
        for plugin in &plugins {
            plugin.drop_idle(kept_for_long.rest, kept_for_long.kept_max as u64);
        }
        let mut pools = vec![self.runtime.engine.wasmtime()];
        for plugin in &plugins {
            if !pools.iter().any(|pool| wasmtime::Engine::same(pool, plugin.wasmtime())) {
                pools.push(plugin.wasmtime().clone());
            }
        }
        let kept = pools.iter().map(|pool| kept_bytes(kept_memory(pool))).sum();
        drop((live, plugins, pools));
        self.runtime.memory.note_kept(kept);
        if kept_for_long.is_over(kept, self.runtime.memory.used_bytes(), Instant::now())
            && let Err(error) = self.renew_pool().await
        {
            tracing::warn!("the plugins' memory can't be given back: {error:#}");
        }
    }

    async fn renew_pool(&self) -> anyhow::Result<()> {
        let _turn = self.changing.lock().await;
        if self.runtime.engine.compiler().kept().is_none() {
            return Ok(());
        }
        self.catalogue.renew_pool()?;
        let mut moved = Vec::new();
        for plugin in self.snapshot().plugins() {
            moved.push(self.catalogue.moved(plugin).await?);
        }
        let next = Snapshot::new(moved)?;
        let rollout = self.registry.rollout();
        if let Some(rollout) = &rollout {
            rollout.move_to(self.catalogue.moved(&rollout.candidate()).await?);
        }
        self.registry.publish(Published::new(&next, rollout)?);
        Ok(())
    }
}

/// Returns how much resident memory of the process is kept. The images of memories are shared pages, which count as
/// resident once for each memory that has read them.
fn kept_bytes(kept: KeptMemory) -> usize {
    if kept.memories < MEMORIES_LOOKED_AT {
        return kept.bytes;
    }
    let shared = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| shared_bytes(&status));
    let share = shared.unwrap_or_default().saturating_mul(kept.memories) / (kept.memories + kept.memories_in_use);
    kept.bytes.saturating_add(share)
}

/// Returns the resident shared memory of a process, by proc(5). All of it is the pool's: the host shares no other
/// memory.
fn shared_bytes(status: &str) -> Option<usize> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssShmem:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<usize>().ok()?.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    #[test]
    fn what_is_kept_is_given_back_after_a_while_or_when_there_is_no_room() {
        let mut sources = Sources::defaults();
        let set = ["limits.resting_memory_mib=10", "limits.resting_ms=5000", "limits.guests_memory_mib=100"];
        sources.add_flags(set.into_iter()).expect("settings");
        let mut rest = KeptForLong::new(&Settings::load(&sources).expect("usable").limits);
        let began = Instant::now();
        let mut is_over =
            |ms: u64, kept: usize, used: usize| rest.is_over(kept * MIB, used * MIB, began + Duration::from_millis(ms));
        assert!(!is_over(0, 10, 90), "as much as may be");
        assert!(!is_over(100, 20, 0) && !is_over(5_000, 20, 0));
        assert!(is_over(5_100, 20, 0), "for 5 s at every look");
        assert!(!is_over(5_200, 20, 0) && !is_over(9_000, 5, 0), "a look at which it is less");
        assert!(!is_over(9_100, 20, 0) && !is_over(14_000, 20, 0));
        assert!(is_over(14_050, 60, 50), "no room for both");
        assert!(!is_over(14_100, 60, 50), "just replaced");
        assert!(is_over(15_100, 60, 50));
    }
}
