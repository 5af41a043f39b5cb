//! What ended a guest's call, read from the error that wasmtime gave.

use wasmtime::{PoolConcurrencyLimitError, Trap, component::ResourceTableError};

use super::{CpuLimit, memory::MemoryRefused};
use crate::{
    failure::{Cause, Failure, Fault},
    hooks::Installation,
    imports::{Misuse, Overslept},
};

/// Returns why the call of a plugin of that kind failed.
pub(super) fn failure(at: Installation, error: &wasmtime::Error, cpu: CpuLimit) -> Failure {
    if let Some(refused @ MemoryRefused::AllCalls { .. }) = error.downcast_ref() {
        tracing::warn!("{refused}");
        return Failure::Overloaded("guest memory");
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::Overloaded("instances");
    }
    Fault { at, cause: cause(error, cpu) }.into()
}

fn cause(error: &wasmtime::Error, cpu: CpuLimit) -> Cause {
    if let Some(misuse) = error.downcast_ref::<Misuse>() {
        return match misuse {
            Misuse::HostCalls { .. } => Cause::HostCalls { message: misuse.to_string() },
            _ => Cause::BadOutput { reason: misuse.to_string() },
        };
    }
    if let Some(refused) = error.downcast_ref::<MemoryRefused>() {
        return Cause::Memory { message: refused.to_string() };
    }
    if let Some(Overslept { after_ms, setting }) = error.downcast_ref() {
        return Cause::Deadline { after_ms: *after_ms, setting };
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Cause::Trap { message: exit.to_string() };
    }
    if let Some(message) = past_a_limit(error) {
        return Cause::Trap { message };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Cause::Cpu { after_ms: cpu.ms, setting: cpu.setting },
        Some(trap) => Cause::Trap { message: trap.to_string() },
        // An error that is neither the host's nor a trap arose while a value was lifted out of the guest: a pointer out
        // of bounds, text that is no UTF-8, a case that the enum lacks, more bytes than the host takes.
        None => Cause::BadOutput { reason: error.root_cause().to_string() },
    }
}

/// Returns which of wasmtime's own limits a guest exceeded. wasmtime has a type for the first one only.
fn past_a_limit(error: &wasmtime::Error) -> Option<String> {
    let text = error.root_cause().to_string();
    let setting = if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        "wasi_handles"
    } else if text.contains("store handle limit exceeded") {
        "component_handles"
    } else if text.starts_with("requested len") && text.contains("exceeds limit") {
        "wasi_random_bytes"
    } else {
        return None;
    };
    Some(format!("{text} (limits.{setting})"))
}
