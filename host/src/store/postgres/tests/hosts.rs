//! Hosts that die, come back and are told of each other.

use std::time::Duration;

use crate::{
    order::{Reference, Status},
    store::{
        Durability, Inventory, OpenError, Outage, Store, StoreError, TakeError, Taker,
        tests::{Place, Shop, cart, elsewhere, new_order, postgres_settings, receipt, within_seconds},
    },
};

/// Makes the database take this host for dead.
async fn end_lease(shop: &Shop, store: &Store) {
    let id = store.postgres().host.id();
    let sql = format!("UPDATE hosts SET until = clock_timestamp() - interval '1 s' WHERE id = {id}");
    shop.session().await.batch_execute(&sql).await.expect("is fine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_host_had_begun_is_settled_by_another() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let held = shop.hold(&[("laptop", 2)]).await;
    let placed = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    let remote = shop.place(elsewhere(), &[("laptop", 1)]).await;
    let deduct = Reference::random();
    shop.deduct(&deduct, &[("laptop", 3)]).await.expect("takes");
    let other = shop.other_host().await;
    assert_eq!(other.order_by_id(held.id).await.expect("reads").expect("there").status, Status::Pending);

    // As `kill -9` leaves it: nothing more is said, and the lease runs out.
    let id = shop.store.postgres().host.id();
    shop.store.postgres().leaving.cancel();
    let gone = "UPDATE hosts SET until = clock_timestamp() - interval '1 s'";
    let sql = format!(
        "INSERT INTO hosts (id, name, version, folder, until, numbers_from) VALUES ({id}, 'x', 'x', 'x', clock_timestamp(), 1)
                       ON CONFLICT (id) DO NOTHING; {gone} WHERE id = {id}"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    shop.session().await.batch_execute(&sql).await.expect("is fine");

    within_seconds(async {
        while other.order_by_id(held.id).await.expect("reads").expect("there").status == Status::Pending {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let status = async |id| other.order_by_id(id).await.expect("reads").expect("there");
    assert_eq!(status(held.id).await.reason.as_deref(), Some("interrupted"));
    assert_eq!(status(placed.id).await.status, Status::Failed);
    assert_eq!(status(remote.id).await.status, Status::PendingRelease);
    within_seconds(async {
        while other.level(&crate::store::tests::item("laptop")).await.expect("reads") != Some(10) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(other.ledger_mismatches().await.expect("reads"), []);

    // The dead one comes back, and goes on with what it had begun: it is fenced.
    let completed = shop.store.complete_order(held.id, &receipt(&held.cart), None).await;
    assert!(matches!(completed, Err(StoreError::ReservationGone)), "{completed:?}");
    let taken = shop.store.take(Taker::Order(placed.id), &cart(&[("laptop", 1)]).stock_lines()).await;
    assert!(
        matches!(
            taken,
            Err(TakeError::Store(StoreError::ReservationGone | StoreError::Unavailable(Outage::LeaseOver)))
        ),
        "{taken:?}"
    );
    assert_eq!(other.ledger_mismatches().await.expect("reads"), []);
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_counts_as_dead_takes_no_order_until_it_has_begun_anew() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let before = shop.store.postgres().host.id();
    end_lease(&shop, &shop.store).await;
    let order = new_order(Inventory::Local, &[("laptop", 1)]);
    let begun = shop.store.create_order(order, Durability::Committed).await;
    if shop.store.postgres().host.id() == before {
        assert!(matches!(begun, Ok(_) | Err(StoreError::Unavailable(Outage::LeaseOver))), "{begun:?}");
    }
    within_seconds(async {
        while shop.store.postgres().host.id() == before || shop.store.ready().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let order = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(order.id, &receipt(&order.cart), None).await.expect("completes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_its_own_host_forgot_is_settled_too() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    let age = "UPDATE orders SET opened_at = opened_at - interval '61 s'; UPDATE reservations SET opened_at = opened_at - interval '61 s'";
    shop.session().await.batch_execute(age).await.expect("is fine");
    within_seconds(async {
        while shop.level("laptop").await != Some(10) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let settled = shop.store.order_by_id(order.id).await.expect("reads").expect("there");
    assert_eq!((settled.status, settled.reason.as_deref()), (Status::Failed, Some("interrupted")));
    shop.assert_ledger_exact().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_hear_of_each_others_items_and_are_counted() {
    let shop = Shop::shared(&[]).await;
    let other = shop.other_host().await;
    shop.seed(&[("laptop", 1)]).await;
    within_seconds(async {
        while !other.knows(&crate::store::tests::item("laptop")) || shop.store.gauges().hosts != 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    other.close().await;
    within_seconds(async {
        while shop.store.gauges().hosts != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_isnt_ready_is_refused_with_what_to_do() {
    let shop = Shop::shared(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = shop.settings(&folder);
    let refused = async |change: &str| {
        let session = shop.session().await;
        session.batch_execute(change).await.expect("is fine");
        Store::connect(&shop.settings(&folder)).await.expect_err("is refused")
    };
    assert!(matches!(refused("UPDATE till_schema SET version = version - 1").await, OpenError::OlderSchema { .. }));
    assert!(matches!(refused("UPDATE till_schema SET version = version + 2").await, OpenError::NewerDatabase { .. }));
    let migrated = crate::store::migrate(&settings).await;
    assert!(matches!(migrated, Err(OpenError::NewerDatabase { .. })), "{migrated:?}");
    let none = refused("DROP TABLE till_schema").await;
    assert!(matches!(none, OpenError::NoSchema) && none.to_string().contains("till store migrate"), "{none}");
    crate::store::migrate(&settings).await.expect("every statement may be carried out again");
    settings.require_synchronous = true;
    let alone = Store::connect(&settings).await.expect_err("is refused");
    assert!(matches!(alone, OpenError::NotSynchronous), "{alone}");
    settings.url = "postgres://till@127.0.0.1:1/shop".into();
    let away = Store::connect(&settings).await.expect_err("is refused");
    assert!(away.to_string().contains("127.0.0.1"), "{away}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_one_host_and_the_next_one_settles_what_the_last_one_left() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let held = shop.hold(&[("laptop", 2)]).await;
    let Shop { store, place } = shop;
    let Place::Database(url, folder) = place else { unreachable!("it is in a database") };
    let second = Store::connect(&postgres_settings(&url, folder.path())).await;
    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");

    // As `kill -9` leaves it, and long before its lease is over.
    let copied = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.path().join("till.host"), copied.path().join("till.host")).expect("copies");
    let (next, opened) = Store::connect(&postgres_settings(&url, copied.path())).await.expect("connects");
    assert_eq!((opened.interrupted_orders, opened.returned_reservations), (1, 1));
    let completed = store.complete_order(held.id, &receipt(&held.cart), None).await;
    assert!(matches!(completed, Err(StoreError::ReservationGone)), "{completed:?}");
    next.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_rows_that_nobody_can_explain() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    shop.store.complete_order(order.id, &receipt(&order.cart), None).await.expect("completes");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = shop.settings(&folder);
    let sound = crate::store::examine_shared(&settings).await.expect("reads");
    assert!(sound.is_sound() && sound.orders == 1, "{sound:?}");
    let reference = order.reference.as_str();
    for (theft, back) in [
        ("UPDATE stock SET on_hand = on_hand - 1".to_owned(), "UPDATE stock SET on_hand = on_hand + 1".to_owned()),
        (
            format!("UPDATE reservations SET state = 'held' WHERE reference = '{reference}'"),
            format!("UPDATE reservations SET state = 'final' WHERE reference = '{reference}'"),
        ),
        (
            "INSERT INTO checkout_answers (key, fingerprint, order_id) VALUES ('x', decode(repeat('ab', 32), 'hex'), 4711)".to_owned(),
            "DELETE FROM checkout_answers".to_owned(),
        ),
    ] {
        shop.session().await.batch_execute(&theft).await.expect("is fine");
        let examined = crate::store::examine_shared(&settings).await.expect("reads");
        assert_eq!(examined.faults().count(), 1, "{theft}: {examined:?}");
        shop.session().await.batch_execute(&back).await.expect("is fine");
    }
    assert!(crate::store::examine_shared(&settings).await.expect("reads").is_sound());
}

#[tokio::test]
async fn what_is_wrong_with_each_server_is_said() {
    // Nothing listens on either port.
    let folder = tempfile::tempdir().expect("a folder");
    let settings = postgres_settings("postgres://till@127.0.0.1:1,127.0.0.1:2/shop", folder.path());
    let refused = crate::store::hosts(&settings).await.expect_err("nobody is there");
    let said = format!("{:#}", anyhow::Error::from(refused));
    assert!(said.contains("127.0.0.1:1: ") && said.contains("127.0.0.1:2: "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_learns_of_an_import_by_its_next_beat() {
    let shop = Shop::shared(&[]).await;
    let other = shop.other_host().await;
    let epoch = shop.store.replace_catalogue(0, vec![b"mug".to_vec()]).await.expect("replaces");
    within_seconds(async {
        while other.catalogue_epoch() != Some(epoch) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(other.catalogue().await.expect("reads").parts, [b"mug".to_vec()]);
    other.close().await;
    shop.store.close().await;
}
