//! Contenders beside each other, by the processor time that a checkout costs them, which a busy machine changes less than it changes
//! a rate.
//!
//! Each is a process of its own with a fresh store. They run beside each other and are loaded in turn by `wrk` on the same cores,
//! each round in another order, so that a machine that slows down favours none. A figure is the median of the rounds; the ratio
//! is to the first of the table, round by round, with the least and the most. It fails when a contender that has to serve refuses a
//! request, never for being slow.
//!
//! | variable | what it says | default |
//! |---|---|---|
//! | `TILL_BENCH_SECONDS` | for how long each is loaded in a round | 2 |
//! | `TILL_BENCH_ROUNDS` | rounds | 8 |
//! | `TILL_BENCH_CONNECTIONS` | with how many connections, with commas | 64 |
//! | `TILL_BENCH_ONLY` | whom to load, with commas: names of the table | all |

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use tempfile::TempDir;

use crate::{cpu, host::Host, peer::Peer, resident, shop, wrk};

const WARM_UP: Duration = Duration::from_secs(2);

/// Who is loaded.
pub(crate) trait Contender: Copy {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Whether each request is to be answered with 200.
    fn must_serve(&self) -> bool;

    /// Starts it with its data in the folder.
    fn start(&self, folder: &Path) -> anyhow::Result<Running>;
}

/// A contender at work.
pub(crate) enum Running {
    Till(Host),
    #[allow(dead_code, clippy::allow_attributes, reason = "not every bench has another server")]
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

/// A contender at work, and what its turns showed.
struct Measured<C> {
    who: C,
    /// Its place in the table.
    place: usize,
    running: Running,
    turns: Vec<Turn>,
    /// Its data, for as long as it runs.
    _folder: TempDir,
}

/// Prints the table. The contenders stand in it as they do here, and each gets checkouts with this body.
///
/// # Errors
/// When one doesn't start, or refuses what it has to serve.
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
pub(crate) async fn compare<C: Contender>(contenders: &[C], body: &str) -> anyhow::Result<()> {
    let seconds = number("TILL_BENCH_SECONDS", 2)?;
    let rounds = number("TILL_BENCH_ROUNDS", 8)?;
    let connections = std::env::var("TILL_BENCH_CONNECTIONS").unwrap_or_else(|_| "64".to_owned());
    let only = std::env::var("TILL_BENCH_ONLY").ok();
    let is_wanted = |who: &&C| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == who.name()));
    println!(
        "{:<20} {:>11} {:>12} {:>18} {:>10} {:>8} {:>8} {:>8} {:>13}",
        "", "connections", "us/request", "of the first's", "requests/s", "p50 ms", "p99 ms", "refused", "resident MiB"
    );
    for connections in connections.split(',') {
        let connections: u32 = connections.trim().parse().context("read TILL_BENCH_CONNECTIONS")?;
        let mut all = Vec::new();
        for (place, who) in contenders.iter().filter(is_wanted).copied().enumerate() {
            let folder = shop::folder()?;
            let running = who.start(folder.path()).with_context(|| format!("start {}", who.name()))?;
            wrk::load_with(running.address(), connections, WARM_UP, body).await?;
            all.push(Measured { who, place, running, turns: Vec::new(), _folder: folder });
        }
        for _ in 0..rounds {
            for measured in &mut all {
                let turn = measured.running.turn(connections, Duration::from_secs(seconds), body).await;
                measured.turns.push(turn.with_context(|| measured.who.name())?);
            }
            all.rotate_left(1);
        }
        all.sort_by_key(|measured| measured.place);
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
                "{:<20} {connections:>11} {:>12.1} {ratio:>18} {:>10.0} {:>8.2} {:>8.2} {refused:>8} {resident_mib:>13.0}",
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
    async fn turn(&self, connections: u32, duration: Duration, body: &str) -> anyhow::Result<Turn> {
        let had = cpu::seconds(&self.process_id())?;
        let load = wrk::load_with(self.address(), connections, duration, body).await?;
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
