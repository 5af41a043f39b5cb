//! Instances that are called again.
//!
//! Every call has a fresh instance, unless the plugin is built in or its language is slow to start: then one that has answered
//! may rest and answer again, up to so many times (`reuse`, a setting of the plugin's; its language's default otherwise). At rest it has
//! no doors, no span and no order. Invariants: an instance that trapped, was cut off or was found at fault is never called
//! again, nor is one that is too old, holds too much memory or has piled up handles; what rests is bounded in number, for all plugins together,
//! and is given up before calls go short of memory. The one that rested last is called first, so that those that aren't
//! needed age.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wasmtime::{Store, component::Instance};

use super::{GuestCall, memory::MemoryPool};
use crate::{
    config::{Limits, REUSE, reused_calls},
    imports::HasCallState as _,
};

/// What an instance of that language takes to start decides, as measured in plugins/README.md: a call in a fresh one costs a
/// Rust, a C or a JavaScript plugin a quarter of a millisecond at most. Go's is kept below the calls after which its garbage
/// collector has been seen to run within `cabi_realloc`, which traps.
pub(super) fn calls_by_language(language: &str) -> u32 {
    match language {
        "Python" => 200,
        "Go" => 50,
        _ => 1,
    }
}

/// For how many calls an instance of a built-in plugin is used: its code is the host's own and keeps nothing.
const BUILT_IN_CALLS: u32 = 1_000;

/// Returns for how many calls an instance is used.
pub(super) fn calls_max(language: &str, is_built_in: bool, settings: &BTreeMap<String, String>) -> u32 {
    let set = settings.get(REUSE).and_then(|text| reused_calls(text).ok());
    set.unwrap_or_else(|| if is_built_in { BUILT_IN_CALLS } else { calls_by_language(language) })
}

/// What all plugins' instances share.
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

/// Given back when it is dropped.
struct IdlePlace(Arc<IdlePlaces>);

impl Drop for IdlePlace {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An instance that has answered, and what of its usage counts.
pub(super) struct Used {
    pub(super) store: Store<GuestCall>,
    pub(super) instance: Instance,
    pub(super) usage: Usage,
}

/// How long an instance has been there, and for how many calls.
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

    /// Returns it with one more call.
    pub(super) const fn called(self) -> Self {
        Self { calls: self.calls + 1, ..self }
    }
}

/// The instances of one plugin that rest.
pub(super) struct IdleInstances {
    calls_max: u32,
    places: Arc<IdlePlaces>,
    instances: Mutex<Vec<Idle>>,
}

/// An instance that rests.
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

    /// Returns a place where none rests yet, under the same rules.
    pub(super) fn emptied(&self) -> Self {
        Self::new(self.calls_max, Arc::clone(&self.places))
    }

    /// Returns whether a call's instance may be called again at all.
    pub(super) const fn is_on(&self) -> bool {
        self.calls_max > 1
    }

    /// Returns one to be called again, if one rests.
    pub(super) fn take(&self) -> Option<Used> {
        if !self.is_on() {
            return None;
        }
        self.drop_while(|idle, _| self.is_too_old(idle.used.usage));
        self.instances.lock().pop().map(|idle| idle.used)
    }

    /// Frees those that are too old, and those that haven't been called for `rest`, as long as all together hold more than
    /// so many bytes.
    pub(super) fn drop_idle(&self, rest: Duration, bytes_max: u64) {
        self.drop_while(|idle, bytes| {
            self.is_too_old(idle.used.usage) || (bytes > bytes_max && idle.since.elapsed() >= rest)
        });
    }

    /// Frees those that have rested the longest while that is so of them and of the bytes that they and the others hold.
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

    /// Returns the instance to those that rest; drops it if it is used up, too old, too large, holds as many handles as a
    /// call may open, or if there is no place.
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
