//! What keeping recent traces costs: checkouts under load with 64 MiB of them kept beside none, in pairs, with Debian's
//! `wrk`; and that the memory stays in its bound meanwhile. Beside each pair stands a host that records no spans at all.
//!
//! The three hosts run beside each other and are loaded in turn, for seconds at a time and each round in another order, so
//! that a machine that slows down favours none. What a checkout takes of the processors' time is told too, for on a machine
//! with others on it throughput says little. `TILL_BENCH_SECONDS` is how long each is loaded for a figure (10). It fails when
//! a request failed or the bound was passed, never for being slow.

#[path = "shop/cpu.rs"]
mod cpu;
#[path = "shop/done.rs"]
mod done;
mod shop;
#[path = "shop/wrk.rs"]
mod wrk;

use std::{net::SocketAddr, time::Duration};

use done::Done;
use shop::Spans;
use tempfile::TempDir;
use till::{
    app::App,
    telemetry::{
        Recent,
        recent::{Figures, Limits},
    },
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: u32 = 64;
const PAIRS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(2);
/// For how long one of them is loaded before the next is.
const TURN: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_secs(1);

/// What becomes of a host's spans.
#[derive(Debug, Clone, Copy)]
enum Contender {
    /// Recorded and gathered in batches, which nobody is sent, and kept.
    Kept,
    /// Only the former.
    NotKept,
    /// Not even recorded.
    Off,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Kept, Self::NotKept, Self::Off];

    const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::NotKept => "not kept",
            Self::Off => "spans off",
        }
    }

    const fn telemetry(self) -> (Spans, Limits) {
        match self {
            Self::Kept => (Spans::Recorded, Limits { bytes_max: 64 << 20, line_bytes_max: 0, slow: SLOW }),
            Self::NotKept => (Spans::Recorded, shop::NOTHING_KEPT),
            Self::Off => (Spans::Off, shop::NOTHING_KEPT),
        }
    }
}

fn main() -> anyhow::Result<()> {
    // What `till serve` runs on.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare(wrk::duration()?))
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare(duration: Duration) -> anyhow::Result<()> {
    let mut hosts = Vec::new();
    for contender in Contender::ALL {
        let host = Host::start(contender).await?;
        host.load(WARM_UP).await?;
        hosts.push(host);
    }
    let turns = duration.as_secs().div_ceil(TURN.as_secs()).max(1);
    println!("{:>6} {:>10} {:>12} {:>10}   kept", "pair", "", "checkouts/s", "cpu us");
    for pair in 1..=PAIRS {
        let mut done = [Done::default(); 3];
        for _ in 0..turns {
            for (host, done) in hosts.iter().zip(&mut done) {
                done.add(host.load(TURN).await?);
            }
            hosts.rotate_left(1);
            done.rotate_left(1);
        }
        let mut of = hosts.iter().zip(done).collect::<Vec<_>>();
        of.sort_by_key(|(host, _)| host.contender as u8);
        for (host, done) in &of {
            let name = host.contender.name();
            println!("{pair:>6} {name:>10} {:>12.0} {:>10.0}   {}", done.rate(), done.cpu_us(), host.told()?);
        }
        if let [(_, kept), (_, not_kept), _] = &of[..] {
            let (throughput, time) = (kept.rate() / not_kept.rate(), kept.cpu_us() / not_kept.cpu_us());
            println!("{pair:>6} of that without: throughput {throughput:.3}, processors' time {time:.3}");
        }
    }
    for host in hosts {
        host.stop().await?;
    }
    Ok(())
}

/// A host with a fresh store.
struct Host {
    contender: Contender,
    address: SocketAddr,
    recent: Option<Recent>,
    stopping: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Host {
    async fn start(contender: Contender) -> anyhow::Result<Self> {
        let folder = shop::folder()?;
        let settings = shop::settings(folder.path())?;
        let (spans, kept) = contender.telemetry();
        let telemetry = shop::telemetry(spans, kept)?;
        let recent = telemetry.recent().cloned();
        let app = App::build_with(settings, telemetry).await?;
        let (address, stopping) = (app.public_address()?, app.stopping());
        Ok(Self { contender, address, recent, stopping, running: tokio::spawn(app.run()), _folder: folder })
    }

    /// # Errors
    /// When a request failed.
    async fn load(&self, duration: Duration) -> anyhow::Result<Done> {
        Done::under_load(self.address, CONNECTIONS, "self", duration).await
    }

    /// Says what is kept.
    ///
    /// # Errors
    /// When that is more than there should be.
    fn told(&self) -> anyhow::Result<String> {
        let Some(recent) = &self.recent else { return Ok("nothing".to_owned()) };
        let Figures { traces, bytes, bytes_max, evicted } = recent.figures();
        anyhow::ensure!(bytes <= bytes_max, "{bytes} bytes are kept, {bytes_max} at most");
        Ok(format!("{traces} traces, {} of {} MiB, {evicted} evicted", bytes >> 20, bytes_max >> 20))
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stopping.cancel();
        self.running.await?
    }
}
