//! How many plugin calls the process has room for: its address space and its mappings are bounded.
//!
//! The engine's pool reserves address space for every instance that may exist at once. Three things bound it: the processor
//! (128 TiB on most machines, 256 GiB on some kernels for ARM), `ulimit -v`, and `vm.max_map_count`, because the kernel
//! counts each part of a memory with rights of its own as a mapping. What doesn't fit isn't reserved: [`fitted`] lowers
//! the number of requests at once, in proportion, and reports that.

use std::fmt;

use rustix::process::{Resource, getrlimit};

use super::engine::{bytes_of_call, calls_at_once};
use crate::config::Limits;

/// The kernel's default (`Documentation/admin-guide/sysctl/vm.rst`), for where it can't be read.
const MAPPINGS_DEFAULT: u64 = 65_530;
/// A memory's image, the rest of what it may use, and its guard.
const MAPPINGS_OF_MEMORY: u64 = 3;
/// A stack and its guard.
const MAPPINGS_OF_STACK: u64 = 2;
/// Half of what there is: the rest is for the host's own threads, its heap, its store, compiled code.
const SHARE: u64 = 2;

/// What a process may still reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Address space, in bytes.
    pub free_bytes: u64,
    /// Mappings, the existing ones included.
    pub mappings: u64,
}

impl Room {
    /// Returns what this process may still reserve. What the system doesn't tell counts as unbounded.
    #[must_use]
    pub fn of_process() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let maps = read("/proc/self/maps");
        let unlimited = largest_gap(&maps).unwrap_or(u64::MAX);
        let free_bytes = match getrlimit(Resource::As).current {
            Some(most) => unlimited.min(most.saturating_sub(mapped_bytes(&maps))),
            None => unlimited,
        };
        let mappings = read("/proc/sys/vm/max_map_count").trim().parse().unwrap_or(MAPPINGS_DEFAULT);
        Self { free_bytes, mappings }
    }

    /// Returns for how many calls under these limits there is room.
    fn calls(self, limits: &Limits) -> u64 {
        let of_call = u64::from(limits.guest_memories) * MAPPINGS_OF_MEMORY + MAPPINGS_OF_STACK;
        let by_bytes = self.free_bytes / SHARE / bytes_of_call(limits).max(1);
        by_bytes.min(self.mappings / SHARE / of_call)
    }
}

/// What [`fitted`] changed, for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Shrunk {
    wanted: u64,
    fit: u64,
    changes: Vec<(&'static str, usize, usize)>,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, fit, changes } = self;
        write!(out, "this process has room for {fit} plugin calls at once, not for {wanted}: ")?;
        for (name, before, after) in changes {
            write!(out, "limits.{name} is {after} instead of {before}, ")?;
        }
        out.write_str(
            "until there is more address space (ulimit -v) and more mappings (sysctl vm.max_map_count), or \
             limits.guest_memory_mib and limits.guest_memories are smaller",
        )
    }
}

/// Returns the limits with as many calls at once as there is room for; what was changed, if anything was.
#[must_use]
pub fn fitted(limits: &Limits, room: Room) -> (Limits, Option<Shrunk>) {
    let (wanted, fit) = (u64::from(calls_at_once(limits)), room.calls(limits));
    if wanted <= fit {
        return (limits.clone(), None);
    }
    let mut fitted = limits.clone();
    let mut changes = Vec::new();
    let places = [
        ("concurrent_requests", &mut fitted.concurrent_requests),
        ("quotes", &mut fitted.quotes),
        ("inventory_requests", &mut fitted.inventory_requests),
        ("shadow_calls", &mut fitted.shadow_calls),
        ("reused_instances", &mut fitted.reused_instances),
    ];
    for (name, places) in places {
        let before = *places;
        // A number above 0 stays above 0: otherwise that kind of request would never be served.
        *places = share(before, fit, wanted).max(before.min(1));
        if *places != before {
            changes.push((name, before, *places));
        }
    }
    (fitted, Some(Shrunk { wanted, fit, changes }))
}

fn share(places: usize, fit: u64, wanted: u64) -> usize {
    let scaled = (places as u128).saturating_mul(u128::from(fit)) / u128::from(wanted.max(1));
    usize::try_from(scaled).unwrap_or(usize::MAX)
}

/// Returns each mapping's first address and the address after its last, in their order. The form is that of proc(5).
fn mappings(maps: &str) -> impl Iterator<Item = (u64, u64)> {
    let mapping = |line: &str| {
        let (from, to) = line.split_ascii_whitespace().next()?.split_once('-')?;
        Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
    };
    // The last one is a page of the kernel's at the very end on x86-64, beyond what a process may map.
    maps.lines().filter(|line| !line.ends_with("[vsyscall]")).filter_map(mapping)
}

/// Returns the largest piece of address space between two mappings.
fn largest_gap(maps: &str) -> Option<u64> {
    let before = std::iter::once(0).chain(mappings(maps).map(|(_, to)| to));
    before.zip(mappings(maps)).map(|(before, (from, _))| from.saturating_sub(before)).max()
}

fn mapped_bytes(maps: &str) -> u64 {
    mappings(maps).map(|(from, to)| to.saturating_sub(from)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    fn limits_of_cores(cores: usize) -> Limits {
        let mut sources = Sources::defaults();
        let places = [("concurrent_requests", 64), ("inventory_requests", 64), ("shadow_calls", 64)];
        for (name, per_core) in places.into_iter().chain([("quotes", 16), ("reused_instances", 16)]) {
            sources.add_flag(&format!("limits.{name}"), (per_core * cores).to_string(), "a test").expect("a limit");
        }
        Settings::load(&sources).expect("usable").limits
    }

    /// Issue 14.1: 5,448 calls x 4 memories x 4 GiB were reserved on 20 cores, which no address space has.
    #[test]
    fn as_many_calls_get_a_place_as_there_is_room_for() {
        let check = |cores: usize, free_bytes: u64, mappings: u64, requests: usize| {
            let limits = limits_of_cores(cores);
            let room = Room { free_bytes, mappings };
            let (fitted, shrunk) = fitted(&limits, room);
            let calls = u64::from(calls_at_once(&fitted));
            assert_eq!(fitted.concurrent_requests, requests, "{cores} cores, {free_bytes} bytes, {mappings} mappings");
            assert!(calls * bytes_of_call(&fitted) <= free_bytes, "{calls} calls don't fit");
            assert_eq!(shrunk.is_some(), requests < limits.concurrent_requests);
        };
        // The machines of the issue, with mappings to spare: nothing is taken from them.
        for cores in [1, 2, 20, 32, 64] {
            check(cores, 85 * TIB, 1 << 20, 64 * cores);
        }
        // The default of vm.max_map_count is what a large machine meets first.
        check(20, 85 * TIB, 65_530, 519);
        check(256, 85 * TIB, 65_530, 519);
        // 39 bits of addresses, and what `ulimit -v` leaves.
        check(16, 200 * GIB, 65_530, 58);
        check(2, 8 * GIB, 65_530, 2);
        check(256, 4 * GIB, 65_530, 1);
    }

    #[test]
    fn what_is_taken_away_is_said_with_what_to_do() {
        let (_, shrunk) = fitted(&limits_of_cores(2), Room { free_bytes: 64 * GIB, mappings: 65_530 });
        let text = shrunk.expect("it doesn't fit").to_string();
        assert!(text.contains("limits.concurrent_requests is 18 instead of 128"), "{text}");
        assert!(text.contains("ulimit -v") && text.contains("vm.max_map_count"), "{text}");
    }

    #[test]
    fn the_largest_gap_is_looked_for_below_the_last_mapping() {
        let maps = "00010000-00020000 r--p 00000000 08:01 1 /till\n\
                    00090000-000a0000 rw-p 00000000 00:00 0 [heap]\n\
                    00100000-00110000 rw-p 00000000 00:00 0 [stack]\n\
                    ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
        assert_eq!((largest_gap(maps), mapped_bytes(maps)), (Some(0x70000), 0x30000));
        let room = Room::of_process();
        assert!(room.free_bytes > GIB && room.mappings > 1000, "{room:?}");
    }
}
