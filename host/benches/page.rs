//! 1,000 checkouts a second with their traces kept and the trace page open in Chromium, beside the same with none kept.
//!
//! Orders come at a fixed rate, whoever waits; somebody looks at the list and at a trace of 200 spans meanwhile, and how
//! long the browser takes to paint them is told. `TILL_BENCH_SECONDS` is how long each host is loaded (60), and
//! `TILL_BENCH_RATE` how many orders there are a second (1,000). It needs what `make test` installs. It fails when an
//! order isn't answered with 200 or more is kept than may be, never for being slow.

#[path = "shop/cpu.rs"]
mod cpu;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/paced.rs"]
mod paced;

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Deserialize;

use host::Host;

const PAIRS: u64 = 3;
const KEPT_MIB: u64 = 64;
const WARM_UP: Duration = Duration::from_secs(2);

/// What a host had to do and did.
struct Figures {
    per_second: f64,
    latencies: Histogram<u64>,
    cores: f64,
}

/// How long the browser took.
#[derive(Debug, Deserialize)]
struct Painted {
    list_ms: Vec<f64>,
    trace_ms: Vec<f64>,
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() -> anyhow::Result<()> {
    let (seconds, rate) = (number("TILL_BENCH_SECONDS", 60)?, number("TILL_BENCH_RATE", 1_000)?);
    for pair in 1..=PAIRS {
        let (mut open, mut none) = (0.0, 0.0);
        // Each pair in another order than the one before: a machine that slows down favours neither.
        for is_kept in [pair % 2 != 0, pair % 2 == 0] {
            let (figures, seen) = measure(is_kept, rate, seconds)?;
            println!("pair {pair}  {:<9} {}  {seen}", if is_kept { "page open" } else { "none kept" }, figures.told());
            *(if is_kept { &mut open } else { &mut none }) = figures.per_second;
        }
        println!("pair {pair}  throughput with the page open, of that without: {:.3}", open / none);
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> anyhow::Result<u64> {
    std::env::var(variable).map_or(Ok(default), |text| text.parse()).with_context(|| format!("read {variable}"))
}

/// Loads a host of its own, and says what was kept and painted.
fn measure(is_kept: bool, rate: u64, seconds: u64) -> anyhow::Result<(Figures, String)> {
    // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let host = Host::start(folder.path(), &[&format!("traces.kept_mib={}", if is_kept { KEPT_MIB } else { 0 })])?;
    paced::load(host.shop, rate, || std::thread::sleep(WARM_UP))?;
    let mut looked = Ok(None);
    let (began, had) = (Instant::now(), cpu::seconds(&host.process_id())?);
    let latencies = paced::load(host.shop, rate, || {
        if is_kept {
            looked = look(&host, seconds).map(Some);
        } else {
            std::thread::sleep(Duration::from_secs(seconds));
        }
    })?;
    let took = began.elapsed().as_secs_f64();
    let cores = (cpu::seconds(&host.process_id())? - had) / took;
    let seen = looked?.map(|painted| told(&host, &painted)).transpose()?.unwrap_or_default();
    host.stop()?;
    Ok((Figures { per_second: f64::from(u32::try_from(latencies.len())?) / took, latencies, cores }, seen))
}

/// Has somebody look at the page.
fn look(host: &Host, seconds: u64) -> anyhow::Result<Painted> {
    let given = serde_json::json!({
        "admin": format!("http://{}", host.admin),
        "shop": format!("http://{}", host.shop),
        "seconds": seconds,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/open.mjs");
    let output = Command::new("node").arg(script).arg(given.to_string()).output().context("run node")?;
    anyhow::ensure!(output.status.success(), "the page: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// # Errors
/// When more is kept than may be.
fn told(host: &Host, painted: &Painted) -> anyhow::Result<String> {
    let url = format!("http://{}/recent/traces?limit=1", host.admin);
    let listed: serde_json::Value = serde_json::from_str(&ureq::get(url).call()?.body_mut().read_to_string()?)?;
    let kept = |name: &str| {
        let figure = listed.get("kept").and_then(|kept| kept.get(name)?.as_u64());
        figure.with_context(|| format!("{name} of {listed}"))
    };
    let (traces, bytes, bytes_max) = (kept("traces")?, kept("bytes")?, kept("bytes_max")?);
    anyhow::ensure!(bytes <= bytes_max, "{bytes} bytes are kept, {bytes_max} at most");
    Ok(format!(
        "{traces} traces in {} of {} MiB; painted: a list in {}, 200 spans in {}",
        bytes >> 20,
        bytes_max >> 20,
        range(&painted.list_ms),
        range(&painted.trace_ms),
    ))
}

fn range(ms: &[f64]) -> String {
    let mut sorted = ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    format!("{:.0}-{:.0}-{:.0} ms ({})", at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)), sorted.len())
}

impl Figures {
    fn told(&self) -> String {
        let [p50, p99] = [0.5, 0.99]
            .map(|quantile| Duration::from_micros(self.latencies.value_at_quantile(quantile)).as_secs_f64() * 1e3);
        format!("{:>6.0} checkouts/s, p50 {p50:.2} ms, p99 {p99:.2} ms, {:.2} cores", self.per_second, self.cores)
    }
}
