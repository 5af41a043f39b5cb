//! Answers that are kept under their requests' keys.

use std::time::Duration;

use super::{
    super::{Answered, Durability, Earlier, Inventory, OrderId, StoreError, Taker},
    On, Shop, cart, elsewhere, new_order, on_each_database, receipt,
};
use crate::order::{Fingerprint, IdempotencyKey, Keyed, Reference};

const FOR_EVER: Duration = Duration::MAX;
const NOT_AT_ALL: Duration = Duration::ZERO;

pub(in crate::store) fn keyed(key: &str) -> Keyed {
    let key = IdempotencyKey::parse(key).expect("a fine key");
    Keyed { key, fingerprint: Fingerprint::of_body(b"{}") }
}

pub(in crate::store) fn answered(status: u16) -> Answered {
    Answered { status, body: format!("{{\"status\":{status}}}").into() }
}

pub(in crate::store) async fn place(shop: &Shop, inventory: Inventory, key: &str) -> OrderId {
    let order = crate::store::NewOrder { keyed: Some(keyed(key)), ..new_order(inventory, &[("laptop", 1)]) };
    shop.store.create_order(order, Durability::Committed).await.expect("places")
}

/// Returns what came of the key's request: `None` if nothing is known, `Some(None)` while its order has no end.
pub(in crate::store) async fn earlier(shop: &Shop, key: &str) -> Option<Option<Answered>> {
    let earlier = shop.store.earlier_checkout(&keyed(key).key).await.expect("reads");
    earlier.map(|Earlier { fingerprint, answer }| {
        assert_eq!(fingerprint, keyed(key).fingerprint);
        answer
    })
}

on_each_database!(
    an_answer_comes_to_light_with_its_orders_end,
    an_end_without_an_answer_frees_the_key,
    a_key_is_taken_once,
    old_answers_are_pruned_a_few_at_a_time_but_not_of_orders_without_an_end,
    a_refused_deduct_gives_back_what_it_held_and_nobody_elses,
);

async fn an_answer_comes_to_light_with_its_orders_end(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
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

async fn an_end_without_an_answer_frees_the_key(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
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

async fn a_key_is_taken_once(on: On) {
    let shop = Shop::new(on, &[]).await;
    place(&shop, Inventory::Local, "one").await;
    let order = crate::store::NewOrder { keyed: Some(keyed("one")), ..new_order(Inventory::Local, &[("laptop", 1)]) };
    let reference = order.reference.clone();
    let second = shop.store.create_order(order, Durability::Committed).await;
    assert!(matches!(second, Err(StoreError::KeyTaken)), "{second:?}");
    assert_eq!(shop.store.order_by_reference(&reference).await.expect("reads"), None);
    shop.until_unresolved(1).await;
}

async fn old_answers_are_pruned_a_few_at_a_time_but_not_of_orders_without_an_end(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
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

async fn a_refused_deduct_gives_back_what_it_held_and_nobody_elses(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
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
