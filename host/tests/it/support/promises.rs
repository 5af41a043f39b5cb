//! The promises of the store to clients, whatever has crashed.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::{Answer, Client, shared_store};

/// An order that a client was told it has.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) reference: String,
    pub(crate) number: i64,
    /// When the client had read the answer, on the machine's monotonic clock.
    pub(crate) at_ns: u64,
}

impl Acknowledged {
    /// Returns the order of an answer that was just read.
    pub(crate) fn by(answer: &Answer) -> Self {
        let at_ns = monotonic_ns();
        let number = answer.json()["order_id"].as_i64().expect("a number");
        Self { reference: answer.reference(), number, at_ns }
    }
}

pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("after the machine's start")
}

/// Returns what is broken in the store of that folder, nothing if nothing is: the acknowledged orders are there, each
/// under its own number, every order has an end, nothing is oversold, and the ledger explains every piece.
pub(crate) fn broken(data: &Path, acknowledged: &[Acknowledged]) -> Vec<String> {
    if let Some(url) = data.parent().and_then(shared_store::of_folder) {
        return shared_store::broken(&url, acknowledged.iter().map(|order| (order.number, order.reference.as_str())));
    }
    // Not read-only: that couldn't read the log that a crash left.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let store = Connection::open_with_flags(data.join("till.db"), flags).expect("the store opens");
    store.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    let mut broken = Vec::new();
    let mut is_empty = |what: &str, query: &str| {
        let mut reading = store.prepare(query).expect("a query");
        let rows = reading.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).expect("a query");
        let found: Vec<_> = rows.map(|row| row.expect("a row")).collect();
        if !found.is_empty() {
            broken.push(format!("{what}: {found:?}"));
        }
    };
    is_empty("damage", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    is_empty("rows that point nowhere", "SELECT \"table\" FROM pragma_foreign_key_check");
    is_empty("orders without an end", "SELECT id FROM orders WHERE ended_at_ms IS NULL");
    is_empty("stock held for nobody", "SELECT reference FROM reservations WHERE state = 'held'");
    is_empty("oversold", "SELECT item FROM stock WHERE on_hand < 0");
    is_empty(
        "the ledger isn't what is on hand",
        "SELECT item FROM stock WHERE on_hand <> opening +
             (SELECT coalesce(sum(delta), 0) FROM stock_movements AS moved WHERE moved.item = stock.item)",
    );
    is_empty(
        "more or less sold than taken",
        "SELECT id FROM orders WHERE inventory = 'local'
             AND (SELECT coalesce(-sum(delta), 0) FROM stock_movements AS moved WHERE moved.reference = orders.reference)
             <> iif(status = 'COMPLETED',
                    (SELECT sum(value ->> 'quantity') FROM json_each(orders.lines)), 0)",
    );
    let mut reading = store.prepare("SELECT id, status FROM orders WHERE reference = ?1").expect("a query");
    let mut numbers = HashMap::new();
    for order in acknowledged {
        let stands = reading.query_row([&order.reference], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
        if !stands.as_ref().is_ok_and(|(number, status)| *number == order.number && status == "COMPLETED") {
            broken.push(format!("lost: {} {} is {stands:?}", order.number, order.reference));
        }
        if let Some(other) = numbers.insert(order.number, &order.reference).filter(|other| **other != order.reference) {
            broken.push(format!("two orders with number {}: {other} and {}", order.number, order.reference));
        }
    }
    broken
}

/// Clients that buy one thing after the other, each on a connection of its own, until the host is gone.
#[derive(Debug)]
pub(crate) struct Buyers {
    buying: Vec<JoinHandle<Vec<Acknowledged>>>,
    enough: Arc<AtomicBool>,
}

impl Buyers {
    /// Starts so many of them. Each goes through the items in its own order, two of them in one cart now and then.
    pub(crate) fn start(count: usize, shop: &Client, items: &[String]) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let buying = (0..count).map(|buyer| {
            let (shop, items, enough) = (Client::new(&shop.address), items.to_vec(), Arc::clone(&enough));
            std::thread::spawn(move || {
                let json = [("content-type", "application/json")];
                let carts = (buyer..).map(|turn| cart(turn, &items).to_string());
                let answers = carts
                    .take_while(|_cart| !enough.load(Relaxed))
                    .map_while(|cart| shop.send("POST", "/checkout", &json, Some(cart.as_bytes())).ok());
                answers.filter_map(|answer| bought(&answer)).collect()
            })
        });
        Self { buying: buying.collect(), enough }
    }

    /// Waits until the host is gone, and returns what they were told they have.
    pub(crate) fn until_gone(self) -> Vec<Acknowledged> {
        self.buying.into_iter().flat_map(|buyer| buyer.join().expect("no panic")).collect()
    }

    /// Has them stop after the order they are at.
    pub(crate) fn stop(self) -> Vec<Acknowledged> {
        self.enough.store(true, Relaxed);
        self.until_gone()
    }
}

fn cart(turn: usize, items: &[String]) -> Value {
    let line = |turn: usize| json!({ "item": items[turn % items.len()], "quantity": 1 + turn % 3, "price": 5 });
    let lines = if turn.is_multiple_of(4) { vec![line(turn), line(turn + 1)] } else { vec![line(turn)] };
    json!({ "lines": lines })
}

fn bought(answer: &Answer) -> Option<Acknowledged> {
    match answer.status {
        200 => Some(Acknowledged::by(answer)),
        // What is scarce was sold out, or the host is overloaded: no order.
        400 | 503 => None,
        _ => panic!("{}", answer.text()),
    }
}
