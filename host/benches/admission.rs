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

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use rustix::process::{Pid, Signal, kill_process};

use component::{MODULE, bombs, checkout_with, many};

const ITEM: &str = "headphones";
const BODY: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;
const CLIENTS: u32 = 8;
const NAMES: [&str; 3] = ["quiet", "bombs", "large"];
const WARM_UP: Duration = Duration::from_secs(3);

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() -> anyhow::Result<()> {
    let quiet_for = Duration::from_secs(number("TILL_BENCH_SECONDS", 30)?);
    let (rounds, rate) = (number("TILL_BENCH_ROUNDS", 3)?, number("TILL_BENCH_RATE", 300)?);
    // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let host = Host::start(folder.path())?;
    load(&host.shop, rate, || std::thread::sleep(WARM_UP))?;
    let mut all = [latencies()?, latencies()?, latencies()?];
    for round in 0..rounds {
        let mut told = Ok(Vec::new());
        let quiet = load(&host.shop, rate, || std::thread::sleep(quiet_for))?;
        let bombs = load(&host.shop, rate, || told = deploy_bombs(&host.admin))?;
        let mut of_large = Ok(String::new());
        let large = load(&host.shop, rate, || of_large = deploy_large(&host.admin, round))?;
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

fn latencies() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}

fn figures(latencies: &Histogram<u64>) -> String {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| ms(latencies.value_at_quantile(quantile)));
    format!("p50 {p50:>6.2} ms, p99 {p99:>6.2} ms, p99.9 {p999:>6.2} ms of {} checkouts", latencies.len())
}

/// Deploys the bombs, and says what becomes of each.
fn deploy_bombs(admin: &str) -> anyhow::Result<Vec<String>> {
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
fn deploy_large(admin: &str, number: u64) -> anyhow::Result<String> {
    let large = large(number);
    let (status, text, took) = deploy(admin, "large", &large)?;
    anyhow::ensure!(status == 200, "the large plugin was answered {status}: {text}");
    let rolled_back = ureq::post(format!("http://{admin}/plugins/checkout/rollback"));
    rolled_back.content_type("application/json").send("{}").context("roll back")?;
    Ok(format!("{:<14} {:>7} KiB, live after    {:>6.2} s", "large", large.len() / 1024, took.as_secs_f64()))
}

/// Returns what was answered, in which words, and when.
fn deploy(admin: &str, name: &str, bytes: &[u8]) -> anyhow::Result<(u16, String, Duration)> {
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

/// Has orders come at the rate while `work` is done.
fn load(shop: &str, rate: u64, work: impl FnOnce()) -> anyhow::Result<Histogram<u64>> {
    let over = Arc::new(AtomicBool::new(false));
    let every = Duration::from_secs(u64::from(CLIENTS)).checked_div(u32::try_from(rate)?).context("a rate")?;
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (over, shop, first) = (Arc::clone(&over), shop.to_owned(), began + every * client / CLIENTS);
            std::thread::spawn(move || buy(&shop, first, every, &over))
        })
        .collect();
    work();
    over.store(true, Ordering::Relaxed);
    let mut all = latencies()?;
    for client in clients {
        all.add(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??)?;
    }
    Ok(all)
}

/// Sends an order whenever one is due. An answer's latency is counted from then: one that comes late makes those behind
/// it late, too.
fn buy(shop: &str, first: Instant, every: Duration, over: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = latencies()?;
    let mut stream: Option<TcpStream> = None;
    let mut due = first;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let open = match stream.take() {
            Some(open) => open,
            None => TcpStream::connect(shop).and_then(|open| open.set_nodelay(true).map(|()| open))?,
        };
        stream = exchange(open)?;
        latencies.record(u64::try_from(due.elapsed().as_micros())?.max(1))?;
        due += every;
    }
    Ok(latencies)
}

/// Returns the connection, unless the host wants no more on it.
fn exchange(mut stream: TcpStream) -> anyhow::Result<Option<TcpStream>> {
    let length = BODY.len();
    let head = "POST /checkout HTTP/1.1\r\nhost: till\r\ncontent-type: application/json\r\ncontent-length:";
    stream.write_all(format!("{head} {length}\r\n\r\n{BODY}").as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0, "hung up after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
        if body.len() >= length.parse()? {
            anyhow::ensure!(head.starts_with("http/1.1 200"), "answered {text}");
            return Ok((!head.contains("\r\nconnection: close")).then_some(stream));
        }
    }
}

/// A till of its own process.
struct Host {
    process: Child,
    shop: String,
    admin: String,
}

impl Host {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut till = Command::new(env!("CARGO_BIN_EXE_till"));
        till.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]).arg(folder);
        till.args(["--set", &format!("stock.{ITEM}=4000000000"), "--set", "inventory.faults=off"]);
        // They would be taken for settings.
        for variable in ["TILL_BENCH_SECONDS", "TILL_BENCH_ROUNDS", "TILL_BENCH_RATE"] {
            till.env_remove(variable);
        }
        let mut process = till.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let mut address = |name: &str| {
            loop {
                let line = lines.next().context("till says where it is")??;
                let address = line.trim().strip_prefix(name).and_then(|rest| rest.trim().strip_prefix("http://"));
                if let Some(address) = address {
                    return anyhow::Ok(address.to_owned());
                }
            }
        };
        let (shop, admin) = (address("shop")?, address("admin")?);
        // To the end, or the host would meet a closed pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self { process, shop, admin })
    }

    fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "till ended with {status}");
        Ok(())
    }
}
