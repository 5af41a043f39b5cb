//! Requests that are sent again under their `Idempotency-Key`.

use std::thread::JoinHandle;

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::support::{
    Answer, Client, Host, built_in_and, eventually,
    http::order_of,
    inventory_service::{Asked, InventoryService},
    raw::{Raw, checkout_with},
};

/// Buys under the key.
fn buy(shop: &Client, key: &str, order: &Value) -> Answer {
    shop.post_with("/checkout", &[("idempotency-key", key)], order)
}

fn buy_in_background(shop: &Client, key: &'static str, order: Value) -> JoinHandle<Answer> {
    let shop = shop.clone();
    std::thread::spawn(move || buy(&shop, key, &order))
}

fn assert_replayed(first: &Answer, again: &Answer) {
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.text());
    assert_eq!((again.status, &again.body), (first.status, &first.body), "byte for byte");
    assert!(again.body.ends_with(b"}\n"), "{}", again.text());
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_ne!(again.trace_id(), first.trace_id(), "it is a request of its own");
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &*answer.code()), (status, code), "{}", answer.text());
}

#[test]
fn the_same_request_gets_its_first_answer_again_and_nothing_twice() {
    let host = Host::start();
    let sale = json!({ "lines": [{ "item": "headphones", "quantity": 2, "price": 10 }, { "item": "laptop", "quantity": 1, "price": 900 }] });
    let short = order_of("laptop", 5000);
    let mut first = Vec::new();
    for (key, order, status) in [("sale", &sale, 200), ("short", &short, 400)] {
        let answer = buy(&host.shop, key, order);
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (status, ""), "{}", answer.text());
        assert_replayed(&answer, &buy(&host.shop, key, order));
        // The draft's spelling, and a second time.
        assert_replayed(&answer, &buy(&host.shop, &format!("\"{key}\""), order));
        first.push((key, order, answer));
    }
    // A client that writes its JSON anew has its fields in another order: agentic-commerce-protocol #120.
    let written_anew = r#"{ "lines": [ {"price":10.00,"quantity":2.0,"item":"headphones"},
                                       {"price":9e2,"item":"laptop","quantity":1} ], "attributes": {} }"#;
    let buy_anew = |host: &Host| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "sale")];
        host.shop.send("POST", "/checkout", &headers, Some(written_anew.as_bytes())).expect("an answer")
    };
    assert_replayed(&first[0].2, &buy_anew(&host));
    assert_eq!((host.orders().len(), host.on_hand("headphones")), (2, 198));

    // Also after a power cut, whatever the item costs by then, and for an older till's keys, which have the body's
    // digest.
    let folder = host.kill().folder;
    let store = rusqlite::Connection::open(folder.path().join("data/till.db")).expect("the store opens");
    let digest = sha2::Sha256::digest(short.to_string()).to_vec();
    store.execute("UPDATE checkout_answers SET fingerprint = ?1 WHERE key = 'short'", [digest]).expect("is written");
    drop(store);
    let host = Host::plan().folder(&folder).set("prices.laptop=1").start();
    for (key, order, answer) in &first {
        assert_replayed(answer, &buy(&host.shop, key, order));
    }
    assert_replayed(&first[0].2, &buy_anew(&host));
    assert_eq!((host.orders().len(), host.on_hand("headphones")), (2, 198));
    host.stop();
}

#[test]
fn a_plugins_fault_is_an_answer_too() {
    let host = Host::plan().plugins(built_in_and("checkout_trap")).warns("checkout failed").start();
    let order = order_of("headphones", 1);
    let answer = buy(&host.shop, "trap", &order);
    assert_refused(&answer, 502, "trap");
    assert_replayed(&answer, &buy(&host.shop, "trap", &order));
    assert_eq!(host.orders().len(), 1);
    host.stop();
}

#[test]
fn another_body_under_a_used_key_is_refused() {
    let host = Host::start();
    assert_eq!(buy(&host.shop, "used", &order_of("headphones", 1)).status, 200);
    let check = |host: &Host| {
        assert_refused(&buy(&host.shop, "used", &order_of("headphones", 2)), 422, "idempotency_key_reused");
        assert_eq!(host.orders().len(), 1);
    };
    check(&host);
    let folder = host.kill().folder;
    let host = Host::plan().folder(&folder).start();
    check(&host);
    host.stop();
}

#[test]
fn what_was_refused_before_it_was_carried_out_is_not_kept() {
    let host = Host::start();
    for refused in [json!({ "item": "headphones" }), order_of("headphones", 0)] {
        assert_refused(&buy(&host.shop, "second-try", &refused), 422, "unacceptable");
    }
    assert_eq!(buy(&host.shop, "second-try", &order_of("headphones", 1)).status, 200);
    host.stop();
}

#[test]
fn a_key_in_flight_is_a_conflict_until_its_order_ends() {
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let order = order_of("headphones", 1);
    let first = buy_in_background(&host.shop, "slow", order.clone());
    let asked = inventory.asked();
    let meanwhile = buy(&host.shop, "slow", &order);
    assert_refused(&meanwhile, 409, "idempotency_key_in_flight");
    assert_eq!(meanwhile.header("retry-after"), "1");
    assert_refused(&buy(&host.shop, "slow", &order_of("headphones", 2)), 422, "idempotency_key_reused");
    taken(asked);
    let first = first.join().expect("an answer");
    assert_eq!(first.status, 200);
    assert_replayed(&first, &buy(&host.shop, "slow", &order));
    host.stop();
}

#[test]
fn a_client_that_hangs_up_finds_its_answer_under_the_key() {
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let order = order_of("headphones", 1);
    {
        let mut gone = Raw::connect(&host.shop.address);
        gone.send(checkout_with(&["idempotency-key: gone"], order.to_string()));
        taken(inventory.asked());
    }
    let answer = eventually("the order's end", || {
        let answer = buy(&host.shop, "gone", &order);
        (answer.status != 409).then_some(answer)
    });
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, "true"), "{}", answer.text());
    assert_eq!(host.orders().len(), 1);
    host.stop();
}

#[test]
fn an_interrupted_order_was_no_answer() {
    let host = Host::plan().plugins(built_in_and("checkout_sleeps_forever")).start();
    let (shop, order) = (host.shop.clone(), order_of("headphones", 1));
    let body = order.to_string();
    let cut_off = std::thread::spawn(move || {
        let headers = [("content-type", "application/json"), ("idempotency-key", "cut-off")];
        shop.send("POST", "/checkout", &headers, Some(body.as_bytes()))
    });
    host.wait_for_unresolved(1);
    let folder = host.kill().folder;
    assert!(cut_off.join().expect("no panic").is_err());

    let host = Host::plan().folder(&folder).start();
    let answer = buy(&host.shop, "cut-off", &order);
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, ""), "{}", answer.text());
    let stand: Vec<_> = host.orders().iter().map(|order| order["status"].clone()).collect();
    assert_eq!(stand, ["FAILED", "COMPLETED"]);
    host.stop();
}

#[test]
fn a_key_stays_taken_until_the_release_is_confirmed() {
    let inventory = InventoryService::start();
    let lost = "checkout failed: the inventory service can't be reached";
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).warns(lost).start();
    let order = order_of("headphones", 1);
    let first = buy_in_background(&host.shop, "unsure", order.clone());
    inventory.asked().answer_raw(b"");
    let first = first.join().expect("an answer");
    assert_refused(&first, 502, "inventory_unreachable");

    let release = inventory.asked();
    assert_refused(&buy(&host.shop, "unsure", &order), 409, "idempotency_key_in_flight");
    released(release);
    eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
    assert_replayed(&first, &buy(&host.shop, "unsure", &order));
    host.stop();
}

#[test]
fn a_key_of_an_order_cut_off_at_the_inventory_is_free_after_the_release() {
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let (shop, order) = (host.shop.clone(), order_of("headphones", 1));
    let body = order.to_string();
    let cut_off = std::thread::spawn(move || {
        let headers = [("content-type", "application/json"), ("idempotency-key", "unsure")];
        shop.send("POST", "/checkout", &headers, Some(body.as_bytes()))
    });
    let asked = inventory.asked();
    let folder = host.kill().folder;
    drop(asked);
    assert!(cut_off.join().expect("no panic").is_err());

    let host = Host::plan().folder(&folder).env("INVENTORY_URL", &inventory.url).start();
    let release = inventory.asked();
    assert_refused(&buy(&host.shop, "unsure", &order), 409, "idempotency_key_in_flight");
    released(release);
    eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
    let again = buy_in_background(&host.shop, "unsure", order);
    taken(inventory.asked());
    let again = again.join().expect("an answer");
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, ""), "{}", again.text());
    host.stop();
}

#[test]
fn an_answer_is_forgotten_after_its_hours() {
    let host = Host::start();
    let order = order_of("headphones", 1);
    let first = buy(&host.shop, "old", &order).reference();
    let folder = host.stop().folder;
    let host = Host::plan().folder(&folder).set("checkout.idempotency_hours=0").start();
    eventually("the answer to be forgotten", || (buy(&host.shop, "old", &order).reference() != first).then_some(()));
    host.stop();
}

#[test]
fn a_deduct_is_answered_again_until_it_is_released() {
    let host = Host::start();
    let deduct = |key: &str, item: &str, quantity: u32| {
        let body = json!({ "item": item, "quantity": quantity });
        host.shop.post_with("/inventory/deduct", &[("idempotency-key", key)], &body)
    };
    let taken = deduct("taken", "headphones", 3);
    assert_eq!(taken.status, 200, "{}", taken.text());
    let short = deduct("short", "laptop", 5000);
    assert_refused(&short, 400, "insufficient_stock");
    assert_replayed(&taken, &deduct("taken", "headphones", 3));
    assert_replayed(&short, &deduct("short", "laptop", 5000));
    assert_refused(&deduct("taken", "headphones", 4), 422, "idempotency_key_reused");
    assert_eq!(host.on_hand("headphones"), 197);

    let release = host.shop.post("/inventory/release", &json!({ "reference": "taken" }));
    assert_eq!(release.status, 200, "{}", release.text());
    assert_refused(&deduct("taken", "headphones", 3), 409, "reference_used");
    assert_eq!(host.on_hand("headphones"), 200);
    host.stop();
}

#[test]
fn a_deduct_under_an_orders_own_reference_is_refused_and_done_with() {
    let host = Host::start();
    let reference = host.shop.buy("headphones", 1).reference();
    let folder = host.stop().folder;
    // It fails before the stock is reached, which would find the reference used.
    let host = Host::plan().folder(&folder).plugins(built_in_and("inventory_without_take")).start();
    for _ in 0..2 {
        let body = json!({ "item": "headphones", "quantity": 1 });
        let deduct = host.shop.post_with("/inventory/deduct", &[("idempotency-key", &reference)], &body);
        assert_refused(&deduct, 409, "reference_used");
    }
    assert_eq!(host.on_hand("headphones"), 199);
    host.stop();
}

/// Answers a deduct as an inventory that took.
fn taken(asked: Asked) {
    assert_eq!(asked.path, "/inventory/deduct");
    let levels = json!([{ "item": "headphones", "remaining": 7 }]);
    asked.answer(200, "application/json", &json!({ "status": "SUCCESS", "levels": levels }));
}

/// Confirms a release.
fn released(asked: Asked) {
    assert_eq!(asked.path, "/inventory/release");
    asked.answer(200, "application/json", &json!({ "status": "SUCCESS", "outcome": "returned" }));
}
