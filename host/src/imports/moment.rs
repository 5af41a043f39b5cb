//! What an order's calls take for now, and what they draw from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use wasmtime_wasi::clocks::HostWallClock;

use super::Seed;
use crate::{
    clock::now_ms,
    hooks::Installation,
    order::{Fingerprint, Reference},
};

/// When an order was placed, and the seed of the random numbers that its calls draw.
///
/// It is the same for every call about the order: of the live version, its shadow and the version that takes over from a
/// canary. So two versions that decide otherwise do so because of their code, not by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    now_ms: u64,
    seed: Seed,
}

impl Moment {
    /// The moment of an instance that isn't called.
    pub const NONE: Self = Self { now_ms: 0, seed: [0; 32] };

    /// Returns the moment of the order of that reference.
    #[must_use]
    pub fn of(reference: &Reference, placed_at_ms: u64) -> Self {
        Self { now_ms: placed_at_ms, seed: Sha256::digest(reference.as_str()).into() }
    }

    /// Returns the moment of a cart that is priced: the hooks draw the same numbers in a quote and in the checkout after it.
    #[must_use]
    pub const fn of_cart(cart: &Fingerprint, at_ms: u64) -> Self {
        Self { now_ms: at_ms, seed: *cart.as_bytes() }
    }

    /// Returns the present, with random numbers that nothing else draws.
    #[must_use]
    pub fn present() -> Self {
        Self { now_ms: now_ms(), seed: rand::random() }
    }

    /// Returns the moment of a recorded call, which drew from that seed; an installation of another name draws the same.
    #[must_use]
    pub fn recorded(at_ms: u64, seed: Seed, at: Installation) -> Self {
        Self { now_ms: at_ms, seed }.of_installation(at)
    }

    /// Returns the moment for the calls of one installation: an order's checkout and inventory don't draw the same numbers.
    #[must_use]
    pub fn of_installation(mut self, at: Installation) -> Self {
        self.seed.iter_mut().zip(at.to_string().bytes()).for_each(|(byte, of_kind)| *byte ^= of_kind);
        self
    }

    /// Returns the time, in Unix milliseconds.
    #[must_use]
    pub const fn now_ms(self) -> u64 {
        self.now_ms
    }

    /// Returns the seed of the order, equal in all calls about it.
    #[must_use]
    pub const fn seed(self) -> Seed {
        self.seed
    }

    pub(super) fn clock(self) -> Clock {
        Clock(Arc::new(AtomicU64::new(self.now_ms)))
    }
}

/// A call's wall clock: it stands at the moment of the order, and moves on by what the call sleeps. A clock that ran
/// would be another one in each call.
#[derive(Debug, Clone)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(super) fn move_on(&self, slept: Duration) {
        self.0.fetch_add(u64::try_from(slept.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}
