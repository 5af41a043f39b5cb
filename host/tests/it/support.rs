//! What the tests stand on.

pub(crate) mod golden;
pub(crate) mod guests;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod inventory_service;
pub(crate) mod receiver;
pub(crate) mod tree;

use std::time::{Duration, Instant};

pub(crate) use guests::{PluginFolder, built_in_and};
pub(crate) use host::{Host, Plan, Stopped};
pub(crate) use http::{Answer, Client};
pub(crate) use receiver::{Protocol, Receiver};

/// How long anything is waited for. Far more than it takes: running out of it is a failure, never a result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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
