//! Takes that are answered before the writer carries them out.

use super::{
    super::{BegunOrder, Durability, Inventory, Outage, StoreError, TakeError, Taker, command::Lane},
    Shop, cart, item, new_order, receipt, within_seconds,
};

impl Shop {
    async fn begin(&self, lines: &[(&str, u32)]) -> BegunOrder {
        self.store.begin_order(new_order(Inventory::Local, lines), Durability::Queued).await.expect("queues")
    }

    /// Returns what the order's take leaves of its first item.
    async fn take(&self, order: &BegunOrder, lines: &[(&str, u32)]) -> Result<u32, TakeError> {
        let taken = within_seconds(self.store.take(Taker::Order(order.id), &cart(lines).stock_lines())).await?;
        Ok(taken.first().expect("an item").on_hand)
    }

    async fn complete(&self, order: BegunOrder, lines: &[(&str, u32)]) -> Result<(), StoreError> {
        let id = order.id;
        order.created().await?;
        self.store.complete_order(id, &receipt(&cart(lines)), None).await
    }
}

/// The writer stands still until the gate is opened.
#[tokio::test]
async fn first_takes_of_known_items_wait_for_nobody_and_never_oversell() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    shop.hold(&[("laptop", 1)]).await;
    let gate = shop.gate().await;
    let (four, five, one) = (&[("laptop", 4)][..], &[("laptop", 5)][..], &[("laptop", 1)][..]);
    let (first, second, third) = (shop.begin(four).await, shop.begin(five).await, shop.begin(one).await);
    assert_eq!(shop.take(&first, four).await.expect("is there"), 5);
    assert_eq!(shop.take(&second, five).await.expect("is there"), 0);
    let (store, taker) = (shop.store.clone(), Taker::Order(third.id));
    let late = tokio::spawn(async move { store.take(taker, &cart(&[("laptop", 1)]).stock_lines()).await });
    shop.until_queued(6).await;
    gate.open().await;
    let late = late.await.expect("no panic");
    assert!(matches!(late, Err(TakeError::Shortage { available: 0, .. })), "{late:?}");
    shop.complete(first, four).await.expect("holds its stock");
    shop.complete(second, five).await.expect("holds its stock");
    assert_eq!(shop.level("laptop").await, Some(0));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn only_an_orders_first_take_is_answered_ahead() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    shop.hold(&[("laptop", 1)]).await;
    let (order, lines) = (shop.begin(&[("laptop", 2)]).await, &[("laptop", 2)][..]);
    assert_eq!(shop.take(&order, lines).await.expect("is there"), 7);
    let again = shop.take(&order, lines).await;
    assert!(matches!(again, Err(TakeError::AlreadyTaken)), "{again:?}");
    shop.complete(order, lines).await.expect("holds its stock");
    assert_eq!(shop.level("laptop").await, Some(7));
}

#[tokio::test]
async fn whatever_else_changes_the_stock_is_seen_by_the_next_take() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let lines = &[("laptop", 3)][..];
    let held = shop.hold(lines).await;
    let check = async |left: u32| {
        let order = shop.begin(lines).await;
        assert_eq!(shop.take(&order, lines).await.ok(), left.checked_sub(3));
    };
    check(7).await;
    shop.store.set_stock(&item("laptop"), 2, "").await.expect("sets");
    check(2).await;
    shop.store.add_stock(&item("laptop"), 2, "").await.expect("adds");
    check(4).await;
    shop.store.fail_order(held.id, "gives back", None).await.expect("fails");
    check(4).await;
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn what_was_taken_ahead_and_lost_with_its_batch_completes_nothing() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let sold = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
    let gate = shop.gate().await;
    let lines = &[("laptop", 4)][..];
    let order = shop.begin(lines).await;
    assert_eq!(shop.take(&order, lines).await.expect("is there"), 5);
    let failing = shop.in_writer(Lane::Durable, |_context| -> rusqlite::Result<()> {
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None))
    });
    let (failed, ()) = tokio::join!(failing, async {
        shop.until_queued(3).await;
        gate.open.send(()).expect("the writer waits");
    });
    assert!(matches!(failed, Err(StoreError::Unavailable(Outage::Database(_)))), "{failed:?}");
    let outcome = shop.complete(order, lines).await;
    assert!(matches!(outcome, Err(StoreError::ReservationGone)), "{outcome:?}");
    let next = shop.begin(lines).await;
    assert_eq!(shop.take(&next, lines).await.expect("the writer knows"), 5);
    shop.complete(next, lines).await.expect("holds its stock");
    assert_eq!(shop.level("laptop").await, Some(5));
    shop.assert_ledger_exact().await;
}
