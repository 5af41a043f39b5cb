//! The store's contract, which each database keeps: the same tests over SQLite and over a real PostgreSQL.

pub(super) mod answers;
mod catalogue;
mod orders;
pub(super) mod plugins;
mod reservations;
#[path = "../../tests/it/support/postgres.rs"]
pub(super) mod server;
mod shelves;

use std::{path::Path, time::Duration};

use tempfile::TempDir;

use super::{Durability, Inventory, NewOrder, Opened, OrderId, PostgresSettings, Settings, Store, TakeError, Taker};
use crate::order::{
    Attribute, AttributeValue, Caps, Cart, Currency, Item, Line, MinorUnits, Quantity, Receipt, Reference,
};

/// The database that a test is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    Sqlite,
    Postgres,
}

/// Makes a test of each of the functions for each database.
macro_rules! on_each_database {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(super::super::On::Sqlite).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(super::super::On::Postgres).await;
                }
            )*
        }
    };
}
use on_each_database;

/// Limits that no test meets by accident.
pub(super) fn settings(folder: &Path) -> Settings {
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

/// The same for a host of a shared database.
pub(super) fn postgres_settings(url: &str, folder: &Path) -> PostgresSettings {
    PostgresSettings {
        folder: folder.into(),
        url: url.to_owned(),
        password_file: None,
        ca_file: None,
        require_synchronous: false,
        host_name: "test".into(),
        queue_commands_max: 1_000,
        batch_commands_max: 500,
        linger: Duration::from_millis(5),
        readers: 2,
        wait_max: Duration::from_secs(5),
        order_age_max: Duration::from_secs(60),
    }
}

/// An open store of its own, with that stock.
pub(super) struct Shop {
    pub(super) store: Store,
    pub(super) place: Place,
}

/// Where the store is.
pub(super) enum Place {
    Folder(TempDir),
    Database(String, TempDir),
}

impl Place {
    pub(super) fn new(on: On) -> Self {
        match on {
            On::Sqlite => Self::Folder(tempfile::tempdir().expect("a folder")),
            On::Postgres => Self::Database(server::database(migrate), tempfile::tempdir().expect("a folder")),
        }
    }

    pub(super) async fn open(&self) -> (Store, Opened) {
        match self {
            Self::Folder(folder) => Store::open(&settings(folder.path())).expect("opens"),
            Self::Database(url, folder) => {
                Store::connect(&postgres_settings(url, folder.path())).await.expect("connects")
            }
        }
    }
}

/// Makes the tables of a database.
pub(super) async fn migrate(url: String) {
    super::migrate(&postgres_settings(&url, Path::new(""))).await.expect("migrates");
}

impl Shop {
    pub(super) async fn new(on: On, stock: &[(&str, u32)]) -> Self {
        let place = Place::new(on);
        let (store, _opened) = place.open().await;
        let shop = Self { store, place };
        shop.seed(stock).await;
        shop
    }

    pub(super) async fn seed(&self, stock: &[(&str, u32)]) {
        let stock: Vec<_> = stock.iter().map(|(name, pieces)| (item(name), *pieces)).collect();
        self.store.seed_stock(&stock).await.expect("seeds");
    }

    pub(super) async fn place(&self, inventory: Inventory, lines: &[(&str, u32)]) -> Placed {
        let order = new_order(inventory, lines);
        let (reference, cart) = (order.reference.clone(), order.cart.clone());
        let id = self.store.create_order(order, Durability::Queued).await.expect("places");
        Placed { id, reference, cart }
    }

    /// Places a local order and takes its stock.
    pub(super) async fn hold(&self, lines: &[(&str, u32)]) -> Placed {
        let placed = self.place(Inventory::Local, lines).await;
        self.store.take(Taker::Order(placed.id), &placed.cart.stock_lines()).await.expect("takes");
        placed
    }

    pub(super) async fn deduct(&self, reference: &Reference, lines: &[(&str, u32)]) -> Result<(), TakeError> {
        let taker = Taker::Deduct(reference.clone());
        self.store.take(taker, &cart(lines).stock_lines()).await.map(|_levels| ())
    }

    /// Returns the committed level, after whatever is uncommitted.
    pub(super) async fn level(&self, name: &str) -> Option<u32> {
        self.store.ready().await.expect("commits");
        self.store.level(&item(name)).await.expect("reads")
    }

    pub(super) async fn assert_ledger_exact(&self) {
        self.store.ready().await.expect("commits");
        assert_eq!(self.store.ledger_mismatches().await.expect("reads"), []);
    }

    /// Waits for the figure, which hosts that share a database count now and then.
    pub(super) async fn until_unresolved(&self, orders: u64) {
        within_seconds(async {
            while self.store.gauges().unresolved_orders != orders {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Closes the store and opens it anew.
    pub(super) async fn reopen(self) -> (Self, Opened) {
        self.store.close().await;
        let (store, opened) = self.place.open().await;
        (Self { store, ..self }, opened)
    }
}

pub(super) struct Placed {
    pub(super) id: OrderId,
    pub(super) reference: Reference,
    pub(super) cart: Cart,
}

/// Returns the future's result, or fails if it hangs.
pub(super) async fn within_seconds<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}

pub(super) fn item(name: &str) -> Item {
    Item::parse(name).expect("a fine name")
}

pub(super) fn cart(lines: &[(&str, u32)]) -> Cart {
    let line = |(name, pieces): &(&str, u32)| Line {
        item: item(name),
        quantity: Quantity::new(*pieces).expect("a fine quantity"),
        unit_price: MinorUnits::new(1_999).expect("a fine price"),
        attributes: vec![Attribute { key: "size".into(), value: AttributeValue::Integer(-4) }],
    };
    Cart::new(lines.iter().map(line).collect(), Vec::new()).expect("a fine cart")
}

pub(super) fn elsewhere() -> Inventory {
    Inventory::Remote("http://inventory:8000".into())
}

pub(super) fn new_order(inventory: Inventory, lines: &[(&str, u32)]) -> NewOrder {
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

pub(super) fn receipt(cart: &Cart) -> Receipt {
    Receipt::checked(cart, Vec::new(), cart.subtotal().amount(), Vec::new(), Caps::NONE).expect("adds up")
}
