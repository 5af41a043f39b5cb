//! What a call costs: the guest alone, the plugin calls around it, and a whole checkout without HTTP.
//!
//! Each stands beside a native twin, the same decision as a Rust function on the same store, which is measured
//! alternately with it: on a shared machine only figures of the same minute compare. Every call is a fresh instance.

#[path = "shop/guest.rs"]
mod guest;
#[path = "native/checkout.rs"]
mod native;
mod shop;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guest::Sandbox;
use hdrhistogram::Histogram;
use opentelemetry::trace::{SpanContext, SpanKind};
use shop::Spans;
use tempfile::TempDir;
use till::{
    app::store_settings,
    config::Settings,
    hooks::{Checkout, Kind, Placed},
    imports::{Moment, bindings::types::StockLine, inventory::Door},
    order::{Cart, Item, Line, MinorUnits, Quantity, Reference},
    runtime::Time,
    shop::{OfSnapshot, Place, deduct},
    store::{Durability, Inventory, NewOrder, OrderId, Store, Taker},
    telemetry::{Span, Telemetry, names::span},
    versions::{Plugins, built_in_bytes},
};

const WARM_UP: usize = 2_000;
const SAMPLES: usize = 20_000;
const CALLERS: [usize; 3] = [1, 16, 64];
/// How often, and for how long, each contender has its turn at each number of callers.
const TURNS: usize = 4;
const TURN: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    // What `till serve` runs on.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a worker, as a request is.
    runtime.block_on(async { tokio::spawn(measure()).await? })
}

async fn measure() -> anyhow::Result<()> {
    guest().await?;
    let (recorded, off) = (Bench::start(Spans::Recorded).await?, Bench::start(Spans::Off).await?);
    plugin_calls(&recorded, &off).await?;
    checkouts(&recorded, &off).await?;
    recorded.stop().await;
    off.stop().await;
    Ok(())
}

async fn guest() -> anyhow::Result<()> {
    let folder = shop::folder()?;
    let limits = shop::settings(folder.path())?.limits;
    let telemetry = shop::telemetry(Spans::Off, shop::NOTHING_KEPT)?;
    let sandbox = Sandbox::new(limits, telemetry.tracer().clone())?;
    let pre = sandbox.load(built_in_bytes(Kind::Inventory))?;
    let lines = [StockLine { item: shop::ITEM.to_owned(), quantity: 1 }];

    let mut steps = Steps::default();
    for sample in 0..WARM_UP + SAMPLES {
        if sample == WARM_UP {
            steps = Steps::default();
        }
        let began = Instant::now();
        let (mut store, ctx) = sandbox.store();
        let made = Instant::now();
        let instance = pre.instantiate_async(&mut store).await?;
        let instantiated = Instant::now();
        let answer = instance.till_plugin_inventory().call_deduct(&mut store, &ctx, &lines).await?;
        let called = Instant::now();
        store.into_data().end();
        let dropped = Instant::now();
        anyhow::ensure!(answer.is_ok(), "the guest answered {answer:?}");
        steps.record([began, made, instantiated, called, dropped])?;
    }
    steps.print();
    Ok(())
}

struct Steps([Histogram<u64>; 5]);

impl Default for Steps {
    fn default() -> Self {
        Self([(); 5].map(|()| histogram()))
    }
}

impl Steps {
    const NAMES: [&str; 5] = ["store", "instantiate", "call", "drop", "all of it"];

    fn record(&mut self, times: [Instant; 5]) -> anyhow::Result<()> {
        let [began, made, instantiated, called, dropped] = times;
        let spent = [made - began, instantiated - made, called - instantiated, dropped - called, dropped - began];
        for (histogram, spent) in self.0.iter_mut().zip(spent) {
            histogram.record(nanoseconds(spent))?;
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the table is what it is for")]
    fn print(&self) {
        println!("the inventory plugin's guest alone, a fresh instance each, µs: p50 / p99");
        for (name, histogram) in Self::NAMES.iter().zip(&self.0) {
            println!("  {name:<30} {:>8.1} / {:>6.1}", microseconds(histogram, 0.5), microseconds(histogram, 0.99));
        }
    }
}

/// A host without HTTP, and its native twin on the same store.
struct Bench {
    settings: Settings,
    telemetry: Telemetry,
    store: Store,
    plugins: Arc<Plugins>,
    cart: Arc<Cart>,
    _folder: TempDir,
}

impl Bench {
    async fn start(spans: Spans) -> anyhow::Result<Arc<Self>> {
        let folder = shop::folder()?;
        let settings = shop::settings(folder.path())?;
        let telemetry = shop::telemetry(spans, shop::NOTHING_KEPT)?;
        let (store, _opened) = Store::open(&store_settings(&settings))?;
        let opening: Vec<_> = settings.stock.iter().map(|(item, on_hand)| (item.clone(), *on_hand)).collect();
        store.seed_stock(&opening).await?;
        let plugins = Plugins::load(&settings, store.clone(), &telemetry).await?;
        Ok(Arc::new(Self { settings, telemetry, store, plugins, cart: Arc::new(cart()?), _folder: folder }))
    }

    async fn stop(&self) {
        self.store.close().await;
        self.telemetry.shutdown(Duration::from_secs(1)).await;
    }

    fn span(&self, name: &'static str, parent: Option<&Span>) -> Span {
        self.telemetry.tracer().start(name, SpanKind::Internal, parent.map(Span::context), Vec::new())
    }

    async fn create_order(&self) -> anyhow::Result<OrderId> {
        let order = NewOrder {
            reference: Reference::random(),
            inventory: Inventory::Local,
            currency: self.settings.shop.currency,
            cart: (*self.cart).clone(),
            trace_id: String::new(),
            plugins: String::new(),
            placed_at_ms: 0,
            keyed: None,
        };
        Ok(self.store.create_order(order, Durability::Queued).await?)
    }

    /// The inventory plugin's call, its `db_take_stock` included.
    async fn deduct(&self) -> anyhow::Result<Duration> {
        let taker = Taker::Deduct(Reference::random());
        let lines = self.cart.stock_lines();
        let began = Instant::now();
        let (snapshot, place) = (self.plugins.snapshot(), Place::Here(taker));
        deduct(&self.plugins, &snapshot, &place, (Moment::NONE, Time::Whole), &SpanContext::NONE, &lines).await?;
        Ok(began.elapsed())
    }

    async fn native_deduct(&self) -> anyhow::Result<Duration> {
        let taker = Taker::Deduct(Reference::random());
        let lines = self.cart.stock_lines();
        let began = Instant::now();
        self.store.take(taker, &lines).await?;
        Ok(began.elapsed())
    }

    /// The checkout plugin's call, the inventory plugin's in it.
    async fn decide(&self) -> anyhow::Result<Duration> {
        let id = self.create_order().await?;
        let began = Instant::now();
        let (span, receipt) = self.checkout_call(id, self.span(span::CHECKOUT, None)).await;
        span.end();
        receipt?;
        Ok(began.elapsed())
    }

    async fn native_decide(&self) -> anyhow::Result<Duration> {
        let id = self.create_order().await?;
        let began = Instant::now();
        self.store.take(Taker::Order(id), &self.cart.stock_lines()).await?;
        native::price(&self.cart)?;
        Ok(began.elapsed())
    }

    async fn checkout_call(
        &self,
        id: OrderId,
        span: Span,
    ) -> (Span, Result<till::order::Receipt, till::failure::Failure>) {
        let currency = self.settings.shop.currency;
        let placed = Placed { id, placed_at_ms: 0, currency, cart: Arc::clone(&self.cart), case: None };
        let (snapshot, place) = (self.plugins.snapshot(), Place::Here(Taker::Order(id)));
        let deduct = OfSnapshot {
            plugins: Arc::clone(&self.plugins),
            snapshot: Arc::clone(&snapshot),
            place,
            moment: Moment::NONE,
        };
        let door = Door::new(Box::new(deduct));
        snapshot
            .required(Kind::Checkout)
            .call::<Checkout>(&self.plugins, span, &placed, door, Moment::NONE, Time::Whole)
            .await
    }

    /// What `POST /checkout` does between its parsed request and its answer, with the same five spans.
    async fn checkout(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let span = self.span(span::CHECKOUT, None);
        let creating = self.span(span::CREATE_ORDER, Some(&span));
        let id = self.create_order().await?;
        creating.end();
        let (span, receipt) = self.checkout_call(id, span).await;
        let completing = self.span(span::COMPLETE_ORDER, Some(&span));
        self.store.complete_order(id, &receipt?, None).await?;
        completing.end();
        span.end();
        Ok(began.elapsed())
    }

    async fn native_checkout(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        native::checkout(&self.store, &self.cart, self.settings.shop.currency).await?;
        Ok(began.elapsed())
    }
}

/// Returns what every measured checkout buys: one line, one piece.
///
/// # Errors
/// Never: the names and figures are the shop's.
fn cart() -> anyhow::Result<Cart> {
    let line = || {
        let (item, quantity) = (Item::parse(shop::ITEM)?, Quantity::new(1)?);
        Some(Line { item, quantity, unit_price: MinorUnits::new(9_999)?, attributes: Vec::new() })
    };
    let cart = line().and_then(|line| Cart::new(vec![line], Vec::new()));
    cart.ok_or_else(|| anyhow::anyhow!("the measured cart is none"))
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn plugin_calls(recorded: &Bench, off: &Bench) -> anyhow::Result<()> {
    println!("\nplugin calls, the take from the store in each, µs: p50 / p99, and on top of the native twin");
    for (spans, bench) in [("spans recorded", recorded), ("spans off", off)] {
        let (mut inventory, mut native_inventory) = (histogram(), histogram());
        let (mut checkout, mut native_checkout) = (histogram(), histogram());
        for sample in 0..WARM_UP + SAMPLES {
            let spent = [
                bench.native_deduct().await?,
                bench.deduct().await?,
                bench.native_decide().await?,
                bench.decide().await?,
            ];
            if sample >= WARM_UP {
                let histograms = [&mut native_inventory, &mut inventory, &mut native_checkout, &mut checkout];
                for (histogram, spent) in histograms.into_iter().zip(spent) {
                    histogram.record(nanoseconds(spent))?;
                }
            }
        }
        print_twins(&format!("inventory, {spans}"), &inventory, &native_inventory);
        print_twins(&format!("checkout + inventory, {spans}"), &checkout, &native_checkout);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn print_twins(name: &str, plugin: &Histogram<u64>, native: &Histogram<u64>) {
    let [p50, p99, native_p50, native_p99] = [(plugin, 0.5), (plugin, 0.99), (native, 0.5), (native, 0.99)]
        .map(|(histogram, quantile)| microseconds(histogram, quantile));
    println!(
        "  {name:<38} {p50:>8.1} / {p99:>7.1}   native {native_p50:>6.1} / {native_p99:>7.1}   + {:>5.1}",
        p50 - native_p50
    );
}

/// Whole checkouts, from a parsed cart to the commit, by callers that each wait for their own.
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn checkouts(recorded: &Arc<Bench>, off: &Arc<Bench>) -> anyhow::Result<()> {
    println!("\ncheckouts in process: per second, µs p50 / p99, of native's rate");
    for callers in CALLERS {
        let mut native = Run::new();
        let mut plugins = [Run::new(), Run::new()];
        for _turn in 0..TURNS {
            native.add(callers, recorded, |bench| async move { bench.native_checkout().await }).await?;
            for (run, bench) in plugins.iter_mut().zip([recorded, off]) {
                run.add(callers, bench, |bench| async move { bench.checkout().await }).await?;
            }
        }
        native.print(callers, "native (the store alone)", &native);
        for (run, name) in plugins.iter().zip(["till, spans recorded", "till, spans off"]) {
            run.print(callers, name, &native);
        }
    }
    for bench in [recorded, off] {
        let mismatches = bench.store.ledger_mismatches().await?;
        anyhow::ensure!(mismatches.is_empty(), "the ledger doesn't explain the stock: {mismatches:?}");
    }
    Ok(())
}

/// What a contender did over its turns.
struct Run {
    spent: Histogram<u64>,
    took: Duration,
}

impl Run {
    fn new() -> Self {
        Self { spent: histogram(), took: Duration::ZERO }
    }

    async fn add<F, W>(&mut self, callers: usize, bench: &Arc<Bench>, work: W) -> anyhow::Result<()>
    where
        W: Fn(Arc<Bench>) -> F + Copy + Send + 'static,
        F: Future<Output = anyhow::Result<Duration>> + Send,
    {
        let began = Instant::now();
        let calling: Vec<_> = (0..callers)
            .map(|_| {
                let bench = Arc::clone(bench);
                tokio::spawn(async move {
                    let mut spent = histogram();
                    while began.elapsed() < TURN {
                        spent.record(nanoseconds(work(Arc::clone(&bench)).await?))?;
                    }
                    anyhow::Ok(spent)
                })
            })
            .collect();
        for caller in calling {
            self.spent.add(caller.await??)?;
        }
        self.took += began.elapsed();
        Ok(())
    }

    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.spent.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }

    #[expect(clippy::print_stdout, reason = "the table is what it is for")]
    fn print(&self, callers: usize, name: &str, native: &Self) {
        println!(
            "  {callers:>3} callers  {name:<26} {:>8.0}/s {:>9.1} / {:>9.1}   {:>5.2}",
            self.rate(),
            microseconds(&self.spent, 0.5),
            microseconds(&self.spent, 0.99),
            self.rate() / native.rate()
        );
    }
}

/// Nanoseconds, to three digits.
#[expect(clippy::expect_used, reason = "one to five digits are always fine")]
fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

fn nanoseconds(spent: Duration) -> u64 {
    u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX)
}

fn microseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    f64::from(u32::try_from(histogram.value_at_quantile(quantile)).unwrap_or(u32::MAX)) / 1e3
}
