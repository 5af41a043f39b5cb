//! Another machine than this one: `tests/shim/machine.c`, preloaded into the host.

use std::process::Command;

use super::{Plan, shim::Shim};

static SHIM: Shim = Shim::new("machine");

/// Has the plan's host see so many processors.
pub(crate) fn with_cores(plan: Plan, cores: usize) -> Plan {
    plan.env("LD_PRELOAD", SHIM.library().to_string_lossy()).env("MACHINE_SHIM_CORES", cores.to_string())
}

/// Has a command see so many processors.
pub(crate) fn command_with_cores(command: &mut Command, cores: usize) {
    command.env("LD_PRELOAD", SHIM.library()).env("MACHINE_SHIM_CORES", cores.to_string());
}

/// Has the plan's host see a wall clock that is ahead.
pub(crate) fn with_clock_ahead(plan: Plan, hours: u64) -> Plan {
    plan.env("LD_PRELOAD", SHIM.library().to_string_lossy()).env("MACHINE_SHIM_CLOCK_S", (hours * 3600).to_string())
}
