//! Stores in a real PostgreSQL, for hosts that are to share one; and for every host of the suite, if `TILL_TEST_STORE=postgres`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{host::till, postgres};

/// What a host says at its start of a database like a test's.
pub(crate) const UNSYNCHRONISED: &str = "has no synchronous standby";

/// The items whose stock their ledger doesn't explain.
const UNEXPLAINED: &str = "SELECT item FROM stock WHERE on_hand <> opening +
    (SELECT coalesce(sum(delta), 0) FROM stock_movements AS moved WHERE moved.item = stock.item)";
const HELD: &str = "SELECT reference FROM reservations WHERE state = 'held'";

/// Returns the address of a new store.
pub(crate) fn make() -> String {
    postgres::database(async |url| migrate(&url))
}

/// Makes the tables of a database.
pub(crate) fn migrate(url: &str) {
    let made = till().args(["store", "migrate", "--set", &format!("store.url={url}")]).output().expect("till starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Returns the store of the host in that folder, if the suite's hosts are to have theirs in PostgreSQL.
pub(crate) fn of_folder(folder: &Path) -> Option<String> {
    static OF_FOLDERS: Mutex<Option<HashMap<PathBuf, String>>> = Mutex::new(None);
    if std::env::var_os("TILL_TEST_STORE").is_none_or(|store| store != "postgres") {
        return None;
    }
    let mut of_folders = OF_FOLDERS.lock().expect("no panic");
    let of_folders = of_folders.get_or_insert_default();
    Some(of_folders.entry(folder.to_owned()).or_insert_with(make).clone())
}

/// Returns what is broken in a store, nothing if nothing is: the acknowledged orders are completed, each under its own number,
/// every piece that is gone was sold, each order has the reservation that it should have, and nothing is held for nobody.
pub(crate) fn broken<'a>(url: &str, acknowledged: impl Iterator<Item = (i64, &'a str)>) -> Vec<String> {
    let mut broken = Vec::new();
    let rows = postgres::query(url, "SELECT reference, status || ' ' || id FROM orders");
    let stands: HashMap<&str, &str> = rows.lines().filter_map(|row| row.split_once('|')).collect();
    for (number, reference) in acknowledged {
        if stands.get(reference) != Some(&format!("COMPLETED {number}").as_str()) {
            broken.push(format!("lost: {number} {reference} is {:?}", stands.get(reference)));
        }
    }
    let mut is_empty = |what: &str, sql: &str| {
        let found = postgres::query(url, sql);
        if !found.is_empty() {
            broken.push(format!("{what}: {found}"));
        }
    };
    is_empty("orders without an end", "SELECT id FROM orders WHERE ended_at_ms IS NULL");
    is_empty("stock held for nobody", HELD);
    is_empty("the ledger isn't what is on hand", UNEXPLAINED);
    is_empty(
        "more or less sold than taken",
        "SELECT id FROM orders WHERE inventory = 'local'
             AND (SELECT coalesce(-sum(delta), 0) FROM stock_movements AS moved WHERE moved.reference = orders.reference)
             <> CASE status WHEN 'COMPLETED' THEN
                    (SELECT sum((line ->> 'quantity')::bigint) FROM jsonb_array_elements(lines::jsonb) AS line) ELSE 0 END",
    );
    is_empty(
        "a final reservation without its order, or an order without its reservation",
        "SELECT orders.reference FROM orders JOIN reservations USING (reference)
         WHERE inventory = 'local' AND (status = 'COMPLETED') <> (state = 'final')",
    );
    is_empty("one key twice", "SELECT key FROM checkout_answers GROUP BY key HAVING count(*) > 1");
    broken
}

/// Checks that each piece of stock is accounted for, and that no order waits for its end.
pub(crate) fn check(url: &str) {
    let is_none = |sql: &str, what: &str| assert_eq!(postgres::query(url, sql), "", "{what}");
    is_none(UNEXPLAINED, "opening + movements = on hand, for every item");
    is_none(HELD, "nothing is held for nobody");
    is_none("SELECT id FROM orders WHERE status = 'PENDING'", "every order has an end");
}
