//! Stock that the shop itself changes, and the ledger under everything at once.

use super::{
    super::{LedgerMismatch, command::Lane},
    Shop,
};

#[tokio::test]
async fn stock_that_its_ledger_does_not_explain_is_found() {
    let shop = Shop::sqlite(&[("laptop", 10), ("mouse", 10)]).await;
    let steal = "UPDATE stock SET on_hand = 9 WHERE item = 'mouse'";
    shop.in_writer(Lane::Durable, move |context| context.connection.execute(steal, [])).await.expect("steals");
    let mismatches = shop.store.ledger_mismatches().await.expect("reads");
    assert_eq!(mismatches, [LedgerMismatch { item: "mouse".into(), on_hand: 9, ledger: 10 }]);
}
