//! Stores in a real PostgreSQL, for hosts that are to share one; and for every host of the suite, if `TILL_TEST_STORE=postgres`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{host::till, postgres};

/// What a host says at its start of a database like a test's.
pub(crate) const UNSYNCHRONISED: &str = "has no synchronous standby";

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

/// Checks that each piece of stock is accounted for, and that no order waits for its end.
pub(crate) fn check(url: &str) {
    let count = |sql: &str| postgres::query(url, sql).parse::<u64>().expect("a number");
    let unbalanced = "SELECT count(*) FROM stock WHERE on_hand <> opening +
         (SELECT coalesce(sum(delta), 0) FROM stock_movements AS m WHERE m.item = stock.item)";
    assert_eq!(count(unbalanced), 0, "opening + movements = on hand, for every item");
    assert_eq!(count("SELECT count(*) FROM reservations WHERE state = 'held'"), 0, "nothing is held for nobody");
    assert_eq!(count("SELECT count(*) FROM orders WHERE status = 'PENDING'"), 0, "every order has an end");
}
