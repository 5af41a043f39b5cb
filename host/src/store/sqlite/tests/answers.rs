//! Answers that are kept under their requests' keys.

use std::time::Duration;

use super::{
    super::{Answered, Durability, Earlier, Inventory, OrderId, StoreError, Taker, command::Lane},
    Shop, cart, elsewhere, new_order, receipt,
};
use crate::order::{Fingerprint, IdempotencyKey, Keyed, Reference};

const FOR_EVER: Duration = Duration::MAX;
const NOT_AT_ALL: Duration = Duration::ZERO;

fn keyed(key: &str) -> Keyed {
    let key = IdempotencyKey::parse(key).expect("a fine key");
    Keyed { key, fingerprint: Fingerprint::of_body(b"{}") }
}

fn answered(status: u16) -> Answered {
    Answered { status, body: format!("{{\"status\":{status}}}").into() }
}

async fn place(shop: &Shop, inventory: Inventory, key: &str) -> OrderId {
    let order = crate::store::NewOrder { keyed: Some(keyed(key)), ..new_order(inventory, &[("laptop", 1)]) };
    shop.store.create_order(order, Durability::Committed).await.expect("places")
}

/// Returns what came of the key's request: `None` if nothing is known, `Some(None)` while its order has no end.
async fn earlier(shop: &Shop, key: &str) -> Option<Option<Answered>> {
    let earlier = shop.store.earlier_checkout(&keyed(key).key).await.expect("reads");
    earlier.map(|Earlier { fingerprint, answer }| {
        assert_eq!(fingerprint, keyed(key).fingerprint);
        answer
    })
}

#[tokio::test]
async fn an_answer_comes_to_light_with_its_orders_end() {
    let shop = Shop::new(&[("laptop", 10)]).await;
    assert_eq!(earlier(&shop, "sold").await, None);

    let sold = place(&shop, Inventory::Local, "sold").await;
    assert_eq!(earlier(&shop, "sold").await, Some(None));
    let lines = cart(&[("laptop", 1)]);
    shop.store.take(Taker::Order(sold), &lines.stock_lines()).await.expect("takes");
    shop.store.complete_order(sold, &receipt(&lines), Some(answered(200))).await.expect("completes");
    assert_eq!(earlier(&shop, "sold").await, Some(Some(answered(200))));

    let failed = place(&shop, Inventory::Local, "failed").await;
    shop.store.fail_order(failed, "trap", Some(answered(502))).await.expect("fails");
    assert_eq!(earlier(&shop, "failed").await, Some(Some(answered(502))));

    let unsure = place(&shop, elsewhere(), "unsure").await;
    shop.store.await_release(unsure, "unknown", Some(answered(502))).await.expect("waits");
    assert_eq!(earlier(&shop, "unsure").await, Some(None), "not before the release");
    shop.store.fail_order(unsure, "unknown", None).await.expect("fails");
    assert_eq!(earlier(&shop, "unsure").await, Some(Some(answered(502))));
}

#[tokio::test]
async fn an_end_without_an_answer_frees_the_key() {
    let shop = Shop::new(&[("laptop", 10)]).await;
    let local = place(&shop, Inventory::Local, "again").await;
    shop.store.fail_order(local, "store_unavailable", None).await.expect("fails");
    assert_eq!(earlier(&shop, "again").await, None);

    let remote = place(&shop, elsewhere(), "again").await;
    shop.store.await_release(remote, "store_unavailable", None).await.expect("waits");
    assert_eq!(earlier(&shop, "again").await, Some(None), "taken until the release");
    shop.store.fail_order(remote, "store_unavailable", None).await.expect("fails");
    assert_eq!(earlier(&shop, "again").await, None);

    place(&shop, Inventory::Local, "cut-off").await;
    place(&shop, elsewhere(), "cut-off-remote").await;
    let (shop, _opened) = shop.reopen().await;
    assert_eq!(earlier(&shop, "cut-off").await, None);
    assert_eq!(earlier(&shop, "cut-off-remote").await, Some(None));
}

#[tokio::test]
async fn a_key_is_taken_once() {
    let shop = Shop::new(&[]).await;
    place(&shop, Inventory::Local, "one").await;
    let order = crate::store::NewOrder { keyed: Some(keyed("one")), ..new_order(Inventory::Local, &[("laptop", 1)]) };
    let reference = order.reference.clone();
    let second = shop.store.create_order(order, Durability::Committed).await;
    assert!(matches!(second, Err(StoreError::KeyTaken)), "{second:?}");
    assert_eq!(shop.store.order_by_reference(&reference).await.expect("reads"), None);
    assert_eq!(shop.store.gauges().unresolved_orders, 1);
}

#[tokio::test]
async fn old_answers_are_pruned_a_few_at_a_time_but_not_of_orders_without_an_end() {
    let shop = Shop::new(&[("laptop", 10)]).await;
    let waiting = place(&shop, elsewhere(), "waiting").await;
    shop.store.await_release(waiting, "unknown", Some(answered(502))).await.expect("waits");
    for number in 0..501 {
        let id = place(&shop, Inventory::Local, &format!("key-{number}")).await;
        shop.store.fail_order(id, "trap", Some(answered(502))).await.expect("fails");
    }
    let deduct = Reference::parse("deduct").expect("a fine reference");
    let kept = Some((keyed("deduct").fingerprint, answered(400)));
    shop.store.refuse(&deduct, kept).await.expect("refuses");

    assert!(!shop.store.prune_answers(FOR_EVER).await.expect("prunes"));
    assert_eq!(earlier(&shop, "key-500").await, Some(Some(answered(502))));
    // A millisecond later they are older than nothing.
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(shop.store.prune_answers(NOT_AT_ALL).await.expect("prunes"), "there is one more");
    assert!(!shop.store.prune_answers(NOT_AT_ALL).await.expect("prunes"));
    assert_eq!(earlier(&shop, "key-500").await, None);
    assert_eq!(shop.store.earlier_deduct(&deduct).await.expect("reads"), None);
    shop.store.fail_order(waiting, "unknown", None).await.expect("fails");
    assert_eq!(earlier(&shop, "waiting").await, Some(Some(answered(502))));
}

#[tokio::test]
async fn a_refused_deduct_gives_back_what_it_held_and_nobody_elses() {
    let shop = Shop::new(&[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    let refused = shop.store.refuse(&order.reference, None).await;
    assert!(matches!(refused, Err(StoreError::OfLocalOrder)), "{refused:?}");
    assert_eq!(shop.level("laptop").await, Some(8));

    let held = Reference::parse("held").expect("a fine reference");
    shop.deduct(&held, &[("laptop", 3)]).await.expect("takes");
    shop.store.refuse(&held, None).await.expect("gives back");
    assert_eq!(shop.level("laptop").await, Some(8));

    let sold = Reference::parse("final").expect("a fine reference");
    shop.deduct(&sold, &[("laptop", 3)]).await.expect("takes");
    shop.store.settle(&sold, None).await.expect("settles");
    shop.store.refuse(&sold, None).await.expect("does nothing");
    assert_eq!(shop.level("laptop").await, Some(5), "what is final only a release gives back");
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn a_key_is_found_while_every_reader_is_busy() {
    let shop = Shop::with(&[("laptop", 1)], |settings| settings.busy_timeout = Duration::from_millis(1)).await;
    place(&shop, Inventory::Local, "waiting").await;
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (store, held) = (shop.store.clone(), std::sync::Arc::clone(&held));
        let (entered, entering) = tokio::sync::oneshot::channel();
        reading.spawn(async move {
            let wait = move |_: &rusqlite::Connection| {
                entered.send(()).expect("the test waits");
                held.lock().expect("no reader panics").recv().ok();
                Ok(())
            };
            store.sqlite().read(wait).await
        });
        entering.await.expect("the reader comes by");
    }
    assert!(matches!(shop.store.stock(None).await, Err(StoreError::Overloaded { .. })), "no reader is left");
    assert_eq!(earlier(&shop, "waiting").await, Some(None));
    drop(let_go);
    while let Some(read) = reading.join_next().await {
        read.expect("no panic").expect("reads");
    }
}

#[tokio::test]
async fn a_release_that_is_refused_leaves_the_deducts_answer() {
    let shop = Shop::new(&[("laptop", 10)]).await;
    let deduct = Reference::parse("deduct").expect("a fine reference");
    shop.deduct(&deduct, &[("laptop", 3)]).await.expect("takes");
    shop.store.settle(&deduct, Some((keyed("deduct").fingerprint, answered(200)))).await.expect("settles");
    // The schema has a rule that giving back breaks: nothing but the command itself comes to nothing.
    let forbid = "CREATE TRIGGER nothing_goes_back BEFORE INSERT ON stock_movements WHEN new.kind = 'released'
                  BEGIN SELECT raise(ABORT, 'nothing goes back'); END";
    shop.in_writer(Lane::Durable, |context| context.connection.execute_batch(forbid)).await.expect("forbids");
    let refused = shop.store.release(&deduct).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let earlier = shop.store.earlier_deduct(&deduct).await.expect("reads");
    assert_eq!(earlier.and_then(|earlier| earlier.answer), Some(answered(200)));
    assert_eq!(shop.level("laptop").await, Some(7));
}
