//! Checkouts while plugins are deployed that are dear to compile: what their p99 becomes, and what becomes of the
//! plugins.
//!
//! Orders come at a fixed rate, whoever waits. Three windows alternate on one host, so that a machine that is busy with
//! something else is so in all: a quiet one; one in which four bombs come one after the other; and one in which a large
//! plugin that is in order goes live and is rolled back. `TILL_BENCH_SECONDS` is how long a quiet window is (30), the
//! others last as long as the deploys; `TILL_BENCH_ROUNDS` how often they come (3), `TILL_BENCH_RATE` orders a second
//! (300). It fails when an order isn't answered with 200, a bomb is taken or the large plugin isn't.

#[path = "../tests/it/support/component.rs"]
#[allow(dead_code, clippy::allow_attributes, clippy::expect_used, reason = "the tests', which use more of it")]
mod component;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/paced.rs"]
mod paced;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;

use component::{MODULE, bombs, checkout_with, many};
use host::Host;
use paced::{latencies, load};

const NAMES: [&str; 3] = ["quiet", "bombs", "large"];
const WARM_UP: Duration = Duration::from_secs(3);

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() -> anyhow::Result<()> {
    let quiet_for = Duration::from_secs(number("TILL_BENCH_SECONDS", 30)?);
    let (rounds, rate) = (number("TILL_BENCH_ROUNDS", 3)?, number("TILL_BENCH_RATE", 300)?);
    // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let host = Host::start(folder.path(), &[])?;
    load(host.shop, rate, || std::thread::sleep(WARM_UP))?;
    let mut all = [latencies()?, latencies()?, latencies()?];
    for round in 0..rounds {
        let mut told = Ok(Vec::new());
        let quiet = load(host.shop, rate, || std::thread::sleep(quiet_for))?;
        let bombs = load(host.shop, rate, || told = deploy_bombs(host.admin))?;
        let mut of_large = Ok(String::new());
        let large = load(host.shop, rate, || of_large = deploy_large(host.admin, round))?;
        for line in told?.into_iter().chain([of_large?]) {
            println!("{line}");
        }
        for ((window, name), all) in [quiet, bombs, large].into_iter().zip(NAMES).zip(&mut all) {
            println!("round {round}  {name:<6} {}", figures(&window));
            all.add(window)?;
        }
        println!();
    }
    host.stop()?;
    let p99 = all.each_ref().map(|latencies| ms(latencies.value_at_quantile(0.99)));
    for ((window, name), p99_ms) in all.iter().zip(NAMES).zip(p99) {
        println!("all      {name:<6} {}, p99 of quiet's {:.2}", figures(window), p99_ms / p99[0]);
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> anyhow::Result<u64> {
    std::env::var(variable).map_or(Ok(default), |text| text.parse()).with_context(|| format!("read {variable}"))
}

fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}

fn figures(latencies: &Histogram<u64>) -> String {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| ms(latencies.value_at_quantile(quantile)));
    format!("p50 {p50:>6.2} ms, p99 {p99:>6.2} ms, p99.9 {p999:>6.2} ms of {} checkouts", latencies.len())
}

/// Deploys the bombs, and says what becomes of each.
fn deploy_bombs(admin: SocketAddr) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    for (name, bytes) in bombs() {
        let (status, text, took) = deploy(admin, name, &bytes)?;
        anyhow::ensure!(status == 422, "{name} was answered {status}: {text}");
        told.push(format!(
            "{name:<14} {:>7} KiB, refused after {:>6.2} s: {text}",
            bytes.len() / 1024,
            took.as_secs_f64()
        ));
    }
    Ok(told)
}

/// Deploys the large plugin and rolls it back.
fn deploy_large(admin: SocketAddr, number: u64) -> anyhow::Result<String> {
    let large = large(number);
    let (status, text, took) = deploy(admin, "large", &large)?;
    anyhow::ensure!(status == 200, "the large plugin was answered {status}: {text}");
    let rolled_back = ureq::post(format!("http://{admin}/plugins/checkout/rollback"));
    rolled_back.content_type("application/json").send("{}").context("roll back")?;
    Ok(format!("{:<14} {:>7} KiB, live after    {:>6.2} s", "large", large.len() / 1024, took.as_secs_f64()))
}

/// Returns what was answered, in which words, and when.
fn deploy(admin: SocketAddr, name: &str, bytes: &[u8]) -> anyhow::Result<(u16, String, Duration)> {
    let began = Instant::now();
    let agent = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
    let request = agent.post(format!("http://{admin}/plugins?name={name}")).content_type("application/wasm");
    let mut answer = request.send(bytes).context("deploy")?;
    let text = answer.body_mut().read_to_string()?;
    let told: serde_json::Value = serde_json::from_str(&text)?;
    let detail = told.get("detail").and_then(serde_json::Value::as_str).unwrap_or(&text);
    Ok((answer.status().as_u16(), detail.to_owned(), began.elapsed()))
}

/// Returns the built-in checkout plugin with as much code beside it as an interpreter has: 20,000 functions. Another
/// file for each number, so that none is found compiled.
fn large(number: u64) -> Vec<u8> {
    let step = |each: usize| {
        format!("(local.set 0 (i32.xor (i32.rotl (local.get 0) (i32.const {})) (i32.const {each})))", each % 32)
    };
    let body = many(60, step);
    let function = |each: usize| {
        format!(
            "(func (param i32) (result i32) {body} (if (i32.lt_u (local.get 0) (i32.const {each})) (then (return (i32.const {number})))) (local.get 0))"
        )
    };
    checkout_with(MODULE, &format!("(module {})", many(20_000, function)))
}
