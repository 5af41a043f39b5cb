//! Shared code of the tests.

pub(crate) mod built;
#[path = "../../src/outbound/tests/certificates.rs"]
#[expect(dead_code, reason = "the unit tests use the rest")]
pub(crate) mod certificates;
pub(crate) mod code;
pub(crate) mod collector;
pub(crate) mod component;
pub(crate) mod disk;
pub(crate) mod golden;
pub(crate) mod guests;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod inventory_service;
pub(crate) mod machine;
pub(crate) mod postgres;
pub(crate) mod power;
pub(crate) mod prometheus;
pub(crate) mod promises;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod registry;
pub(crate) mod secured;
pub(crate) mod shared_store;
pub(crate) mod shim;
pub(crate) mod steady;
pub(crate) mod toolchain;
pub(crate) mod tree;

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::StdRng};

pub(crate) use guests::{PluginFolder, built_in_and};
pub(crate) use host::{Host, Plan, Stopped};
pub(crate) use http::{Answer, Client};
pub(crate) use receiver::{Protocol, Receiver};

/// How long anything is waited for. Far more than it takes: running out of it is a failure, never a result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Returns how many rounds to go: more in `make soak`, which sets this variable.
pub(crate) fn rounds(in_test: usize, in_soak: usize) -> usize {
    if soaking() { in_soak } else { in_test }
}

pub(crate) fn soaking() -> bool {
    std::env::var_os("TILL_SOAK").is_some_and(|soak| soak == "1")
}

/// Returns the test's random generator. The seed is printed; `TILL_SEED` sets it, to repeat a run.
pub(crate) fn dice(test: &str) -> StdRng {
    let given = std::env::var("TILL_SEED").ok().map(|seed| seed.parse().expect("TILL_SEED is a number"));
    let seed = given.unwrap_or_else(rand::random::<u64>);
    println!("{test}: TILL_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// A flag that is set when this is dropped, also by a panic; otherwise threads that work until then, and the test,
/// would never end.
#[derive(Debug)]
pub(crate) struct OnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Returns what `look` finds, as soon as it finds something.
pub(crate) fn eventually<T>(wanted: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {wanted}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
