//! Orders as they are read back, and rows that can't be.

use std::time::Duration;

use super::{
    super::{Durability, Order, OrderId, OrdersFilter},
    On, Shop, elsewhere, new_order, on_each_database, receipt, within_seconds,
};
use crate::order::{Adjustment, Attribute, AttributeValue, Caps, Cart, Effect, MinorUnits, Receipt, Reference, Status};

on_each_database!(
    an_order_is_read_as_it_was_written,
    orders_are_listed_by_page_and_standing,
    what_was_carried_out_is_queued_no_longer,
);

async fn an_order_is_read_as_it_was_written(on: On) {
    let shop = Shop::new(on, &[]).await;
    let attribute = |key: &str, value| Attribute { key: key.into(), value };
    let attributes = vec![
        attribute("coupon", AttributeValue::Text("\"10 %\" ☂\n".into())),
        attribute("points", AttributeValue::Integer(i32::MIN)),
        attribute("weight", AttributeValue::Decimal(0.1 + 0.2)),
        attribute("tiny", AttributeValue::Decimal(-5e-324)),
        attribute("gift", AttributeValue::Flag(true)),
    ];
    let mut new = new_order(elsewhere(), &[("laptop", 2), ("mouse", 1)]);
    new.cart = Cart::new(new.cart.lines().to_vec(), attributes.clone()).expect("a fine cart");
    let amount = MinorUnits::new(997).expect("a fine amount");
    let adjustment = Adjustment {
        effect: Effect::Subtract,
        category: "discount".into(),
        label: "10 %".into(),
        amount,
        line: Some(1),
    };
    let total = new.cart.subtotal().amount() - 997;
    let receipt = Receipt::checked(&new.cart, vec![adjustment], total, attributes, Caps::NONE).expect("adds up");

    let id = shop.store.create_order(new.clone(), Durability::Committed).await.expect("places");
    let pending = Order {
        id,
        reference: new.reference.clone(),
        status: Status::Pending,
        inventory: elsewhere(),
        deducts: 1,
        currency: new.currency,
        cart: new.cart,
        receipt: None,
        reason: None,
        trace_id: new.trace_id,
        plugins: new.plugins,
        placed_at_ms: new.placed_at_ms,
        ended_at_ms: None,
    };
    assert_eq!(shop.store.order_by_id(id).await.expect("reads"), Some(pending.clone()));

    shop.store.complete_order(id, &receipt, None).await.expect("completes");
    let completed = shop.store.order_by_reference(&new.reference).await.expect("reads").expect("there");
    let ended_at_ms = completed.ended_at_ms;
    assert!(ended_at_ms > Some(1_700_000_000_000));
    assert_eq!(completed, Order { status: Status::Completed, receipt: Some(receipt), ended_at_ms, ..pending });
    assert_eq!(shop.store.order_by_reference(&Reference::random()).await.expect("reads"), None);
    assert_eq!(shop.store.order_by_id(OrderId::new(2).expect("a number")).await.expect("reads"), None);
}

async fn orders_are_listed_by_page_and_standing(on: On) {
    let shop = Shop::new(on, &[("laptop", 100)]).await;
    for order in 1..=9 {
        match order % 3 {
            0 => drop(shop.hold(&[("laptop", 1)]).await),
            1 => {
                let sold = shop.hold(&[("laptop", 1)]).await;
                shop.store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
            }
            _ => {
                let remote = shop.place(elsewhere(), &[("laptop", 1)]).await;
                shop.store.await_release(remote.id, "unknown", None).await.expect("waits");
            }
        }
    }
    shop.store.ready().await.expect("commits");
    let check = async |status, unresolved, after: u64, limit, expected: &[u64]| {
        let filter = OrdersFilter { status, unresolved, after: OrderId::new(after), limit, ..OrdersFilter::default() };
        let orders = shop.store.orders(filter.clone()).await.expect("reads").rows;
        let ids: Vec<_> = orders.iter().map(|order| order.id.number()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    };
    check(None, false, 0, 100, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    check(None, false, 2, 3, &[3, 4, 5]).await;
    check(None, false, 9, 3, &[]).await;
    check(None, false, 0, 0, &[]).await;
    check(None, true, 0, 100, &[2, 3, 5, 6, 8, 9]).await;
    check(None, true, 3, 2, &[5, 6]).await;
    check(Some(Status::Completed), false, 1, 100, &[4, 7]).await;
    check(Some(Status::Completed), true, 0, 100, &[]).await;
    check(Some(Status::Pending), false, 0, 100, &[3, 6, 9]).await;
    check(Some(Status::PendingRelease), true, 2, 1, &[5]).await;
    check(Some(Status::Failed), false, 0, 100, &[]).await;
}

/// A remote order's creation is waited for as soon as it is queued.
async fn what_was_carried_out_is_queued_no_longer(on: On) {
    let shop = Shop::new(on, &[]).await;
    for durability in [Durability::Committed, Durability::Queued] {
        let begun = shop.store.begin_order(new_order(elsewhere(), &[("laptop", 1)]), durability).await.expect("queues");
        begun.created().await.expect("is created");
    }
    within_seconds(async {
        while shop.store.gauges().queued_commands > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
