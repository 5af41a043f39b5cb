//! `till compile-plugin`, which the host runs as a child process. Not for people.

use std::path::PathBuf;

use clap::Args;

use crate::runtime::{CodeLimits, Job};

#[derive(Debug, Args)]
pub(super) struct CompilePlugin {
    #[arg(long)]
    cpu_ms: u64,
    #[arg(long)]
    memory_mib: usize,
    #[arg(long)]
    guest_memory_mib: usize,
    #[arg(long)]
    counts_fuel: bool,
    #[arg(long)]
    kept: Option<PathBuf>,
}

impl CompilePlugin {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { cpu_ms, memory_mib, guest_memory_mib, counts_fuel, kept } = self;
        let code = CodeLimits { counts_fuel, memory_mib: guest_memory_mib };
        Job { cpu_ms, memory_mib, code, kept }.run()
    }
}
