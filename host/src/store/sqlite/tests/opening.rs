//! Starts after a crash, beside another till, and on files that aren't stores.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use rusqlite::Connection;

use super::{
    super::{Inventory, OpenError, Opened, Store, TakeError, command::Lane},
    Shop, elsewhere, receipt, settings,
};
use crate::order::{Reference, Status};

const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_a_crash_left_is_settled_at_the_next_start() {
    let shop = Shop::sqlite(&[("laptop", 20)]).await;
    let sold = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
    let held = shop.hold(&[("laptop", 2)]).await;
    let placed = shop.place(Inventory::Local, &[("laptop", 3)]).await;
    let remote = shop.place(elsewhere(), &[("laptop", 4)]).await;
    let (settled, unsettled) = (Reference::random(), Reference::random());
    shop.deduct(&settled, &[("laptop", 5)]).await.expect("takes");
    shop.store.settle(&settled, None).await.expect("settles");
    shop.deduct(&unsettled, &[("laptop", 6)]).await.expect("takes");
    assert_eq!(shop.level("laptop").await, Some(20 - 1 - 2 - 5 - 6));

    let (shop, opened) = shop.reopen().await;
    let expected = Opened { interrupted_orders: 2, awaiting_release_orders: 1, returned_reservations: 2 };
    assert_eq!(opened, expected);
    let standing = async |id| {
        let order = shop.store.order_by_id(id).await.expect("reads").expect("there");
        (order.status, order.reason)
    };
    let interrupted = Some("interrupted".to_owned());
    assert_eq!(standing(sold.id).await, (Status::Completed, None));
    assert_eq!(standing(held.id).await, (Status::Failed, interrupted.clone()));
    assert_eq!(standing(placed.id).await, (Status::Failed, interrupted.clone()));
    assert_eq!(standing(remote.id).await, (Status::PendingRelease, interrupted));
    assert_eq!(shop.level("laptop").await, Some(20 - 1 - 5));
    assert_eq!(shop.store.gauges().unresolved_orders, 1);
    assert!(matches!(shop.deduct(&unsettled, &[("laptop", 6)]).await, Err(TakeError::Released)));
    shop.assert_ledger_exact().await;

    let next = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    assert!(next.id > remote.id);
    shop.store.fail_order(next.id, "rejected", None).await.expect("fails");
    let (_shop, opened) = shop.reopen().await;
    assert_eq!(opened, Opened { awaiting_release_orders: 1, ..Opened::default() });
}

#[tokio::test]
async fn steps_that_were_never_committed_are_gone_after_a_crash() {
    let shop = Shop::with(&[("laptop", 20)], |settings| settings.linger = Duration::from_secs(3_600)).await;
    let lost = shop.hold(&[("laptop", 2)]).await;
    // A copy of the files is what a power cut leaves of them.
    let after = tempfile::tempdir().expect("a folder");
    for name in ["till.db", "till.db-wal"] {
        fs::copy(shop.folder().join(name), after.path().join(name)).expect("copies");
    }
    let (store, opened) = Store::open(&settings(after.path())).expect("opens");
    assert_eq!(opened, Opened::default());
    assert_eq!(store.order_by_reference(&lost.reference).await.expect("reads"), None);
    assert_eq!(store.level(&super::item("laptop")).await.expect("reads"), Some(20));
    store.close().await;
}

#[tokio::test]
async fn a_folder_has_one_till() {
    let shop = Shop::sqlite(&[]).await;
    let second = Store::open(&settings(shop.folder())).expect_err("refused");
    assert!(matches!(second, OpenError::InUse { .. }), "{second:?}");
    assert!(second.to_string().contains(&shop.folder().display().to_string()), "{second}");
    shop.store.ready().await.expect("the first goes on");
    let (_shop, _opened) = shop.reopen().await;
}

#[tokio::test]
async fn a_file_that_is_no_order_store_is_refused_by_name_and_left_alone() {
    let check = |make: fn(&Path), fits: fn(&OpenError) -> bool| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("till.db");
        make(&file);
        let before = fs::read(&file).expect("reads");
        let error = Store::open(&settings(folder.path())).expect_err("refused");
        assert!(fits(&error), "{error:?}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        assert_eq!(fs::read(&file).expect("reads"), before, "{error}");
    };
    let text: fn(&Path) = |file| fs::write(file, "these are not the bytes of a database".repeat(100)).expect("writes");
    check(text, |error| matches!(error, OpenError::Damaged { .. }));
    let damaged: fn(&Path) = |file| {
        make_store(file);
        let mut bytes = fs::read(file).expect("reads");
        // The first page keeps its header; what it says of tables is noise.
        bytes[100..4_096].fill(0xa5);
        fs::write(file, bytes).expect("writes");
    };
    check(damaged, |error| matches!(error, OpenError::Damaged { .. }));
    let foreign: fn(&Path) = |file| {
        let connection = Connection::open(file).expect("opens");
        connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE cookies (name TEXT)").expect("creates");
    };
    check(foreign, |error| matches!(error, OpenError::Foreign { .. }));
    let newer: fn(&Path) = |file| {
        make_store(file);
        Connection::open(file).expect("opens").execute_batch("PRAGMA user_version = 99").expect("ages");
    };
    check(newer, |error| matches!(error, OpenError::NewerSchema { found: 99, .. }));
}

fn make_store(file: &Path) {
    drop(super::super::open::connection(file, WITHIN, WITHIN).expect("opens"));
}

/// A page in the middle that a start has no other reason to read, and a customer has.
#[tokio::test]
async fn damage_is_found_by_a_start_and_not_by_a_customer() {
    let names: Vec<_> =
        (0..2_000).map(|number| format!("an item with a name of some length, number {number}")).collect();
    let stock: Vec<_> = names.iter().map(|name| (name.as_str(), 5)).collect();
    let shop = Shop::sqlite(&stock).await;
    let file = shop.folder().join("till.db");
    shop.store.close().await;
    let connection = Connection::open(&file).expect("opens");
    let leaf: i64 = connection
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'stock' AND pagetype = 'leaf' ORDER BY pageno DESC",
            [],
            |row| row.get(0),
        )
        .expect("the table has leaves");
    drop(connection);
    let mut bytes = fs::read(&file).expect("reads");
    let header = usize::try_from((leaf - 1) * 4_096).expect("a place");
    // How many cells the page has.
    bytes[header + 3..header + 5].copy_from_slice(&[0xff, 0xff]);
    fs::write(&file, bytes).expect("writes");
    let error = Store::open(&settings(shop.folder())).expect_err("refused");
    assert!(matches!(error, OpenError::Unsound { .. }), "{error:?}");
    assert!(error.to_string().contains("till restore"), "{error}");
}

#[test]
fn a_folder_that_has_served_is_not_begun_anew() {
    let check = |make: &dyn Fn(&Path), is_lost: bool| {
        let folder = tempfile::tempdir().expect("a folder");
        make(folder.path());
        match Store::open(&settings(folder.path())) {
            Err(error) => assert!(is_lost && matches!(error, OpenError::Lost { .. }), "{error:?}"),
            Ok(_) => assert!(!is_lost),
        }
    };
    let kept = |folder: &Path| {
        fs::create_dir(folder.join("plugins")).expect("makes");
        fs::write(folder.join("plugins").join(format!("{}.wasm", "0a".repeat(32))), "").expect("writes");
    };
    let emptied = |folder: &Path| fs::write(folder.join("till.db"), "").expect("writes");
    check(&kept, true);
    check(&|folder| [&kept as &dyn Fn(&Path), &emptied].iter().for_each(|make| make(folder)), true);
    check(&|folder| fs::create_dir(folder.join("replaced-1764307200000")).expect("makes"), true);
    // A first start that was cut off, and somebody's own folder.
    check(&emptied, false);
    check(
        &|folder| {
            fs::create_dir(folder.join("plugins")).expect("makes");
            fs::write(folder.join("plugins/checkout.wasm"), "").expect("writes");
        },
        false,
    );
}

#[tokio::test]
async fn what_an_older_till_let_everybody_read_is_private_after_a_start() {
    let shop = Shop::sqlite(&[]).await;
    let folder = shop.folder();
    shop.store.close().await;
    let mode = |name: &str| fs::metadata(folder.join(name)).expect("there").permissions().mode() & 0o777;
    for (name, mode) in [("till.db", 0o644), ("till.lock", 0o664)] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    fs::write(folder.join("notes"), "").expect("writes");
    let of_notes = mode("notes");
    let (store, _) = Store::open(&settings(folder)).expect("opens");
    assert_eq!((mode("till.db"), mode("till.lock"), mode("notes")), (0o640, 0o660, of_notes));
    store.close().await;
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let occupied = folder.path().join("occupied");
    fs::write(&occupied, "").expect("writes");
    let error = Store::open(&settings(&occupied)).expect_err("refused");
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("occupied"), "{error}");
}

#[tokio::test]
async fn the_writer_commits_as_durably_as_promised() {
    let shop = Shop::sqlite(&[]).await;
    let pragma = async |name: &'static str| {
        let read = move |context: &mut super::WriteContext| {
            context
                .connection
                .query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| row.get(0))
        };
        shop.in_writer::<String>(Lane::Step, read).await.expect("reads")
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2");
    assert_eq!(pragma("foreign_keys").await, "1");
    assert_eq!(pragma("trusted_schema").await, "0");
}

/// `.cargo/config.toml` says how SQLite is compiled. Where it isn't read, each commit costs more than it has to.
#[test]
fn sqlite_is_compiled_as_the_project_says() {
    let connection = rusqlite::Connection::open_in_memory().expect("opens");
    let read = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, bool>(0)).expect("reads");
    assert!(read("SELECT sqlite_compileoption_used('DEFAULT_MEMSTATUS=0')"));
}
