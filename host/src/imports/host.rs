//! `till:plugin/host`: settings, sleep and random for guests that have no WASI.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{CallState, bindings::host};

/// What a call's random numbers come of. Who has it can have the call's guest decide the same once more.
pub type Seed = [u8; 32];

/// A call's random numbers, the same for the same seed.
#[derive(Debug)]
pub(super) struct Random {
    seed: Seed,
    /// Made at its first use: most calls have none.
    numbers: Option<StdRng>,
}

impl Random {
    pub(super) const fn new(seed: Seed) -> Self {
        Self { seed, numbers: None }
    }

    pub(super) const fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns a generator of its own for one of the ways to random numbers.
    pub(super) fn generator(&self, way: u8) -> StdRng {
        let mut seed = self.seed;
        if let Some(last) = seed.last_mut() {
            *last ^= way;
        }
        StdRng::from_seed(seed)
    }

    fn next(&mut self) -> f64 {
        let seed = self.seed;
        self.numbers.get_or_insert_with(|| StdRng::from_seed(seed)).random()
    }
}

/// What becomes of a guest's sleep.
#[derive(Debug)]
pub enum Sleep {
    Real,
    /// It is over at once: the call that is repeated has slept already. Past the deadline of the call it would have been
    /// cut off.
    Skipped {
        left: Duration,
        after_ms: u64,
        setting: &'static str,
    },
}

/// A call whose sleep is skipped would have slept past its deadline.
#[derive(Debug, thiserror::Error)]
#[error("slept past its {after_ms} ms (limits.{setting})")]
pub struct Overslept {
    pub after_ms: u64,
    pub setting: &'static str,
}

impl host::Host for CallState {
    fn setting(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.budget.host_call(key.len())?;
        Ok(self.settings.get(&key).cloned())
    }

    /// Never blocks a thread. Past the call's wall deadline it is dropped midway.
    async fn sleep(&mut self, duration_ms: u32) -> wasmtime::Result<()> {
        self.budget.host_call(0)?;
        let duration = Duration::from_millis(duration_ms.into());
        match &mut self.sleep {
            Sleep::Real => tokio::time::sleep(duration).await,
            Sleep::Skipped { left, after_ms, setting } => {
                *left = left.checked_sub(duration).ok_or(Overslept { after_ms: *after_ms, setting })?;
            }
        }
        Ok(())
    }

    fn random(&mut self) -> wasmtime::Result<f64> {
        self.budget.host_call(0)?;
        Ok(self.random.next())
    }
}
