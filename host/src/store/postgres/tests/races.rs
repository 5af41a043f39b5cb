//! The races that SQLite's one writer doesn't have.

use std::time::Duration;

use tokio_postgres::Client;

use crate::{
    order::{Fingerprint, IdempotencyKey, Keyed, Reference, Status},
    store::{
        Answered, Durability, Inventory, NewOrder, OrderId, OrdersFilter, Released, StoreError, TakeError, Taker,
        tests::{Shop, cart, item, new_order, receipt, server::query, within_seconds},
    },
};

/// Holds a transaction of somebody else open, in which those statements were carried out.
async fn hold_open(shop: &Shop, statements: &str) -> Client {
    let session = shop.session().await;
    session.batch_execute(&format!("BEGIN; {statements}")).await.expect("are fine");
    session
}

/// Returns the future's outcome, which comes only after `session` has committed.
async fn behind<T: Send + 'static>(session: Client, work: impl Future<Output = T> + Send + 'static) -> T {
    let work = tokio::spawn(work);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!work.is_finished(), "it doesn't wait for the other session");
    session.batch_execute("COMMIT").await.expect("commits");
    within_seconds(work).await.expect("no panic")
}

async fn status(shop: &Shop, id: OrderId) -> Status {
    shop.store.order_by_id(id).await.expect("reads").expect("there").status
}

/// As another host settles the order of one that it takes for dead.
fn settle_statements(id: OrderId, reference: &Reference) -> String {
    format!(
        "SELECT 1 FROM orders WHERE id = {} FOR NO KEY UPDATE;
         UPDATE orders SET status = 'FAILED', reason = 'interrupted', ended_at_ms = 1 WHERE id = {0} AND status = 'PENDING';
         UPDATE reservations SET state = 'released' WHERE reference = '{}' AND state = 'held';
         UPDATE stock SET on_hand = on_hand + 2 WHERE item = 'laptop';
         INSERT INTO stock_movements (reference, item, delta, kind, at_ms) VALUES ('{1}', 'laptop', 2, 'released', 1);",
        id.number(),
        reference.as_str()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_behind_a_failure_finds_its_order_gone_and_sells_nothing() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    let settling = hold_open(&shop, &settle_statements(order.id, &order.reference)).await;
    let (store, receipt) = (shop.store.clone(), receipt(&order.cart));
    let completed = behind(settling, async move { store.complete_order(order.id, &receipt, None).await }).await;
    assert!(matches!(completed, Err(StoreError::ReservationGone)), "{completed:?}");
    assert_eq!(status(&shop, order.id).await, Status::Failed);
    assert_eq!(shop.level("laptop").await, Some(10));
    shop.assert_ledger_exact().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_behind_a_completion_says_so_and_gives_nothing_back() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    let completing = hold_open(
        &shop,
        &format!(
            "UPDATE orders SET status = 'COMPLETED', total = 1, adjustments = '[]', receipt_attributes = '[]', ended_at_ms = 1
             WHERE id = {} AND status = 'PENDING';
             UPDATE reservations SET state = 'final' WHERE reference = '{}' AND state = 'held'",
            order.id.number(),
            order.reference.as_str()
        ),
    )
    .await;
    let store = shop.store.clone();
    let failed = behind(completing, async move { store.fail_order(order.id, "late", None).await }).await;
    assert!(matches!(failed, Err(StoreError::OrderEnded { status: Status::Completed, .. })), "{failed:?}");
    assert_eq!(shop.level("laptop").await, Some(8));
    shop.assert_ledger_exact().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_failures_of_one_order_give_its_stock_back_once() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    let settling = hold_open(&shop, &settle_statements(order.id, &order.reference)).await;
    let store = shop.store.clone();
    let failed = behind(settling, async move { store.fail_order(order.id, "again", None).await }).await;
    assert!(failed.is_ok(), "{failed:?}");
    assert_eq!(shop.level("laptop").await, Some(10));
    shop.assert_ledger_exact().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_behind_a_take_notes_the_difference_to_what_is_there() {
    let shop = Shop::shared(&[("laptop", 50)]).await;
    let taking = hold_open(
        &shop,
        "INSERT INTO reservations (reference, state, at_ms, host) VALUES ('other', 'final', 1, 99);
         UPDATE stock SET on_hand = on_hand - 2 WHERE item = 'laptop';
         INSERT INTO stock_movements (reference, item, delta, kind, at_ms) VALUES ('other', 'laptop', -2, 'reserved', 1)",
    )
    .await;
    let store = shop.store.clone();
    let changed = behind(taking, async move { store.set_stock(&item("laptop"), 50, "").await }).await;
    assert_eq!(changed.expect("is set").level.on_hand, 50);
    assert_eq!(shop.level("laptop").await, Some(50));
    shop.assert_ledger_exact().await;
}

fn keyed(key: &str, body: &[u8]) -> Keyed {
    Keyed { key: IdempotencyKey::parse(key).expect("a fine key"), fingerprint: Fingerprint::of_body(body) }
}

const CLAIM: &str =
    "INSERT INTO checkout_answers (key, fingerprint, order_id) VALUES ('one', decode(repeat('ab', 32), 'hex'), 4711)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_host_claims_is_taken_and_one_that_it_lets_go_is_free() {
    for (end, is_taken) in [("COMMIT", true), ("ROLLBACK", false)] {
        let shop = Shop::shared(&[("laptop", 10)]).await;
        let claiming = hold_open(&shop, CLAIM).await;
        let order = NewOrder { keyed: Some(keyed("one", b"{}")), ..new_order(Inventory::Local, &[("laptop", 1)]) };
        let store = shop.store.clone();
        let begun =
            tokio::spawn(async move { store.begin_order(order, Durability::Queued).await.map(|begun| begun.id) });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!begun.is_finished(), "nobody knows yet whose key it is");
        claiming.batch_execute(end).await.expect("ends");
        let begun = within_seconds(begun).await.expect("no panic");
        assert_eq!(matches!(begun, Err(StoreError::KeyTaken)), is_taken, "{end}: {begun:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_deduct_that_comes_to_two_hosts_takes_once_and_the_second_undoes_nothing() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let other = shop.other_host().await;
    let reference = Reference::random();
    shop.deduct(&reference, &[("laptop", 3)]).await.expect("takes");
    let lines = cart(&[("laptop", 3)]).stock_lines();
    let second = other.take(Taker::Deduct(reference.clone()), &lines).await;
    assert!(matches!(second, Err(TakeError::AlreadyTaken)), "{second:?}");
    // What the second host does with a deduct that it couldn't carry out.
    let answer = Answered { status: 409, body: "{}".into() };
    other.refuse(&reference, Some((Fingerprint::of_body(b"{}"), answer))).await.expect("nothing is its own");
    assert_eq!(shop.level("laptop").await, Some(7));
    let answer = Answered { status: 200, body: "{}".into() };
    let kept = Some((Fingerprint::of_body(b"{}"), answer.clone()));
    shop.store.settle(&reference, kept).await.expect("settles");
    let earlier = other.earlier_deduct(&reference).await.expect("reads").expect("is kept");
    assert_eq!(earlier.answer, Some(answer));
    assert_eq!(other.release(&reference).await.expect("any host may"), Released::Returned);
    assert_eq!(shop.level("laptop").await, Some(10));
    shop.assert_ledger_exact().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn takes_of_many_lines_in_any_order_on_two_hosts_dont_wait_for_each_other_for_ever() {
    const ITEMS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let shop = Shop::shared(&ITEMS.map(|name| (name, 10_000))).await;
    let other = shop.other_host().await;
    let mut buyers = tokio::task::JoinSet::new();
    for buyer in 0..16 {
        let store = if buyer % 2 == 0 { shop.store.clone() } else { other.clone() };
        buyers.spawn(async move {
            for round in 0..15 {
                let first = (buyer * 7 + round) % 6;
                let lines = [(ITEMS[first], 1), (ITEMS[(first + 5) % 6], 1), (ITEMS[(first + 2) % 6], 1)];
                let order =
                    store.begin_order(new_order(Inventory::Local, &lines), Durability::Queued).await.expect("begins");
                let cart = cart(&lines);
                store.take(Taker::Order(order.id), &cart.stock_lines()).await.expect("there is enough");
                if round % 5 == 4 {
                    store.fail_order(order.id, "rejected", None).await.expect("fails");
                } else {
                    store.complete_order(order.id, &receipt(&cart), None).await.expect("completes");
                }
            }
        });
    }
    while let Some(bought) = within_seconds(buyers.join_next()).await {
        bought.expect("no panic");
    }
    let mut on_hand = 0;
    for name in ITEMS {
        on_hand += u64::from(shop.level(name).await.expect("there"));
    }
    assert_eq!(on_hand, 60_000 - 16 * 12 * 3);
    shop.assert_ledger_exact().await;
    assert_eq!(shop.store.gauges().failed_batches + other.gauges().failed_batches, 0);
    let url = shop.url().to_owned();
    other.close().await;
    shop.store.close().await;
    // A batch that is tried again after a deadlock is no failed one. A session's deadlocks are counted when it has ended.
    assert_eq!(query(&url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_pieces_are_sold_once_on_two_hosts() {
    let shop = Shop::shared(&[("laptop", 50)]).await;
    let other = shop.other_host().await;
    let mut buyers = tokio::task::JoinSet::new();
    for buyer in 0..80 {
        let store = if buyer % 2 == 0 { shop.store.clone() } else { other.clone() };
        buyers.spawn(async move {
            let lines = [("laptop", 1)];
            let order =
                store.begin_order(new_order(Inventory::Local, &lines), Durability::Queued).await.expect("begins");
            match store.take(Taker::Order(order.id), &cart(&lines).stock_lines()).await {
                Ok(_levels) => {
                    store.complete_order(order.id, &receipt(&cart(&lines)), None).await.expect("completes");
                    1
                }
                Err(TakeError::Shortage { available: 0, .. }) => {
                    store.fail_order(order.id, "short", None).await.expect("fails");
                    0
                }
                Err(error) => panic!("{error}"),
            }
        });
    }
    let mut sold = 0;
    while let Some(bought) = within_seconds(buyers.join_next()).await {
        sold += bought.expect("no panic");
    }
    assert_eq!((sold, shop.level("laptop").await), (50, Some(0)));
    shop.assert_ledger_exact().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_read_page_by_page_misses_no_order_of_any_host() {
    let shop = Shop::shared(&[("laptop", 10)]).await;
    let other = shop.other_host().await;
    // A lower number, whose order comes later than that of a higher one.
    let early = hold_open(&shop, CLAIM.replace("one", "slow").as_str()).await;
    let slow = NewOrder { keyed: Some(keyed("slow", b"{}")), ..new_order(Inventory::Local, &[("laptop", 1)]) };
    let store = shop.store.clone();
    let slow = tokio::spawn(async move { store.begin_order(slow, Durability::Queued).await.map(|begun| begun.id) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let fast = other
        .create_order(new_order(Inventory::Local, &[("laptop", 1)]), Durability::Committed)
        .await
        .expect("is made");
    let filter = OrdersFilter { limit: 100, ..OrdersFilter::default() };
    let listed = other.orders(filter.clone()).await.expect("reads").rows.len();
    early.batch_execute("ROLLBACK").await.expect("ends");
    let slow = within_seconds(slow).await.expect("no panic").expect("begins");
    assert!(slow < fast, "else it shows nothing: {slow:?} {fast:?}");
    assert_eq!(listed, 0, "an order below may still come");
    within_seconds(async {
        while other.orders(filter.clone()).await.expect("reads").rows.len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    other.close().await;
}
