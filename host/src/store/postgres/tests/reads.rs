//! How many rows the lanes' statements read. The planner sees small tables when a shop is new, and a plan that reads one of them whole
//! costs little then. It costs more with every order.

use super::*;
use crate::store::{
    Inventory, Taker,
    tests::{
        answers::{answered, keyed, place},
        elsewhere, receipt,
        server::query,
    },
};

/// Rows that a round may read: for each order its own few, and those of the checks beside it.
const READ_PER_ROUND_MAX: u64 = 150;
const ROUNDS: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_batch_reads_doesnt_grow_with_the_shop() {
    let shop = Shop::shared(&[("laptop", 100_000), ("rare", 1)]).await;
    for round in 0..ROUNDS {
        let sold = shop.hold(&[("laptop", 1)]).await;
        shop.store.complete_order(sold.id, &receipt(&sold.cart), None).await.expect("completes");
        let keyed_order = place(&shop, Inventory::Local, &format!("key-{round}")).await;
        shop.store.take(Taker::Order(keyed_order), &sold.cart.stock_lines()).await.expect("takes");
        shop.store.complete_order(keyed_order, &receipt(&sold.cart), Some(answered(200))).await.expect("completes");
        let failed = shop.hold(&[("laptop", 1)]).await;
        shop.store.fail_order(failed.id, "rejected", None).await.expect("fails");
        let remote = shop.place(elsewhere(), &[("laptop", 1)]).await;
        shop.store.await_release(remote.id, "unreachable", None).await.expect("awaits");
        shop.store.fail_order(remote.id, "unreachable", None).await.expect("fails");
        let short = shop.place(Inventory::Local, &[("laptop", 1)]).await;
        let too_many = crate::store::tests::cart(&[("rare", 2)]).stock_lines();
        assert!(shop.store.take(Taker::Order(short.id), &too_many).await.is_err());
        shop.store.fail_order(short.id, "out_of_stock", None).await.expect("fails");
        let [settled, refused, released] = std::array::from_fn(|_| crate::order::Reference::random());
        shop.deduct(&settled, &[("laptop", 1)]).await.expect("takes");
        let answer = Some((keyed("any").fingerprint, answered(200)));
        shop.store.settle(&settled, answer).await.expect("settles");
        shop.deduct(&refused, &[("laptop", 1)]).await.expect("takes");
        shop.store.refuse(&refused, None).await.expect("refuses");
        shop.deduct(&released, &[("laptop", 1)]).await.expect("takes");
        shop.store.release(&released).await.expect("releases");
    }
    // The database counts what a session has read when the session ends.
    shop.store.close().await;
    let of = "('orders', 'reservations', 'stock_movements', 'checkout_answers', 'deduct_answers')";
    let count = |sql: String| query(shop.url(), &sql).parse::<u64>().expect("a number");
    let whole = count(format!("SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname IN {of}"));
    let found = count(format!("SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname IN {of}"));
    let per_round = (whole + found) / ROUNDS;
    assert!(per_round <= READ_PER_ROUND_MAX, "{per_round} rows a round: {whole} of whole tables, {found} by indexes");
}
