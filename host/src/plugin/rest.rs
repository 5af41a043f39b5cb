//! What is kept of calls that have ended, for the next ones' sake, and giving it back.
//!
//! wasmtime's pool keeps some memory of each place that a call had, so that the next call there doesn't fault it in again.
//! After a crowd that is a place for each of its calls, and the pool gives none of it back. So the pool as a whole is
//! replaced: the plugins' code is loaded into a fresh one, and the system has the old one back when its last call has
//! ended. Nobody waits for it.
//!
//! Not while a rollout is open, whose candidate is compiled for the pool that there is.

use std::time::{Duration, Instant};

use super::{Kind, Plugins, engine::resident_bytes, registry::Published};
use crate::config::Limits;

const MIB: usize = 1024 * 1024;
/// The least time between two replacements, however full the memory is.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether it is time to give back.
#[derive(Debug)]
pub(super) struct Rest {
    kept_max: usize,
    all_max: usize,
    rest: Duration,
    /// Since when more is kept than may be, at every look.
    above_since: Option<Instant>,
    renewed: Option<Instant>,
}

impl Rest {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            kept_max: limits.resting_memory_mib.saturating_mul(MIB),
            all_max: limits.guests_memory_mib.saturating_mul(MIB),
            rest: Duration::from_millis(limits.resting_ms),
            above_since: None,
            renewed: None,
        }
    }

    /// Returns whether the pool is to be replaced, of which so much is kept beside what calls use: it has been too much for
    /// as long as may be, or there is no room for both.
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
    /// Gives back what is kept for too long.
    pub(super) async fn give_back(&self, rest: &mut Rest) {
        let live = self.snapshot();
        let plugins = Kind::ALL.map(|kind| live.plugin(kind));
        plugins.iter().for_each(super::Plugin::drop_too_old);
        let mut pools = vec![self.engine.wasmtime()];
        for plugin in &plugins {
            if !pools.iter().any(|pool| wasmtime::Engine::same(pool, plugin.wasmtime())) {
                pools.push(plugin.wasmtime().clone());
            }
        }
        let kept = pools.iter().map(resident_bytes).sum();
        drop((live, plugins, pools));
        self.memory.note_kept(kept);
        if rest.is_over(kept, self.memory.used_bytes(), Instant::now())
            && let Err(error) = self.renew_pool().await
        {
            tracing::warn!("the plugins' memory can't be given back: {error:#}");
        }
    }

    async fn renew_pool(&self) -> anyhow::Result<()> {
        let _turn = self.changing.lock().await;
        if self.registry.rollout().is_some() || self.engine.compiler().kept().is_none() {
            return Ok(());
        }
        self.shelf.renew_pool()?;
        let mut next = self.snapshot();
        for kind in Kind::ALL {
            next = next.with(self.shelf.moved(&next.plugin(kind)).await?)?.into();
        }
        self.registry.publish(Published::new(&next, None)?);
        Ok(())
    }
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
        let mut rest = Rest::new(&Settings::load(&sources).expect("usable").limits);
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
