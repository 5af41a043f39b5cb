//! Compiling a candidate where it can do no harm: in a child process, which gives up before the host has to.
//!
//! wasmtime bounds a guest that runs; nothing bounds one that is compiled. So the host first has a child compile it: the
//! host's own program with the hidden command `compile-plugin`. The child reads the component from its standard input,
//! has limits of the system's on its CPU and memory, and the lowest priority, so that the shop's requests come first. It
//! leaves the code in [`Kept`], from where the host then loads it in milliseconds. What a child didn't get through is
//! never compiled in the host.

use std::{
    io::Read,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use rustix::process::{Resource, Rlimit, Signal, nice, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, Command},
    sync::{Mutex, MutexGuard},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wasmtime::component::Component;

use super::{Reason, kept::Kept};
use crate::{
    config::Limits,
    plugin::engine::{self, CodeLimits},
};

/// The hidden command of the `till` program that a child runs.
const CHILD_COMMAND: &str = "compile-plugin";
/// How much of what a child says at its end is passed on, bytes.
const SAID_BYTES_MAX: usize = 1024;
/// The lowest priority that there is.
const NICENESS: i32 = 19;
const MIB: u64 = 1024 * 1024;

/// How candidates are compiled: in a child first or not, the code kept or not.
#[derive(Debug, Default)]
pub struct Compiler {
    program: Option<PathBuf>,
    kept: Option<Kept>,
    // Each child may take limits.compile_memory_mib.
    one_at_a_time: Mutex<()>,
}

impl Compiler {
    /// Returns one that compiles in this process only. For a program that isn't `till` and whose plugins are its own:
    /// of what makes compiling dear, only the caps keep anything out.
    #[must_use]
    pub fn in_process() -> Self {
        Self::default()
    }

    /// Returns one that compiles in a child first: `program` with the command `compile-plugin`, which `till` has.
    #[must_use]
    pub fn with_child(program: PathBuf) -> Self {
        Self { program: Some(program), ..Self::default() }
    }

    /// Has the compiled code kept.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    pub(in crate::plugin) const fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Waits for this candidate's turn.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().await
    }

    /// Has a child compile the component. Dropped midway, the child is killed.
    ///
    /// # Errors
    /// What stopped it, or what it says of the component.
    pub(super) async fn try_out(&self, bytes: Bytes, limits: &Limits) -> Result<(), Reason> {
        let Some(program) = &self.program else { return Ok(()) };
        let job = Job::new(limits, self.kept.as_ref());
        let mut command = Command::new(program);
        // Nothing of the host's environment is a plugin's business. The allocator would reserve a GiB in advance,
        // which would count as used.
        command.arg(CHILD_COMMAND).args(job.arguments()).env_clear().env("MIMALLOC_ARENA_RESERVE", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let no_child = |error: std::io::Error| Reason::NoChild(error.to_string());
        let mut child = command.spawn().map_err(no_child)?;
        let after_ms = limits.compile_ms;
        // In a task of its own, which sees the child's end whatever becomes of this call: a child that is only killed
        // would stay in the system's table.
        let dropped = CancellationToken::new();
        let _guard = dropped.clone().drop_guard();
        let supervising = tokio::spawn(async move {
            let ended = tokio::select! {
                ended = timeout(Duration::from_millis(after_ms), supervise(&mut child, &bytes)) => ended.ok(),
                () = dropped.cancelled() => None,
            };
            match ended {
                Some(ended) => ended.map(Some),
                None => child.kill().await.map(|()| None),
            }
        });
        match supervising.await.map_err(std::io::Error::from).flatten().map_err(no_child)? {
            Some((status, said)) => judge(status, said, limits),
            None => Err(Reason::CompileTime { after_ms }),
        }
    }
}

/// Hands the component over; returns how the child ended and the end of what it said.
async fn supervise(child: &mut Child, bytes: &[u8]) -> std::io::Result<(ExitStatus, String)> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let (status, said, ()) = tokio::join!(child.wait(), last_of(stderr), feed(stdin, bytes));
    Ok((status?, said))
}

/// A child that ends before it has read everything says why by its end.
async fn feed(stdin: Option<ChildStdin>, bytes: &[u8]) {
    if let Some(mut stdin) = stdin {
        _ = stdin.write_all(bytes).await;
    }
}

async fn last_of(stderr: Option<ChildStderr>) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; SAID_BYTES_MAX]);
    if let Some(mut stderr) = stderr {
        while let Ok(bytes @ 1..) = stderr.read(&mut piece).await {
            said.extend_from_slice(piece.get(..bytes).unwrap_or_default());
            said.drain(..said.len().saturating_sub(SAID_BYTES_MAX));
        }
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn judge(status: ExitStatus, said: String, limits: &Limits) -> Result<(), Reason> {
    use std::os::unix::process::ExitStatusExt;

    if status.success() {
        return Ok(());
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(Reason::CompileTime { after_ms: limits.compile_ms });
    }
    // The words of Rust's allocator at its end, and the system's for a mapping that it refuses.
    if said.contains("memory allocation of") || said.contains("Cannot allocate memory") {
        return Err(Reason::CompileMemory { memory_mib: limits.compile_memory_mib });
    }
    match status.code() {
        Some(1) => Err(Reason::Compile(said.trim_start_matches("till: ").to_owned())),
        _ => Err(Reason::CompileDied { status: status.to_string(), said }),
    }
}

/// What a child is to do, and within which limits.
#[derive(Debug)]
pub struct Job {
    pub cpu_seconds: u64,
    pub memory_mib: u64,
    pub code: CodeLimits,
    /// Where the code is kept.
    pub kept: Option<PathBuf>,
}

impl Job {
    fn new(limits: &Limits, kept: Option<&Kept>) -> Self {
        // The host's clock stops a child in time. This is for a child whose host was killed: it compiles on all cores.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = u64::try_from(cores).unwrap_or(u64::MAX);
        let cpu_seconds = limits.compile_ms.div_ceil(1000).saturating_mul(cores).saturating_add(1);
        let kept = kept.map(|kept| kept.folder().to_owned());
        Self { cpu_seconds, memory_mib: limits.compile_memory_mib, code: CodeLimits::of(limits), kept }
    }

    fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec!["--cpu-seconds".into(), self.cpu_seconds.to_string().into()];
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

    /// Does it, in the child: compiles what is on standard input.
    ///
    /// # Errors
    /// Why it doesn't compile. Past a limit the system ends the process.
    pub fn run(&self) -> anyhow::Result<()> {
        // Of this thread, before there are others: they inherit it.
        nice(NICENESS).context("lower the priority")?;
        let limit = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        limit(Resource::Cpu, self.cpu_seconds).context("limit the CPU time")?;
        limit(Resource::As, self.memory_mib.saturating_mul(MIB)).context("limit the memory")?;
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("read the component")?;
        let kept = self.kept.as_deref().map(Kept::beside_host).transpose()?;
        let engine = engine::compiling_only(kept.as_ref(), self.code)?;
        Component::from_binary(&engine, &bytes)?;
        Ok(())
    }
}
