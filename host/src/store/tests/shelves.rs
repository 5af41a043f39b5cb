//! Stock that the shop itself changes, and the ledger under everything at once.

use super::{
    super::{StockError, StockLevel, TakeError, Taker},
    Inventory, On, Shop, item, on_each_database, receipt,
};
use crate::order::Reference;

on_each_database!(
    seeding_leaves_known_items_alone,
    stock_changed_by_hand_stays_within_its_range,
    goods_come_back_even_onto_a_full_shelf,
    an_item_that_is_removed_is_nowhere_until_its_stock_is_set_again,
    the_ledger_is_exact_after_whatever_happened,
);

async fn seeding_leaves_known_items_alone(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    assert!(shop.store.knows(&item("laptop")) && !shop.store.knows(&item("mouse")));
    shop.store.seed_stock(&[(item("laptop"), 99), (item("mouse"), 0)]).await.expect("seeds");
    assert!(shop.store.knows(&item("mouse")));
    let level = |name, on_hand| StockLevel { item: item(name), on_hand };
    assert_eq!(shop.store.stock(None).await.expect("reads").rows, [level("laptop", 10), level("mouse", 0)]);

    let (shop, _opened) = shop.reopen().await;
    assert!(shop.store.knows(&item("laptop")) && shop.store.knows(&item("mouse")));
    assert_eq!(shop.store.gauges().known_items, 2);
}

async fn stock_changed_by_hand_stays_within_its_range(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let check = async |name, delta: i64, expected: Result<u32, u32>| {
        let outcome = match shop.store.add_stock(&item(name), delta, "").await {
            Ok(changed) => Ok(changed.level.on_hand),
            Err(StockError::OutOfRange { on_hand, .. }) => Err(on_hand),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(outcome, expected, "{name} {delta}");
    };
    check("laptop", 5, Ok(15)).await;
    check("laptop", -15, Ok(0)).await;
    check("laptop", -1, Err(0)).await;
    check("laptop", i64::MAX, Err(0)).await;
    check("laptop", i64::MIN, Err(0)).await;
    check("laptop", i64::from(u32::MAX), Ok(u32::MAX)).await;
    check("laptop", 1, Err(u32::MAX)).await;
    check("laptop", i64::MAX, Err(u32::MAX)).await;
    check("mouse", -1, Err(0)).await;
    assert!(!shop.store.knows(&item("mouse")));
    assert_eq!(shop.level("mouse").await, None);
    check("mouse", 3, Ok(3)).await;
    assert!(shop.store.knows(&item("mouse")));
    assert_eq!(shop.store.set_stock(&item("laptop"), 7, "").await.expect("sets").level.on_hand, 7);
    assert_eq!(shop.store.set_stock(&item("keyboard"), 1, "").await.expect("sets").level.on_hand, 1);
    assert_eq!((shop.level("laptop").await, shop.level("keyboard").await), (Some(7), Some(1)));
    shop.assert_ledger_exact().await;
}

async fn goods_come_back_even_onto_a_full_shelf(on: On) {
    let shop = Shop::new(on, &[("laptop", 10)]).await;
    let order = shop.hold(&[("laptop", 10)]).await;
    shop.store.set_stock(&item("laptop"), u32::MAX, "").await.expect("sets");
    shop.store.fail_order(order.id, "rejected", None).await.expect("fails");
    assert_eq!(shop.level("laptop").await, Some(u32::MAX));
    shop.assert_ledger_exact().await;
}

async fn an_item_that_is_removed_is_nowhere_until_its_stock_is_set_again(on: On) {
    let shop = Shop::new(on, &[("laptop", 10), ("mouse", 3)]).await;
    let listed = async || -> Vec<String> {
        let stock = shop.store.stock(None).await.expect("reads").rows;
        stock.into_iter().map(|level| format!("{} {}", level.item, level.on_hand)).collect()
    };
    shop.store.remove_stock(&item("laptop"), "").await.expect("removes");
    assert_eq!(listed().await, ["mouse 3"]);
    assert_eq!(
        (shop.store.knows(&item("laptop")), shop.store.level(&item("laptop")).await.expect("reads")),
        (false, None)
    );
    let again = shop.store.remove_stock(&item("laptop"), "").await;
    assert!(matches!(again, Err(StockError::Unknown { .. })), "{again:?}");
    // The opening stock of the settings doesn't bring it back at the next start; somebody's hand does.
    shop.store.seed_stock(&[(item("laptop"), 10)]).await.expect("seeds");
    assert_eq!((listed().await, shop.store.knows(&item("laptop"))), (vec!["mouse 3".to_owned()], false));
    let back = shop.store.add_stock(&item("laptop"), 2, "").await.expect("adds");
    assert_eq!((back.is_new, back.level.on_hand), (true, 2));
    assert!(!shop.store.set_stock(&item("laptop"), 4, "").await.expect("sets").is_new);
    assert_eq!(listed().await, ["laptop 4", "mouse 3"]);
    shop.assert_ledger_exact().await;
    let (shop, _) = shop.reopen().await;
    assert!(shop.store.knows(&item("laptop")));
}

async fn the_ledger_is_exact_after_whatever_happened(on: On) {
    const ITEMS: [&str; 3] = ["apple", "melon", "pear"];
    let shop = Shop::new(on, &ITEMS.map(|name| (name, 40))).await;
    let walk = async |shop: &Shop, mut dice: u64| {
        // A linear congruential generator: the same walk on every run.
        let mut throw = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let mut deducts = vec![Reference::random()];
        for _step in 0..120 {
            let name = ITEMS[usize::try_from(throw(3)).expect("small")];
            let pieces = u32::try_from(throw(9) + 1).expect("small");
            let lines = [(name, pieces), ("melon", 1)];
            match throw(8) {
                0..=3 => {
                    let placed = shop.place(Inventory::Local, &lines).await;
                    let taken = shop.store.take(Taker::Order(placed.id), &placed.cart.stock_lines()).await;
                    let completed = match taken {
                        Ok(_levels) if throw(3) > 0 => {
                            shop.store.complete_order(placed.id, &receipt(&placed.cart), None).await
                        }
                        _ => shop.store.fail_order(placed.id, "rejected", None).await,
                    };
                    completed.expect("ends");
                }
                4 => {
                    let reference = Reference::random();
                    match shop.deduct(&reference, &lines).await {
                        Ok(()) if throw(2) > 0 => shop.store.settle(&reference, None).await.expect("settles"),
                        Ok(()) | Err(TakeError::Shortage { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    deducts.push(reference);
                }
                5 => {
                    let some = usize::try_from(throw(deducts.len() as u64)).expect("small");
                    shop.store.release(&deducts[some]).await.map(|_released| ()).expect("releases");
                }
                // Sold out by hand, and back: what is given back meanwhile stays in the ledger.
                6 if throw(3) == 0 => drop(shop.store.remove_stock(&item(name), "").await),
                6 => drop(shop.store.set_stock(&item(name), pieces * 5, "").await.expect("sets")),
                _ => match shop.store.add_stock(&item(name), i64::from(pieces) - 4, "").await {
                    Ok(_) | Err(StockError::OutOfRange { .. }) => {}
                    Err(error) => panic!("{error}"),
                },
            }
        }
    };
    tokio::join!(walk(&shop, 1), walk(&shop, 2), walk(&shop, 3), walk(&shop, 4));
    shop.until_unresolved(0).await;
    shop.assert_ledger_exact().await;
    let (shop, opened) = shop.reopen().await;
    assert_eq!(opened.interrupted_orders, 0);
    shop.assert_ledger_exact().await;
}
