//! What keeping recent traces costs: checkouts under load with 64 MiB of them kept beside none, in pairs, with Debian's
//! `wrk`; and that the memory stays in its bound meanwhile. Beside each pair stands a host that records no spans at all.
//!
//! Each figure comes from a server of its own with a fresh store, and each pair is in another order than the one before, so
//! that a machine that slows down favours neither. `TILL_BENCH_SECONDS` is how long each is loaded (10). It fails when a
//! request failed or the bound was passed, never for being slow.

mod shop;

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;
use shop::Spans;
use till::{
    app::App,
    telemetry::recent::{Figures, Limits},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/checkout.lua");
const CONNECTIONS: u32 = 64;
const PAIRS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(1);
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
            Self::Kept => (Spans::Recorded, Limits { bytes_max: 64 << 20, slow: SLOW }),
            Self::NotKept => (Spans::Recorded, shop::NOTHING_KEPT),
            Self::Off => (Spans::Off, shop::NOTHING_KEPT),
        }
    }
}

/// What wrk says at its end.
#[derive(Debug, Deserialize)]
struct Load {
    answered: u64,
    took_us: f64,
    refused: u64,
    broken: u64,
    p99_us: f64,
}

#[derive(Debug)]
struct Measured {
    checkouts_per_second: f64,
    p99_ms: f64,
    /// `None` where nothing is kept.
    kept: Option<Figures>,
}

fn main() -> anyhow::Result<()> {
    // What `till serve` runs on.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare(seconds()?))
}

fn seconds() -> anyhow::Result<u64> {
    std::env::var("TILL_BENCH_SECONDS").map_or(Ok(10), |text| text.parse().context("read TILL_BENCH_SECONDS"))
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare(seconds: u64) -> anyhow::Result<()> {
    println!("{:>6} {:>10} {:>12} {:>10}   kept", "pair", "", "checkouts/s", "p99 ms");
    let mut ratios = Vec::new();
    for pair in 1..=PAIRS {
        let mut rates = [0.0; 3];
        let mut order: Vec<_> = Contender::ALL.into_iter().zip(&mut rates).collect();
        if pair % 2 == 0 {
            order.reverse();
        }
        for (contender, rate) in order {
            let measured = measure(contender, Duration::from_secs(seconds)).await?;
            let Measured { checkouts_per_second, p99_ms, kept } = measured;
            println!(
                "{pair:>6} {:>10} {checkouts_per_second:>12.0} {p99_ms:>10.2}   {}",
                contender.name(),
                told(kept)?
            );
            *rate = checkouts_per_second;
        }
        let [kept, not_kept, _] = rates;
        ratios.push(kept / not_kept);
    }
    let shown: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.3}")).collect();
    println!("throughput with traces kept, of that without: {}", shown.join(", "));
    Ok(())
}

/// # Errors
/// When more is kept than there should be.
fn told(kept: Option<Figures>) -> anyhow::Result<String> {
    let Some(Figures { traces, bytes, bytes_max, evicted }) = kept else { return Ok("nothing".to_owned()) };
    anyhow::ensure!(bytes <= bytes_max, "{bytes} bytes are kept, {bytes_max} at most");
    Ok(format!("{traces} traces, {} of {} MiB, {evicted} evicted", bytes >> 20, bytes_max >> 20))
}

async fn measure(contender: Contender, duration: Duration) -> anyhow::Result<Measured> {
    let folder = shop::folder()?;
    let settings = shop::settings(folder.path())?;
    let (spans, kept) = contender.telemetry();
    let telemetry = shop::telemetry(spans, kept)?;
    let recent = telemetry.recent().cloned();
    let app = App::build_with(settings, telemetry).await?;
    let (address, stopping) = (app.public_address()?, app.stopping());
    let running = tokio::spawn(app.run());
    let warm_up = load(address, WARM_UP).await?;
    let load = load(address, duration).await?;
    let kept = recent.map(|recent| recent.figures());
    stopping.cancel();
    running.await?;
    for part in [&warm_up, &load] {
        anyhow::ensure!(part.refused == 0, "{} requests were answered with an error", part.refused);
        anyhow::ensure!(part.broken == 0, "{} requests met a socket error or a timeout", part.broken);
    }
    let checkouts_per_second = f64::from(u32::try_from(load.answered)?) / load.took_us * 1e6;
    Ok(Measured { checkouts_per_second, p99_ms: load.p99_us / 1e3, kept })
}

async fn load(address: SocketAddr, duration: Duration) -> anyhow::Result<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
    wrk.args(["--duration", &duration.as_secs().max(1).to_string(), "--timeout", "10s", "--script", SCRIPT]);
    wrk.arg(format!("http://{address}/checkout")).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || wrk.output()).await?;
    let output = output.context("run wrk (Debian's package `wrk`: apt-get install wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().rfind(|line| line.starts_with('{')).with_context(|| format!("wrk: {text}"))?;
    serde_json::from_str(last).with_context(|| format!("wrk: {last}"))
}
