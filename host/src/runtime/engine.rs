//! The process's engine: wasmtime's settings, the pool of instances, and the ticker for CPU limits.

use std::{
    num::NonZero,
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, component::Linker};

use super::{
    CodeCache, Compiler, GuestCall, Samples,
    samples::FRAMES_MAX,
    ticker::{AtWork, Ticker},
    turns::Turns,
};
use crate::{
    config::Limits,
    imports,
    units::{KIB, MIB},
};

/// Calls that probe candidates at once, beside the requests' calls. Never more than `limits.concurrent_requests`.
const PROBE_CALLS_MAX: usize = 8;
/// The size of a guest's stack.
const STACK_BYTES: usize = 2 * MIB;
/// The guard after each memory: the processor catches an access that is off by less, so it needs no comparison.
const GUARD_BYTES: usize = 32 * MIB;

/// Compiles and runs guests. One per process; its pool is replaced now and then.
pub struct Engine {
    pool: ArcSwap<Pool>,
    limits: Limits,
    compiler: Compiler,
    probes: Semaphore,
    turns: Turns,
    /// Where the stacks of its guests are counted; empty unless they are looked at.
    samples: OnceLock<Arc<Samples>>,
    // The ticker must outlive every Store, or deadlines silently stop firing.
    ticker: Ticker,
}

/// A wasmtime engine with memory reserved for its instances, and the functions that its guests may call. The system
/// gets the memory back when the plugins that were compiled for it and all their calls are dropped.
pub struct Pool {
    pub engine: wasmtime::Engine,
    pub linker: Linker<GuestCall>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Reserves the pool and starts the ticker. Compiles in this process: see [`Compiler::in_process`].
    ///
    /// # Errors
    /// When the address space or the processor doesn't allow the settings.
    pub fn new(limits: &Limits) -> anyhow::Result<Self> {
        Self::with(limits, Compiler::in_process())
    }

    /// Does the same as [`Engine::new`], with this compiler.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with(limits: &Limits, compiler: Compiler) -> anyhow::Result<Self> {
        let (pool, ticker) = (Pool::new(limits, &compiler)?, Ticker::start()?);
        ticker.tick(&pool.engine);
        Ok(Self {
            pool: ArcSwap::from_pointee(pool),
            limits: limits.clone(),
            compiler,
            probes: Semaphore::new(probe_calls(limits)),
            turns: Turns::new(),
            samples: OnceLock::new(),
            ticker,
        })
    }

    /// Replaces the pool by a fresh one: what is compiled from now on is compiled for the fresh one.
    ///
    /// # Errors
    /// When there is no address space for two pools at the same time.
    pub(crate) fn renew(&self) -> anyhow::Result<()> {
        let pool = Pool::new(&self.limits, &self.compiler)?;
        self.ticker.tick(&pool.engine);
        self.pool.store(Arc::new(pool));
        Ok(())
    }

    /// Returns the current pool.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.pool.load_full()
    }

    /// Returns the engine of the current pool.
    #[must_use]
    pub fn wasmtime(&self) -> wasmtime::Engine {
        self.pool.load().engine.clone()
    }

    /// Returns whether its guests have to be given fuel.
    pub(crate) const fn counts_fuel(&self) -> bool {
        self.limits.guest_fuel
    }

    pub(super) const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Has the stacks of its guests counted from their next calls on, at each tick of the epoch.
    pub(crate) fn sample(&self) -> Arc<Samples> {
        Arc::clone(self.samples.get_or_init(Arc::default))
    }

    pub(super) fn samples(&self) -> Option<Arc<Samples>> {
        self.samples.get().cloned()
    }

    /// Has the guests' limits looked at until the returned value is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        self.ticker.at_work()
    }

    pub(crate) const fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// Waits for one of the places that the pool has for probing candidates.
    pub(crate) async fn probe_turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.probes.acquire().await.ok()
    }
}

impl Pool {
    fn new(limits: &Limits, compiler: &Compiler) -> anyhow::Result<Self> {
        let mut config = code(compiler.kept(), CodeLimits::of(limits));
        let calls = calls_at_once(limits);
        config.wasm_backtrace_max_frames(NonZero::new(FRAMES_MAX));
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits, calls)));
        let engine = wasmtime::Engine::new(&config).map_err(anyhow::Error::from).with_context(|| {
            format!(
                "reserve {} MiB of address space for {calls} plugin calls at once with {} memories of {} MiB each; a \
                 smaller limits.guest_memory_mib or limits.guest_memories, or more address space (ulimit -v), helps",
                bytes_of_call(limits).saturating_mul(calls.into()) >> 20,
                limits.guest_memories,
                limits.guest_memory_mib
            )
        })?;
        let mut linker = Linker::new(&engine);
        imports::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker })
    }
}

/// What a pool keeps of ended calls for the next calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeptMemory {
    /// Bytes of memories, tables and stacks that were written to.
    pub(crate) bytes: usize,
    /// Memories that are mapped, and that no instance uses.
    pub(crate) memories: usize,
    /// Memories of running calls and of idle instances.
    pub(crate) memories_in_use: usize,
}

/// Returns what the pool of that engine keeps.
pub(crate) fn kept_memory(engine: &wasmtime::Engine) -> KeptMemory {
    let Some(pool) = engine.pooling_allocator_metrics() else { return KeptMemory::default() };
    let of_stacks = pool.unused_stack_bytes_resident().unwrap_or_default();
    KeptMemory {
        bytes: pool.unused_memory_bytes_resident() + pool.unused_table_bytes_resident() + of_stacks,
        memories: pool.unused_warm_memories() as usize,
        memories_in_use: pool.memories(),
    }
}

/// Returns an engine that compiles as [`Engine`] does, without reserving memory for instances.
///
/// # Errors
/// When the processor doesn't allow the settings.
pub(crate) fn compiling_only(kept: Option<&CodeCache>, code_limits: CodeLimits) -> anyhow::Result<wasmtime::Engine> {
    Ok(wasmtime::Engine::new(&code(kept, code_limits))?)
}

/// The limits that determine the compiled code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLimits {
    /// As `limits.guest_fuel`.
    pub counts_fuel: bool,
    /// As `limits.guest_memory_mib`.
    pub memory_mib: usize,
}

impl CodeLimits {
    pub(crate) const fn of(limits: &Limits) -> Self {
        Self { counts_fuel: limits.guest_fuel, memory_mib: limits.guest_memory_mib }
    }
}

/// Returns the settings that determine the compiled code. All engines have the same ones, since code is found by them.
///
/// A memory reserves what a guest may use, not the 4 GiB that a pointer can address. With 4 GiB no access would need a
/// comparison, but the calls of 20 cores would need more than the address space of a process.
fn code(kept: Option<&CodeCache>, CodeLimits { counts_fuel, memory_mib }: CodeLimits) -> Config {
    let mut config = Config::new();
    config.consume_fuel(counts_fuel);
    config.memory_reservation((memory_mib * MIB) as u64).memory_may_move(false);
    config.memory_guard_size(GUARD_BYTES as u64);
    config.cache(kept.map(|kept| kept.cache().clone()));
    config.epoch_interruption(true);
    config.max_wasm_stack(512 * KIB).async_stack_size(STACK_BYTES);
    // The same cart has to give the same receipt on every processor.
    config.cranelift_nan_canonicalization(true);
    config.memory_init_cow(true);
    // None of the guest toolchains needs these, and each is code that a hostile guest could reach. Threads, GC and
    // component-model-async are not even compiled in.
    config.wasm_memory64(false).wasm_tail_call(false).wasm_relaxed_simd(false);
    config
}

/// Returns how many instances there are at most. A checkout's call holds its inventory call's instance beside its own, so
/// each request counts twice. A quote calls no inventory.
pub(crate) fn calls_at_once(limits: &Limits) -> u32 {
    let of_requests = limits.concurrent_requests.saturating_mul(2).saturating_add(limits.inventory_requests);
    let others = [limits.quotes, limits.shadow_calls, limits.reused_instances, probe_calls(limits)];
    let calls = others.into_iter().fold(of_requests, usize::saturating_add);
    u32::try_from(calls).unwrap_or(u32::MAX)
}

fn probe_calls(limits: &Limits) -> usize {
    limits.concurrent_requests.clamp(1, PROBE_CALLS_MAX)
}

/// Returns the address space that the pool reserves for one call.
pub(crate) fn bytes_of_call(limits: &Limits) -> u64 {
    let bytes = |count: u32, each: usize| u64::from(count).saturating_mul(each as u64);
    let memory = limits.guest_memory_mib * MIB + GUARD_BYTES;
    let table = limits.guest_table_elements.saturating_mul(size_of::<usize>());
    [bytes(limits.guest_memories, memory), bytes(limits.guest_tables, table), bytes(1, STACK_BYTES)]
        .into_iter()
        .fold(0, u64::saturating_add)
}

/// Returns a pool with room for `calls` calls of the largest plugins that admission lets through: whatever is deployed,
/// each call that has a permit gets an instance.
fn pool(limits: &Limits, calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls);
    pool.total_core_instances(calls.saturating_mul(limits.guest_core_instances));
    pool.total_memories(calls.saturating_mul(limits.guest_memories));
    pool.total_tables(calls.saturating_mul(limits.guest_tables)).total_stacks(calls);
    pool.max_core_instances_per_component(limits.guest_core_instances);
    pool.max_memories_per_component(limits.guest_memories).max_tables_per_component(limits.guest_tables);
    // A component may have all of them in one module.
    pool.max_memories_per_module(limits.guest_memories).max_tables_per_module(limits.guest_tables);
    pool.max_core_instance_size(MIB).max_component_instance_size(MIB);
    pool.max_memory_size(limits.guest_memory_mib * MIB).table_elements(limits.guest_table_elements);
    // With pagemap_scan only dirty pages are reset between calls, so keeping many costs nothing and spares their
    // faults: a fresh Rust call took 18 µs instead of 35. Without it, scanning what is kept would cost more.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes);
        pool.linear_memory_keep_resident(16 * MIB).table_keep_resident(128 * KIB).async_stack_keep_resident(32 * KIB);
    }
    pool
}
