//! How much memory a call, and all calls together, may hold.
//!
//! A guest that asks for more traps with a text that says which limit it met.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wasmtime::ResourceLimiter;

use crate::{config::Limits, units::MIB};

/// What stopped a call that wanted memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MemoryRefused {
    #[error("{bytes} bytes of memory wanted, {max} are allowed (limits.guest_memory_mib)")]
    Call { bytes: usize, max: usize },
    #[error("the calls at work hold {max} bytes together already (limits.guests_memory_mib)")]
    AllCalls { max: usize },
}

/// The memory budget of all calls and idle instances.
#[derive(Debug)]
pub struct MemoryPool {
    used_bytes: AtomicUsize,
    /// What is kept of ended calls for the next calls.
    kept_bytes: AtomicUsize,
    max_bytes: usize,
}

impl MemoryPool {
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        let (used_bytes, kept_bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { used_bytes, kept_bytes, max_bytes: limits.guests_memory_mib * MIB })
    }

    /// Returns how many bytes the running calls and the idle instances hold now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Returns how many bytes were kept of ended calls at the last check.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes.load(Ordering::Relaxed)
    }

    pub fn note_kept(&self, bytes: usize) {
        self.kept_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns whether more than half of the memory is used.
    pub(super) fn is_half_used(&self) -> bool {
        self.used_bytes() > self.max_bytes / 2
    }

    fn take(&self, bytes: usize) -> Result<(), MemoryRefused> {
        let before = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.max_bytes {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(MemoryRefused::AllCalls { max: self.max_bytes });
        }
        Ok(())
    }
}

/// Counts one call's memories and tables; gives back what they held when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryMeter {
    pool: Arc<MemoryPool>,
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    instances_max: usize,
}

impl MemoryMeter {
    #[must_use]
    pub(super) fn new(pool: &Arc<MemoryPool>, limits: &Limits) -> Self {
        Self {
            pool: Arc::clone(pool),
            memory_bytes: 0,
            memory_bytes_max: limits.guest_memory_mib * MIB,
            table_elements: 0,
            table_elements_max: limits.guest_table_elements,
            instances_max: limits.guest_core_instances as usize,
        }
    }

    #[must_use]
    pub(super) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl Drop for MemoryMeter {
    fn drop(&mut self) {
        self.pool.used_bytes.fetch_sub(self.memory_bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = desired.saturating_sub(current);
        let wanted = self.memory_bytes.saturating_add(grown);
        if wanted > self.memory_bytes_max {
            return Err(MemoryRefused::Call { bytes: wanted, max: self.memory_bytes_max }.into());
        }
        self.pool.take(grown)?;
        self.memory_bytes = wanted;
        Ok(true)
    }

    /// If a table may not grow, `table.grow` answers -1, as WebAssembly defines; the guest decides what follows from
    /// that.
    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.table_elements.saturating_add(desired.saturating_sub(current));
        if wanted > self.table_elements_max {
            return Ok(false);
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }
}
