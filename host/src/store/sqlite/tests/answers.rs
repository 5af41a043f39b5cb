//! Answers that are kept under their requests' keys.

use std::time::Duration;

use super::{
    super::{Inventory, StoreError, command::Lane},
    Shop,
};
use crate::{
    order::Reference,
    store::tests::answers::{answered, earlier, keyed, place},
};

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
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
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
