//! `till:plugin/host`: settings, sleep and random numbers for guests without WASI.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{HostCall, bindings::host};

/// The seed of a call's random numbers. With the same seed the guest can be made to decide the same again.
pub type Seed = [u8; 32];

/// The source of a call's random numbers.
#[derive(Debug, Clone, Default)]
pub enum Chance {
    /// New numbers for each order.
    #[default]
    Free,
    /// The same numbers for each call, so that random decisions can be compared.
    Fixed(u64),
    /// These numbers in order for each call; the last one is repeated.
    Given(Arc<[f64]>),
}

impl Chance {
    /// Returns the numbers of a call for an order with that seed.
    pub(super) fn random(&self, of_order: Seed) -> Random {
        match self {
            Self::Free => Random::new(of_order),
            Self::Fixed(number) => {
                let mut seed = Seed::default();
                seed.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, of_number)| *byte = of_number);
                Random::new(seed)
            }
            Self::Given(numbers) => Random { given: numbers.to_vec(), ..Random::new(Seed::default()) },
        }
    }
}

/// A call's random numbers, the same for the same seed.
#[derive(Debug)]
pub(super) struct Random {
    seed: Seed,
    /// Made at its first use, because most calls need none.
    numbers: Option<StdRng>,
    /// Numbers that are returned instead.
    given: Vec<f64>,
}

impl Random {
    pub(super) const fn new(seed: Seed) -> Self {
        Self { seed, numbers: None, given: Vec::new() }
    }

    pub(super) const fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns a separate generator for each interface of random numbers.
    pub(super) fn generator(&self, way: u8) -> StdRng {
        let mut seed = self.seed;
        if let Some(last) = seed.last_mut() {
            *last ^= way;
        }
        StdRng::from_seed(seed)
    }

    fn next(&mut self) -> f64 {
        match self.given.as_slice() {
            [] => {}
            [last] => return *last,
            [_, ..] => return self.given.remove(0),
        }
        let seed = self.seed;
        self.numbers.get_or_insert_with(|| StdRng::from_seed(seed)).random()
    }
}

/// How a guest's sleep is carried out.
#[derive(Debug)]
pub enum Sleep {
    Real,
    /// Ends at once, because the repeated call has slept already. Sleep past the call's deadline ends the call.
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

/// The settings that calls have read.
#[derive(Debug, Clone, Default)]
pub struct AskedSettings(Arc<Mutex<BTreeSet<String>>>);

impl AskedSettings {
    pub(super) fn note(&self, key: &str) {
        self.0.lock().insert(key.to_owned());
    }

    /// Returns the settings' keys so far.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<String> {
        self.0.lock().clone()
    }
}

impl host::Host for HostCall<'_> {
    fn setting(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.budget.host_call(key.len())?;
        self.note_setting(&key);
        Ok(self.settings.get(&key).cloned())
    }

    /// Never blocks a thread. At the call's wall-clock deadline the sleep is dropped midway.
    async fn sleep(&mut self, duration_ms: u32) -> wasmtime::Result<()> {
        self.budget.host_call(0)?;
        let duration = Duration::from_millis(duration_ms.into());
        match &mut self.sleep {
            Sleep::Real => tokio::time::sleep(duration).await,
            Sleep::Skipped { left, after_ms, setting } => {
                *left = left.checked_sub(duration).ok_or(Overslept { after_ms: *after_ms, setting })?;
            }
        }
        self.clock.move_on(duration);
        Ok(())
    }

    fn random(&mut self) -> wasmtime::Result<f64> {
        self.budget.host_call(0)?;
        Ok(self.random.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_for_each_call_about_an_order() {
        let drawn_for = |chance: &Chance, order: u8| {
            let mut random = chance.random([order; 32]);
            [random.next(), random.next(), random.next()]
        };
        let drawn = |chance: &Chance| drawn_for(chance, 1);
        let given = Chance::Given([0.25, 0.5].into());
        assert_eq!([drawn(&given), drawn(&given)], [[0.25, 0.5, 0.5]; 2]);
        assert_eq!(drawn(&Chance::Fixed(7)), drawn(&Chance::Fixed(7)));
        assert_ne!(drawn(&Chance::Fixed(7)), drawn(&Chance::Fixed(8)));
        assert_eq!(drawn_for(&Chance::Fixed(7), 1), drawn_for(&Chance::Fixed(7), 2));
        assert_eq!(drawn_for(&Chance::Free, 1), drawn_for(&Chance::Free, 1));
        assert_ne!(drawn_for(&Chance::Free, 1), drawn_for(&Chance::Free, 2));
    }
}
