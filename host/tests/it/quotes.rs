//! What a cart would cost, and orders that are sold for that or not at all.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{
    Answer, Host, Plan, Protocol, Receiver, built_in_and, golden,
    guests::file,
    tree::{drawn, of_trace},
};

fn cart() -> Value {
    json!({ "lines": [{ "item": "headphones", "quantity": 1, "price": 99.99 }] })
}

/// Returns the cart with what its client agrees to pay.
fn agreeing(what: &str, to: &Value) -> Value {
    let mut cart = cart();
    cart[what] = to.clone();
    cart
}

fn quoted(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn pricing() -> Plan {
    Host::plan().plugins(built_in_and("checkout_pricing"))
}

fn surcharge(host: &Host, amount: &str) {
    let set = host.admin.post("/plugins/checkout/settings", &json!({ "set": { "surcharge": amount } }));
    assert_eq!(set.status, 200, "{}", set.text());
}

#[test]
fn a_quote_is_what_a_checkout_costs_and_leaves_nothing() {
    let host = Host::plan().plugins(built_in_and("checkout_adjusts")).start();
    let mut cart = cart();
    cart["attributes"] = json!({ "add shipping": 499, "subtract discount": 1_000 });
    let answer = host.shop.post("/quote", &cart);
    let quote = quoted(&answer);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("till-plugins").starts_with("checkout/checkout_adjusts@"), "{quote}");
    let adjustments: Vec<_> =
        quote["adjustments"].as_array().expect("a list").iter().map(|one| &one["amount"]).collect();
    assert_eq!((adjustments, &quote["total_price"]), (vec![&json!(4.99), &json!(10.0)], &json!(94.98)), "{quote}");
    assert_eq!(
        (&quote["currency"], &quote["receipt_attributes"]),
        (&json!("USD"), &json!({ "adjusted": 2 })),
        "{quote}"
    );
    assert_eq!(quote["lines"], json!([{ "item": "headphones", "quantity": 1, "price": 99.99 }]));
    assert_eq!((host.orders().len(), host.on_hand("headphones")), (0, 200));

    cart["quote"] = quote["quote"].clone();
    let sold = host.shop.post("/checkout", &cart);
    assert_eq!((sold.status, &sold.json()["total_price"]), (200, &json!(94.98)), "{}", sold.text());
    assert_eq!((host.orders().len(), host.on_hand("headphones")), (1, 199));
    // The body of a checkout, with all that it agrees to, can be quoted again.
    assert_eq!(quoted(&host.shop.post("/quote", &cart))["total_price"], json!(94.98));
    host.stop();
}

#[test]
fn an_order_is_sold_for_what_was_agreed_or_not_at_all() {
    let host = pricing().start();
    let quote = quoted(&host.shop.post("/quote", &cart()));
    surcharge(&host, "1");
    let agreed = agreeing("quote", &quote["quote"]);
    let first = [("idempotency-key", "first")];
    let changed = host.shop.post_with("/checkout", &first, &agreed);
    assert_eq!((changed.status, &*changed.code()), (409, "quote_changed"), "{}", changed.text());
    let problem = changed.json();
    assert_eq!(problem["detail"], "the order costs 100.00 USD now, not 99.99", "{problem}");
    assert_eq!(problem["quote"]["total_price"], json!(100.0), "{problem}");
    assert_eq!(problem["quote"]["adjustments"][0]["category"], "surcharge", "{problem}");
    let orders = host.orders();
    assert_eq!((&orders[0]["status"], &orders[0]["reason"]), (&json!("FAILED"), &json!("quote_changed")), "{orders:?}");
    assert_eq!(host.on_hand("headphones"), 200);

    // The answer under the key stays; what the client now agrees to is another request.
    let again = host.shop.post_with("/checkout", &first, &agreed);
    assert_eq!((again.header("idempotency-replayed"), again.text()), ("true", changed.text()));
    let new = agreeing("quote", &problem["quote"]["quote"]);
    assert_eq!(host.shop.post_with("/checkout", &first, &new).code(), "idempotency_key_reused");
    let sold = host.shop.post_with("/checkout", &[("idempotency-key", "second")], &new);
    assert_eq!((sold.status, &sold.json()["total_price"]), (200, &json!(100.0)), "{}", sold.text());

    // The same by the total itself.
    assert_eq!(host.shop.post("/checkout", &agreeing("expected_total", &json!(99.99))).code(), "quote_changed");
    assert_eq!(host.shop.post("/checkout", &agreeing("expected_total", &json!(100))).status, 200);
    assert_eq!(host.on_hand("headphones"), 198);
    host.stop();
}

#[test]
fn a_token_that_isnt_taken_is_refused_before_anything_is_done() {
    let host = pricing().start();
    let token = quoted(&host.shop.post("/quote", &cart()))["quote"].clone();
    let mut other = agreeing("quote", &token);
    other["lines"][0]["quantity"] = json!(2);
    let check = |host: &Host, body: &Value, code: &str| {
        let refused = host.shop.post("/checkout", body);
        assert_eq!((refused.status, &*refused.code()), (422, code), "{body}: {}", refused.text());
    };
    check(&host, &other, "quote_unusable");
    check(&host, &agreeing("quote", &json!("q1.1.1.1.1")), "quote_unusable");
    check(&host, &agreeing("quote", &json!("")), "unacceptable");
    check(&host, &agreeing("quote", &json!(null)), "unacceptable");
    check(&host, &agreeing("expected_total", &json!(9.999)), "unacceptable");
    check(&host, &agreeing("expected_total", &json!("99.99")), "unacceptable");
    let mut both = agreeing("quote", &token);
    both["expected_total"] = json!(99.99);
    check(&host, &both, "unacceptable");
    assert_eq!((host.orders().len(), host.on_hand("headphones")), (0, 200));
    let folder = host.stop().folder;

    // Without a key of the shop's, quotes end with the host that signed them; with one they don't.
    let host = Host::plan().folder(&folder).start();
    check(&host, &agreeing("quote", &token), "quote_unusable");
    let key = folder.path().join("quote.key");
    std::fs::write(&key, "m".repeat(43)).expect("it is written");
    let folder = host.stop().folder;
    let keyed =
        |folder: &Arc<tempfile::TempDir>| Host::plan().folder(folder).set(format!("quote.key_file={}", key.display()));
    let host = keyed(&folder).start();
    let token = quoted(&host.shop.post("/quote", &cart()))["quote"].clone();
    let folder = host.stop().folder;
    let host = keyed(&folder).start();
    let sold = host.shop.post("/checkout", &agreeing("quote", &token));
    assert_eq!(sold.status, 200, "{}", sold.text());
    host.stop();
}

#[test]
fn a_quote_says_no_as_a_checkout_does() {
    let host = Host::plan().plugins(built_in_and("checkout_discount")).start();
    let many = json!({ "item": "headphones", "quantity": 201, "price": 1 });
    let short = host.shop.post("/quote", &many);
    let shortage = json!({ "item": "headphones", "requested": 201, "available": 200 });
    assert_eq!((short.status, &short.json()["shortage"]), (400, &shortage), "{}", short.text());
    let mut blocked = cart();
    blocked["attributes"] = json!({ "reject": "not to this address" });
    let rejected = host.shop.post("/quote", &blocked);
    assert_eq!((rejected.status, &rejected.json()["rejection"]), (422, &json!("blocked")), "{}", rejected.text());
    assert_eq!(host.shop.post("/quote", &json!({ "item": "headphones" })).code(), "unacceptable");
    assert_eq!(host.shop.post("/quote", &agreeing("expected_total", &json!(-1))).code(), "unacceptable");
    assert_eq!(host.shop.get("/quote").status, 405);
    assert_eq!(host.orders().len(), 0);
    let metrics = host.shop.get("/metrics").text();
    for line in [r#"order_quotes_total{outcome="insufficient_stock"} 1"#, r#"order_quotes_total{outcome="rejected"} 1"#]
    {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    host.stop();
}

#[test]
fn a_canary_at_fault_is_stood_in_for_in_a_quote() {
    let host = Host::plan().start();
    let canary = "&try=%7B%22canary%22:100,%22gates%22:%7B%22calls_min%22:1000000%7D%7D";
    let component = std::fs::read(file("checkout_coupon")).expect("the guest is read");
    let tried = host.admin.deploy("checkout_coupon", canary, &component);
    assert_eq!((tried.status, &tried.json()["result"]), (200, &json!("candidate")), "{}", tried.text());
    let mut with_coupon = cart();
    with_coupon["attributes"] = json!({ "coupon": "SUMMER" });
    let answer = host.shop.post("/quote", &with_coupon);
    assert_eq!(quoted(&answer)["total_price"], json!(99.99));
    assert!(answer.header("till-plugins").starts_with("checkout/checkout@"), "the live one's");
    host.stop();
}

#[test]
fn a_quote_is_a_trace_of_its_own() {
    let receiver = Receiver::start();
    let host = pricing().traced(&receiver, Protocol::Grpc, "order-service").start();
    let quote = host.shop.post("/quote", &cart());
    let token = quoted(&quote)["quote"].clone();
    let matched = host.shop.post("/checkout", &agreeing("quote", &token));
    surcharge(&host, "1");
    let changed = host.shop.post("/checkout", &agreeing("quote", &token));
    assert_eq!((matched.status, changed.status), (200, 409), "{} {}", matched.text(), changed.text());
    host.stop();
    let spans = receiver.spans();
    for (name, answer) in [("quote", quote), ("quote_matched", matched), ("quote_changed", changed)] {
        golden::check(&format!("trace_{name}.txt"), &drawn(&of_trace(&spans, &answer.trace_id())));
    }
}
