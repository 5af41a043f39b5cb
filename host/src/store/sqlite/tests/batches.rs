//! Which commands share a commit, when they are acknowledged, and that a failed batch leaves nothing.

use std::time::Duration;

use super::{
    super::{Durability, Inventory, OrdersFilter, Outage, StoreError, TakeError, Taker, command::Lane},
    Shop, cart, item, new_order, receipt, within_seconds,
};
use crate::order::Reference;

#[tokio::test]
async fn what_queues_up_shares_one_commit() {
    let shop = Shop::sqlite(&[("laptop", 100)]).await;
    let gate = shop.gate().await;
    let before = shop.store.gauges();
    let callers: Vec<_> = (0..64)
        .map(|_caller| {
            let store = shop.store.clone();
            tokio::spawn(async move {
                store.create_order(new_order(Inventory::Local, &[("laptop", 1)]), Durability::Committed).await
            })
        })
        .collect();
    shop.until_queued(64).await;
    assert_eq!(shop.store.gauges().commits, before.commits);
    gate.open().await;
    for caller in callers {
        caller.await.expect("no panic").expect("places");
    }
    let after = shop.store.gauges();
    assert_eq!(after.commits - before.commits, 1);
    assert_eq!(after.committed_commands - before.committed_commands, 65);
    assert_eq!(after.unresolved_orders, 64);
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let shop = Shop::with(&[], |settings| settings.batch_commands_max = 10).await;
    let gate = shop.gate().await;
    let before = shop.store.gauges().commits;
    let callers: Vec<_> = (0..29)
        .map(|_caller| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.ready().await })
        })
        .collect();
    shop.until_queued(29).await;
    gate.open().await;
    for caller in callers {
        caller.await.expect("no panic").expect("commits");
    }
    assert_eq!(shop.store.gauges().commits - before, 3);
}

#[tokio::test]
async fn one_checkout_alone_costs_one_commit() {
    let shop = Shop::with(&[("laptop", 1)], |settings| settings.linger = Duration::from_secs(3_600)).await;
    let before = shop.store.gauges().commits;
    let order = shop.hold(&[("laptop", 1)]).await;
    assert_eq!(shop.store.gauges().commits, before);
    shop.store.complete_order(order.id, &receipt(&order.cart), None).await.expect("completes");
    assert_eq!(shop.store.gauges().commits, before + 1);
}

#[tokio::test]
async fn steps_alone_are_committed_after_a_while() {
    let shop = Shop::with(&[], |settings| settings.linger = Duration::from_millis(1)).await;
    let order = shop.place(Inventory::Local, &[("laptop", 1)]).await;
    within_seconds(async { while shop.store.order_by_id(order.id).await.expect("reads").is_none() {} }).await;
    assert_eq!(shop.store.gauges().unresolved_orders, 1);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_but_lets_orders_end() {
    let shop = Shop::with(&[("laptop", 10)], |settings| settings.queue_commands_max = 3).await;
    let order = shop.hold(&[("laptop", 1)]).await;
    shop.store.ready().await.expect("commits");
    let gate = shop.gate().await;
    let waiting: Vec<_> = (0..3)
        .map(|_caller| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.ready().await })
        })
        .collect();
    shop.until_queued(3).await;
    let refused = shop.store.create_order(new_order(Inventory::Local, &[("laptop", 1)]), Durability::Queued);
    let refused = within_seconds(refused).await;
    assert!(matches!(refused, Err(StoreError::Overloaded { queued_max: 3 })), "{refused:?}");
    let ending = tokio::spawn({
        let store = shop.store.clone();
        async move { store.fail_order(order.id, "rejected", None).await }
    });
    shop.until_queued(4).await;
    gate.open().await;
    for caller in waiting {
        caller.await.expect("no panic").expect("commits");
    }
    ending.await.expect("no panic").expect("fails");
    assert_eq!(shop.level("laptop").await, Some(10));
}

/// Keeps the file from growing, as a full disk would.
async fn fill_disk(shop: &Shop) {
    let fill = |context: &mut super::WriteContext| {
        let pages: i64 = context.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        context.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_row| Ok(()))
    };
    shop.in_writer(Lane::Durable, fill).await.expect("fills");
}

async fn empty_disk(shop: &Shop) {
    let empty = |context: &mut super::WriteContext| {
        context.connection.query_row("PRAGMA max_page_count = 1000000", [], |_row| Ok(()))
    };
    shop.in_writer(Lane::Durable, empty).await.expect("empties");
}

#[tokio::test]
async fn a_batch_that_meets_a_full_disk_acknowledges_nothing_and_the_next_one_works() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    fill_disk(&shop).await;
    let gate = shop.gate().await;
    let (store, deduct) = (shop.store.clone(), Reference::random());
    let set = tokio::spawn(async move { store.set_stock(&item("laptop"), 3, "").await.map(|_level| ()) });
    shop.until_queued(1).await;
    let (store, taker) = (shop.store.clone(), Taker::Deduct(deduct.clone()));
    let step = tokio::spawn(async move { store.take(taker, &cart(&[("laptop", 1)]).stock_lines()).await });
    shop.until_queued(2).await;
    let mut large = new_order(Inventory::Local, &[("laptop", 1)]);
    large.plugins = "x".repeat(1 << 20);
    let (store, reference) = (shop.store.clone(), large.reference.clone());
    let full = tokio::spawn(async move { store.create_order(large, Durability::Committed).await.map(|_id| ()) });
    shop.until_queued(3).await;
    gate.open().await;

    for durable in [set, full] {
        let outcome = durable.await.expect("no panic");
        assert!(matches!(outcome, Err(StoreError::Unavailable(Outage::Database(_)))), "{outcome:?}");
    }
    step.await.expect("no panic").expect("a step is answered before its commit");
    let settled = shop.store.settle(&deduct, None).await;
    assert!(matches!(settled, Err(StoreError::ReservationGone)), "{settled:?}");
    assert_eq!(shop.store.gauges().failed_batches, 1);

    empty_disk(&shop).await;
    assert_eq!(shop.level("laptop").await, Some(10));
    assert_eq!(shop.store.order_by_reference(&reference).await.expect("reads"), None);
    let order = shop.hold(&[("laptop", 1)]).await;
    shop.store.complete_order(order.id, &receipt(&order.cart), None).await.expect("completes");
    assert_eq!(shop.level("laptop").await, Some(9));
    shop.assert_ledger_exact().await;
}

#[tokio::test]
async fn an_order_lost_with_its_batch_stays_lost_and_its_number_unused() {
    let shop = Shop::with(&[("laptop", 10)], |settings| settings.linger = Duration::from_secs(3_600)).await;
    let lost = shop.hold(&[("laptop", 4)]).await;
    let failure = shop.in_writer(Lane::Durable, |_context| -> rusqlite::Result<()> {
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None))
    });
    assert!(matches!(failure.await, Err(StoreError::Unavailable(Outage::Database(_)))));
    shop.intruder().execute_batch("BEGIN IMMEDIATE").expect("the lock is free again");

    let next = shop.hold(&[("laptop", 1)]).await;
    assert!(next.id > lost.id);
    let outcome = shop.store.complete_order(lost.id, &receipt(&lost.cart), None).await;
    assert!(matches!(outcome, Err(StoreError::ReservationGone)), "{outcome:?}");
    let outcome = shop.store.take(Taker::Order(lost.id), &lost.cart.stock_lines()).await;
    assert!(matches!(outcome, Err(TakeError::Store(StoreError::ReservationGone))), "{outcome:?}");
    shop.store.fail_order(lost.id, "store", None).await.expect("holds nothing");
    shop.store.complete_order(next.id, &receipt(&next.cart), None).await.expect("completes");
    assert_eq!(shop.level("laptop").await, Some(9));
    assert_eq!(shop.store.gauges().unresolved_orders, 0);
}

#[tokio::test]
async fn a_transaction_that_sqlite_itself_rolled_back_acknowledges_nothing() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let gate = shop.gate().await;
    let store = shop.store.clone();
    let set = tokio::spawn(async move { store.set_stock(&item("laptop"), 3, "").await });
    shop.until_queued(1).await;
    let store = shop.store.clone();
    let rolled_back = tokio::spawn(async move {
        let work = |context: &mut super::WriteContext| {
            context.connection.execute_batch("ROLLBACK").map_err(super::Refusal::<StoreError>::Failed)
        };
        super::in_writer(&store, Lane::Durable, work).await
    });
    shop.until_queued(2).await;
    let store = shop.store.clone();
    let next = tokio::spawn(async move { store.add_stock(&item("laptop"), 1, "").await });
    shop.until_queued(3).await;
    gate.open().await;
    assert!(matches!(set.await.expect("no panic"), Err(StoreError::Unavailable(_))));
    assert!(matches!(rolled_back.await.expect("no panic"), Err(StoreError::Unavailable(_))));
    assert_eq!(next.await.expect("no panic").expect("is in the next batch").level.on_hand, 11);
}

#[tokio::test]
async fn a_locked_file_refuses_all_that_waits_and_works_again_once_it_is_free() {
    let shop = Shop::with(&[("laptop", 10)], |settings| settings.busy_timeout = Duration::from_millis(1)).await;
    let order = shop.hold(&[("laptop", 4)]).await;
    shop.store.ready().await.expect("commits");
    let intruder = shop.intruder();
    intruder.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let outcome = shop.store.complete_order(order.id, &receipt(&order.cart), None).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(Outage::Database(_)))), "{outcome:?}");
    assert!(shop.store.ready().await.is_err());
    let level = shop.store.level(&item("laptop")).await.expect("readers go on");
    assert_eq!(level, Some(6));

    intruder.execute_batch("ROLLBACK").expect("unlocks");
    shop.store.ready().await.expect("commits");
    shop.store.fail_order(order.id, "store", None).await.expect("fails");
    assert_eq!(shop.level("laptop").await, Some(10));
}

#[tokio::test]
async fn a_command_that_breaks_a_rule_of_the_schema_harms_nobody_else() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let mut early = new_order(Inventory::Local, &[("laptop", 1)]);
    early.reference = Reference::parse("twice").expect("visible");
    shop.store.create_order(early.clone(), Durability::Committed).await.expect("places");
    let gate = shop.gate().await;
    let store = shop.store.clone();
    let set = tokio::spawn(async move { store.set_stock(&item("laptop"), 3, "").await });
    shop.until_queued(1).await;
    let store = shop.store.clone();
    let twice = tokio::spawn(async move { store.create_order(early, Durability::Committed).await });
    shop.until_queued(2).await;
    let store = shop.store.clone();
    let broken = tokio::spawn(async move {
        let work = |context: &mut super::WriteContext| {
            let connection = &context.connection;
            super::super::orders::in_savepoint(connection, || {
                connection.execute("UPDATE stock SET on_hand = on_hand + 1", [])?;
                connection.execute("UPDATE stock SET on_hand = -1", [])?;
                Ok::<_, super::Refusal<StoreError>>(())
            })
        };
        super::in_writer(&store, Lane::Durable, work).await
    });
    shop.until_queued(3).await;
    gate.open().await;
    assert_eq!(set.await.expect("no panic").expect("sets").level.on_hand, 3);
    assert!(matches!(twice.await.expect("no panic"), Err(StoreError::ReferenceTaken)));
    assert!(matches!(broken.await.expect("no panic"), Err(StoreError::Refused(_))));
    assert_eq!(shop.level("laptop").await, Some(3));
}

#[tokio::test]
async fn a_writer_that_is_gone_is_said_to_be_unavailable() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let panicked = shop.in_writer(Lane::Durable, |_context| -> rusqlite::Result<()> { panic!("provoked by a test") });
    assert!(matches!(panicked.await, Err(StoreError::Unavailable(Outage::WriterGone))));
    shop.store.sqlite().queue.until_ended().await;
    assert!(matches!(shop.store.ready().await, Err(StoreError::Unavailable(Outage::WriterGone))));
    let (shop, _opened) = shop.reopen().await;
    shop.store.ready().await.expect("commits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_carries_out_what_is_queued_and_refuses_the_rest() {
    let shop = Shop::with(&[("laptop", 10)], |settings| settings.batch_commands_max = 1).await;
    let gate = shop.gate().await;
    let store = shop.store.clone();
    let queued = tokio::spawn(async move { store.set_stock(&item("laptop"), 3, "").await });
    shop.until_queued(1).await;
    let closing: Vec<_> = (0..2)
        .map(|_closer| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.close().await })
        })
        .collect();
    // The one that is queued and the one that wakes the writer up to close.
    within_seconds(async { while shop.store.gauges().queued_commands < 2 {} }).await;
    gate.open().await;
    queued.await.expect("no panic").expect("was queued before");
    for closer in closing {
        closer.await.expect("no panic");
    }
    assert!(matches!(shop.store.ready().await, Err(StoreError::Closed)));
    assert!(matches!(shop.store.orders(OrdersFilter::default()).await, Err(StoreError::Closed)));
    assert!(!shop.folder().join("till.db-wal").exists());
    let (shop, _opened) = shop.reopen().await;
    assert_eq!(shop.level("laptop").await, Some(3));
}

#[tokio::test]
async fn a_caller_that_hangs_up_changes_nothing() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let gate = shop.gate().await;
    let store = shop.store.clone();
    let caller = tokio::spawn(async move { store.set_stock(&item("laptop"), 3, "").await });
    shop.until_queued(1).await;
    caller.abort();
    assert!(caller.await.is_err_and(|error| error.is_cancelled()));
    gate.open().await;
    assert_eq!(shop.level("laptop").await, Some(3));
}
