//! The store against real SQLite files: what the tests of all areas share.

mod ahead;
mod answers;
mod batches;
mod held;
mod opening;
mod orders;
mod plugins;
mod reservations;
mod shelves;

use std::{any::Any, path::Path, sync::mpsc, time::Duration};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{
    Durability, Engine, Inventory, NewOrder, OrderId, Settings, Sqlite, Store, StoreError, TakeError, Taker,
    command::Lane,
    execution::{Refusal, TestCommand},
    writer::WriteContext,
};
use crate::order::{Attribute, AttributeValue, Cart, Currency, Item, Line, MinorUnits, Quantity, Receipt, Reference};

impl Store {
    fn sqlite(&self) -> &Sqlite {
        let Engine::Sqlite(sqlite) = &*self.0;
        sqlite
    }
}

/// Limits that no test meets by accident.
fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.into(),
        queue_commands_max: 1_000,
        batch_commands_max: 500,
        linger: Duration::from_millis(5),
        readers: 2,
        busy_timeout: Duration::from_secs(5),
        look_within: Duration::from_secs(60),
        log_bytes_warn: u64::MAX,
    }
}

/// An open store in a folder of its own, with that stock.
struct Shop {
    store: Store,
    folder: TempDir,
}

impl Shop {
    async fn new(stock: &[(&str, u32)]) -> Self {
        Self::with(stock, |_settings| {}).await
    }

    async fn with(stock: &[(&str, u32)], change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        change(&mut settings);
        let (store, _opened) = Store::open(&settings).expect("opens");
        let stock: Vec<_> = stock.iter().map(|(name, pieces)| (item(name), *pieces)).collect();
        store.seed_stock(&stock).await.expect("seeds");
        Self { store, folder }
    }

    async fn place(&self, inventory: Inventory, lines: &[(&str, u32)]) -> Placed {
        let order = new_order(inventory, lines);
        let (reference, cart) = (order.reference.clone(), order.cart.clone());
        let id = self.store.create_order(order, Durability::Queued).await.expect("places");
        Placed { id, reference, cart }
    }

    /// Places a local order and takes its stock.
    async fn hold(&self, lines: &[(&str, u32)]) -> Placed {
        let placed = self.place(Inventory::Local, lines).await;
        self.store.take(Taker::Order(placed.id), &placed.cart.stock_lines()).await.expect("takes");
        placed
    }

    async fn deduct(&self, reference: &Reference, lines: &[(&str, u32)]) -> Result<(), TakeError> {
        let taker = Taker::Deduct(reference.clone());
        self.store.take(taker, &cart(lines).stock_lines()).await.map(|_levels| ())
    }

    /// Returns the committed level, after whatever is uncommitted.
    async fn level(&self, name: &str) -> Option<u32> {
        self.store.ready().await.expect("commits");
        self.store.level(&item(name)).await.expect("reads")
    }

    async fn assert_ledger_exact(&self) {
        self.store.ready().await.expect("commits");
        assert_eq!(self.store.ledger_mismatches().await.expect("reads"), []);
    }

    /// Runs work on the writer's own connection, as one command.
    async fn in_writer<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut WriteContext) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        in_writer(&self.store, lane, move |context| work(context).map_err(Refusal::Failed)).await
    }

    /// Stops the writer in a command of its own until the gate is opened; commands sent meanwhile are queued.
    async fn gate(&self) -> Gate {
        let (entered, entering) = tokio::sync::oneshot::channel();
        let (open, opening) = mpsc::channel::<()>();
        let store = self.store.clone();
        let passed = tokio::spawn(async move {
            let wait = move |_context: &mut WriteContext| {
                entered.send(()).expect("the test waits");
                opening.recv().ok();
                Ok::<_, Refusal<StoreError>>(())
            };
            in_writer(&store, Lane::Step, wait).await
        });
        entering.await.expect("the writer comes by");
        Gate { open, passed }
    }

    async fn until_queued(&self, commands: usize) {
        within_seconds(async {
            while self.store.gauges().queued_commands != commands {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Closes the store and opens the folder anew.
    async fn reopen(self) -> (Self, super::Opened) {
        self.store.close().await;
        let (store, opened) = Store::open(&settings(self.folder.path())).expect("opens again");
        (Self { store, folder: self.folder }, opened)
    }

    /// A connection of someone else to the live file.
    fn intruder(&self) -> Connection {
        Connection::open(self.folder.path().join("till.db")).expect("opens")
    }
}

struct Placed {
    id: OrderId,
    reference: Reference,
    cart: Cart,
}

struct Gate {
    open: mpsc::Sender<()>,
    passed: JoinHandle<Result<(), StoreError>>,
}

impl Gate {
    async fn open(self) {
        self.open.send(()).expect("the writer waits");
        self.passed.await.expect("no panic").expect("passes");
    }
}

/// Runs work on the writer's own connection, as one command that may refuse.
async fn in_writer<T: Send + 'static>(
    store: &Store,
    lane: Lane,
    work: impl FnOnce(&mut WriteContext) -> Result<T, Refusal<StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let work = move |context: &mut WriteContext| work(context).map(|value| Box::new(value) as Box<dyn Any + Send>);
    let value = store.sqlite().queue.submit(|reply| TestCommand { lane, work: Box::new(work), reply }).await?;
    Ok(*value.downcast().expect("the work's own"))
}

/// Returns the future's result, or fails if it hangs.
async fn within_seconds<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}

fn item(name: &str) -> Item {
    Item::parse(name).expect("a fine name")
}

fn cart(lines: &[(&str, u32)]) -> Cart {
    let line = |(name, pieces): &(&str, u32)| Line {
        item: item(name),
        quantity: Quantity::new(*pieces).expect("a fine quantity"),
        unit_price: MinorUnits::new(1_999).expect("a fine price"),
        attributes: vec![Attribute { key: "size".into(), value: AttributeValue::Integer(-4) }],
    };
    Cart::new(lines.iter().map(line).collect(), Vec::new()).expect("a fine cart")
}

fn elsewhere() -> Inventory {
    Inventory::Remote("http://inventory:8000".into())
}

fn new_order(inventory: Inventory, lines: &[(&str, u32)]) -> NewOrder {
    NewOrder {
        reference: Reference::random(),
        inventory,
        currency: Currency::of_code("USD").expect("a known code"),
        cart: cart(lines),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
        plugins: "checkout/default@0.1.0+0123456789ab".into(),
        placed_at_ms: 1_700_000_000_000,
        keyed: None,
    }
}

fn receipt(cart: &Cart) -> Receipt {
    Receipt::checked(cart, Vec::new(), cart.subtotal().amount(), Vec::new(), 0).expect("adds up")
}
