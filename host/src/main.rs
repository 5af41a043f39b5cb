//! The `till` program: reads the command line, does what it says, ends with its code.

use std::process::ExitCode;

/// A checkout is allocated by one worker and freed by another, on which the system's allocator spends a tenth of all
/// time. The plugins' memory is none of its business.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    till::cli::main()
}
