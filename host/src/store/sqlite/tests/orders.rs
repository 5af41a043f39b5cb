//! Orders as they are read back, and rows that can't be.

use super::{
    super::{StoreError, command::Lane},
    Shop, receipt,
};

#[tokio::test]
async fn the_schema_refuses_rows_that_cannot_be_true() {
    let shop = Shop::sqlite(&[("laptop", 10)]).await;
    let pending = shop.hold(&[("laptop", 1)]).await;
    assert_eq!(pending.id.number(), 1);
    let check = async |sql: &'static str| {
        let outcome = shop.in_writer(Lane::Step, move |context| context.connection.execute(sql, [])).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{sql}: {outcome:?}");
    };
    // Each failure rolls its batch back, so what they are tried on has to be committed.
    shop.store.ready().await.expect("commits");
    check("UPDATE stock SET on_hand = -1").await;
    check("UPDATE stock SET on_hand = 'many'").await;
    check("UPDATE stock SET on_hand = 0.5").await;
    check("UPDATE orders SET status = 'LOST'").await;
    check("UPDATE orders SET status = 'COMPLETED', ended_at_ms = 1").await;
    check("UPDATE orders SET status = 'FAILED', ended_at_ms = 1").await;
    check("UPDATE orders SET status = 'FAILED', reason = 'x'").await;
    check("UPDATE orders SET status = 'PENDING_RELEASE', reason = 'x'").await;
    check("UPDATE orders SET total = 1").await;
    check("UPDATE orders SET ended_at_ms = 1").await;
    check("UPDATE orders SET subtotal = -1").await;
    check("UPDATE orders SET subtotal = 9007199254740992").await;
    check("UPDATE orders SET lines = '['").await;
    check("UPDATE orders SET inventory = 'elsewhere'").await;
    check("UPDATE reservations SET state = 'lost'").await;
    check("DELETE FROM stock").await;
    check("DELETE FROM stock_movements").await;
    check("UPDATE stock_movements SET delta = -2").await;
    let movement = "INSERT INTO stock_movements (reference, item, delta, kind, at_ms)";
    for row in [
        "SELECT reference, 'laptop', -1, 'reserved', 1 FROM reservations",
        "SELECT reference, 'laptop', -1, 'released', 1 FROM reservations",
        "SELECT reference, 'laptop', 1, 'added', 1 FROM reservations",
        "SELECT reference, 'laptop', 1, 'found', 1 FROM reservations",
        "SELECT reference, 'mouse', -1, 'reserved', 1 FROM reservations",
        "VALUES ('nobody', 'laptop', -1, 'reserved', 1)",
        "VALUES (NULL, 'laptop', -1, 'reserved', 1)",
    ] {
        check(format!("{movement} {row}").leak()).await;
    }
    shop.store.complete_order(pending.id, &receipt(&pending.cart), None).await.expect("was left alone");
    shop.assert_ledger_exact().await;
}
