//! Cores of one's own, so that what is measured and what measures it don't take each other's time.

use anyhow::Context;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Has this thread, and what it starts from now on, run on that core only.
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("run on core {core} only; this takes two cores"))
}
