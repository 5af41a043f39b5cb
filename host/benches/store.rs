//! What the store alone costs a checkout: processor time and commits, without plugins, HTTP and telemetry.
//!
//! Buyers in a closed loop begin an order, take its pieces and complete it, as a checkout does. One process measures one store;
//! to compare two commits, run their programs in turn. `TILL_BENCH_BUYERS` is how many buy at once (64), `TILL_BENCH_CHECKOUTS`
//! how many they buy (100,000), `TILL_BENCH_ITEMS` of how many items (1). It fails when a checkout does.

#[path = "shop/cpu.rs"]
mod cpu;

use std::time::{Duration, Instant};

use anyhow::Context;
use till::{
    order::{Caps, Cart, Currency, Item, Line, MinorUnits, Quantity, Receipt, Reference},
    store::{Durability, Inventory, NewOrder, Settings, Store, Taker},
};

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let (buyers, checkouts, items) =
        (number("TILL_BENCH_BUYERS", 64)?, number("TILL_BENCH_CHECKOUTS", 100_000)?, number("TILL_BENCH_ITEMS", 1)?);
    // Not the system's temporary folder: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (store, _opened) = Store::open(&settings(folder.path()))?;
    let carts: Vec<Cart> = (0..items.max(1)).map(cart).collect::<anyhow::Result<_>>()?;
    let opening: Vec<_> = carts.iter().flat_map(Cart::lines).map(|line| (line.item.clone(), u32::MAX / 2)).collect();
    store.seed_stock(&opening).await?;
    for warms_up in [true, false] {
        let checkouts = if warms_up { checkouts / 10 } else { checkouts };
        let (began, cpu_seconds, commits) = (Instant::now(), cpu::seconds("self")?, store.gauges().commits);
        let buying: Vec<_> = (0..buyers)
            .map(|buyer| tokio::spawn(buy(store.clone(), carts.clone(), buyer, checkouts / buyers)))
            .collect();
        for buyer in buying {
            buyer.await??;
        }
        let done = f64::from(u32::try_from(checkouts / buyers * buyers)?);
        let cpu_us = (cpu::seconds("self")? - cpu_seconds) * 1e6 / done;
        let commits = store.gauges().commits - commits;
        if !warms_up {
            let rate = done / began.elapsed().as_secs_f64();
            println!("{cpu_us:.1} us of processor time a checkout, {rate:.0} checkouts/s, {commits} commits");
        }
    }
    store.close().await;
    Ok(())
}

/// Buys, one checkout after the other.
async fn buy(store: Store, carts: Vec<Cart>, buyer: u64, checkouts: u64) -> anyhow::Result<()> {
    for nth in 0..checkouts {
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
    }
    Ok(())
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

fn settings(folder: &std::path::Path) -> Settings {
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

fn number(variable: &str, default: u64) -> anyhow::Result<u64> {
    std::env::var(variable).map_or(Ok(default), |text| text.parse()).with_context(|| format!("read {variable}"))
}
