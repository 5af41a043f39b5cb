//! What admission finds out about a candidate, for its author, before any host has it.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{Candidate, Compiled, Configured, Outline, Refused, Trial, compiled, component_limits, examine, probe};
use crate::{
    config::Settings,
    runtime::{Engine, Identity},
    units::millis,
};

/// A candidate that would be admitted.
#[derive(Debug)]
pub struct Checked {
    pub identity: Identity,
    pub bytes: usize,
    /// The names of what it imports, in their order.
    pub imports: Vec<String>,
    /// The processor time that compiling it took here.
    pub compile_ms: u64,
    /// The size of its memories before any of its code runs, bytes.
    pub memory_bytes_at_start: u64,
    /// The size of its memories after the trial's call, bytes.
    pub memory_bytes: u64,
    /// Host calls of the trial's call.
    pub host_calls: u32,
}

/// Runs all steps of admission, and keeps nothing.
///
/// # Errors
/// The first thing that is wrong with the candidate.
pub async fn check(engine: &Arc<Engine>, candidate: Candidate, settings: &Settings) -> Result<Checked, Refused> {
    let limits = &settings.limits;
    let (source, bytes) = (candidate.source.clone(), candidate.bytes.clone());
    let refused = |reason| Refused::new(source.clone(), reason);
    let examined = examine(candidate, limits).await?;
    let began = Instant::now();
    let Compiled { admitted, cpu_ms, .. } = compiled(engine, examined, limits).await.map_err(refused)?;
    // Without a child there is only the time by the clock: it compiles on this process's threads, beside other work.
    let compile_ms = cpu_ms.unwrap_or_else(|| millis(began.elapsed()));
    let trial = Trial::Anew { live: None, forced: false };
    let candidate = Configured { plugin: &admitted, set: &BTreeMap::new() };
    let spent = probe::call(probe::Bench { engine, settings }, candidate, trial).await.map_err(refused)?;
    Ok(Checked {
        identity: admitted.identity().clone(),
        bytes: bytes.len(),
        imports: Outline::of(&bytes).map_err(refused)?.into_imports(),
        compile_ms,
        memory_bytes_at_start: component_limits::memory_bytes(&bytes).map_err(refused)?,
        memory_bytes: spent.memory_bytes,
        host_calls: spent.host_calls,
    })
}
