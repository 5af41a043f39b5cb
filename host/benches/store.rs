//! What the store alone costs a checkout: processor time and commits, without plugins, HTTP and telemetry.
//!
//! Buyers in a closed loop begin an order, take its pieces and complete it, as a checkout does. To compare two commits, run their
//! programs in turn. `TILL_BENCH_BUYERS` is how many buy at once (64), `TILL_BENCH_CHECKOUTS` how many they buy (100,000),
//! `TILL_BENCH_ITEMS` of how many items, one run after the other (`1`). `TILL_BENCH_HOSTS=1,2,4` measures a PostgreSQL with so many
//! hosts as well, in the same run: it starts Debian's, or that of `TILL_POSTGRES_BIN`, with its own defaults. The hosts share this
//! process. It fails when a checkout does.

#[path = "shop/cpu.rs"]
mod cpu;
#[expect(clippy::expect_used, clippy::panic, reason = "it is the tests' own, which end with what they can't do")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use postgres::Server;
use till::{
    order::{Caps, Cart, Currency, Item, Line, MinorUnits, Quantity, Receipt, Reference},
    store::{Durability, Inventory, NewOrder, PostgresSettings, Settings, Store, Taker, migrate},
};

/// How many buy at once, and how much.
#[derive(Clone, Copy)]
struct Load {
    buyers: u64,
    checkouts: u64,
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let load = Load { buyers: number("TILL_BENCH_BUYERS", 64)?, checkouts: number("TILL_BENCH_CHECKOUTS", 100_000)? };
    let hosts =
        if std::env::var_os("TILL_BENCH_HOSTS").is_some() { numbers("TILL_BENCH_HOSTS", 1)? } else { Vec::new() };
    let server = (!hosts.is_empty()).then(|| Server::start(&["max_connections=100"]));
    for items in numbers("TILL_BENCH_ITEMS", 1)? {
        let carts: Vec<Cart> = (0..items.max(1)).map(cart).collect::<anyhow::Result<_>>()?;
        // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (store, _opened) = Store::open(&settings(folder.path()))?;
        let sqlite = measure(&[store], &carts, load).await?;
        println!("{items} items, SQLite: {sqlite}");
        let Some(server) = &server else { continue };
        for hosts in &hosts {
            let name = format!("shop_{items}_{hosts}");
            server.run("postgres", &format!("CREATE DATABASE {name}")).context("make a database")?;
            let folders: Vec<_> = (0..*hosts).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
            let settings: Vec<_> =
                folders.iter().map(|folder| postgres_settings(server.url(&name), folder.path())).collect();
            migrate(settings.first().context("a host")?).await?;
            let mut stores = Vec::new();
            for settings in &settings {
                stores.push(Store::connect(settings).await?.0);
            }
            let postgres = measure(&stores, &carts, load).await?;
            println!(
                "{items} items, PostgreSQL, {hosts} hosts: {postgres}; {:.2} of SQLite's rate",
                postgres.rate / sqlite.rate
            );
        }
    }
    Ok(())
}

/// What a run measured.
struct Measured {
    cpu_us: f64,
    rate: f64,
    commits: u64,
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cpu_us, rate, commits, p50, p99 } = self;
        write!(
            formatter,
            "{cpu_us:.1} us of processor time a checkout, {rate:.0} checkouts/s, p50 {p50:.1?}, p99 {p99:.1?}, {commits} commits"
        )
    }
}

/// Has the buyers buy at the stores in turn, once to warm up, and closes them.
async fn measure(stores: &[Store], carts: &[Cart], Load { buyers, checkouts }: Load) -> anyhow::Result<Measured> {
    let opening: Vec<_> = carts.iter().flat_map(Cart::lines).map(|line| (line.item.clone(), u32::MAX / 2)).collect();
    stores.first().context("a store")?.seed_stock(&opening).await?;
    let commits = || stores.iter().map(|store| store.gauges().commits).sum::<u64>();
    let mut measured = None;
    for checkouts in [checkouts / 10, checkouts] {
        let (began, cpu_seconds, commits_before) = (Instant::now(), cpu::seconds("self")?, commits());
        let buying: Vec<_> = (0..buyers)
            .zip(stores.iter().cycle())
            .map(|(buyer, store)| tokio::spawn(buy(store.clone(), carts.to_vec(), buyer, checkouts / buyers)))
            .collect();
        let mut took = Vec::new();
        for buyer in buying {
            took.append(&mut buyer.await??);
        }
        took.sort_unstable();
        let done = f64::from(u32::try_from(took.len())?);
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        measured = Some(Measured {
            cpu_us: (cpu::seconds("self")? - cpu_seconds) * 1e6 / done,
            rate: done / began.elapsed().as_secs_f64(),
            commits: commits() - commits_before,
            p50: at(50),
            p99: at(99),
        });
    }
    for store in stores {
        store.close().await;
    }
    measured.context("nothing was measured")
}

/// Buys, one checkout after the other. Returns how long each took.
async fn buy(store: Store, carts: Vec<Cart>, buyer: u64, checkouts: u64) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for nth in 0..checkouts {
        let began = Instant::now();
        let which = usize::try_from((buyer + nth) % carts.len() as u64)?;
        let cart = carts.get(which).context("a cart")?;
        let order = NewOrder {
            reference: Reference::random(),
            inventory: Inventory::Local,
            currency: Currency::of_code("USD").context("a currency")?,
            cart: cart.clone(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            plugins: "checkout/default@0.1.0+0123456789ab".into(),
            placed_at_ms: 1_700_000_000_000,
            keyed: None,
        };
        let begun = store.begin_order(order, Durability::Queued).await?;
        store.take(Taker::Order(begun.id), &cart.stock_lines()).await?;
        let receipt = Receipt::checked(cart, Vec::new(), cart.subtotal().amount(), Vec::new(), Caps::NONE);
        store.complete_order(begun.id, &receipt.ok().context("a receipt")?, None).await?;
        begun.created().await?;
        took.push(began.elapsed());
    }
    Ok(took)
}

fn cart(number: u64) -> anyhow::Result<Cart> {
    let line = Line {
        item: Item::parse(&format!("item-{number}")).context("an item")?,
        quantity: Quantity::new(1).context("a quantity")?,
        unit_price: MinorUnits::new(1_999).context("a price")?,
        attributes: Vec::new(),
    };
    Cart::new(vec![line], Vec::new()).context("a cart")
}

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.into(),
        queue_commands_max: 4_096,
        batch_commands_max: 1_024,
        linger: Duration::from_millis(5),
        readers: 2,
        busy_timeout: Duration::from_secs(5),
        look_within: Duration::from_secs(60),
        log_bytes_warn: u64::MAX,
    }
}

/// The same for a host of a shared database.
fn postgres_settings(url: String, folder: &Path) -> PostgresSettings {
    PostgresSettings {
        url,
        password_file: None,
        ca_file: None,
        require_synchronous: false,
        folder: folder.into(),
        host_name: "bench".into(),
        queue_commands_max: 4_096,
        batch_commands_max: 1_024,
        linger: Duration::from_millis(5),
        readers: 2,
        wait_max: Duration::from_secs(5),
        order_age_max: Duration::from_secs(60),
    }
}

/// Returns the numbers of a variable, separated by commas.
fn numbers(variable: &str, default: u64) -> anyhow::Result<Vec<u64>> {
    let text = std::env::var(variable).unwrap_or_else(|_| default.to_string());
    text.split(',')
        .map(|number| number.trim().parse())
        .collect::<Result<_, _>>()
        .with_context(|| format!("read {variable}"))
}

fn number(variable: &str, default: u64) -> anyhow::Result<u64> {
    numbers(variable, default)?.first().copied().with_context(|| format!("read {variable}"))
}
