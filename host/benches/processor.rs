//! What a checkout costs in processor time, which a busy machine changes less than it changes a rate: till in several settings,
//! another commit's till, the native twin, and another host's answer of a few bytes.
//!
//! Each is a process of its own with a fresh store, loaded by `wrk` on the same cores, in turns. A figure is the least, the
//! middle and the most of the turns. It fails when till or the twin refuses a request, never for being slow.
//!
//! | variable | what it says | default |
//! |---|---|---|
//! | `TILL_BENCH_SECONDS` | for how long each is loaded | 10 |
//! | `TILL_BENCH_ROUNDS` | turns | 3 |
//! | `TILL_BENCH_CONNECTIONS` | with how many connections, with commas | 64 |
//! | `TILL_BENCH_ONLY` | whom to load, with commas: names of the table | all |
//! | `TILL_BENCH_BEFORE` | the program of another commit | it isn't compared |
//! | `TILL_BENCH_WASMTIME` | wasmtime's program, whose `serve` is compared | it isn't compared |
//! | `TILL_BENCH_HELLO` | what it serves: `benches/hello` built for `wasm32-wasip2` | |

#[path = "native/checkout.rs"]
mod checkout;
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
mod wrk;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use host::Host;
use peer::Peer;
use till::{app::store_settings, config::Settings, hooks::Kind, store::Store};

const WARM_UP: Duration = Duration::from_secs(2);
/// The argument that makes this program the native twin, with its data folder behind it.
const NATIVE: &str = "--native-twin";

/// Who is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Contender {
    Before,
    Till,
    /// With the same two plugins as files, which to the host are somebody's.
    Foreign,
    /// The built-in plugins, nothing kept for the page, the SDK off.
    Untraced,
    Native,
    WasmtimeServe,
}

impl Contender {
    const ALL: [Self; 6] = [Self::Before, Self::Till, Self::Foreign, Self::Untraced, Self::Native, Self::WasmtimeServe];

    const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Till => "till",
            Self::Foreign => "foreign",
            Self::Untraced => "untraced",
            Self::Native => "native",
            Self::WasmtimeServe => "wasmtime",
        }
    }

    /// Returns whether there is what it takes.
    fn is_there(self) -> bool {
        match self {
            Self::Before => std::env::var_os("TILL_BENCH_BEFORE").is_some(),
            Self::WasmtimeServe => std::env::var_os("TILL_BENCH_WASMTIME").is_some(),
            Self::Till | Self::Foreign | Self::Untraced | Self::Native => true,
        }
    }

    fn start(self, folder: &Path) -> anyhow::Result<Running> {
        Ok(match self {
            Self::Before => {
                let program = std::env::var_os("TILL_BENCH_BEFORE").context("read TILL_BENCH_BEFORE")?;
                Running::Till(Host::start_program(Path::new(&program), folder, &[], &[])?)
            }
            Self::Till => Running::Till(Host::start(folder, &[])?),
            Self::Foreign => {
                let host = Host::start(folder, &[])?;
                for kind in Kind::ALL {
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

/// A contender at work.
enum Running {
    Till(Host),
    Peer(Peer),
}

impl Running {
    const fn address(&self) -> SocketAddr {
        match self {
            Self::Till(host) => host.shop,
            Self::Peer(peer) => peer.address,
        }
    }

    fn process_id(&self) -> String {
        match self {
            Self::Till(host) => host.process_id(),
            Self::Peer(peer) => peer.process_id(),
        }
    }

    fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Till(host) => host.stop(),
            Self::Peer(peer) => peer.stop(),
        }
    }
}

/// What one turn showed.
#[derive(Debug, Clone, Copy)]
struct Turn {
    cpu_us: f64,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    refused: u64,
    resident_mib: f64,
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut arguments = std::env::args_os().skip_while(|argument| argument != NATIVE);
    if arguments.next().is_some() {
        let folder = arguments.next().context("the twin's data folder")?;
        return runtime.block_on(serve_natively(Path::new(&folder)));
    }
    runtime.block_on(compare(wrk::duration()?))
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

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare(duration: Duration) -> anyhow::Result<()> {
    let rounds: usize = std::env::var("TILL_BENCH_ROUNDS").map_or(Ok(3), |text| text.parse())?;
    let connections = std::env::var("TILL_BENCH_CONNECTIONS").unwrap_or_else(|_| "64".to_owned());
    let only = std::env::var("TILL_BENCH_ONLY").ok();
    let is_wanted = |who: &Contender| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == who.name()));
    let contenders: Vec<_> = Contender::ALL.into_iter().filter(|who| who.is_there() && is_wanted(who)).collect();
    println!(
        "{:<10} {:>11} {:>21} {:>24} {:>18} {:>18} {:>8} {:>15}",
        "", "connections", "processor us/request", "requests/s", "p50 ms", "p99 ms", "refused", "resident MiB"
    );
    for connections in connections.split(',') {
        let connections: u32 = connections.trim().parse().context("read TILL_BENCH_CONNECTIONS")?;
        let mut turns: BTreeMap<Contender, Vec<Turn>> = BTreeMap::new();
        for _ in 0..rounds {
            for who in &contenders {
                let turn = measure(*who, connections, duration).await;
                let turn = turn.with_context(|| format!("{} on {connections} connections", who.name()))?;
                turns.entry(*who).or_default().push(turn);
            }
        }
        for (who, turns) in &turns {
            let of = |figure: fn(&Turn) -> f64, digits| spread(turns.iter().map(figure).collect(), digits);
            let refused: u64 = turns.iter().map(|turn| turn.refused).sum();
            println!(
                "{:<10} {connections:>11} {:>21} {:>24} {:>18} {:>18} {refused:>8} {:>15}",
                who.name(),
                of(|turn| turn.cpu_us, 1),
                of(|turn| turn.rate, 0),
                of(|turn| turn.p50_ms, 2),
                of(|turn| turn.p99_ms, 2),
                of(|turn| turn.resident_mib, 0),
            );
        }
    }
    Ok(())
}

async fn measure(who: Contender, connections: u32, duration: Duration) -> anyhow::Result<Turn> {
    let folder = shop::folder()?;
    let running = who.start(folder.path())?;
    wrk::load(running.address(), connections, WARM_UP).await?;
    let had = cpu::seconds(&running.process_id())?;
    let load = wrk::load(running.address(), connections, duration).await?;
    let cpu_seconds = cpu::seconds(&running.process_id())? - had;
    let resident_mib = resident::resident_mib(&running.process_id()).context("read its memory")?;
    running.stop()?;
    if who != Contender::WasmtimeServe && who != Contender::Before {
        load.check()?;
    }
    let (rate, p50_ms, p99_ms) = load.figures()?;
    let cpu_us = cpu_seconds / f64::from(u32::try_from(load.answered)?) * 1e6;
    Ok(Turn { cpu_us, rate, p50_ms, p99_ms, refused: load.refused + load.broken, resident_mib })
}

/// Returns the least, the middle and the most of them.
fn spread(mut figures: Vec<f64>, digits: usize) -> String {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures.first().copied().unwrap_or_default(), figures.last().copied().unwrap_or_default());
    let middle = figures.get(figures.len() / 2).copied().unwrap_or_default();
    format!("{least:.digits$} {middle:.digits$} {most:.digits$}")
}
