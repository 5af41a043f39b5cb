//! What counts as a guest's processor time, and what doesn't.

use serde_json::{Value, json};

use crate::support::{Answer, Host, built_in_and};

/// The default.
const LIMIT_MS: usize = 50;

fn lines(count: usize) -> Value {
    let line = json!({ "item": "headphones", "quantity": 1, "price": 1 });
    json!({ "lines": vec![line; count] })
}

#[test]
fn waiting_is_none_of_it() {
    let host = Host::plan().plugins(built_in_and("checkout_naps")).start();
    let answer = host.shop.buy("headphones", 1);
    assert_eq!(answer.status, 200, "{}", answer.text());
    host.stop();
}

#[test]
fn host_calls_are_none_of_it_however_busy_the_host_is() {
    let plan = Host::plan().set("stock.headphones=1000000");
    let host = plan.plugins(built_in_and("inventory_looks_first")).start();
    let order = lines(100);
    let buy = || (0..4).map(|_| host.shop.post("/checkout", &order)).collect::<Vec<Answer>>();
    std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..16).map(|_| scope.spawn(buy)).collect();
        for answer in buyers.into_iter().flat_map(|buyer| buyer.join().expect("a buyer")) {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
    host.stop();
}

/// No tick of the epoch is noticed within an operation: each once counted as one tick, however long it took.
#[test]
fn an_operation_counts_as_long_as_it_takes() {
    let plan = Host::plan().warns("checkout failed");
    let host = plan.plugins(built_in_and("checkout_fills_memory")).start();
    let answer = host.shop.buy("headphones", 1);
    assert_eq!((answer.status, &*answer.code()), (504, "deadline"), "{}", answer.text());
    let stopped = host.stop();
    let fills = stopped.guest_lines().iter().filter(|line| line["message"] == "filled").count();
    // Writing 58 MiB takes a processor more than 2 ms, and the first time it takes far longer.
    assert!(fills < LIMIT_MS / 2, "{fills} fills");
}
