//! What a checkout costs in processor time, which a busy machine changes less than it changes a rate: till in several settings,
//! another commit's till, the native twin, and another host's answer of a few bytes.
//!
//! Each is a process of its own with a fresh store. They run beside each other and are loaded in turn by `wrk` on the same cores,
//! each round in another order, so that a machine that slows down favours none. A figure is the median of the rounds; the ratio
//! is to the first of the table, round by round, with the least and the most. It fails when till or the twin refuses a request,
//! never for being slow.
//!
//! | variable | what it says | default |
//! |---|---|---|
//! | `TILL_BENCH_SECONDS` | for how long each is loaded in a round | 2 |
//! | `TILL_BENCH_ROUNDS` | rounds | 8 |
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
#[expect(dead_code, reason = "each round has a time of its own, and refusals are counted")]
mod wrk;

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use host::Host;
use peer::Peer;
use tempfile::TempDir;
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

    /// Returns whether each request is to be answered with 200.
    const fn must_serve(self) -> bool {
        !matches!(self, Self::Before | Self::WasmtimeServe)
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
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut arguments = std::env::args_os().skip_while(|argument| argument != NATIVE);
    if arguments.next().is_some() {
        let folder = arguments.next().context("the twin's data folder")?;
        return runtime.block_on(serve_natively(Path::new(&folder)));
    }
    runtime.block_on(compare())
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

/// A contender at work, and what its turns showed.
struct Measured {
    who: Contender,
    running: Running,
    turns: Vec<Turn>,
    /// Its data, for as long as it runs.
    _folder: TempDir,
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare() -> anyhow::Result<()> {
    let seconds = number("TILL_BENCH_SECONDS", 2)?;
    let rounds = number("TILL_BENCH_ROUNDS", 8)?;
    let connections = std::env::var("TILL_BENCH_CONNECTIONS").unwrap_or_else(|_| "64".to_owned());
    let only = std::env::var("TILL_BENCH_ONLY").ok();
    let is_wanted = |who: &Contender| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == who.name()));
    println!(
        "{:<10} {:>11} {:>12} {:>18} {:>10} {:>8} {:>8} {:>8} {:>13}",
        "", "connections", "us/request", "of the first's", "requests/s", "p50 ms", "p99 ms", "refused", "resident MiB"
    );
    for connections in connections.split(',') {
        let connections: u32 = connections.trim().parse().context("read TILL_BENCH_CONNECTIONS")?;
        let mut all = Vec::new();
        for who in Contender::ALL.into_iter().filter(|who| who.is_there() && is_wanted(who)) {
            let folder = shop::folder()?;
            let running = who.start(folder.path()).with_context(|| format!("start {}", who.name()))?;
            wrk::load(running.address(), connections, WARM_UP).await?;
            all.push(Measured { who, running, turns: Vec::new(), _folder: folder });
        }
        for _ in 0..rounds {
            for measured in &mut all {
                let turn = measured.running.turn(connections, Duration::from_secs(seconds)).await;
                measured.turns.push(turn.with_context(|| measured.who.name())?);
            }
            all.rotate_left(1);
        }
        all.sort_by_key(|measured| measured.who);
        let first = all.first().map(|measured| measured.turns.clone()).unwrap_or_default();
        for Measured { who, running, turns, .. } in all {
            let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure).collect());
            let mut ratios: Vec<_> = turns.iter().zip(&first).map(|(own, first)| own.cpu_us / first.cpu_us).collect();
            ratios.sort_by(f64::total_cmp);
            let (least, most) = (ratios.first().copied().unwrap_or(1.0), ratios.last().copied().unwrap_or(1.0));
            let ratio = format!("{:.2} ({least:.2}-{most:.2})", median(ratios));
            let resident_mib = resident::resident_mib(&running.process_id()).context("read its memory")?;
            let refused: u64 = turns.iter().map(|turn| turn.refused).sum();
            println!(
                "{:<10} {connections:>11} {:>12.1} {ratio:>18} {:>10.0} {:>8.2} {:>8.2} {refused:>8} {resident_mib:>13.0}",
                who.name(),
                of(|turn| turn.cpu_us),
                of(|turn| turn.rate),
                of(|turn| turn.p50_ms),
                of(|turn| turn.p99_ms),
            );
            running.stop()?;
            anyhow::ensure!(refused == 0 || !who.must_serve(), "{} refused {refused} requests", who.name());
        }
    }
    Ok(())
}

impl Running {
    async fn turn(&self, connections: u32, duration: Duration) -> anyhow::Result<Turn> {
        let had = cpu::seconds(&self.process_id())?;
        let load = wrk::load(self.address(), connections, duration).await?;
        let cpu_seconds = cpu::seconds(&self.process_id())? - had;
        let (rate, p50_ms, p99_ms) = load.figures()?;
        let cpu_us = cpu_seconds / f64::from(u32::try_from(load.answered)?) * 1e6;
        Ok(Turn { cpu_us, rate, p50_ms, p99_ms, refused: load.refused + load.broken })
    }
}

fn number(variable: &str, usual: u64) -> anyhow::Result<u64> {
    std::env::var(variable).map_or(Ok(usual), |text| text.parse()).with_context(|| format!("read {variable}"))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
