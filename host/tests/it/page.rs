//! The trace page in Chromium, against a host: a script in `tests/page` for each promise.
//!
//! With `TILL_PICTURES` they take the pictures of docs, too, after as many seconds of sales as it says (`make pictures`).

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::support::{Host, built_in_and, dice, eventually, guests::sample, http::order_of};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// What the demo's inventory says of two laptops, most times.
const DEADLOCK: &str = "Database deadlock conflict during write";
/// An item's name may be anything of 64 bytes.
const HOSTILE_ITEM: &str = "<img src=x onerror=alert('item')>";

/// Runs the script on the host's page.
pub(crate) fn look(host: &Host, script: &str, mut given: Value) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page"));
    assert!(folder.join("node_modules").is_dir(), "`make test` installs what drives the browser");
    given["admin"] = format!("http://{}", host.admin.address).into();
    if std::env::var_os("TILL_PICTURES").is_some() {
        let docs = if given["prometheus"].is_null() { "/../docs/pictures" } else { "/../stack/docs" };
        given["pictures"] = format!("{}{docs}", env!("CARGO_MANIFEST_DIR")).into();
    }
    let output = Command::new("node")
        .arg(folder.join(script).with_extension("mjs"))
        .arg(given.to_string())
        .output()
        .expect("Node is installed");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{script}: {}\n{given:#}", String::from_utf8_lossy(&output.stderr));
}

/// Makes traces to look at: some good sales, one of them slow, a shortage and a deadlock.
fn sell_some(host: &Host) {
    for (item, quantity) in [("headphones", 1), ("laptop", 1), ("smartphone", 2), ("headphones", 3)] {
        assert_eq!(host.shop.buy(item, quantity).status, 200, "{item}");
    }
    assert_eq!(host.shop.buy("headphones", 5_000).status, 400);
}

/// Goes on selling, for a picture of more than a moment, if one is asked for.
fn sell_for_the_picture(host: &Host) {
    let Some(seconds) = std::env::var("TILL_PICTURES").ok().and_then(|seconds| seconds.parse().ok()) else { return };
    let mut dice = dice("pictures");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let item = ["headphones", "laptop", "smartphone"][dice.random_range(0..3)];
        // Now and then one that fails or is slow, for more than one of something is rare.
        host.shop.buy(item, if dice.random_bool(0.02) { 3 } else { 1 });
        host.shop.get("/inventory");
        std::thread::sleep(Duration::from_millis(dice.random_range(5..400)));
    }
}

/// Returns the trace of a laptops' order that met the deadlock: sixty in a hundred do.
fn deadlock(host: &Host) -> String {
    eventually("a deadlock", || Some(host.shop.buy("laptop", 2)).filter(|answer| answer.status == 500)).trace_id()
}

#[test]
fn a_checkout_stands_in_the_list_and_opens_as_a_waterfall_with_its_log_lines() {
    let host = Host::plan().plugins(built_in_and("checkout_spans")).start();
    let set = json!({ "set": { "reuse": "1" } });
    assert_eq!(host.admin.post("/plugins/checkout/settings", &set).status, 200);
    let sold = host.shop.buy("headphones", 2);
    assert_eq!(sold.status, 200);
    let spans = [
        "POST /checkout",
        "  checkout_transaction",
        "    db_create_order",
        "    price_cart",
        "      look_up_coupon",
        "    take_stock",
        "      inventory_deduct_span",
        "        db_take_stock",
        "    db_complete_order",
    ];
    let mut given = json!({
        "trace_id": sold.trace_id(),
        "item": "headphones",
        "version": { "span": "checkout_transaction", "name": "checkout_spans", "says": "#3 (#1 with other settings)" },
        "spans": spans,
        "makers": {
            "db_create_order": "host", "checkout_transaction": "call", "inventory_deduct_span": "call",
            "price_cart": "guest", "look_up_coupon": "guest",
        },
        "lines": ["coupon looked up", "printed to stdout", "printed to stderr"],
        "line_of": { "line": "coupon looked up", "span": "look_up_coupon" },
    });
    look(&host, "list", given.clone());
    // Where a proxy has the listener under a path.
    given["behind"] = "/shop/till".into();
    look(&host, "list", given);
    host.stop();
}

#[test]
fn a_failing_laptop_is_red_and_says_why() {
    let host = Host::plan_demo()
        .set("stock.laptop=9000")
        .set("stock.smartphone=9000")
        .set("stock.headphones=2000")
        .warns(DEADLOCK)
        .start();
    sell_for_the_picture(&host);
    sell_some(&host);
    let cause = json!({ "span": "inventory_deduct_span", "why": DEADLOCK });
    let failed = ["POST /checkout", "checkout_transaction", "inventory_deduct_span"];
    let failed_trace = deadlock(&host);
    host.shop.buy("smartphone", 1);
    look(&host, "failing", json!({ "trace_id": failed_trace, "failed": failed, "cause": cause }));
    host.stop();
}

#[test]
fn a_slow_smartphone_is_found_by_its_duration() {
    let host = Host::plan_demo().warns(DEADLOCK).start();
    sell_some(&host);
    let others = [host.shop.buy("headphones", 1).trace_id(), deadlock(&host)];
    let slow = host.shop.buy("smartphone", 3);
    assert_eq!(slow.status, 200);
    let given = json!({ "trace_id": slow.trace_id(), "span": "inventory_deduct_span", "others": others });
    look(&host, "slow", given);
    host.stop();
}

#[test]
fn a_quotes_trace_shows_each_installation_and_what_the_price_was_made_without() {
    let host = Host::start();
    let file = std::fs::read(sample("percent-with-code")).expect("the sample");
    for (at, settings) in [
        ("discounts/welcome", json!({ "code": "SPRING" })),
        ("discounts/spring", json!({ "code": "SPRING", "percent": "5" })),
        ("discounts/broken", json!({ "percent": "none" })),
    ] {
        let installed = host.admin.install(at, "&name=percent_with_code&force=true", &settings, &file);
        assert_eq!(installed.status, 200, "{}", installed.text());
    }
    let cart = json!({ "lines": [{ "item": "headphones", "quantity": 1, "price": 10 }], "codes": ["SPRING"] });
    let quote = host.shop.post("/quote", &cart);
    assert_eq!((quote.status, &quote.json()["total_price"]), (200, &json!(9.0)), "{}", quote.text());
    let names = ["welcome", "spring", "broken"].map(|name| format!("{name}: percent_with_code"));
    look(
        &host,
        "quote",
        json!({ "trace_id": quote.trace_id(), "calls": names, "without": "1 offer dropped, 1 left out" }),
    );
    host.stop();
}

/// Sells headphones, laptops one by one and laptops two by two, of which most meet the deadlock. Returns how many did.
fn sell_a_hundred_and_twenty(host: &Host) -> usize {
    let bought = [("headphones", 1, 60), ("laptop", 1, 30), ("laptop", 2, 30)].map(|(item, quantity, times)| {
        let statuses = (0..times).map(|_| host.shop.buy(item, quantity).status);
        statuses.filter(|status| *status == 500).count()
    });
    bought.iter().sum()
}

#[test]
fn a_query_finds_exactly_what_was_sold_and_a_heatmap_narrows_it() {
    let host = Host::plan_demo().set("stock.laptop=9000").warns(DEADLOCK).start();
    let failed = sell_a_hundred_and_twenty(&host);
    assert!(failed > 0, "some of thirty meet the deadlock");
    look(&host, "find", json!({ "sold": 120, "laptops": 60, "failed": failed }));
    host.stop();
}

#[test]
fn what_differs_leads_to_the_cause_and_two_traces_are_compared() {
    let host = Host::plan_demo().set("stock.laptop=9000").warns(DEADLOCK).start();
    let failed = sell_a_hundred_and_twenty(&host);
    look(
        &host,
        "differs",
        json!({ "failed": failed, "others": 120 - failed, "causes": ["item laptop", "@order.quantity 2"] }),
    );
    host.stop();
}

#[test]
fn one_goes_from_trace_to_trace_and_takes_one_along() {
    let host = Host::start();
    let sold: Vec<String> = (0..5).map(|_| host.shop.buy("headphones", 2).trace_id()).collect();
    host.shop.buy("laptop", 1);
    let newest_first: Vec<_> = sold.into_iter().rev().collect();
    look(&host, "steps", json!({ "traces": newest_first, "query": "item:headphones" }));
    host.stop();
}

#[test]
fn charts_narrow_the_list_to_a_moment() {
    let host = Host::start();
    let sold = host.shop.buy("headphones", 1);
    assert_eq!(host.admin.post("/plugins/inventory/settings", &json!({ "set": { "faults": "on" } })).status, 200);
    eventually("a drawn checkout", || {
        let charts = host.admin.get("/recent/charts");
        assert_eq!(charts.status, 200, "{}", charts.text());
        charts.text().contains("/checkout").then_some(())
    });
    look(
        &host,
        "charts",
        json!({ "trace_id": sold.trace_id(), "route": "/checkout", "mark": "number 3 (number 2 with other settings)" }),
    );
    host.stop();
}

#[test]
fn hostile_text_is_shown_as_text() {
    let host = Host::plan().plugins(built_in_and("checkout_markup")).start();
    let path = "/stock/%3Cimg%20src%3Dx%20onerror%3Dalert('item')%3E";
    assert_eq!(host.admin.post(path, &json!({ "set": 5 })).status, 200);
    let sold = host.shop.post("/checkout", &order_of(HOSTILE_ITEM, 1));
    assert_eq!(sold.status, 200, "{}", sold.text());
    let shown =
        ["\"><img src=x onerror=alert(1)>", "<iframe src=javascript:alert(2)></iframe>", "‹ESC›[31m", "‹U+202E›"];
    let harmless = host.shop.buy("headphones", 1);
    let given = json!({
        "trace_id": sold.trace_id(), "item": HOSTILE_ITEM, "name_bytes_min": 1_000, "shown": shown,
        "harmless": harmless.trace_id(), "harmless_item": "headphones",
    });
    look(&host, "hostile", given);
    host.stop();
}

#[test]
fn the_keyboard_is_enough() {
    let host = Host::plan().start();
    let first = host.shop.buy("headphones", 1);
    sell_some(&host);
    let attributes = ["inventory.deduction_quantity", "plugin.outcome"];
    let given = json!({ "trace_id": first.trace_id(), "span": "inventory_deduct_span", "attributes": attributes });
    look(&host, "keyboard", given);
    host.stop();
}

#[test]
fn the_page_asks_for_the_token_and_keeps_it_for_the_tab() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).expect("the token is written");
    let host = Host::plan().set(format!("server.admin_token_file={}", file.display())).start();
    let sold = host.shop.buy("headphones", 1);
    assert_eq!(host.admin.get("/recent/traces").status, 401);
    look(&host, "token", json!({ "trace_id": sold.trace_id(), "token": TOKEN }));
    host.stop();
}

#[test]
fn the_files_of_the_page_hold_the_browser_to_a_strict_policy() {
    let host = Host::start();
    for (path, content_type) in [
        ("/traces", "text/html; charset=utf-8"),
        ("/traces/0af7651916cd43dd8448eb211c80319c", "text/html; charset=utf-8"),
        ("/console", "text/html; charset=utf-8"),
        ("/console/stock", "text/html; charset=utf-8"),
        ("/page/frame/main.js", "text/javascript; charset=utf-8"),
        ("/page/frame/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = host.admin.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{path}");
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
        {
            assert_eq!(answer.header(name), value, "{path}");
        }
    }
    for path in [
        "/page/",
        "/page/..",
        "/page/..%2fpage.rs",
        "/page/main.js",
        "/page/frame/Main.js",
        "/page/frame/main.js/",
        "/traces/a/b",
        "/console/a/b/c",
    ] {
        assert_eq!(host.admin.get(path).status, 404, "{path}");
    }
    let posted = host.admin.post("/traces", &json!({}));
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
    let rebound = host.admin.send("GET", "/traces", &[("host", "shop.example")], None).expect("the host answers");
    assert_eq!(rebound.status, 403);
    host.stop();
}
