//! Taking, completing, failing, settling, releasing.

use super::{
    super::{Durability, Inventory, OrderId, Released, StockLevel, StoreError, TakeError, Taker},
    On, Shop, cart, elsewhere, item, on_each_database, receipt,
};
use crate::order::{Reference, Status};

on_each_database!(
    many_takers_at_once_never_oversell,
    all_lines_are_taken_or_none,
    a_sale_keeps_its_stock_and_a_failed_order_gives_it_back,
    an_order_completes_only_with_its_stock_held_and_only_once,
    stock_is_taken_for_a_pending_local_order_once,
    a_release_gives_back_once_and_leaves_a_tombstone,
    nobody_releases_or_settles_a_local_orders_stock_from_outside,
    a_till_that_is_its_own_remote_inventory_keeps_order_and_deduct_apart,
    what_starts_over_takes_once_more_and_only_then,
    a_crash_between_two_takes_leaves_nothing_held,
);

async fn many_takers_at_once_never_oversell(on: On) {
    let shop = Shop::new(on, &[("laptop", 100)]).await;
    let takers: Vec<_> = (0..200)
        .map(|taker| {
            let (store, pieces) = (shop.store.clone(), taker % 3 + 1);
            tokio::spawn(async move {
                let reference = Reference::random();
                let lines = cart(&[("laptop", pieces)]).stock_lines();
                match store.take(Taker::Deduct(reference.clone()), &lines).await {
                    Ok(_levels) => store.settle(&reference, None).await.map(|()| pieces).expect("settles"),
                    Err(TakeError::Shortage { .. }) => 0,
                    Err(error) => panic!("{error}"),
                }
            })
        })
        .collect();
    let mut taken = 0;
    for taker in takers {
        taken += taker.await.expect("no panic");
    }
    assert_eq!(taken, 100);
    assert_eq!(shop.level("laptop").await, Some(0));
    shop.assert_ledger_exact().await;
}

async fn all_lines_are_taken_or_none(on: On) {
    type Left<'a> = &'a [(&'a str, u32)];
    type Short<'a> = (&'a str, u32, u32);
    let check = async |lines: &[(&str, u32)], expected: Result<Left<'_>, Short<'_>>| {
        let shop = Shop::new(on, &[("apple", 10), ("melon", 3)]).await;
        let outcome = shop.store.take(Taker::Deduct(Reference::random()), &cart(lines).stock_lines()).await;
        match (outcome, expected) {
            (Ok(levels), Ok(left)) => {
                let left = left.iter().map(|(name, on_hand)| StockLevel { item: item(name), on_hand: *on_hand });
                assert_eq!(levels, left.collect::<Vec<_>>(), "{lines:?}");
            }
            (Err(TakeError::Shortage { item, requested, available }), Err(short)) => {
                assert_eq!((item.as_str(), requested, available), short, "{lines:?}");
                assert_eq!(shop.level("apple").await, Some(10), "{lines:?}");
                assert_eq!(shop.level("melon").await, Some(3), "{lines:?}");
            }
            (outcome, _) => panic!("{lines:?}: {outcome:?}"),
        }
        shop.assert_ledger_exact().await;
    };
    check(&[("apple", 10)], Ok(&[("apple", 0)])).await;
    check(&[("melon", 3), ("apple", 4)], Ok(&[("apple", 6), ("melon", 0)])).await;
    check(&[("apple", 4), ("apple", 6)], Ok(&[("apple", 0)])).await;
    check(&[("apple", 11)], Err(("apple", 11, 10))).await;
    check(&[("apple", 6), ("apple", 6)], Err(("apple", 12, 10))).await;
    check(&[("apple", 4), ("melon", 4)], Err(("melon", 4, 3))).await;
    check(&[("apple", 4), ("pear", 1)], Err(("pear", 1, 0))).await;
    check(&[("pear", 1)], Err(("pear", 1, 0))).await;
}

async fn a_sale_keeps_its_stock_and_a_failed_order_gives_it_back(on: On) {
    let shop = Shop::new(on, &[("laptop", 10), ("mouse", 5)]).await;
    let sold = shop.hold(&[("laptop", 2)]).await;
    shop.store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
    let failed = shop.hold(&[("laptop", 3), ("mouse", 1)]).await;
    shop.store.fail_order(failed.id, "rejected", None).await.expect("fails");
    shop.store.fail_order(failed.id, "again", None).await.expect("is failed already");

    let status = async |id| shop.store.order_by_id(id).await.expect("reads").expect("there").status;
    assert_eq!(status(sold.id).await, Status::Completed);
    assert_eq!(status(failed.id).await, Status::Failed);
    assert_eq!((shop.level("laptop").await, shop.level("mouse").await), (Some(8), Some(5)));
    shop.until_unresolved(0).await;
    shop.assert_ledger_exact().await;
}

async fn an_order_completes_only_with_its_stock_held_and_only_once(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let gone = async |id: OrderId, cart| {
        let outcome = shop.store.complete_order(id, &receipt(cart), None).await;
        assert!(matches!(outcome, Err(StoreError::ReservationGone)), "{outcome:?}");
    };
    let nothing_taken = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    gone(nothing_taken.id, &nothing_taken.cart).await;
    let order = shop.store.order_by_id(nothing_taken.id).await.expect("reads").expect("there");
    assert_eq!((order.status, order.receipt, order.ended_at_ms), (Status::Pending, None, None));

    let released = shop.hold(&[("laptop", 1)]).await;
    shop.store.fail_order(released.id, "deadline", None).await.expect("fails");
    gone(released.id, &released.cart).await;

    let completed = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(completed.id, &receipt(&completed.cart), None).await.expect("completes");
    gone(completed.id, &completed.cart).await;
    let remote = shop.place(elsewhere(), &[("laptop", 1)]).await;
    shop.store.fail_order(remote.id, "rejected", None).await.expect("fails");
    gone(remote.id, &remote.cart).await;
    gone(OrderId::new(4_711).expect("a number"), &completed.cart).await;
    let outcome = shop.store.fail_order(completed.id, "too late", None).await;
    assert!(matches!(outcome, Err(StoreError::OrderEnded { status: Status::Completed, .. })), "{outcome:?}");
    assert_eq!(shop.level("laptop").await, Some(9));
}

async fn stock_is_taken_for_a_pending_local_order_once(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let lines = cart(&[("laptop", 1)]).stock_lines();
    let take = async |taker| shop.store.take(taker, &lines).await.expect_err("refused");
    let held = shop.hold(&[("laptop", 1)]).await;
    assert!(matches!(take(Taker::Order(held.id)).await, TakeError::AlreadyTaken));
    assert!(matches!(take(Taker::Deduct(held.reference.clone())).await, TakeError::AlreadyTaken));

    let placed = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    assert!(matches!(take(Taker::Deduct(placed.reference)).await, TakeError::AlreadyTaken));
    shop.store.fail_order(placed.id, "rejected", None).await.expect("fails");
    let remote = shop.place(elsewhere(), &[("laptop", 1)]).await;
    for id in [placed.id, remote.id, OrderId::new(4_711).expect("a number")] {
        let refusal = take(Taker::Order(id)).await;
        assert!(matches!(refusal, TakeError::Store(StoreError::ReservationGone)), "{refusal:?}");
    }
    assert_eq!(shop.level("laptop").await, Some(9));
}

async fn a_release_gives_back_once_and_leaves_a_tombstone(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let release = async |reference| shop.store.release(reference).await.expect("releases");
    let reference = Reference::random;
    let (held, settled, early) = (reference(), reference(), reference());
    for deduct in [&held, &settled] {
        shop.deduct(deduct, &[("laptop", 2), ("laptop", 1)]).await.expect("takes");
    }
    shop.store.settle(&settled, None).await.expect("settles");
    shop.store.settle(&settled, None).await.expect("is settled already");
    assert_eq!(shop.level("laptop").await, Some(4));

    for (deduct, first) in [(&held, Released::Returned), (&settled, Released::Returned), (&early, Released::Tombstone)]
    {
        assert_eq!(release(deduct).await, first);
        assert_eq!(release(deduct).await, Released::Before);
        let late = shop.deduct(deduct, &[("laptop", 1)]).await;
        assert!(matches!(late, Err(TakeError::Released)), "{late:?}");
        let settle = shop.store.settle(deduct, None).await;
        assert!(matches!(settle, Err(StoreError::ReservationGone)), "{settle:?}");
    }
    assert_eq!(shop.level("laptop").await, Some(10));
    shop.assert_ledger_exact().await;
}

async fn nobody_releases_or_settles_a_local_orders_stock_from_outside(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let held = shop.hold(&[("laptop", 1)]).await;
    let completed = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(completed.id, &receipt(&completed.cart), None).await.expect("completes");
    let placed = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    for order in [&held, &completed, &placed] {
        let release = shop.store.release(&order.reference).await;
        assert!(matches!(release, Err(StoreError::OfLocalOrder)), "{release:?}");
        let settle = shop.store.settle(&order.reference, None).await;
        assert!(matches!(settle, Err(StoreError::OfLocalOrder)), "{settle:?}");
    }
    assert_eq!(shop.level("laptop").await, Some(8));
}

async fn a_till_that_is_its_own_remote_inventory_keeps_order_and_deduct_apart(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let order = shop.place(elsewhere(), &[("laptop", 4)]).await;
    shop.deduct(&order.reference, &[("laptop", 4)]).await.expect("takes");
    shop.store.settle(&order.reference, None).await.expect("settles");
    shop.store.await_release(order.id, "unknown", None).await.expect("waits");
    let waiting = shop.store.order_by_id(order.id).await.expect("reads").expect("there");
    assert_eq!((waiting.status, waiting.reason.as_deref()), (Status::PendingRelease, Some("unknown")));

    assert_eq!(shop.store.release(&order.reference).await.expect("releases"), Released::Returned);
    shop.store.fail_order(order.id, "unknown", None).await.expect("fails");
    assert_eq!(shop.level("laptop").await, Some(10));
    let local = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    let outcome = shop.store.await_release(local.id, "unknown", None).await;
    assert!(matches!(outcome, Err(StoreError::ReservationGone)), "{outcome:?}");
}

async fn what_starts_over_takes_once_more_and_only_then(on: On) {
    let shop = Shop::new(on, &[("laptop", 10), ("mouse", 5)]).await;
    let start_over =
        async |taker: &Taker| shop.store.start_over(taker.clone(), "others".into(), Durability::Queued).await;
    let take = async |taker: &Taker, pieces| {
        shop.store.take(taker.clone(), &cart(&[("laptop", pieces), ("mouse", 1)]).stock_lines()).await
    };
    let order = shop.hold(&[("laptop", 2)]).await;
    let taker = Taker::Order(order.id);
    // A canary that took other pieces than the live version takes, several times over.
    for pieces in [7, 1, 2] {
        start_over(&taker).await.expect("starts over");
        let short = shop.store.take(taker.clone(), &cart(&[("laptop", 10), ("mouse", 6)]).stock_lines()).await;
        assert!(matches!(short, Err(TakeError::Shortage { available: 5, .. })), "{short:?}");
        assert_eq!((shop.level("laptop").await, shop.level("mouse").await), (Some(10), Some(5)));
        take(&taker, pieces).await.expect("takes again");
        assert!(matches!(take(&taker, pieces).await, Err(TakeError::AlreadyTaken)));
    }
    assert_eq!((shop.level("laptop").await, shop.level("mouse").await), (Some(8), Some(4)));
    shop.store.complete_order(order.id, &receipt(&order.cart), None).await.expect("completes");
    start_over(&taker).await.expect("an order that has ended stays as it is");
    let completed = shop.store.order_by_id(order.id).await.expect("reads").expect("there");
    assert_eq!((completed.status, &*completed.plugins), (Status::Completed, "others"));
    assert_eq!(shop.level("laptop").await, Some(8));

    let reference = Reference::random();
    let deduct = Taker::Deduct(reference.clone());
    start_over(&deduct).await.expect("nothing was taken");
    take(&deduct, 3).await.expect("takes");
    start_over(&deduct).await.expect("starts over");
    // Released by its till meanwhile: it is over.
    assert_eq!(shop.store.release(&reference).await.expect("releases"), Released::Before);
    assert!(matches!(take(&deduct, 3).await, Err(TakeError::Released)));
    assert!(matches!(start_over(&Taker::Deduct(order.reference)).await, Err(StoreError::OfLocalOrder)));
    assert_eq!((shop.level("laptop").await, shop.level("mouse").await), (Some(8), Some(4)));
    shop.assert_ledger_exact().await;
}

async fn a_crash_between_two_takes_leaves_nothing_held(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 2)]).await;
    shop.store.start_over(Taker::Order(order.id), "others".into(), Durability::Queued).await.expect("starts over");
    let (shop, opened) = shop.reopen().await;
    assert_eq!(opened.interrupted_orders, 1);
    let outcome = shop.store.take(Taker::Order(order.id), &cart(&[("laptop", 1)]).stock_lines()).await;
    assert!(matches!(outcome, Err(TakeError::Store(StoreError::ReservationGone))), "{outcome:?}");
    assert_eq!(shop.level("laptop").await, Some(10));
    shop.assert_ledger_exact().await;
}
