//! The `till` program: reads the command line, does what it says, ends with its code.

use std::process::ExitCode;

/// A checkout is allocated by one worker and freed by another, on which the system's allocator spends a tenth of all
/// time. This one's own threads also give back what nobody has used for some ten seconds, whichever thread took it. The
/// plugins' memory is none of its business.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    till::cli::main()
}
