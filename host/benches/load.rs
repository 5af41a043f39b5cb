//! Checkouts under load: till beside a native server, with Debian's `wrk`, on 16, 64 and 256 connections; also with each
//! call of its checkout plugin made once more by a shadow.
//!
//! Each figure comes from a server of its own with a fresh store. `TILL_BENCH_SECONDS` is how long each is loaded (10).
//! It fails when a request failed or a piece of stock is unaccounted for, never for being slow. The load's
//! generator runs on the same cores, so the figures compare servers; they are no server's limit.

#[path = "native/checkout.rs"]
mod checkout;
#[path = "native/server.rs"]
mod server;
mod shop;
#[path = "shop/wrk.rs"]
mod wrk;

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use shop::Spans;
use till::{
    app::{App, store_settings},
    config::Settings,
    hooks::Kind,
    order::{Item, Status},
    store::{OrdersFilter, Store},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: [u32; 3] = [16, 64, 256];
const WARM_UP: Duration = Duration::from_secs(1);

/// Who is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Native,
    Till(Spans),
    /// Its checkout plugin is shadowed by itself: what it costs when every call is made twice.
    Shadowed,
}

impl Contender {
    const ALL: [Self; 4] = [Self::Native, Self::Till(Spans::Recorded), Self::Till(Spans::Off), Self::Shadowed];

    const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Till(Spans::Recorded) => "till",
            Self::Till(Spans::Off) => "till, spans off",
            Self::Shadowed => "till, shadowed",
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
    println!(
        "{:>12} {:<16} {:>12} {:>10} {:>10} {:>12}",
        "connections", "", "checkouts/s", "p50 ms", "p99 ms", "of native's"
    );
    for connections in CONNECTIONS {
        let mut native = None;
        for contender in Contender::ALL {
            let load = measure(contender, connections, duration)
                .await
                .with_context(|| format!("{} on {connections} connections", contender.name()))?;
            let (rate, p50_ms, p99_ms) = load.figures()?;
            let ratio = rate / *native.get_or_insert(rate);
            println!(
                "{connections:>12} {:<16} {rate:>12.0} {p50_ms:>10.2} {p99_ms:>10.2} {ratio:>12.2}",
                contender.name()
            );
        }
    }
    println!("every request was answered with 200, and opening stock = on hand + sold");
    Ok(())
}

async fn measure(contender: Contender, connections: u32, duration: Duration) -> anyhow::Result<wrk::Load> {
    let folder = shop::folder()?;
    let settings = shop::settings(folder.path())?;
    let running = Running::start(contender, settings).await?;
    let warm_up = wrk::load(running.address, connections, WARM_UP).await?;
    let load = wrk::load(running.address, connections, duration).await?;
    if contender == Contender::Shadowed {
        running.check_shadow(warm_up.answered + load.answered).await?;
    }
    running.stop().await?;
    for part in [&warm_up, &load] {
        part.check()?;
    }
    check_stock(folder.path(), contender, warm_up.answered + load.answered, u64::from(2 * connections)).await?;
    Ok(load)
}

/// A contender at work.
struct Running {
    address: SocketAddr,
    stopping: Stopping,
}

enum Stopping {
    Native(server::Server),
    Till { stopping: CancellationToken, running: JoinHandle<anyhow::Result<()>>, admin: SocketAddr },
}

impl Running {
    async fn start(contender: Contender, settings: Settings) -> anyhow::Result<Self> {
        match contender {
            Contender::Native => {
                let (store, _opened) = Store::open(&store_settings(&settings))?;
                let opening: Vec<_> = settings.stock.into_iter().collect();
                store.seed_stock(&opening).await?;
                let server = server::Server::start(store, settings.shop.currency).await?;
                Ok(Self { address: server.address(), stopping: Stopping::Native(server) })
            }
            Contender::Till(spans) => Self::till(settings, spans).await,
            Contender::Shadowed => {
                let running = Self::till(settings, Spans::Recorded).await?;
                running.shadow().await?;
                Ok(running)
            }
        }
    }

    async fn till(settings: Settings, spans: Spans) -> anyhow::Result<Self> {
        let app = App::build_with(settings, shop::telemetry(spans, shop::NOTHING_KEPT)?).await?;
        let (address, admin, stopping) = (app.public_address()?, app.admin_address()?, app.stopping());
        let running = tokio::spawn(app.run());
        Ok(Self { address, stopping: Stopping::Till { stopping, running, admin } })
    }

    /// Has the built-in checkout plugin tried beside itself for longer than it is loaded.
    async fn shadow(&self) -> anyhow::Result<()> {
        let path = format!("/plugins?name=checkout&try={}", r#"{"shadow":true,"gates":{"duration_ms":86400000}}"#);
        let began = self.admin(path, Some(till::versions::built_in_bytes(Kind::Checkout))).await?;
        anyhow::ensure!(began.get("result").is_some_and(|result| result == "candidate"), "it isn't tried: {began}");
        Ok(())
    }

    /// Says how many of the calls the shadow followed, and that it differed in none.
    #[expect(clippy::print_stdout, reason = "a figure beside the table's")]
    async fn check_shadow(&self, calls: u64) -> anyhow::Result<()> {
        let rollout = self.admin("/plugins/rollout".to_owned(), None).await?;
        let figure = |name: &str| rollout.pointer(&format!("/figures/{name}")).and_then(serde_json::Value::as_u64);
        let (followed, differing) = (figure("candidate/calls").context("its calls")?, figure("differing"));
        anyhow::ensure!(differing == Some(0), "a shadow of itself differs: {rollout}");
        println!("{:>12} {followed} of {calls} calls were followed", "");
        Ok(())
    }

    async fn admin(&self, path: String, component: Option<&'static [u8]>) -> anyhow::Result<serde_json::Value> {
        let Stopping::Till { admin, .. } = &self.stopping else { anyhow::bail!("only till has an admin listener") };
        let url = format!("http://{admin}{}", path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22"));
        let asking = tokio::task::spawn_blocking(move || match component {
            Some(component) => ureq::post(url).content_type("application/wasm").send(component),
            None => ureq::get(url).call(),
        });
        Ok(serde_json::from_str(&asking.await??.body_mut().read_to_string()?)?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        match self.stopping {
            Stopping::Native(server) => server.stop().await,
            Stopping::Till { stopping, running, .. } => {
                stopping.cancel();
                running.await??;
            }
        }
        Ok(())
    }
}

/// Every answered checkout is an order, every order took its piece, and nothing else moved.
///
/// wrk leaves without waiting for the answers to its last requests. Till carries those out, the native server drops
/// them where they are.
async fn check_stock(folder: &Path, contender: Contender, answered: u64, unheard_max: u64) -> anyhow::Result<()> {
    let (store, opened) = Store::open(&store_settings(&shop::settings(folder)?))?;
    let dropped_max = if contender == Contender::Native { unheard_max } else { 0 };
    anyhow::ensure!(opened.interrupted_orders <= dropped_max, "not everything had ended: {opened:?}");
    let mismatches = store.ledger_mismatches().await?;
    anyhow::ensure!(mismatches.is_empty(), "the ledger doesn't explain the stock: {mismatches:?}");

    let (mut orders, mut sold) = (0, 0);
    let mut filter = OrdersFilter { limit: OrdersFilter::LIMIT_MAX, ..OrdersFilter::default() };
    loop {
        let page = store.orders(filter.clone()).await?.rows;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id);
        for order in &page {
            match order.status {
                Status::Completed => (orders, sold) = (orders + 1, sold + order.cart.pieces()),
                Status::Failed if order.reason.as_deref() == Some("interrupted") => {}
                _ => anyhow::bail!("an order didn't complete: {order:?}"),
            }
        }
    }
    let heard = answered..=answered + unheard_max;
    anyhow::ensure!(heard.contains(&orders), "{answered} checkouts were answered with 200, {orders} orders stand");
    let item = Item::parse(shop::ITEM).context("name the item")?;
    let on_hand = store.level(&item).await?.context("the item has no stock")?;
    let opening = u64::from(shop::OPENING_STOCK);
    anyhow::ensure!(opening == u64::from(on_hand) + sold, "{opening} opening, {on_hand} on hand, {sold} sold");
    store.close().await;
    Ok(())
}
