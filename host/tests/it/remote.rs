//! An inventory in another process: the requests to it, and lost answers.

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Host, Plan, eventually,
    http::order_of,
    inventory_service::{Asked, InventoryService},
};

/// Buys one piece in the background.
fn buy(shop: &Client, headers: &'static [(&'static str, &'static str)]) -> std::thread::JoinHandle<Answer> {
    let shop = shop.clone();
    std::thread::spawn(move || shop.post_with("/checkout", headers, &order_of("headphones", 1)))
}

fn success() -> Value {
    json!({ "status": "SUCCESS", "levels": [{ "item": "headphones", "remaining": 7 }] })
}

fn answer_of(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn reference(asked: &Asked) -> String {
    asked.headers["idempotency-key"].clone()
}

#[test]
fn the_context_and_the_reference_travel_along() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "0123456789abcdef\n").expect("the token is written");
    let inventory = InventoryService::start();
    let token = format!("server.inventory_token_file={}", token_file.display());
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).set(token).start();
    let buyer = buy(
        &host.shop,
        &[
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("tracestate", "vendor=opaque"),
            ("baggage", "shop=berlin,till=3"),
        ],
    );
    let asked = inventory.asked();
    assert_eq!(asked.path, "/inventory/deduct");
    assert_eq!(asked.body, json!({ "lines": [{ "item": "headphones", "quantity": 1 }] }));
    let parent: Vec<&str> = asked.headers["traceparent"].split('-').collect();
    assert_eq!((parent[1], parent[3]), ("4bf92f3577b34da6a3ce929d0e0e4736", "01"));
    assert_ne!(parent[2], "00f067aa0ba902b7", "the client span, not the caller's");
    assert_eq!(asked.headers["tracestate"], "vendor=opaque");
    assert_eq!(asked.headers["baggage"], "shop=berlin,till=3");
    assert_eq!(asked.headers["authorization"], "Bearer 0123456789abcdef");
    let (key, pending) = (reference(&asked), host.orders().remove(0));
    assert_eq!(
        (pending["reference"].as_str(), pending["status"].as_str()),
        (Some(&*key), Some("PENDING")),
        "durable before it is sent"
    );
    asked.answer(200, "application/json", &success());
    assert_eq!(buyer.join().expect("an answer").reference(), key);
    assert_eq!(host.on_hand("headphones"), 200, "the stock here isn't touched");
    host.stop();
}

#[test]
fn a_known_refusal_ends_the_order_at_once() {
    let inventory = InventoryService::start();
    let plan = Host::plan().env("INVENTORY_URL", &inventory.url).warns("checkout failed: deadlock");
    let host = plan.warns("checkout failed: the inventory service refused").start();
    let problem = |code: &str, detail: &str| json!({ "type": format!("urn:till:problem:{code}"), "code": code, "detail": detail });
    let mut short = problem("insufficient_stock", "none left");
    short["shortage"] = json!({ "item": "headphones", "requested": 1, "available": 0 });
    let mut rejected = problem("rejected", "not for sale");
    rejected["rejection"] = "blocked".into();
    for (status, document, expected, code) in [
        (400, short, 400, "insufficient_stock"),
        (422, rejected, 422, "rejected"),
        (500, problem("inventory_conflict", "deadlock"), 500, "inventory_conflict"),
        // Refused at its door, so nothing was taken; a release would only be refused there, too, again and again.
        (401, problem("unauthorized", "a token is wanted"), 502, "unavailable"),
        (403, problem("forbidden", "closed"), 502, "unavailable"),
        (422, problem("unacceptable", "no lines"), 502, "unavailable"),
    ] {
        let buyer = buy(&host.shop, &[]);
        inventory.asked().answer(status, "application/problem+json", &document);
        let answer = buyer.join().expect("an answer");
        assert_eq!((answer.status, &*answer.code()), (expected, code), "{}", answer.text());
        let order = host.orders().pop().expect("an order");
        assert_eq!((&order["status"], &order["reason"]), (&"FAILED".into(), &code.into()));
    }
    host.stop();
}

fn unsure(inventory: &InventoryService) -> Plan {
    Host::plan().env("INVENTORY_URL", &inventory.url).warns("checkout failed: the inventory service can't be reached")
}

#[test]
fn an_unknown_outcome_is_released_until_that_is_confirmed() {
    let torn =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"status\":".as_slice();
    let foreign = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>"
        .as_slice();
    let silent = b"".as_slice();
    let teapot = b"HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".as_slice();
    let redirecting =
        b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".as_slice();
    let noise = [0xff; 64].as_slice();
    let of_no_item = answer_of(br#"{"status":"SUCCESS","levels":[]}"#);
    let negative = answer_of(br#"{"status":"SUCCESS","levels":[{"item":"headphones","remaining":-7}]}"#);
    // A good answer, but for the 256 KiB of blanks before it.
    let huge = answer_of(&[&[b' '; 256 << 10][..], success().to_string().as_bytes()].concat());
    let endless_header = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'x'; 1 << 20]].concat();
    let inventory = InventoryService::start();
    let host = unsure(&inventory)
        .warns("checkout failed: the inventory service refused the request")
        .warns("waits for its release (1 in all): the inventory service can't be reached")
        .start();
    for lost in [torn, foreign, silent, teapot, redirecting, noise, &of_no_item, &negative, &huge, &endless_header] {
        // Whoever answers 4xx was reached.
        let code = if lost == teapot { "inventory_refused" } else { "inventory_unreachable" };
        let buyer = buy(&host.shop, &[]);
        let asked = inventory.asked();
        let key = reference(&asked);
        asked.answer_raw(lost);
        let answer = buyer.join().expect("an answer");
        assert_eq!((answer.status, &*answer.code()), (502, code), "{}", answer.text());
        let order = || host.shop.get(&format!("/orders/{key}")).json();
        assert_eq!(order()["status"], "PENDING_RELEASE");

        // The first release is refused, the second confirmed.
        for confirmed in [false, true] {
            let release = inventory.asked();
            assert_eq!((release.path.as_str(), &release.body), ("/inventory/release", &json!({ "reference": key })));
            assert_eq!(order()["status"], "PENDING_RELEASE");
            let status = if confirmed { 200 } else { 503 };
            release.answer(status, "application/json", &json!({ "status": "SUCCESS", "outcome": "returned" }));
        }
        eventually("the order's end", || (order()["status"] == "FAILED").then_some(()));
        assert_eq!(order()["reason"], code);
    }
    host.stop();
}

#[test]
fn no_answer_in_time_is_an_unknown_outcome() {
    let inventory = InventoryService::start();
    let settings = ["limits.inventory_call_ms=100", "limits.remote_call_ms=200"];
    let host = settings.into_iter().fold(unsure(&inventory), Plan::set).start();
    let buyer = buy(&host.shop, &[]);
    let unanswered = inventory.asked();
    let answer = buyer.join().expect("an answer");
    assert_eq!((answer.status, &*answer.code()), (502, "inventory_unreachable"), "{}", answer.text());
    let release = inventory.asked();
    assert_eq!(release.body["reference"], reference(&unanswered));
    release.answer(200, "application/json", &json!({ "status": "SUCCESS" }));
    eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
    host.stop();
}

#[test]
fn a_release_goes_on_after_a_restart() {
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let buyer = buy(&host.shop, &[]);
    let asked = inventory.asked();
    let key = reference(&asked);
    asked.answer_raw(b"");
    assert_eq!(buyer.join().expect("an answer").status, 502);
    let unanswered = inventory.asked();
    let folder = host.kill().folder;
    drop(unanswered);

    let host = Host::plan().folder(&folder).env("INVENTORY_URL", &inventory.url).start();
    assert_eq!(host.orders()[0]["status"], "PENDING_RELEASE");
    let release = inventory.asked();
    assert_eq!(release.body, json!({ "reference": key }));
    release.answer(200, "application/json", &json!({ "status": "SUCCESS" }));
    eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
    host.stop();
}

#[test]
fn an_order_cut_off_while_it_asked_is_released_after_the_restart() {
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let (shop, order) = (host.shop.clone(), order_of("headphones", 1).to_string());
    let json = [("content-type", "application/json")];
    let buyer = std::thread::spawn(move || shop.send("POST", "/checkout", &json, Some(order.as_bytes())));
    let key = reference(&inventory.asked());
    let folder = host.kill().folder;
    assert!(buyer.join().expect("no panic").is_err());

    let host = Host::plan().folder(&folder).env("INVENTORY_URL", &inventory.url).start();
    let release = inventory.asked();
    assert_eq!((release.path.as_str(), &release.body), ("/inventory/release", &json!({ "reference": key })));
    release.answer(200, "application/json", &json!({ "status": "SUCCESS" }));
    eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
    host.stop();
}

#[test]
fn an_order_that_never_gets_through_keeps_no_other_waiting() {
    let inventory = InventoryService::start();
    let host = unsure(&inventory).warns("waits for its release").start();
    let mut references = (0..2).map(|_| {
        let buyer = buy(&host.shop, &[]);
        let asked = loop {
            let asked = inventory.asked();
            if asked.path == "/inventory/deduct" {
                break asked;
            }
            asked.answer(500, "application/json", &json!({}));
        };
        let key = reference(&asked);
        asked.answer_raw(b"");
        assert_eq!(buyer.join().expect("an answer").status, 502);
        key
    });
    let (never, other) = (references.next().expect("one"), references.next().expect("another"));
    let status = |reference: &str| host.shop.get(&format!("/orders/{reference}")).json()["status"].clone();
    let mut refused = 0;
    while status(&other) != "FAILED" {
        let release = inventory.asked();
        let through = release.body["reference"] == *other;
        refused += u32::from(!through);
        assert!(refused < 5, "the other's turn never comes");
        release.answer(if through { 200 } else { 500 }, "application/json", &json!({ "status": "SUCCESS" }));
        if through {
            eventually("the order's end", || (status(&other) == "FAILED").then_some(()));
        }
    }
    assert_eq!(status(&never), "PENDING_RELEASE");
    host.kill();
}

#[test]
fn a_release_is_asked_for_where_the_stock_was() {
    for moved in [false, true] {
        let (first, second) = (InventoryService::start(), InventoryService::start());
        let host = Host::plan().env("INVENTORY_URL", &first.url).start();
        let buyer = buy(&host.shop, &[]);
        first.asked().answer_raw(b"");
        assert_eq!(buyer.join().expect("an answer").status, 502);
        drop(first.asked());
        let folder = host.kill().folder;

        // Without any inventory to ask it is only said.
        let host = Host::plan().folder(&folder).warns("1 orders wait for their release").start();
        assert_eq!(host.orders()[0]["status"], "PENDING_RELEASE");
        let folder = host.kill().folder;

        let plan = Host::plan().folder(&folder).env("INVENTORY_URL", &second.url);
        let before = format!("server.inventory_url_before={}", first.url);
        let host = if moved { plan.set(before) } else { plan }.start();
        let asked = if moved { &second } else { &first }.asked();
        assert_eq!(asked.path, "/inventory/release");
        asked.answer(200, "application/json", &json!({ "status": "SUCCESS" }));
        eventually("the order's end", || (host.orders()[0]["status"] == "FAILED").then_some(()));
        host.stop();
    }
}
