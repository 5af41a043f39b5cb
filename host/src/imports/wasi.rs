//! The interfaces of WASI 0.2 that languages' runtimes import, with nothing behind them: no files, network, environment
//! or arguments. A guest's prints become log lines of its call. Its wall clock and its random numbers are those of the
//! order ([`Moment`](super::Moment)), its monotonic clock is the host's. A component that imports another
//! interface of WASI is denied at admission.
//!
//! `wasi:sockets` is included because the standard toolchains import it whatever a plugin does (componentize-py links
//! all of CPython's `socket`). Every operation that would reach the network fails: no socket is made and no name is
//! looked up.
//!
//! Most calls never use WASI, so its context is made at the first use.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use parking_lot::Mutex;
use rand::RngExt;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView},
    clocks::{WasiClocks, WasiClocksView},
    filesystem::{WasiFilesystem, WasiFilesystemView},
    p2::{OutputStream, Pollable, StreamResult, bindings},
    random::{WasiRandom, WasiRandomView},
    sockets::{WasiSockets, WasiSocketsView},
};

use super::{CallState, HasCallState, telemetry::Prints};
use crate::config::Limits;

/// Returns whether a component's import is an interface of WASI that is met, with nothing behind it.
pub(crate) fn is_met(import: &str) -> bool {
    PACKAGES.iter().any(|package| package.has(import))
}

/// Returns what an author is told of an import of WASI that is denied: the component is refused. `None` if it isn't WASI's.
pub(crate) fn denied(import: &str) -> Option<&'static str> {
    if is_met(import) || !import.starts_with("wasi:") {
        return None;
    }
    Some(if import.starts_with("wasi:http/") {
        "Plugins get no network. If the plugin itself sends no requests, its language's runtime brings that import: build with componentize-js -d http fetch-event, with jco componentize --disable http fetch-event, or with the kit of till plugin new"
    } else {
        "Of WASI there is what language runtimes need, at 0.2: cli, clocks, filesystem, io, random and sockets, with nothing behind them. Build against WASI 0.2, or leave out what needs that import"
    })
}

/// The packages of WASI 0.2 that guests may import, each with its interfaces and a text on what they do.
pub(crate) const PACKAGES: [Package; 6] = [
    Package {
        name: "cli",
        interfaces: &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
        behind: "no arguments and no environment; what is printed becomes log lines of the call",
    },
    Package {
        name: "clocks",
        interfaces: &["monotonic-clock", "wall-clock"],
        behind: "the wall clock stands at the order's time and moves on by host.sleep; the monotonic clock is the host's; waiting counts against the call's time",
    },
    Package {
        name: "filesystem",
        interfaces: &["preopens", "types"],
        behind: "no files: there is no folder to open one in",
    },
    Package { name: "io", interfaces: &["error", "poll", "streams"], behind: "streams of the others" },
    Package {
        name: "random",
        interfaces: &["insecure", "insecure-seed", "random"],
        behind: "random bytes, the same in every call about an order, at most limits.wasi_random_bytes at once",
    },
    Package {
        name: "sockets",
        interfaces: &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
        behind: "no network: every socket and every lookup of a name is refused",
    },
];

/// A package of WASI for guests.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    interfaces: &'static [&'static str],
    /// What the host provides for it, for authors.
    pub(crate) behind: &'static str,
}

impl Package {
    /// Returns whether the import names one of the package's interfaces, of any release of WASI 0.2.
    pub(crate) fn has(&self, import: &str) -> bool {
        let interface = import.strip_prefix("wasi:").and_then(|import| import.strip_prefix(self.name));
        let interface = interface.and_then(|interface| interface.strip_prefix('/'));
        let Some((interface, version)) = interface.and_then(|interface| interface.split_once('@')) else {
            return false;
        };
        self.interfaces.contains(&interface) && version.starts_with("0.2.")
    }
}

/// The WASI of one instance.
pub(crate) struct Virtual {
    prints: Arc<Mutex<Prints>>,
    handles_max: usize,
    random_bytes_max: u64,
    /// Made anew for each call that uses it.
    context: Option<WasiCtx>,
    table: Option<ResourceTable>,
}

impl std::fmt::Debug for Virtual {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Virtual").field("used", &self.table.is_some()).finish_non_exhaustive()
    }
}

impl Virtual {
    pub(super) const fn new(prints: Arc<Mutex<Prints>>, limits: &Limits) -> Self {
        let (handles_max, random_bytes_max) = (limits.wasi_handles, limits.wasi_random_bytes);
        Self { prints, handles_max, random_bytes_max, context: None, table: None }
    }

    /// Allows the instance's next call the usual number of handles, in addition to those left by earlier calls. Those
    /// stay, because a runtime opens its stdout once and prints to it in every call. The call's clock and random numbers
    /// are its own.
    pub(super) fn begin_call(&mut self) {
        self.context = None;
        let held = self.handles();
        if let Some(table) = &mut self.table {
            table.set_max_capacity(held.saturating_add(self.handles_max));
        }
    }

    /// Returns how many handles the guest holds.
    pub(super) fn handles(&mut self) -> usize {
        self.table.as_mut().map_or(0, |table| table.iter_mut().count())
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Virtual { prints, context, table, handles_max, random_bytes_max } = &mut self.wasi;
        let (random, clock) = (&self.random, &self.clock);
        let ctx = context.get_or_insert_with(|| {
            let mut builder = WasiCtxBuilder::new();
            builder.secure_random(random.generator(1)).insecure_random(random.generator(2));
            builder.insecure_random_seed(random.generator(3).random());
            builder.wall_clock(clock.clone());
            builder.stdout(Printer(Arc::clone(prints))).stderr(Printer(Arc::clone(prints)));
            builder.max_random_size(*random_bytes_max);
            // Refused before any system call. Allowing no address is a second protection.
            builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
            builder.socket_addr_check(|_, _| Box::pin(async { false }));
            builder.build()
        });
        let table = table.get_or_insert_with(|| {
            let mut table = ResourceTable::new();
            table.set_max_capacity(*handles_max);
            table
        });
        WasiCtxView { ctx, table }
    }
}

/// Adds the interfaces of `PACKAGES`. A component that imports another one is refused when it is loaded.
///
/// # Errors
/// When an interface is added twice.
pub fn add_to_linker<T: HasCallState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    use bindings::{cli, clocks, filesystem, io, random, sockets};

    let l = linker;
    io::error::add_to_linker::<T, Handles>(l, |data| data.call_state().ctx().table)?;
    io::poll::add_to_linker::<T, Handles>(l, |data| data.call_state().ctx().table)?;
    io::streams::add_to_linker::<T, Handles>(l, |data| data.call_state().ctx().table)?;
    clocks::wall_clock::add_to_linker::<T, WasiClocks>(l, |data| data.call_state().clocks())?;
    clocks::monotonic_clock::add_to_linker::<T, WasiClocks>(l, |data| data.call_state().clocks())?;
    random::random::add_to_linker::<T, WasiRandom>(l, |data| data.call_state().random())?;
    random::insecure::add_to_linker::<T, WasiRandom>(l, |data| data.call_state().random())?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(l, |data| data.call_state().random())?;
    filesystem::types::add_to_linker::<T, WasiFilesystem>(l, |data| data.call_state().filesystem())?;
    filesystem::preopens::add_to_linker::<T, WasiFilesystem>(l, |data| data.call_state().filesystem())?;
    cli::environment::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::exit::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::stdin::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::stdout::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::stderr::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(l, |data| data.call_state().cli())?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<T, WasiSockets>(l, &options, |data| data.call_state().sockets())?;
    sockets::instance_network::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    sockets::ip_name_lookup::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    sockets::tcp_create_socket::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    sockets::tcp::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    sockets::udp_create_socket::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    sockets::udp::add_to_linker::<T, WasiSockets>(l, |data| data.call_state().sockets())?;
    Ok(())
}

/// The handle table of the io interfaces.
struct Handles;

impl HasData for Handles {
    type Data<'a> = &'a mut ResourceTable;
}

/// A stream that writes to a call's prints.
#[derive(Clone)]
struct Printer(Arc<Mutex<Prints>>);

impl Printer {
    fn print(&self, bytes: &[u8]) {
        self.0.lock().print(bytes);
    }
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Printer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Printer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_may_be_imported() {
        let check = |import: &str, known: bool| {
            assert_eq!(PACKAGES.iter().any(|package| package.has(import)), known, "{import}");
        };
        check("wasi:cli/stdout@0.2.0", true);
        check("wasi:sockets/tcp-create-socket@0.2.9", true);
        check("wasi:cli/stdout@0.3.0", false);
        check("wasi:cli/run@0.2.0", false);
        check("wasi:clocks/timezone@0.2.0", false);
        check("wasi:sockets/tls@0.2.9", false);
        check("wasi:http/types@0.2.0", false);
        check("wasi:cli-more/stdout@0.2.0", false);
        check("other:cli/stdout@0.2.0", false);
        check("wasi:cli/stdout", false);
    }
}
