//! A plugin's texts, which are stored with the order and shown to people, and its shortages.

use serde_json::json;

use crate::support::{Host, built_in_and};

fn order(place: &str, what: &str) -> serde_json::Value {
    let line = json!({ "item": "headphones", "quantity": 1, "price": 1 });
    json!({ "lines": [line], "attributes": { "where": place, "what": what } })
}

/// Issue 15.5: a label of 255 KiB of NULs was sold.
#[test]
fn texts_are_bounded_and_without_control_characters() {
    let plan = Host::plan().set("breaker.faults=1000").warns("checkout failed");
    let host = plan.plugins(built_in_and("checkout_says_much")).start();
    let check = |place: &str, what: &str, status: u16, code: &str| {
        let answer = host.shop.post("/checkout", &order(place, what));
        assert_eq!(answer.status, status, "{place} {what}: {}", answer.text());
        assert_eq!(
            if status == 200 { "ok".to_owned() } else { answer.code() },
            code,
            "{place} {what}: {}",
            answer.text()
        );
        assert!(answer.body.len() < 4 * 1024, "{place} {what}: {} bytes", answer.body.len());
    };
    for (place, status, code) in [
        ("label", 200, "ok"),
        ("category", 200, "ok"),
        ("key", 200, "ok"),
        ("attribute", 200, "ok"),
        ("code", 422, "rejected"),
        ("message", 422, "rejected"),
        ("conflict", 500, "inventory_conflict"),
        ("unavailable", 502, "unavailable"),
        ("other", 502, "other"),
    ] {
        for what in ["fine", "just right"] {
            check(place, what, status, code);
        }
        for what in ["one more", "long", "nul", "escape"] {
            check(place, what, 502, "bad_output");
        }
    }
    for place in ["label", "category", "key", "code"] {
        check(place, "lines", 502, "bad_output");
    }
    for place in ["key", "code"] {
        check(place, "empty", 502, "bad_output");
    }
    check("label", "empty", 200, "ok");
    check("message", "empty", 422, "rejected");
    check("attribute", "lines", 200, "ok");
    check("message", "lines", 422, "rejected");
    check("other", "lines", 502, "other");
    host.stop();
}

#[test]
fn a_receipt_has_so_many_adjustments_and_attributes() {
    let plan = Host::plan().set("breaker.faults=1000").warns("checkout failed");
    let host = plan.plugins(built_in_and("checkout_says_much")).start();
    for (place, most) in [("adjustments", 400), ("attributes", 64)] {
        for (count, status) in [(most, 200), (most + 1, 502), (2_000, 502)] {
            let answer = host.shop.post("/checkout", &order(place, &count.to_string()));
            assert_eq!(answer.status, status, "{count} {place}: {}", answer.text());
        }
    }
    host.stop();
}

/// Issue 15.17: "1 asked for, 4294967295 there".
#[test]
fn a_shortage_is_of_what_was_asked_for_and_of_less_than_that() {
    let host = Host::plan().plugins(built_in_and("checkout_says_much")).warns("checkout failed").start();
    for place in ["short of none", "short of what suffices", "short of more than was asked", "short of something else"]
    {
        let answer = host.shop.post("/checkout", &order(place, ""));
        assert_eq!((answer.status, &*answer.code()), (502, "bad_output"), "{place}: {}", answer.text());
    }
    let answer = host.shop.post("/checkout", &order("short", ""));
    assert_eq!((answer.status, &*answer.code()), (400, "insufficient_stock"), "{}", answer.text());
    host.stop();
}

/// What a client says, a plugin may pass on.
#[test]
fn a_clients_text_has_no_control_characters_either() {
    let host = Host::start();
    for (text, status) in [("one\ntwo\tthree", 200), ("nul\0", 422), ("\u{1b}[2J", 422)] {
        let answer = host.shop.post("/checkout", &order("nowhere", text));
        assert_eq!(answer.status, status, "{text:?}: {}", answer.text());
    }
    host.stop();
}

#[test]
fn large_orders_make_short_pages() {
    let host = Host::plan().plugins(built_in_and("checkout_says_much")).set("stock.headphones=1000").start();
    let note = "n".repeat(1_000);
    let attributes: serde_json::Map<_, _> =
        (0..30).map(|number| (format!("a{number}"), note.as_str().into())).collect();
    let line = json!({ "item": "headphones", "quantity": 1, "price": 1, "attributes": attributes });
    let order = json!({ "lines": [line, line.clone()] });
    for _ in 0..40 {
        assert_eq!(host.shop.post("/checkout", &order).status, 200);
    }
    let (mut numbers, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = host.admin.get(&format!("/orders?limit=1000{after}"));
        assert!(page.body.len() < 3 << 19, "{} bytes", page.body.len());
        let page = page.json();
        numbers.extend(page["orders"].as_array().expect("a list").iter().map(|order| order["order_id"].clone()));
        pages += 1;
        match page["next_after"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(numbers, (1..=40).map(serde_json::Value::from).collect::<Vec<_>>());
    assert!(pages > 2, "{pages} pages");
    let listed =
        crate::support::host::run(&["orders", "list", "--json", "--admin", &format!("http://{}", host.admin.address)]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["orders"].as_array().map(Vec::len), Some(40));
    host.stop();
}
