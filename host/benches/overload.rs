//! Three times the checkouts that a host can serve: what it still sells, how soon it refuses the rest, and its memory.
//!
//! The host has a core of its own and the clients another, so that they don't take its time. First its peak is measured,
//! with as many clients as it has places, each waiting for its answer; then with three times as many clients; then orders
//! come at three times the peak's rate, whether or not those before were answered. What a refusal costs at least is measured beside it, on a plain hyper server
//! that refuses everything: the core's time that is left is the most that any host could still sell.
//! `TILL_BENCH_SECONDS` is for how long (60; the project's figure is of
//! 300). It fails when an order was answered neither with 200 nor with 503, or a piece of stock is unaccounted for.

#[path = "native/cores.rs"]
mod cores;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/memory.rs"]
mod memory;
#[path = "native/refuser.rs"]
mod refuser;
#[path = "shop/resident.rs"]
mod resident;

use std::{
    cell::RefCell,
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use till::{
    app::store_settings,
    config::{Settings, Sources},
    order::Item,
    store::Store,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::LocalSet,
};

use cores::pin;
use host::{Host, ITEM, OPENING_STOCK};
use memory::Memory;
use refuser::Refuser;

const OVERLOAD: u32 = 3;
/// As many as a host on one core works on at once.
const CLIENTS_AT_PEAK: usize = 64;
/// More than ever wait for an answer at once.
const CLIENTS_MAX: usize = 2_000;
const WARM_UP: Duration = Duration::from_secs(2);
const PEAK: Duration = Duration::from_secs(20);
const BARE: Duration = Duration::from_secs(10);
/// The project's promise.
const REFUSED_WITHIN_US: u64 = 50_000;

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() -> anyhow::Result<()> {
    let seconds = std::env::var("TILL_BENCH_SECONDS").map_or(Ok(60), |text| text.parse());
    let duration = Duration::from_secs(seconds.context("read TILL_BENCH_SECONDS")?);
    // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    pin(0)?;
    let host = Host::start(folder.path(), &[])?;
    pin(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let load = |orders: Orders, duration| LocalSet::new().block_on(&runtime, clients(host.shop, orders, duration));
    let watched = |orders: Orders, what: &str, peak_rate: f64| {
        let memory = Memory::watch(&host.process_id());
        let loaded = load(orders, duration)?;
        println!("{}\n{}", loaded.of_peak(what, peak_rate), memory.finish()?);
        anyhow::Ok(loaded)
    };

    let warm_up = load(Orders::AsAnswered { clients: CLIENTS_AT_PEAK }, WARM_UP)?;
    let peak = load(Orders::AsAnswered { clients: CLIENTS_AT_PEAK }, PEAK)?;
    let peak_rate = peak.sold_rate();
    println!(
        "peak      {peak_rate:>8.0} checkouts/s on {CLIENTS_AT_PEAK} connections, p99 {:.1} ms",
        peak.sold.p99_ms()
    );

    let refused_rate = peak_rate * f64::from(OVERLOAD - 1);
    let bare = Refuser::start()?;
    LocalSet::new().block_on(&runtime, clients(bare.address, Orders::AtRate { per_second: refused_rate }, BARE))?;
    let busy = bare.stop()?.as_secs_f64() / BARE.as_secs_f64();
    println!(
        "bare      {refused_rate:>8.0} refusals/s take a plain hyper server {busy:.2} of the core ({:.1} us each): {:.2} of peak is the most",
        busy / refused_rate * 1e6,
        1.0 - busy,
    );

    let crowd = Orders::AsAnswered { clients: CLIENTS_AT_PEAK * usize::try_from(OVERLOAD)? };
    let crowded = watched(crowd, "clients that wait for their answers", peak_rate)?;
    let rate = Orders::AtRate { per_second: peak_rate * f64::from(OVERLOAD) };
    let overload = watched(rate, "orders a second, whoever waits", peak_rate)?;
    host.stop()?;
    let sold = [&warm_up, &peak, &crowded, &overload].map(|load| load.sold.count()).iter().sum();
    check_stock(folder.path(), sold)?;
    println!("every order was answered with 200 or 503, and opening stock = on hand + sold ({sold})");
    Ok(())
}

/// When orders are sent.
#[derive(Debug, Clone, Copy)]
enum Orders {
    /// Each client its next one when it has its answer.
    AsAnswered { clients: usize },
    /// As they come, whoever waits.
    AtRate { per_second: f64 },
}

/// Latencies in µs.
struct Latencies(Histogram<u64>);

impl Latencies {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    fn count(&self) -> u64 {
        self.0.len()
    }

    fn p50_ms(&self) -> f64 {
        ms(self.0.value_at_quantile(0.5))
    }

    fn p99_ms(&self) -> f64 {
        ms(self.0.value_at_quantile(0.99))
    }

    fn max_ms(&self) -> f64 {
        ms(self.0.max())
    }

    fn percent_within(&self, us: u64) -> f64 {
        self.0.percentile_below(us)
    }
}

fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}

/// What came of a load.
struct Load {
    sold: Latencies,
    refused: Latencies,
    took: Duration,
}

impl Load {
    fn sold_rate(&self) -> f64 {
        self.rate(self.sold.count())
    }

    fn answered_rate(&self) -> f64 {
        self.rate(self.sold.count() + self.refused.count())
    }

    /// Returns the lines about a load of `OVERLOAD` times as many of those.
    fn of_peak(&self, what: &str, peak_rate: f64) -> String {
        let (sold_rate, sold, refused) = (self.sold_rate(), &self.sold, &self.refused);
        format!(
            "{OVERLOAD} times the {what}: {:.0} answers/s for {} s\n\
             sold      {sold_rate:>8.0} checkouts/s, {:.2} of peak, p99 {:.1} ms\n\
             refused   {:>8.0} checkouts/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; {:.3} % within 50 ms",
            self.answered_rate(),
            self.took.as_secs(),
            sold_rate / peak_rate,
            sold.p99_ms(),
            self.rate(refused.count()),
            refused.p50_ms(),
            refused.p99_ms(),
            refused.max_ms(),
            refused.percent_within(REFUSED_WITHIN_US),
        )
    }

    fn rate(&self, count: u64) -> f64 {
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

/// What the clients share: the orders that are due, since when, and what came of those before.
struct Counter {
    due: RefCell<VecDeque<Instant>>,
    more: Notify,
    closed: RefCell<bool>,
    load: RefCell<Load>,
}

impl Counter {
    /// Returns when the next order was due, `None` when there are no more.
    async fn next(&self) -> Option<Instant> {
        loop {
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Some(due);
            }
            if *self.closed.borrow() {
                return None;
            }
            self.more.notified().await;
        }
    }
}

async fn clients(address: SocketAddr, orders: Orders, duration: Duration) -> anyhow::Result<Load> {
    let load = Load { sold: Latencies::new()?, refused: Latencies::new()?, took: duration };
    let counter = Rc::new(Counter {
        due: RefCell::default(),
        more: Notify::new(),
        closed: RefCell::new(false),
        load: RefCell::new(load),
    });
    let until = Instant::now() + duration;
    let count = match orders {
        Orders::AsAnswered { clients } => clients,
        Orders::AtRate { .. } => CLIENTS_MAX,
    };
    let mut buying = tokio::task::JoinSet::new();
    for _ in 0..count {
        let counter = Rc::clone(&counter);
        let stream = TcpStream::connect(address).await.context("connect to till")?;
        stream.set_nodelay(true)?;
        let again = matches!(orders, Orders::AsAnswered { .. });
        buying.spawn_local(async move { Client::new(address, stream).buy(&counter, again.then_some(until)).await });
    }
    if let Orders::AtRate { per_second } = orders {
        let began = Instant::now();
        let mut sent = 0_u32;
        while Instant::now() < until {
            // Never asleep: waking a sleeping core for each answer would cost the host more than the answer.
            tokio::task::yield_now().await;
            let now = Instant::now();
            while f64::from(sent) < began.elapsed().as_secs_f64() * per_second {
                counter.due.borrow_mut().push_back(now);
                counter.more.notify_one();
                sent += 1;
            }
        }
    }
    counter.closed.replace(true);
    counter.more.notify_waiters();
    while let Some(bought) = buying.join_next().await {
        bought??;
        counter.more.notify_waiters();
    }
    let counter = Rc::try_unwrap(counter).map_err(|_| anyhow::anyhow!("a client is left"))?;
    Ok(counter.load.into_inner())
}

/// One connection.
struct Client {
    address: SocketAddr,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    const fn new(address: SocketAddr, stream: TcpStream) -> Self {
        Self { address, stream, answer: Vec::new() }
    }

    /// Sends the orders that are due, or its own one after the other until then.
    async fn buy(mut self, counter: &Counter, own_until: Option<Instant>) -> anyhow::Result<()> {
        loop {
            let due = match own_until {
                Some(until) if Instant::now() >= until => return Ok(()),
                Some(_) => Instant::now(),
                None => match counter.next().await {
                    Some(due) => due,
                    None => return Ok(()),
                },
            };
            let status = self.exchange().await?;
            let took_us = u64::try_from(due.elapsed().as_micros())?.max(1);
            let mut load = counter.load.borrow_mut();
            match status {
                200 => load.sold.0.record(took_us)?,
                503 => load.refused.0.record(took_us)?,
                other => anyhow::bail!("answered {other}: {}", String::from_utf8_lossy(&self.answer)),
            }
        }
    }

    async fn exchange(&mut self) -> anyhow::Result<u16> {
        const BODY: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;
        let request = format!(
            "POST /checkout HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.stream.read_buf(&mut self.answer).await?;
            anyhow::ensure!(read > 0, "hung up after {:?}", String::from_utf8_lossy(&self.answer));
            whole = whole.or_else(|| length(&self.answer));
        }
        let head = String::from_utf8_lossy(&self.answer).to_lowercase();
        if head.contains("\r\nconnection: close") {
            self.stream = TcpStream::connect(self.address).await?;
            self.stream.set_nodelay(true)?;
        }
        Ok(head.get(9..12).context("a status line")?.parse()?)
    }
}

/// Returns how many bytes the answer has in all, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, _body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head.len() + 4 + length.parse::<usize>().ok()?)
}

/// Each order that was answered with 200 took its piece, and nothing else moved.
fn check_stock(folder: &Path, sold: u64) -> anyhow::Result<()> {
    let mut sources = Sources::defaults();
    sources.add_flags([format!("server.data={}", folder.display()).as_str()].into_iter())?;
    let settings = store_settings(&Settings::load(&sources)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (store, opened) = Store::open(&settings)?;
        anyhow::ensure!(opened.interrupted_orders == 0, "not everything had ended: {opened:?}");
        let mismatches = store.ledger_mismatches().await?;
        anyhow::ensure!(mismatches.is_empty(), "the ledger doesn't explain the stock: {mismatches:?}");
        let item = Item::parse(ITEM).context("name the item")?;
        let on_hand = store.level(&item).await?.context("the item has no stock")?;
        let gone = u64::from(OPENING_STOCK) - u64::from(on_hand);
        anyhow::ensure!(gone == sold, "{sold} checkouts were answered with 200, {gone} pieces are gone");
        store.close().await;
        Ok(())
    })
}
