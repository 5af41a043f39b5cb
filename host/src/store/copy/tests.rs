//! A shop goes to PostgreSQL and back, and nothing of it is lost or changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    path::Path,
    time::Duration,
};

use tempfile::TempDir;

use super::*;
use crate::{
    hooks::{Installation, Kind},
    order::Reference,
    store::{
        Audited, Durability, HookChange, Inventory, OrdersFilter, Store, SwapAction,
        tests::{
            On, Place, Shop,
            answers::{self, answered, keyed},
            cart, elsewhere, item, migrate, new_order,
            plugins::version,
            postgres_settings, receipt, server, settings as sqlite_settings,
        },
    },
};

/// A shop with a bit of everything in a closed SQLite file.
async fn of_everything() -> TempDir {
    let shop = Shop::new(On::Sqlite, &[("mug", 100), ("tea", 20), ("gone", 3)]).await;
    let store = &shop.store;
    for pieces in 1..=3 {
        let sold = shop.hold(&[("mug", pieces), ("tea", 1)]).await;
        store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
    }
    let failed = shop.hold(&[("mug", 5)]).await;
    store.fail_order(failed.id, "rejected", None).await.expect("fails");
    let awaiting = shop.place(elsewhere(), &[("mug", 2)]).await;
    store.await_release(awaiting.id, "inventory_unreachable", None).await.expect("awaits");
    shop.hold(&[("tea", 4)]).await; // left open, as by a crash
    let again = answers::place(&shop, elsewhere(), "again").await;
    store.complete_order(again, &receipt(&cart(&[("laptop", 1)])), Some(answered(200))).await.expect("completes");
    let deduct = Reference::random();
    shop.deduct(&deduct, &[("mug", 7)]).await.expect("takes");
    store.settle(&deduct, Some((keyed("deduct").fingerprint, answered(200)))).await.expect("settles");
    store.remove_stock(&item("gone"), "").await.expect("removes");
    store.set_stock(&item("tea"), 30, "").await.expect("sets");
    store
        .publish_plugin(None, version(1), None, SwapAction::Deploy, Audited::new("me", "a file"))
        .await
        .expect("publishes");
    let change = HookChange::Install { version: version(2), before: None };
    store.ask_approval(change, "me".into(), "a file".into()).await.expect("asks");
    store.replace_catalogue(0, vec![vec![0, 255], b"mug".to_vec()]).await.expect("replaces");
    store.close().await;
    match shop.place {
        Place::Folder(folder) => folder,
        Place::Database(..) => unreachable!("it is SQLite's"),
    }
}

async fn empty_database() -> (PostgresSettings, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (postgres_settings(&server::database(migrate), folder.path()), folder)
}

async fn to_postgres(from: &Path, settings: &PostgresSettings) -> Result<Copied, CopyError> {
    copy_to_postgres(from, settings, |digest| Ok::<_, Infallible>(Some(digest.as_bytes().to_vec()))).await
}

async fn to_sqlite(settings: &PostgresSettings, to: &Path) -> Result<Copied, CopyError> {
    copy_to_sqlite(settings, to, |digest, bytes| {
        assert_eq!(digest.as_bytes(), bytes);
        Ok::<_, Infallible>(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_goes_to_postgresql_and_back_whole() {
    let from = of_everything().await;
    let (settings, _folder) = empty_database().await;
    let there = to_postgres(from.path(), &settings).await.expect("copies");
    let rows: BTreeMap<_, _> = there.tables.iter().copied().collect();
    assert_eq!((rows["stock"], rows["orders"], rows["plugin_versions"]), (3, 7, 2), "{there:?}");
    assert_eq!((rows["checkout_answers"], rows["deduct_answers"], there.plugin_files), (1, 1, 1), "{there:?}");

    let back = tempfile::tempdir().expect("a folder");
    let again = to_sqlite(&settings, back.path()).await.expect("copies");
    assert_eq!(again, there);

    // Each of the three shops tells the same.
    let (first, _) = Store::open(&sqlite_settings(from.path())).expect("opens");
    let (second, _) = Store::connect(&settings).await.expect("connects");
    let (third, _) = Store::open(&sqlite_settings(back.path())).expect("opens");
    let first_told = told(&first).await;
    assert_eq!(told(&second).await, first_told);
    assert_eq!(told(&third).await, first_told);
    for store in [&first, &second, &third] {
        assert_eq!(store.ledger_mismatches().await.expect("reads"), []);
        let earlier = store.earlier_checkout(&keyed("again").key).await.expect("reads").expect("was answered");
        assert_eq!(earlier.answer, Some(answered(200)));
        let next = store.create_order(new_order(Inventory::Local, &[("mug", 1)]), Durability::Queued);
        assert!(next.await.expect("places").number() > 7, "numbers go on");
        store.close().await;
    }
}

/// Returns what a shop tells of its orders, stock and plugins.
async fn told(store: &Store) -> String {
    let orders = store.orders(OrdersFilter { limit: 100, ..OrdersFilter::default() }).await.expect("reads").rows;
    let stock = store.stock(None).await.expect("reads").rows;
    let plugins = store.plugin_events(None, 100).await.expect("reads").rows;
    let live = store.live_plugin(Installation::of(Kind::Checkout)).await.expect("reads");
    let approvals = store.approvals(None, 100).await.expect("reads").rows;
    assert_eq!(approvals.len(), 1);
    let catalogue = store.catalogue().await.expect("reads").parts;
    assert_eq!(catalogue.len(), 2);
    format!("{orders:#?}\n{stock:#?}\n{plugins:#?}\n{live:#?}\n{approvals:#?}\n{catalogue:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_arrives_changed_is_taken_back() {
    let from = of_everything().await;
    let (settings, _folder) = empty_database().await;
    let change = "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN NEW.delta := NEW.delta - 1; RETURN NEW; END $$;
                  CREATE TRIGGER more BEFORE INSERT ON stock_movements FOR EACH ROW
                  WHEN (NEW.kind = 'reserved' AND NEW.delta = -3) EXECUTE FUNCTION more()";
    server::query(&settings.url, change);
    let refused = to_postgres(from.path(), &settings).await.expect_err("is noticed");
    assert!(matches!(refused, CopyError::Differs { table: "stock_movements", .. }), "{refused}");
    assert_eq!(server::query(&settings.url, "SELECT count(*) FROM orders"), "0");
    server::query(&settings.url, "DROP TRIGGER more ON stock_movements");
    to_postgres(from.path(), &settings).await.expect("copies when that is mended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_copied_over_a_shop_or_beside_a_till_that_serves() {
    let from = of_everything().await;
    let (settings, _folder) = empty_database().await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let refused = to_postgres(elsewhere.path(), &settings).await.expect_err("there is no store");
    assert!(matches!(refused, CopyError::NoStore { .. }), "{refused}");

    let (serving, _) = Store::open(&sqlite_settings(from.path())).expect("opens");
    let refused = to_postgres(from.path(), &settings).await.expect_err("a till serves from there");
    assert!(matches!(refused, CopyError::Open(OpenError::InUse { .. })), "{refused}");
    serving.close().await;

    let (serving, _) = Store::connect(&settings).await.expect("connects");
    let refused = to_postgres(from.path(), &settings).await.expect_err("a host serves from there");
    assert!(matches!(&refused, CopyError::Serves { hosts } if hosts == "test"), "{refused}");
    serving.close().await;

    to_postgres(from.path(), &settings).await.expect("copies");
    let refused = to_postgres(from.path(), &settings).await.expect_err("there is a shop");
    assert!(matches!(refused, CopyError::NotEmpty { table: "stock" }), "{refused}");
    let refused = to_sqlite(&settings, from.path()).await.expect_err("there is a shop");
    assert!(matches!(refused, CopyError::Occupied { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_copy_may_be_run_again_and_its_folder_serves_nothing_until_then() {
    let from = of_everything().await;
    let (settings, _folder) = empty_database().await;
    to_postgres(from.path(), &settings).await.expect("copies");
    let to = tempfile::tempdir().expect("a folder");
    let broken = copy_to_sqlite(&settings, to.path(), |_, _| Err("the disk is full")).await.expect_err("breaks");
    assert!(matches!(broken, CopyError::PluginFile { .. }), "{broken}");
    let refused = Store::open(&sqlite_settings(to.path())).expect_err("isn't whole");
    assert!(matches!(refused, OpenError::HalfRestored { .. }), "{refused}");
    to_sqlite(&settings, to.path()).await.expect("copies");
    let (store, _) = Store::open(&sqlite_settings(to.path())).expect("opens");
    assert_eq!(store.ledger_mismatches().await.expect("reads"), []);
    assert!(store.prune_answers(Duration::from_secs(3_600)).await.is_ok());
    assert!(store.earlier_checkout(&keyed("again").key).await.expect("reads").is_some(), "answers have kept their age");
    store.close().await;
}

/// Each database's own tables, which say nothing about the shop.
const OWN_TABLES: [&str; 7] =
    ["counters", "readiness", "hosts", "till_schema", "plugin_files", "sqlite_stat1", "plugin_tallies"];
/// Which host drives a row, and since when: no host, after a copy.
const OWN_COLUMNS: [&str; 2] = ["host", "opened_at"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_and_column_of_both_databases_is_copied() {
    let from = of_everything().await;
    let file = rusqlite::Connection::open(from.path().join("till.db")).expect("opens");
    let mut reading = file
        .prepare(
            "SELECT tables.name || '.' || columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' ORDER BY 1",
        )
        .expect("is fine");
    let of_sqlite: Vec<String> = reading.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("reads");
    let (settings, _folder) = empty_database().await;
    let of_postgres = server::query(
        &settings.url,
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let copied = |at: &str| -> BTreeSet<String> {
        let name = |column: &Column| if matches!(column.of, Of::Age) { at } else { column.name };
        TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| format!("{}.{}", table.name, name(column))))
            .collect()
    };
    let shops = |columns: Vec<&str>| -> BTreeSet<String> {
        let is_shops = |name: &&str| {
            name.split_once('.')
                .is_some_and(|(table, column)| !OWN_TABLES.contains(&table) && !OWN_COLUMNS.contains(&column))
        };
        columns.into_iter().filter(is_shops).map(str::to_owned).collect()
    };
    assert_eq!(copied("at_ms"), shops(of_sqlite.iter().map(String::as_str).collect()));
    assert_eq!(copied("at"), shops(of_postgres.lines().collect()));
}
