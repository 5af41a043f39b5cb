//! What the console is made of: orders by item, state and time, sales, changes by hand, what happened, an operator's checkout; and
//! its views in Chromium, by the keyboard alone.

use std::{sync::Arc, time::SystemTime};

use serde_json::{Value, json};

use crate::{
    page::look,
    support::{Host, built_in_and, eventually, http::order_of, rounds},
};

const HOSTILE: &str = "<img src=x onerror=alert('item')>";

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("this age")
}

/// Returns the texts of a list's members of that name.
fn texts(list: &Value, member: &str) -> Vec<String> {
    let rows = list.as_array().expect("a list");
    rows.iter().map(|row| row[member].as_str().unwrap_or_else(|| panic!("{member}: {row}")).to_owned()).collect()
}

#[test]
fn orders_are_found_by_item_state_and_time() {
    let host = Host::start();
    let first = host.shop.buy("headphones", 1).json();
    let cart = json!({ "lines": [
        { "item": "laptop", "quantity": 1, "price": 10, "attributes": { "gift": "headphones" } },
        { "item": "smartphone", "quantity": 2, "price": 10 },
    ] });
    let second = host.shop.post("/checkout", &cart).json();
    assert_eq!(host.shop.buy("headphones", 9_999).status, 400);
    // No later order is of the same millisecond.
    let between = now_ms() + 2;
    std::thread::sleep(std::time::Duration::from_millis(5));
    let third = host.shop.buy("laptop", 1).json();
    let reference = |order: &Value| order["reference"].as_str().expect("sold").to_owned();
    let [first, second, third] = [first, second, third].map(|order| reference(&order));
    let check = |query: &str, expected: &[&String]| {
        let page = host.admin.get(&format!("/orders?status=COMPLETED&{query}"));
        assert_eq!(page.status, 200, "{query}: {}", page.text());
        let found = texts(&page.json()["orders"], "reference");
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    };
    check("", &[&first, &second, &third]);
    check("sort=newest", &[&third, &second, &first]);
    check("item=headphones", &[&first]);
    check("item=laptop&sort=newest", &[&third, &second]);
    check("item=smartphone&sort=number", &[&second]);
    check("item=gift", &[]);
    check(&format!("placed_before_ms={between}&sort=newest"), &[&second, &first]);
    check(&format!("placed_from_ms={between}"), &[&third]);
    check("sort=newest&limit=1", &[&third]);
    let after = host.admin.get("/orders?sort=newest&limit=1").json()["next_after"].clone();
    check(&format!("sort=newest&limit=2&after={after}"), &[&second, &first]);
    let failed = host.admin.get("/orders?status=FAILED&item=headphones").json();
    assert_eq!(failed["orders"].as_array().expect("a list").len(), 1, "{failed}");
    for (query, why) in [("sort=oldest", "newest or number"), ("placed_from_ms=now", "milliseconds"), ("itm=x", "item")]
    {
        let refused = host.admin.get(&format!("/orders?{query}"));
        assert_eq!(refused.status, 422, "{query}");
        assert!(refused.text().contains(why), "{query}: {}", refused.text());
    }
    host.stop();
}

#[test]
fn stock_says_what_sold_lately_and_who_changed_it_by_hand_why() {
    let host = Host::start();
    assert_eq!(host.shop.buy("headphones", 3).status, 200);
    assert_eq!(host.shop.buy("headphones", 2).status, 200);
    assert_eq!(host.shop.buy("laptop", 9_999).status, 400);
    let sales = host.admin.get("/sales?minutes=5").json();
    assert_eq!(sales["items"], json!([{ "item": "headphones", "pieces": 5 }]), "{sales}");
    let change = |item: &str, body: Value| assert_eq!(host.admin.post(&format!("/stock/{item}"), &body).status, 200);
    change("laptop", json!({ "add": 7, "why": "delivery 4711" }));
    change("laptop", json!({ "set": 5, "why": " counted by Ada " }));
    change("headphones", json!({ "add": -1 }));
    let movements = host.admin.get("/movements").json();
    assert_eq!(texts(&movements["movements"], "why"), ["", "counted by Ada", "delivery 4711"], "{movements}");
    assert_eq!(movements["movements"][0]["delta"], -1);
    let of_laptops = host.admin.get("/movements?item=laptop&limit=1").json();
    assert_eq!(texts(&of_laptops["movements"], "kind"), ["set"], "{of_laptops}");
    let older = host.admin.get(&format!("/movements?item=laptop&after={}", of_laptops["next_after"])).json();
    assert_eq!(texts(&older["movements"], "why"), ["delivery 4711"], "{older}");
    let long = host.admin.post("/stock/laptop", &json!({ "add": 1, "why": "x".repeat(501) }));
    assert_eq!(long.status, 422, "{}", long.text());
    host.stop();
}

#[test]
fn what_happened_outlasts_the_host() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let host = Host::plan().folder(&folder).set("limits.drain_ms=9000").start();
    let set = json!({ "set": { "faults": "on" } });
    assert_eq!(host.admin.post("/plugins/inventory/settings", &set).status, 200);
    host.stop();
    let host = Host::plan().folder(&folder).set("limits.drain_ms=9001").start();
    let events = eventually("both starts", || {
        let events = host.admin.get("/timeline").json()["events"].clone();
        let starts = texts(&events, "what").iter().filter(|what| *what == "host-start").count();
        (starts == 2).then_some(events)
    });
    let told = texts(&events, "what");
    let place =
        |what: &str| told.iter().position(|told| told == what).unwrap_or_else(|| panic!("no {what} in {events}"));
    assert!(place("host-start") < place("host-stop") && place("host-stop") < place("set"), "{events}");
    let start = events[place("host-start")]["text"].as_str().expect("a text");
    assert!(start.contains("limits.drain_ms = 9001 (was 9000)"), "{start}");
    assert_eq!(events[place("set")]["plugin"], "inventory", "{events}");
    // Page by page it is the same.
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let page = host.admin.get(&format!("/timeline?limit=1{before}")).json();
        paged.extend(page["events"].as_array().expect("a list").clone());
        let Some(next) = page["next_before_ms"].as_u64() else { break };
        before = format!("&before_ms={next}");
    }
    assert_eq!(paged, *events.as_array().expect("a list"));
    host.stop();
}

#[test]
fn an_open_breaker_is_among_what_happened() {
    let host = Host::plan().plugins(built_in_and("checkout_trap")).warns("").start();
    let events = eventually("an open breaker", || {
        host.shop.buy("headphones", 1);
        let events = host.admin.get("/timeline").json()["events"].clone();
        texts(&events, "what").contains(&"breaker-open".to_owned()).then_some(events)
    });
    let opened = events.as_array().expect("a list").iter().find(|event| event["what"] == "breaker-open");
    let text = opened.expect("there").get("text").and_then(Value::as_str).expect("a text");
    assert!(text.starts_with("checkout checkout_trap@"), "{text}");
    host.stop();
}

#[test]
fn an_operator_buys_as_a_customer_does() {
    let host = Host::start();
    let sold = host.admin.post("/buy", &order_of("headphones", 2));
    assert_eq!(sold.status, 200, "{}", sold.text());
    assert_eq!(host.on_hand("headphones"), 198);
    assert_eq!(host.admin.get(&format!("/recent/traces/{}", sold.trace_id())).status, 200);
    let refused = host.admin.post("/buy", &order_of("headphones", 5_000));
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("insufficient_stock")), "{}", refused.text());
    let key = [("idempotency-key", "operator-1")];
    let once = host.admin.post_with("/buy", &key, &order_of("headphones", 1)).json();
    let again = host.admin.post_with("/buy", &key, &order_of("headphones", 1)).json();
    assert_eq!(once["order_id"], again["order_id"]);
    assert_eq!(host.on_hand("headphones"), 197);
    let foreign = host.admin.post_with("/buy", &[("origin", "https://evil.example")], &order_of("headphones", 1));
    assert_eq!(foreign.status, 403, "another site's page may not buy");
    host.stop();
}

#[test]
fn every_setting_has_its_source() {
    let host = Host::plan().set("limits.drain_ms=9000").set("store.busy_timeout_ms=4000").start();
    let listed = host.admin.get("/settings").json()["settings"].clone();
    let of = |key: &str| {
        let all = listed.as_array().expect("a list");
        all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}")).clone()
    };
    let drain = of("limits.drain_ms");
    assert_eq!((&drain["value"], &drain["is_default"]), (&json!("9000"), &json!(false)), "{drain}");
    assert!(drain["source"].as_str().expect("a text").contains("limits.drain_ms"), "{drain}");
    assert_eq!(of("limits.spans")["source"], "default");
    host.stop();
}

#[test]
fn each_view_opens_by_its_keys_and_says_what_it_shows() {
    let host = Host::plan().plugins(built_in_and("checkout_spans")).start();
    let sold = host.shop.buy("headphones", 2).json();
    assert_eq!(host.shop.buy("laptop", 9_999).status, 400);
    let change = json!({ "add": 7, "why": "delivery <b>4711</b>" });
    assert_eq!(host.admin.post("/stock/laptop", &change).status, 200);
    assert_eq!(
        host.admin
            .post(&format!("/stock/{}", "%3Cimg%20src%3Dx%20onerror%3Dalert('item')%3E"), &json!({ "set": 5 }))
            .status,
        200
    );
    assert_eq!(host.shop.post("/checkout", &order_of(HOSTILE, 1)).status, 200);
    // Each look buys one more.
    let given = json!({
        "path": "/console", "reference": sold["reference"], "hostile": HOSTILE, "line": "coupon looked up",
        "orders": 4, "sold": 3,
    });
    look(&host, "console", given.clone());
    let mut behind = given;
    (behind["behind"], behind["orders"], behind["sold"]) = ("/shop/till".into(), 5.into(), 4.into());
    look(&host, "console", behind);
    host.stop();
}

/// Returns the tasks of the console's page in docs, each with its clicks.
fn documented_tasks() -> serde_json::Map<String, Value> {
    let text = include_str!("../../../docs/operate/console.md");
    let rows = text.split("## Ten tasks").nth(1).expect("a section").lines().filter(|line| line.starts_with("| "));
    let tasks = rows.skip(1).map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        (cells[0].to_owned(), json!(cells[2].parse::<u32>().expect("a number of clicks")))
    });
    tasks.collect()
}

#[test]
fn ten_tasks_take_no_more_clicks_than_documented() {
    let host = Host::plan_demo().set("limits.drain_ms=9000").warns("Database deadlock conflict during write").start();
    let set = json!({ "set": { "note": "1" }, "by": "ada", "force": true });
    assert_eq!(host.admin.post("/plugins/checkout/settings", &set).status, 200);
    for _ in 0..20 {
        assert_eq!(host.shop.buy("headphones", 1).status, 200);
    }
    let slow = host.shop.buy("smartphone", 3);
    assert_eq!(slow.status, 200);
    eventually("a deadlock", || Some(host.shop.buy("laptop", 2)).filter(|answer| answer.status == 500));
    let clicks = documented_tasks();
    assert_eq!(clicks.len(), 10);
    assert!(clicks.values().all(|count| count.as_u64() <= Some(3)), "{clicks:?}");
    look(&host, "tasks", json!({ "path": "/console", "reference": slow.reference(), "clicks": clicks }));
    host.stop();
}

/// With `TILL_SOAK` there are 100,000 orders, and what the answers and the first paint took is printed.
#[test]
fn orders_are_found_among_many() {
    let orders = rounds(300, 100_000);
    let host = Host::plan().set("stock.headphones=4000000000").set("stock.rarity=10").start();
    assert_eq!(host.shop.buy("rarity", 1).status, 200);
    let sold = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|clients| {
        for _ in 0..8 {
            clients.spawn(|| {
                while sold.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < orders {
                    assert_eq!(host.shop.buy("headphones", 1).status, 200);
                }
            });
        }
    });
    for (path, found) in [
        ("/orders?sort=newest&limit=100", 100),
        ("/orders?sort=newest&limit=100&item=rarity", 1),
        ("/orders?sort=newest&limit=100&status=FAILED", 0),
        ("/orders?sort=newest&limit=100&item=headphones&placed_from_ms=1", 100),
    ] {
        let began = std::time::Instant::now();
        let page = host.admin.get(path);
        println!("{orders} orders, {path}: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(page.json()["orders"].as_array().map(Vec::len), Some(found), "{path}");
    }
    let began = std::time::Instant::now();
    let sales = host.admin.get("/sales?minutes=60").json();
    println!("{orders} orders, /sales: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    assert_eq!(sales["items"], json!([{ "item": "headphones", "pieces": orders }, { "item": "rarity", "pieces": 1 }]));
    look(&host, "many_orders", json!({ "path": "/console/orders" }));
    host.stop();
}
