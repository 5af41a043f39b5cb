//! What a checkout costs in processor time: till in several settings, another commit's till, the native twin, and another host's
//! answer of a few bytes. `shop/compared.rs` says how, and with which variables. Of this bench's own are:
//!
//! | variable | what it says | default |
//! |---|---|---|
//! | `TILL_BENCH_BEFORE` | the program of another commit | it isn't compared |
//! | `TILL_BENCH_WASMTIME` | wasmtime's program, whose `serve` is compared | it isn't compared |
//! | `TILL_BENCH_HELLO` | what it serves: `benches/hello` built for `wasm32-wasip2` | |

#[path = "native/checkout.rs"]
mod checkout;
#[path = "shop/compared.rs"]
mod compared;
#[path = "shop/cpu.rs"]
mod cpu;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/peer.rs"]
mod peer;
#[path = "shop/resident.rs"]
mod resident;
#[path = "native/server.rs"]
mod server;
#[expect(dead_code, reason = "no host runs in this process, with telemetry of its own")]
mod shop;
#[path = "shop/wrk.rs"]
#[expect(dead_code, reason = "each round has a time of its own, and refusals are counted")]
mod wrk;

use std::path::Path;

use anyhow::Context;
use compared::{Contender, Running};
use host::Host;
use peer::Peer;
use till::{app::store_settings, config::Settings, hooks::Kind, store::Store};

/// The argument that makes this program the native twin, with its data folder behind it.
const NATIVE: &str = "--native-twin";

/// Who is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Before,
    Till,
    /// With the same two plugins as files, which to the host are somebody's.
    Foreign,
    /// The built-in plugins, nothing kept for the page, the SDK off.
    Untraced,
    Native,
    WasmtimeServe,
}

impl Server {
    const ALL: [Self; 6] = [Self::Before, Self::Till, Self::Foreign, Self::Untraced, Self::Native, Self::WasmtimeServe];

    /// Returns whether there is what it takes.
    fn is_there(self) -> bool {
        match self {
            Self::Before => std::env::var_os("TILL_BENCH_BEFORE").is_some(),
            Self::WasmtimeServe => std::env::var_os("TILL_BENCH_WASMTIME").is_some(),
            Self::Till | Self::Foreign | Self::Untraced | Self::Native => true,
        }
    }
}

impl Contender for Server {
    fn name(&self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Till => "till",
            Self::Foreign => "foreign",
            Self::Untraced => "untraced",
            Self::Native => "native",
            Self::WasmtimeServe => "wasmtime",
        }
    }

    fn must_serve(&self) -> bool {
        !matches!(self, Self::Before | Self::WasmtimeServe)
    }

    fn start(&self, folder: &Path) -> anyhow::Result<Running> {
        Ok(match self {
            Self::Before => {
                let program = std::env::var_os("TILL_BENCH_BEFORE").context("read TILL_BENCH_BEFORE")?;
                Running::Till(Host::start_program(Path::new(&program), folder, &[], &[])?)
            }
            Self::Till => Running::Till(Host::start(folder, &[])?),
            Self::Foreign => {
                let host = Host::start(folder, &[])?;
                for kind in Kind::REQUIRED {
                    deploy(&host, kind)?;
                }
                Running::Till(host)
            }
            Self::Untraced => {
                let off = [("OTEL_SDK_DISABLED", "true".to_owned())];
                Running::Till(Host::start_in(folder, &["traces.kept_mib=0"], &off)?)
            }
            Self::Native => {
                let program = std::env::current_exe()?;
                Running::Peer(Peer::start(&program, &[NATIVE.as_ref(), folder.as_os_str()])?)
            }
            Self::WasmtimeServe => {
                let program = std::env::var_os("TILL_BENCH_WASMTIME").context("read TILL_BENCH_WASMTIME")?;
                let hello = std::env::var_os("TILL_BENCH_HELLO").context("read TILL_BENCH_HELLO")?;
                let arguments = ["serve".as_ref(), "--addr".as_ref(), "127.0.0.1:0".as_ref(), hello.as_os_str()];
                Running::Peer(Peer::start(Path::new(&program), &arguments)?)
            }
        })
    }
}

/// Puts the built-in plugin of the kind in its own place, as a file of other bytes.
fn deploy(host: &Host, kind: Kind) -> anyhow::Result<()> {
    let mut bytes = till::versions::built_in_bytes(kind).to_vec();
    // A custom section without content: its id, its length, its name's length, its name.
    bytes.extend([0, 8, 7]);
    bytes.extend(b"foreign");
    let url = format!("http://{}/plugins?name={kind}", host.admin);
    let deployed = ureq::post(url).content_type("application/wasm").send(&bytes)?;
    anyhow::ensure!(deployed.status() == 200, "the plugin wasn't deployed: {}", deployed.status());
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut arguments = std::env::args_os().skip_while(|argument| argument != NATIVE);
    if arguments.next().is_some() {
        let folder = arguments.next().context("the twin's data folder")?;
        return runtime.block_on(serve_natively(Path::new(&folder)));
    }
    let contenders: Vec<_> = Server::ALL.into_iter().filter(|server| server.is_there()).collect();
    runtime.block_on(compared::compare(&contenders, wrk::CHECKOUT))
}

/// Serves as the native twin until it is told to stop.
#[expect(clippy::print_stdout, reason = "where it is")]
async fn serve_natively(folder: &Path) -> anyhow::Result<()> {
    let settings: Settings = shop::settings(folder)?;
    let (store, _opened) = Store::open(&store_settings(&settings))?;
    let opening: Vec<_> = settings.stock.into_iter().collect();
    store.seed_stock(&opening).await?;
    let server = server::Server::start(store, settings.shop.currency).await?;
    println!("native twin on http://{}/", server.address());
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?.recv().await;
    server.stop().await;
    Ok(())
}
