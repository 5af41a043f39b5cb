//! Runs guests: the engine and its pool, a call, its limits, and what is kept from one call for the next.
//!
//! This module knows no hook. It calls any function that a component exports ([`Guest::call`]). [`crate::hooks`] knows
//! what the function is asked and what its answer means.

mod breaker;
mod call;
pub(crate) mod child;
mod compiled;
mod compiler;
mod cpu_limit;
mod engine;
mod fault;
mod guest;
mod idle;
mod loaded;
mod memory;
mod outcomes;
mod room;
mod samples;
mod ticker;
mod turns;

use std::sync::Arc;

pub use breaker::{Breaker, Breakers, Likeness, Open};
pub use call::{Call, Done, Time};
pub use compiled::CodeCache;
pub use compiler::{CompileError, Compiler, Job};
pub(crate) use compiler::{bound, humble};
pub use engine::{CodeLimits, Engine, Pool};
pub(crate) use engine::{KeptMemory, kept_memory};
pub use guest::{CallLimits, CpuLimit, Deadline, Guest, GuestCall};
pub use idle::IdlePlaces;
pub use loaded::{Code, Identity, Loaded, Numbered, Role, Setup, digest_of, digest_of_settings};
pub use memory::MemoryPool;
pub use outcomes::{Counts, MINUTES as OUTCOME_MINUTES, Totals};
pub use room::{Room, Shrunk, fitted};
pub use samples::{Sampled, Samples};

use crate::{
    config::Limits,
    imports::Chance,
    telemetry::{metrics::Metrics, traces::Tracer},
};

/// What all calls of a process share.
#[derive(Debug)]
pub struct Runtime {
    pub engine: Arc<Engine>,
    pub memory: Arc<MemoryPool>,
    pub limits: Limits,
    pub chance: Chance,
    pub tracer: Tracer,
    /// The tracer for idle instances; it records nothing.
    pub tracer_off: Tracer,
    pub metrics: Metrics,
}
