//! What keeping recent traces costs: checkouts under load with 64 MiB of them kept beside none, in pairs, with Debian's
//! `wrk`; and that the memory stays in its bound meanwhile. Beside each pair stands a host that records no spans at all.
//!
//! Each figure comes from a server of its own with a fresh store, and each pair is in another order than the one before, so
//! that a machine that slows down favours neither. `TILL_BENCH_SECONDS` is how long each is loaded (10). It fails when a
//! request failed or the bound was passed, never for being slow.

mod shop;
#[path = "shop/wrk.rs"]
mod wrk;

use std::time::Duration;

use shop::Spans;
use till::{
    app::App,
    telemetry::recent::{Figures, Limits},
};

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

fn main() -> anyhow::Result<()> {
    // What `till serve` runs on.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare(wrk::duration()?))
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare(duration: Duration) -> anyhow::Result<()> {
    println!("{:>6} {:>10} {:>12} {:>10} {:>10}   kept", "pair", "", "checkouts/s", "p50 ms", "p99 ms");
    let mut ratios = Vec::new();
    for pair in 1..=PAIRS {
        let mut rates = [0.0; 3];
        let mut order: Vec<_> = Contender::ALL.into_iter().zip(&mut rates).collect();
        if pair % 2 == 0 {
            order.reverse();
        }
        for (contender, rate) in order {
            let (load, kept) = measure(contender, duration).await?;
            let (checkouts_per_second, p50_ms, p99_ms) = load.figures()?;
            println!(
                "{pair:>6} {:>10} {checkouts_per_second:>12.0} {p50_ms:>10.2} {p99_ms:>10.2}   {}",
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

/// Returns what was kept beside the load, `None` where nothing is.
async fn measure(contender: Contender, duration: Duration) -> anyhow::Result<(wrk::Load, Option<Figures>)> {
    let folder = shop::folder()?;
    let settings = shop::settings(folder.path())?;
    let (spans, kept) = contender.telemetry();
    let telemetry = shop::telemetry(spans, kept)?;
    let recent = telemetry.recent().cloned();
    let app = App::build_with(settings, telemetry).await?;
    let (address, stopping) = (app.public_address()?, app.stopping());
    let running = tokio::spawn(app.run());
    let warm_up = wrk::load(address, CONNECTIONS, WARM_UP).await?;
    let load = wrk::load(address, CONNECTIONS, duration).await?;
    let kept = recent.map(|recent| recent.figures());
    stopping.cancel();
    running.await?;
    for part in [&warm_up, &load] {
        part.check()?;
    }
    Ok((load, kept))
}
