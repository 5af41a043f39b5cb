//! Instances that are called again.
//!
//! Every call has a fresh instance, unless the plugin is built in or its language is slow to start. Then an instance
//! that has answered becomes idle and is called again, up to a number of calls (the plugin's setting `reuse`, otherwise
//! its language's default). While it is idle it has no access to the stock or the inventory, no span and no order.
//!
//! Invariants: an instance that trapped, was cut off or was at fault is never called again, nor is one that is too old,
//! holds too much memory or holds too many handles. All plugins' idle instances together are bounded in number, and no
//! instance becomes idle while more than half of the guests' memory is used. The instance that became idle last is
//! called first, so that instances which aren't needed grow old.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wasmtime::Store;

use super::{GuestCall, guest::Instantiated, memory::MemoryPool};
use crate::{
    config::{Limits, REUSE, reused_calls},
    imports::HasCallState as _,
};

/// Returns for how many calls an instance of that language is used. That follows from how long it takes to start, as
/// measured in plugins/README.md: a call in a fresh instance costs a Rust, a C or a JavaScript plugin a quarter of a
/// millisecond at most. Go's number is below the calls after which its garbage collector has been seen to run within
/// `cabi_realloc`, which traps.
pub(super) fn calls_by_language(language: &str) -> u32 {
    match language {
        "Python" => 200,
        "Go" => 50,
        _ => 1,
    }
}

/// For how many calls an instance of a built-in plugin is used: its code is the host's own and keeps no state.
const BUILT_IN_CALLS: u32 = 1_000;

/// Returns for how many calls an instance is used.
pub(super) fn calls_max(language: &str, is_built_in: bool, settings: &BTreeMap<String, String>) -> u32 {
    let set = settings.get(REUSE).and_then(|text| reused_calls(text).ok());
    set.unwrap_or_else(|| if is_built_in { BUILT_IN_CALLS } else { calls_by_language(language) })
}

/// The limits for the idle instances of all plugins together, and how many there are.
#[derive(Debug)]
pub struct IdlePlaces {
    taken: AtomicUsize,
    max: usize,
    age_max: Duration,
    memory_bytes_max: u64,
    wasi_handles_max: usize,
    memory: Arc<MemoryPool>,
}

impl IdlePlaces {
    pub fn new(limits: &Limits, memory: &Arc<MemoryPool>) -> Arc<Self> {
        let memory_bytes_max =
            u64::try_from(limits.guest_memory_mib).unwrap_or(u64::MAX).saturating_mul(1024 * 1024) / 2;
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            max: limits.reused_instances,
            age_max: Duration::from_millis(limits.reused_instance_ms),
            memory_bytes_max,
            wasi_handles_max: limits.wasi_handles,
            memory: Arc::clone(memory),
        })
    }

    fn take(self: &Arc<Self>) -> Option<IdlePlace> {
        if self.memory.is_half_used() {
            return None;
        }
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < self.max).then_some(taken + 1));
        taken.is_ok().then(|| IdlePlace(Arc::clone(self)))
    }
}

/// The right to keep one instance idle; given back when it is dropped.
struct IdlePlace(Arc<IdlePlaces>);

impl Drop for IdlePlace {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An instance that has answered, with its age and its number of calls.
pub(super) struct Used {
    pub(super) store: Store<GuestCall>,
    pub(super) instance: Instantiated,
    pub(super) usage: Usage,
}

/// When an instance was made, and how many calls it has answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    began: Instant,
    calls: u32,
}

impl Usage {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), calls: 0 }
    }

    pub(super) const fn is_fresh(self) -> bool {
        self.calls == 0
    }

    /// Returns the usage after one more call.
    pub(super) const fn called(self) -> Self {
        Self { calls: self.calls + 1, ..self }
    }
}

/// The idle instances of one plugin.
pub(super) struct IdleInstances {
    calls_max: u32,
    places: Arc<IdlePlaces>,
    instances: Mutex<Vec<Idle>>,
}

/// An idle instance.
struct Idle {
    used: Used,
    since: Instant,
    _place: IdlePlace,
}

impl Idle {
    fn memory_bytes(&self) -> u64 {
        self.used.store.data().memory_bytes()
    }
}

impl std::fmt::Debug for IdleInstances {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("IdleInstances").field("calls_max", &self.calls_max).finish_non_exhaustive()
    }
}

impl IdleInstances {
    pub(super) const fn new(calls_max: u32, places: Arc<IdlePlaces>) -> Self {
        Self { calls_max, places, instances: Mutex::new(Vec::new()) }
    }

    /// Returns a set of idle instances that is empty, with the same limits.
    pub(super) fn emptied(&self) -> Self {
        Self::new(self.calls_max, Arc::clone(&self.places))
    }

    /// Returns whether a call's instance may be called again at all.
    pub(super) const fn is_on(&self) -> bool {
        self.calls_max > 1
    }

    /// Takes an idle instance to be called again, if there is one.
    pub(super) fn take(&self) -> Option<Used> {
        if !self.is_on() {
            return None;
        }
        self.drop_while(|idle, _| self.is_too_old(idle.used.usage));
        self.instances.lock().pop().map(|idle| idle.used)
    }

    /// Drops the instances that are too old, and those that weren't called for `rest`, as long as all together hold
    /// more than `bytes_max` bytes.
    pub(super) fn drop_idle(&self, rest: Duration, bytes_max: u64) {
        self.drop_while(|idle, bytes| {
            self.is_too_old(idle.used.usage) || (bytes > bytes_max && idle.since.elapsed() >= rest)
        });
    }

    /// Drops the longest idle instances, as long as `is_over` is true of the next one and of the bytes that are still
    /// held.
    fn drop_while(&self, is_over: impl Fn(&Idle, u64) -> bool) {
        let mut instances = self.instances.lock();
        let mut bytes: u64 = instances.iter().map(Idle::memory_bytes).sum();
        let over = instances.iter().take_while(|idle| {
            let is_over = is_over(idle, bytes);
            bytes -= idle.memory_bytes();
            is_over
        });
        let over = over.count();
        let gone: Vec<_> = instances.drain(..over).collect();
        drop(instances);
        // Freed after the lock: an instance is megabytes.
        drop(gone);
    }

    /// Returns the instance to the idle ones; drops it if it is used up, too old, too large, holds as many handles as a
    /// call may open, or if no more may be idle.
    pub(super) fn put_back(&self, mut used: Used) {
        let memory_bytes = used.store.data().memory_bytes();
        let is_dropped = used.usage.calls >= self.calls_max
            || self.is_too_old(used.usage)
            || memory_bytes > self.places.memory_bytes_max
            || used.store.data_mut().call_state().wasi_handles() >= self.places.wasi_handles_max;
        if is_dropped {
            return;
        }
        if let Some(place) = self.places.take() {
            let idle = Idle { used, since: Instant::now(), _place: place };
            self.instances.lock().push(idle);
        }
    }

    fn is_too_old(&self, usage: Usage) -> bool {
        usage.began.elapsed() > self.places.age_max
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter as _;

    use super::*;
    use crate::{
        config::{Settings, Sources},
        runtime::memory::MemoryMeter,
    };

    #[test]
    fn resting_places_are_bounded_and_make_way_for_calls() {
        let mut sources = Sources::defaults();
        let set = ["limits.reused_instances=2", "limits.guests_memory_mib=4"];
        sources.add_flags(set.into_iter()).expect("settings");
        let limits = Settings::load(&sources).expect("usable").limits;
        let memory = MemoryPool::new(&limits);
        let places = IdlePlaces::new(&limits, &memory);
        let taken = [places.take(), places.take()];
        assert!(taken.iter().all(Option::is_some) && places.take().is_none());
        drop(taken);

        let mut call = MemoryMeter::new(&memory, &limits);
        assert!(call.memory_growing(0, 3 << 20, None).expect("there is room"));
        assert!(places.take().is_none(), "calls hold more than half of the memory");
        drop(call);
        assert!(places.take().is_some());
    }

    #[test]
    fn what_is_set_wins_over_the_language() {
        let set = |value: &str| BTreeMap::from([(REUSE.to_owned(), value.to_owned())]);
        for (language, is_built_in, settings, expected) in [
            ("Rust", false, BTreeMap::new(), 1),
            ("Rust", true, BTreeMap::new(), BUILT_IN_CALLS),
            ("Rust", true, set("1"), 1),
            ("unknown", false, BTreeMap::new(), 1),
            ("Python", false, BTreeMap::new(), 200),
            ("Python", false, set("1"), 1),
            ("Rust", false, set("7"), 7),
        ] {
            assert_eq!(calls_max(language, is_built_in, &settings), expected, "{language} {is_built_in} {settings:?}");
        }
    }
}
