//! Compiles a candidate in a child process first, where it can't harm the host.
//!
//! wasmtime bounds a guest that runs; nothing bounds one that is compiled. So the host first starts a child that
//! compiles it: the host's own program with the hidden command `compile-plugin`. The child reads the component from its
//! standard input. The system limits its CPU time and its memory, and it has the lowest priority, so that the shop's
//! requests come first. It leaves the code in [`CodeCache`], from where the host loads it in milliseconds. A component
//! that the child couldn't compile is never compiled in the host.

use std::{
    io::{Read, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use rustix::{
    process::{Resource, Rlimit, Signal, nice, setrlimit},
    time::{ClockId, clock_gettime},
};
use tokio::sync::{Mutex, MutexGuard};
use wasmtime::component::Component;

use super::{
    CodeCache,
    child::{self, Ended},
    engine::{self, CodeLimits},
};
use crate::{config::Limits, units::MIB};

/// The hidden command of the `till` program that a child runs.
const CHILD_COMMAND: &str = "compile-plugin";
/// The longest answer of a child, bytes: a number.
const ANSWER_BYTES_MAX: u64 = 64;
/// The exit code of a child that has used up its processor time.
const EXIT_CPU_SPENT: i32 = 75;
/// How often a child checks its processor time.
const CPU_LOOK: Duration = Duration::from_millis(10);
/// What a child says that couldn't have memory: Rust's allocator before it aborts, the system when it refuses a mapping, wasmtime,
/// which tells of either as of a component that doesn't compile, jemalloc of its own thread, so often that nothing else is kept, and
/// rayon of threads whose stacks find no room.
const NO_MEMORY: [&str; 5] = [
    "memory allocation of",
    "Cannot allocate memory",
    "out of memory (failed to allocate",
    "<jemalloc>: background thread creation failed",
    "The global thread pool has not been initialized",
];
/// The lowest priority that there is.
const NICENESS: i32 = 19;

/// Why a component wasn't compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("it can't be tried out, and nothing is compiled without: start a process that compiles: {0}")]
    NoChild(String),
    #[error("compiling it took more than {after_ms} ms of processor time (limits.compile_ms)")]
    Time { after_ms: u64 },
    #[error(
        "compiling it hadn't ended after {after_ms} ms (limits.compile_wall_ms), within its processor time: the machine is busy. Try again, or raise the limit"
    )]
    Wall { after_ms: u64 },
    #[error("compiling it took more than {memory_mib} MiB of memory (limits.compile_memory_mib)")]
    Memory { memory_mib: usize },
    #[error("the process that compiled it died of it, {status}: {said}")]
    Died { status: String, said: String },
    #[error("it doesn't compile: {0}")]
    Refused(String),
}

/// How candidates are compiled: in a child first or not, the code kept or not.
#[derive(Debug, Default)]
pub struct Compiler {
    program: Option<PathBuf>,
    kept: Option<CodeCache>,
    // Each child may take limits.compile_memory_mib.
    one_at_a_time: Mutex<()>,
}

impl Compiler {
    /// Returns a compiler that compiles in this process only. It is for a program that isn't `till` and has plugins of
    /// its own: only the limits on components keep out what is expensive to compile.
    #[must_use]
    pub fn in_process() -> Self {
        Self::default()
    }

    /// Returns a compiler with a child: `program` with the command `compile-plugin`, which `till` has.
    #[must_use]
    pub fn with_child(program: PathBuf) -> Self {
        Self { program: Some(program), ..Self::default() }
    }

    /// Keeps the compiled code in this cache.
    #[must_use]
    pub fn keeping(self, kept: CodeCache) -> Self {
        Self { kept: Some(kept), ..self }
    }

    pub const fn kept(&self) -> Option<&CodeCache> {
        self.kept.as_ref()
    }

    /// Waits for this candidate's turn.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().await
    }

    /// Compiles the component in a child, and returns the processor time that it took in milliseconds, `None` without a
    /// child. If the future is dropped midway, the child is killed.
    ///
    /// # Errors
    /// What stopped the child, or why it refuses the component.
    pub async fn try_out(&self, bytes: Bytes, limits: &Limits) -> Result<Option<u64>, CompileError> {
        let Some(program) = &self.program else { return Ok(None) };
        let job = Job::new(limits, self.kept.as_ref());
        let arguments = std::iter::once(CHILD_COMMAND.into()).chain(job.arguments());
        let after_ms = limits.compile_wall_ms;
        let ended =
            child::run(program, arguments, vec![bytes], Duration::from_millis(after_ms), ANSWER_BYTES_MAX).await;
        match ended.map_err(|error| CompileError::NoChild(error.to_string()))? {
            Some(ended) => judge(&ended, limits).map(Some),
            None => Err(CompileError::Wall { after_ms }),
        }
    }
}

/// Returns the child's processor time in milliseconds.
fn judge(Ended { status, answer, said }: &Ended, limits: &Limits) -> Result<u64, CompileError> {
    use std::os::unix::process::ExitStatusExt;

    if status.success() {
        return Ok(std::str::from_utf8(answer).ok().and_then(|cpu_ms| cpu_ms.parse().ok()).unwrap_or_default());
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) || status.code() == Some(EXIT_CPU_SPENT) {
        return Err(CompileError::Time { after_ms: limits.compile_ms });
    }
    if NO_MEMORY.iter().any(|says| said.contains(says)) {
        return Err(CompileError::Memory { memory_mib: limits.compile_memory_mib });
    }
    match status.code() {
        Some(1) => Err(CompileError::Refused(said.trim_start_matches("till: ").to_owned())),
        _ => Err(CompileError::Died { status: status.to_string(), said: said.clone() }),
    }
}

/// What a child is to do, and within which limits.
#[derive(Debug)]
pub struct Job {
    /// The processor time of all its threads together.
    pub cpu_ms: u64,
    pub memory_mib: usize,
    pub code: CodeLimits,
    /// Where the code is kept.
    pub kept: Option<PathBuf>,
}

impl Job {
    fn new(limits: &Limits, kept: Option<&CodeCache>) -> Self {
        let kept = kept.map(|kept| kept.folder().to_owned());
        Self { cpu_ms: limits.compile_ms, memory_mib: limits.compile_memory_mib, code: CodeLimits::of(limits), kept }
    }

    fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec!["--cpu-ms".into(), self.cpu_ms.to_string().into()];
        arguments.extend(["--memory-mib".into(), self.memory_mib.to_string().into()]);
        arguments.extend(["--guest-memory-mib".into(), self.code.memory_mib.to_string().into()]);
        if self.code.counts_fuel {
            arguments.push("--counts-fuel".into());
        }
        if let Some(folder) = &self.kept {
            arguments.extend(["--kept".into(), folder.into()]);
        }
        arguments
    }

    /// Runs the job, in the child: compiles what is on standard input, and writes to standard output how many
    /// milliseconds of processor time that took.
    ///
    /// # Errors
    /// Why it doesn't compile. Past a limit the process ends.
    pub fn run(&self) -> anyhow::Result<()> {
        humble()?;
        bound(self.cpu_ms, Resource::As, self.memory_mib)?;
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("read the component")?;
        let kept = self.kept.as_deref().map(CodeCache::beside_host).transpose()?;
        let engine = engine::compiling_only(kept.as_ref(), self.code)?;
        Component::from_binary(&engine, &bytes)?;
        // Perhaps nobody reads this any more; the code is kept all the same.
        _ = write!(std::io::stdout(), "{}", cpu_ms());
        Ok(())
    }
}

/// Gives this process the lowest priority, so that the shop's requests come first. Has to be called before there are other threads, which inherit
/// their priority.
///
/// # Errors
/// When the system refuses it.
pub(crate) fn humble() -> anyhow::Result<()> {
    nice(NICENESS).context("lower the priority").map(drop)
}

/// Limits this process to so much processor time, and to so much memory of that kind. Past a limit it ends.
///
/// # Errors
/// When the system refuses a limit.
pub(crate) fn bound(cpu_ms: u64, of_memory: Resource, memory_mib: usize) -> anyhow::Result<()> {
    let limit = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // Longer than the watch below allows, so that the watch ends the process first.
    limit(Resource::Cpu, cpu_ms.div_ceil(1000).saturating_add(1)).context("limit the CPU time")?;
    limit(of_memory, (memory_mib * MIB) as u64).context("limit the memory")?;
    watch_cpu(cpu_ms).context("watch the CPU time")
}

/// Ends the process when its threads together have used `cpu_ms_max` milliseconds of processor time.
fn watch_cpu(cpu_ms_max: u64) -> std::io::Result<()> {
    let watch = move || {
        while cpu_ms() < cpu_ms_max {
            std::thread::sleep(CPU_LOOK);
        }
        std::process::exit(EXIT_CPU_SPENT);
    };
    std::thread::Builder::new().name("cpu-watch".into()).spawn(watch).map(drop)
}

/// Returns the processor time that this process has used, milliseconds.
fn cpu_ms() -> u64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let [seconds, nanos] = [spent.tv_sec, spent.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Settings, Sources};

    /// Tries a component with this shell script as the child, and 50 ms of processor time.
    async fn tried_out(script: &str, wall_ms: u64) -> Result<Option<u64>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("child");
        std::fs::write(&program, format!("#!/bin/sh\ncat >/dev/null\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("executable");
        let mut sources = Sources::defaults();
        let flags = ["limits.compile_ms=50".to_owned(), format!("limits.compile_wall_ms={wall_ms}")];
        sources.add_flags(flags.iter().map(String::as_str)).expect("settings");
        let limits = Settings::load(&sources).expect("usable").limits;
        let compiler = Compiler::with_child(program);
        compiler.try_out(Bytes::from_static(b"component"), &limits).await.map_err(|reason| reason.to_string())
    }

    #[tokio::test]
    async fn waiting_for_a_core_is_no_processor_time_but_ends() {
        // Four times the limit by the clock, but hardly any processor time.
        assert_eq!(tried_out("sleep 0.2; printf 7", 60_000).await, Ok(Some(7)));
        let refused = tried_out("exec sleep 3600", 100).await.expect_err("it never ends");
        assert!(refused.contains("limits.compile_wall_ms"), "{refused}");
    }

    #[tokio::test]
    async fn a_child_without_memory_is_told_from_a_component_that_does_not_compile() {
        for says in [
            "memory allocation of 1048576 bytes failed",
            "till: Cannot allocate memory (os error 12)",
            "till: out of memory (failed to allocate 1048576 bytes)",
            "<jemalloc>: background thread creation failed (11)",
            "The global thread pool has not been initialized.: ThreadPoolBuildError { kind: IOError(Os { code: 11 }) }",
        ] {
            let refused = tried_out(&format!("echo '{says}' >&2; kill -ABRT $$"), 60_000).await.expect_err(says);
            assert!(refused.contains("limits.compile_memory_mib"), "{refused}");
        }
        let refused = tried_out("echo 'till: type mismatch' >&2; exit 1", 60_000).await.expect_err("it says so");
        assert!(refused.contains("type mismatch"), "{refused}");
    }

    #[tokio::test]
    async fn a_child_that_used_up_its_processor_time_says_so_by_its_end() {
        for end in [format!("exit {EXIT_CPU_SPENT}"), "kill -XCPU $$".to_owned()] {
            let refused = tried_out(&end, 60_000).await.expect_err(&end);
            assert!(refused.contains("50 ms of processor time (limits.compile_ms)"), "{refused}");
        }
    }
}
