//! Openings that the writer holds back: an order that ends meanwhile is written once, and anything else is as if nothing were held.

use std::{fs, time::Duration};

use super::{
    super::{
        Answered, BegunOrder, Durability, Inventory, NewOrder, OpenError, Opened, Order, OrderId, Store, StoreError,
        TakeError, Taker, command::Lane,
    },
    Place, Shop, cart, item, new_order, receipt, settings, within_seconds,
};
use crate::order::{Fingerprint, IdempotencyKey, Keyed, Reference, Status};

type Lines<'a> = &'a [(&'a str, u32)];

/// A shop whose writer holds openings for as long as a test takes, and whose levels are known.
async fn shop(stock: Lines<'_>) -> Shop {
    let shop = Shop::with(stock, |settings| settings.linger = Duration::from_secs(3_600)).await;
    learn(&shop, stock).await;
    shop
}

/// Has one piece of each item sold, so that the levels are known.
async fn learn(shop: &Shop, stock: Lines<'_>) {
    let lines: Vec<_> = stock.iter().map(|(name, _)| (*name, 1)).collect();
    let reference = Reference::random();
    shop.deduct(&reference, &lines).await.expect("takes");
    shop.store.settle(&reference, None).await.expect("settles");
}

/// Makes every second write of an order fail, and with it the batch.
async fn forbid_second_writes(shop: &Shop, stock: Lines<'_>) {
    let forbid = "CREATE TRIGGER orders_are_written_once BEFORE UPDATE ON orders
                  BEGIN SELECT raise(ABORT, 'written twice'); END";
    shop.in_writer(Lane::Durable, |context| context.connection.execute_batch(forbid)).await.expect("forbids");
    learn(shop, stock).await;
}

async fn begin(shop: &Shop, order: NewOrder) -> BegunOrder {
    shop.store.begin_order(order, Durability::Queued).await.expect("queues")
}

/// Begins an order and takes its pieces ahead of the writer.
async fn hold(shop: &Shop, lines: Lines<'_>) -> BegunOrder {
    hold_order(shop, new_order(Inventory::Local, lines), lines).await
}

async fn hold_order(shop: &Shop, order: NewOrder, lines: Lines<'_>) -> BegunOrder {
    let order = begin(shop, order).await;
    take(shop, order.id, lines).await.expect("is there");
    order
}

async fn take(shop: &Shop, id: OrderId, lines: Lines<'_>) -> Result<Vec<u32>, TakeError> {
    let levels = within_seconds(shop.store.take(Taker::Order(id), &cart(lines).stock_lines())).await?;
    Ok(levels.into_iter().map(|level| level.on_hand).collect())
}

async fn complete(shop: &Shop, id: OrderId, lines: Lines<'_>) -> Result<(), StoreError> {
    within_seconds(shop.store.complete_order(id, &receipt(&cart(lines)), None)).await
}

async fn order(shop: &Shop, id: OrderId) -> Option<Order> {
    shop.store.order_by_id(id).await.expect("reads")
}

async fn status(shop: &Shop, id: OrderId) -> Option<Status> {
    order(shop, id).await.map(|order| order.status)
}

/// Returns what a reference holds, and its movements in the ledger's order.
fn held(shop: &Shop, reference: &Reference) -> (Option<String>, Vec<(String, i64, String)>) {
    let connection = shop.intruder();
    let state = "SELECT state FROM reservations WHERE reference = ?1";
    let state = connection.query_row(state, [reference.as_str()], |row| row.get(0)).ok();
    let mut reading = connection
        .prepare("SELECT item, delta, kind FROM stock_movements WHERE reference = ?1 ORDER BY id")
        .expect("is fine");
    let movements = reading
        .query_map([reference.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .expect("reads");
    (state, movements)
}

fn moved(item: &str, delta: i64, kind: &str) -> (String, i64, String) {
    (item.to_owned(), delta, kind.to_owned())
}

fn keyed(key: &str) -> Keyed {
    Keyed { key: IdempotencyKey::parse(key).expect("a fine key"), fingerprint: Fingerprint::of_body(b"{}") }
}

#[tokio::test]
async fn an_order_that_ends_while_it_is_held_is_written_once() {
    const STOCK: Lines<'_> = &[("laptop", 10), ("mouse", 5)];
    let shop = shop(STOCK).await;
    forbid_second_writes(&shop, STOCK).await;
    let lines: Lines<'_> = &[("mouse", 1), ("laptop", 2)];
    let new = NewOrder { keyed: Some(keyed("key")), ..new_order(Inventory::Local, lines) };
    let before = shop.store.gauges();
    let begun = begin(&shop, new.clone()).await;
    assert_eq!(take(&shop, begun.id, lines).await.expect("is there"), [6, 2]);
    assert_eq!(order(&shop, begun.id).await, None);
    let answer = Answered { status: 200, body: "{}".into() };
    let of_cart = receipt(&cart(lines));
    let sold = shop.store.complete_order(begun.id, &of_cart, Some(answer.clone()));
    within_seconds(sold).await.expect("completes");

    let after = shop.store.gauges();
    assert_eq!((after.commits - before.commits, after.committed_commands - before.committed_commands), (1, 3));
    assert_eq!((after.unresolved_orders, after.queued_commands), (0, 0));
    let found = order(&shop, begun.id).await.expect("there");
    assert_eq!((found.status, found.receipt), (Status::Completed, Some(of_cart)));
    assert_eq!((found.reference.clone(), found.cart, found.plugins), (new.reference, new.cart, new.plugins));
    assert!(found.ended_at_ms >= Some(found.placed_at_ms));
    let movements = vec![moved("laptop", -2, "reserved"), moved("mouse", -1, "reserved")];
    assert_eq!(held(&shop, &found.reference), (Some("final".to_owned()), movements));
    let earlier = shop.store.earlier_checkout(&keyed("key").key).await.expect("reads").expect("kept");
    assert_eq!((earlier.answer, earlier.fingerprint), (Some(answer), keyed("key").fingerprint));
    within_seconds(begun.created()).await.expect("was created");
    // The copy of the levels knows what was sold.
    let next = begin(&shop, new_order(Inventory::Local, lines)).await;
    assert_eq!(take(&shop, next.id, lines).await.expect("is there"), [4, 1]);
    complete(&shop, next.id, lines).await.expect("completes");
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn what_is_held_is_carried_out_after_the_linger_time() {
    let shop = Shop::with(&[("laptop", 10)], |settings| settings.linger = Duration::from_millis(1)).await;
    learn(&shop, &[("laptop", 10)]).await;
    let begun = hold(&shop, &[("laptop", 4)]).await;
    within_seconds(async { while status(&shop, begun.id).await != Some(Status::Pending) {} }).await;
    assert_eq!(shop.level("laptop").await, Some(5));
    complete(&shop, begun.id, &[("laptop", 4)]).await.expect("completes");
    assert_eq!(status(&shop, begun.id).await, Some(Status::Completed));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn who_asks_for_the_creation_has_it_carried_out() {
    let shop = shop(&[("laptop", 10)]).await;
    let begun = hold(&shop, &[("laptop", 4)]).await;
    let id = begun.id;
    within_seconds(begun.created()).await.expect("creates");
    complete(&shop, id, &[("laptop", 4)]).await.expect("completes");
    assert_eq!((shop.level("laptop").await, status(&shop, id).await), (Some(5), Some(Status::Completed)));
}

/// A copy of the files is what a power cut leaves of them.
#[tokio::test]
async fn a_crash_leaves_nothing_of_what_is_held_and_all_of_what_was_completed() {
    let shop = shop(&[("laptop", 10)]).await;
    let lost = hold(&shop, &[("laptop", 4)]).await;
    let check = async |expected: Option<Status>, left: u32| {
        let after = tempfile::tempdir().expect("a folder");
        for name in ["till.db", "till.db-wal"] {
            fs::copy(shop.folder().join(name), after.path().join(name)).expect("copies");
        }
        let (store, opened) = Store::open(&settings(after.path())).expect("opens");
        assert_eq!(opened, Opened::default());
        let found = store.order_by_id(lost.id).await.expect("reads");
        assert_eq!(
            (found.map(|order| order.status), store.level(&item("laptop")).await.ok().flatten()),
            (expected, Some(left))
        );
        assert_eq!(store.ledger_mismatches().await.expect("reads"), []);
        store.close().await;
    };
    check(None, 9).await;
    complete(&shop, lost.id, &[("laptop", 4)]).await.expect("completes");
    check(Some(Status::Completed), 5).await;
}

#[tokio::test]
async fn closing_carries_out_what_is_held() {
    let shop = shop(&[("laptop", 10)]).await;
    let begun = hold(&shop, &[("laptop", 4)]).await;
    let id = begun.id;
    drop(begun);
    let (shop, opened) = shop.reopen().await;
    assert_eq!((opened.interrupted_orders, opened.returned_reservations), (1, 1));
    assert_eq!((status(&shop, id).await, shop.level("laptop").await), (Some(Status::Failed), Some(9)));
}

#[tokio::test]
async fn the_end_of_the_last_handle_carries_out_what_is_held() {
    let shop = shop(&[("laptop", 10)]).await;
    drop(hold(&shop, &[("laptop", 4)]).await);
    let Shop { store, place } = shop;
    let Place::Folder(folder) = place else { unreachable!("it is in a file") };
    drop(store);
    let opened = within_seconds(async {
        loop {
            match Store::open(&settings(folder.path())) {
                Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                opened => break opened.expect("opens").1,
            }
        }
    });
    assert_eq!(opened.await.interrupted_orders, 1);
}

/// Somebody else took pieces that the copy of the levels still has.
#[tokio::test]
async fn a_take_that_comes_out_short_completes_nothing() {
    let shop = shop(&[("apple", 10), ("melon", 10)]).await;
    let lines: Lines<'_> = &[("melon", 4), ("apple", 4)];
    let begun = hold(&shop, lines).await;
    let steal = "INSERT INTO stock_movements (item, delta, kind, at_ms) VALUES ('melon', -8, 'set', 0);
                 UPDATE stock SET on_hand = 1 WHERE item = 'melon'";
    shop.intruder().execute_batch(steal).expect("steals");
    let short = complete(&shop, begun.id, lines).await;
    assert!(matches!(short, Err(StoreError::ReservationGone)), "{short:?}");
    let found = order(&shop, begun.id).await.expect("was created");
    assert_eq!((found.status, held(&shop, &found.reference)), (Status::Pending, (None, vec![])));
    shop.store.fail_order(begun.id, "store_unavailable", None).await.expect("fails");
    assert_eq!(status(&shop, begun.id).await, Some(Status::Failed));
    assert_eq!((shop.level("apple").await, shop.level("melon").await), (Some(9), Some(1)));
    assert_eq!(shop.store.gauges().unresolved_orders, 0);
    within_seconds(begun.created()).await.expect("was created");
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn an_order_that_took_nothing_completes_nothing() {
    let shop = shop(&[("laptop", 10)]).await;
    let begun = begin(&shop, new_order(Inventory::Local, &[("laptop", 4)])).await;
    let gone = complete(&shop, begun.id, &[("laptop", 4)]).await;
    assert!(matches!(gone, Err(StoreError::ReservationGone)), "{gone:?}");
    assert_eq!((status(&shop, begun.id).await, shop.level("laptop").await), (Some(Status::Pending), Some(9)));
}

#[tokio::test]
async fn a_start_over_opens_what_is_held_and_the_order_takes_once_more() {
    let shop = shop(&[("laptop", 10)]).await;
    let begun = hold(&shop, &[("laptop", 4)]).await;
    let other = hold(&shop, &[("laptop", 1)]).await;
    let taker = Taker::Order(begun.id);
    within_seconds(shop.store.start_over(taker, "others".into(), Durability::Queued)).await.expect("starts over");
    assert_eq!(take(&shop, begun.id, &[("laptop", 2)]).await.expect("is there"), [6]);
    complete(&shop, begun.id, &[("laptop", 4)]).await.expect("completes");
    complete(&shop, other.id, &[("laptop", 1)]).await.expect("completes");
    let found = order(&shop, begun.id).await.expect("there");
    assert_eq!((found.status, &*found.plugins), (Status::Completed, "others"));
    let movements =
        vec![moved("laptop", -4, "reserved"), moved("laptop", 4, "released"), moved("laptop", -2, "reserved")];
    assert_eq!(held(&shop, &found.reference), (Some("final".to_owned()), movements));
    assert_eq!(shop.level("laptop").await, Some(6));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn a_failure_opens_what_is_held_and_gives_back_what_it_took() {
    let shop = shop(&[("laptop", 10)]).await;
    let new = NewOrder { keyed: Some(keyed("key")), ..new_order(Inventory::Local, &[("laptop", 4)]) };
    let begun = hold_order(&shop, new, &[("laptop", 4)]).await;
    let answer = Answered { status: 502, body: "{}".into() };
    let failed = shop.store.fail_order(begun.id, "trap", Some(answer.clone()));
    within_seconds(failed).await.expect("fails");
    let found = order(&shop, begun.id).await.expect("there");
    assert_eq!((found.status, found.reason.as_deref()), (Status::Failed, Some("trap")));
    let movements = vec![moved("laptop", -4, "reserved"), moved("laptop", 4, "released")];
    assert_eq!(held(&shop, &found.reference), (Some("released".to_owned()), movements));
    let earlier = shop.store.earlier_checkout(&keyed("key").key).await.expect("reads").expect("kept");
    assert_eq!((earlier.answer, shop.level("laptop").await), (Some(answer), Some(9)));
    shop.assert_ledger_exact().await;
}

/// Who reads page by page asks for what comes after the highest number that there was.
#[tokio::test]
async fn no_order_is_committed_before_one_with_a_smaller_number() {
    let shop = shop(&[("laptop", 10)]).await;
    let lines: Lines<'_> = &[("laptop", 1)];
    let (first, second, third) = (hold(&shop, lines).await, hold(&shop, lines).await, hold(&shop, lines).await);
    complete(&shop, second.id, lines).await.expect("completes");
    let statuses =
        async || (status(&shop, first.id).await, status(&shop, second.id).await, status(&shop, third.id).await);
    let (pending, completed) = (Some(Status::Pending), Some(Status::Completed));
    assert_eq!(statuses().await, (pending, completed, None));
    complete(&shop, first.id, lines).await.expect("completes");
    assert_eq!(statuses().await, (completed, completed, None), "it needs nothing of the third");
    complete(&shop, third.id, lines).await.expect("completes");
    assert_eq!(statuses().await, (completed, completed, completed));
    assert_eq!((shop.level("laptop").await, shop.store.gauges().unresolved_orders), (Some(6), 0));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn a_command_that_may_depend_on_what_is_held_comes_after_it() {
    let shop = shop(&[("laptop", 10)]).await;
    let begun = hold(&shop, &[("laptop", 9)]).await;
    // The copy of the levels knows nothing of a deduct.
    let short = within_seconds(shop.deduct(&Reference::random(), &[("laptop", 1)])).await;
    assert!(matches!(short, Err(TakeError::Shortage { available: 0, .. })), "{short:?}");
    complete(&shop, begun.id, &[("laptop", 9)]).await.expect("holds its stock");
    let begun = begin(&shop, new_order(Inventory::Local, &[("laptop", 1)])).await;
    within_seconds(shop.store.set_stock(&item("laptop"), 5, "")).await.expect("sets");
    assert_eq!(status(&shop, begun.id).await, Some(Status::Pending));
}

#[tokio::test]
async fn a_reference_and_a_key_are_taken_once() {
    let shop = shop(&[("laptop", 10)]).await;
    let lines: Lines<'_> = &[("laptop", 1)];
    let new = NewOrder { keyed: Some(keyed("key")), ..new_order(Inventory::Local, lines) };
    let answer = || Some(Answered { status: 200, body: "{}".into() });
    let first = hold_order(&shop, new.clone(), lines).await;
    let same_reference = NewOrder { keyed: None, ..new.clone() };
    let same_key = NewOrder { reference: Reference::random(), ..new };
    let (same_reference, same_key) =
        (hold_order(&shop, same_reference, lines).await, hold_order(&shop, same_key, lines).await);
    let complete = async |id| within_seconds(shop.store.complete_order(id, &receipt(&cart(lines)), answer())).await;
    complete(first.id).await.expect("completes");
    for second in [&same_reference, &same_key] {
        let refused = complete(second.id).await;
        assert!(matches!(refused, Err(StoreError::ReservationGone)), "{refused:?}");
        assert_eq!(status(&shop, second.id).await, None);
    }
    let refused = within_seconds(same_reference.created()).await;
    assert!(matches!(refused, Err(StoreError::ReferenceTaken)), "{refused:?}");
    let refused = within_seconds(same_key.created()).await;
    assert!(matches!(refused, Err(StoreError::KeyTaken)), "{refused:?}");
    assert_eq!((shop.level("laptop").await, shop.store.gauges().unresolved_orders), (Some(8), 0));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn what_was_written_at_once_and_lost_with_its_batch_is_told_and_gone() {
    let shop = shop(&[("laptop", 10)]).await;
    let lines: Lines<'_> = &[("laptop", 4)];
    let gate = shop.gate().await;
    let begun = hold(&shop, lines).await;
    let (id, store) = (begun.id, shop.store.clone());
    let sold = tokio::spawn(async move { store.complete_order(id, &receipt(&cart(&[("laptop", 4)])), None).await });
    shop.until_queued(3).await;
    let failing = shop.in_writer(Lane::Durable, |_context| -> rusqlite::Result<()> {
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None))
    });
    let (failed, ()) = tokio::join!(failing, async {
        shop.until_queued(4).await;
        gate.open.send(()).expect("the writer waits");
    });
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    let sold = sold.await.expect("no panic");
    assert!(matches!(sold, Err(StoreError::Unavailable(_))), "{sold:?}");
    within_seconds(begun.created()).await.expect("was written, and then rolled back");
    assert_eq!((status(&shop, id).await, shop.level("laptop").await), (None, Some(9)));
    shop.store.fail_order(id, "store_unavailable", None).await.expect("holds nothing");
    learn(&shop, &[("laptop", 10)]).await;
    let next = hold(&shop, lines).await;
    complete(&shop, next.id, lines).await.expect("holds its stock");
    assert_eq!(shop.level("laptop").await, Some(4));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn a_locked_file_refuses_what_is_held_and_nothing_of_it_stays_reserved() {
    let stock: Lines<'_> = &[("laptop", 10)];
    let shop = Shop::with(stock, |settings| {
        settings.linger = Duration::from_secs(3_600);
        settings.busy_timeout = Duration::from_millis(1);
    })
    .await;
    learn(&shop, stock).await;
    let lines: Lines<'_> = &[("laptop", 4)];
    let begun = hold(&shop, lines).await;
    let intruder = shop.intruder();
    intruder.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let refused = complete(&shop, begun.id, lines).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = within_seconds(begun.created()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    intruder.execute_batch("ROLLBACK").expect("unlocks");
    learn(&shop, stock).await;
    let next = begin(&shop, new_order(Inventory::Local, lines)).await;
    assert_eq!(take(&shop, next.id, lines).await.expect("is there"), [4], "and not what the refused one left");
    complete(&shop, next.id, lines).await.expect("holds its stock");
    assert_eq!(shop.level("laptop").await, Some(4));
}
