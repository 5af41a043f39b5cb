//! The `till` program: runs the command line's command and exits with its code.

use std::process::ExitCode;

/// A checkout is allocated by one worker and freed by another, which costs a tenth of all time with the system's
/// allocator. jemalloc's own threads also return memory that was unused for some ten seconds, whichever thread
/// allocated it. jemalloc doesn't allocate the plugins' memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    till::cli::main()
}
