//! Plugins that misbehave: each loses its own call, and nothing else.

use serde_json::{Value, json};

use crate::{
    rollouts::{change, rollout, try_out},
    support::{Host, Plan, built_in_and, eventually},
};

const OPENING: u64 = 200;

/// A wall deadline that is reached soon; the others nest inside it.
const SHORT_WALL: &[&str] =
    &["limits.inventory_call_ms=1000", "limits.remote_call_ms=1200", "limits.checkout_call_ms=1500"];

#[derive(Clone)]
struct Row {
    guest: &'static str,
    settings: &'static [&'static str],
    order: Value,
    status: u16,
    code: &'static str,
}

fn row(guest: &'static str, status: u16, code: &'static str) -> Row {
    Row { guest, settings: &[], order: headphones(2), status, code }
}

fn headphones(quantity: u32) -> Value {
    json!({ "item": "headphones", "quantity": quantity, "price": 99.99 })
}

fn answering(answer: &str) -> Value {
    json!({ "lines": [{ "item": "headphones", "quantity": 2, "price": 1 }], "attributes": { "answer": answer } })
}

fn hostile_checkouts() -> Vec<Row> {
    vec![
        row("checkout_trap", 502, "trap"),
        row("checkout_loop", 504, "deadline"),
        row("checkout_memory_bomb", 502, "memory"),
        row("checkout_recursion", 502, "trap"),
        row("checkout_host_calls", 502, "host_calls"),
        Row { settings: SHORT_WALL, ..row("checkout_sleeps_forever", 504, "deadline") },
        row("checkout_huge_string", 502, "bad_output"),
    ]
}

fn abi_breakers() -> Vec<Row> {
    vec![
        row("checkout_text_out_of_bounds", 502, "bad_output"),
        row("checkout_bad_utf8", 502, "bad_output"),
        row("checkout_bad_enum", 502, "bad_output"),
        row("checkout_aliased_list", 502, "bad_output"),
        row("checkout_realloc_loop", 504, "deadline"),
        row("checkout_post_return_loop", 504, "deadline"),
    ]
}

fn wrong_reckoners() -> Vec<Row> {
    vec![
        row("checkout_bad_total", 502, "bad_output"),
        row("checkout_overflow_total", 502, "bad_output"),
        row("checkout_free", 502, "bad_output"),
        row("checkout_without_deduct", 502, "bad_output"),
        row("checkout_fewer_pieces", 502, "bad_output"),
        row("checkout_second_deduct", 502, "bad_output"),
        Row { order: headphones(1_000), ..row("checkout_swallows_shortage", 502, "bad_output") },
    ]
}

fn undecided_checkouts() -> Vec<Row> {
    vec![
        Row { order: answering("conflict"), ..row("checkout_answers", 500, "inventory_conflict") },
        Row { order: answering("unavailable"), ..row("checkout_answers", 502, "unavailable") },
        Row { order: answering("other"), ..row("checkout_answers", 502, "other") },
    ]
}

fn hostile_inventories() -> Vec<Row> {
    vec![
        row("inventory_without_take", 502, "bad_output"),
        row("inventory_takes_fewer", 502, "bad_output"),
        row("inventory_takes_twice", 502, "bad_output"),
        row("inventory_bad_item", 502, "bad_output"),
        row("inventory_trap_after_take", 502, "trap"),
        row("inventory_loop", 504, "deadline"),
        row("inventory_conflict_after_take", 500, "inventory_conflict"),
    ]
}

#[test]
fn a_hostile_checkout_plugin_loses_only_its_own_orders() {
    check(hostile_checkouts());
}

#[test]
fn a_checkout_plugin_that_breaks_the_abi_loses_only_its_own_orders() {
    check(abi_breakers());
}

#[test]
fn a_checkout_plugin_that_reckons_wrong_sells_nothing() {
    check(wrong_reckoners());
}

#[test]
fn a_checkout_plugins_own_errors_are_told_apart() {
    check(undecided_checkouts());
}

#[test]
fn a_hostile_inventory_plugin_loses_only_its_own_orders() {
    check(hostile_inventories());
}

fn check(rows: Vec<Row>) {
    for Row { guest, settings, order, status, code } in rows {
        let plan = settings.iter().copied().fold(Host::plan(), Plan::set);
        let host = plan.plugins(built_in_and(guest)).warns("checkout failed").start();
        // Twice: a call that was cut off leaves its place in order for the next one.
        for number in 1..=2 {
            let answer = host.shop.post("/checkout", &order);
            assert_eq!((answer.status, &*answer.code()), (status, code), "{guest}: {}", answer.text());
            assert_eq!(host.on_hand("headphones"), OPENING, "{guest}");
            let orders = host.orders();
            assert_eq!(orders.len(), number, "{guest}");
            assert_eq!(
                (&orders[number - 1]["status"], &orders[number - 1]["reason"]),
                (&"FAILED".into(), &code.into())
            );
            assert_eq!(host.shop.get("/livez").status, 200, "{guest}");
            assert_eq!(host.shop.get("/readyz").status, 200, "{guest}");
        }
        let stopped = host.stop();
        for line in stopped.log {
            let forged = line["message"].as_str().is_some_and(|message| message.starts_with("level=error"));
            assert!(!forged, "a log line of the guest's own making: {line}");
        }
    }
}

/// Returns all rows whose kind is that of the guests' names.
fn rows_of(kind: &str) -> Vec<Row> {
    let all = [hostile_checkouts(), abi_breakers(), wrong_reckoners(), undecided_checkouts(), hostile_inventories()];
    all.into_iter().flatten().filter(|row| row.guest.starts_with(kind)).collect()
}

/// As a canary of every request: the live version takes over, and no customer sees the canary's fault. A canary that
/// sleeps until the call's deadline leaves no time for that.
#[test]
fn a_hostile_canary_costs_no_customer_an_order() {
    let plan = SHORT_WALL.iter().copied().fold(Host::plan(), Plan::set).warns("checkout failed");
    let host = plan.set("stock.headphones=1000000").start();
    let how = json!({ "canary": 100, "force": true, "gates": { "calls_min": 1_000_000, "rollback": false } });
    let mut left = 1_000_000;
    for Row { guest, order, status, code, .. } in [rows_of("checkout"), rows_of("inventory")].concat() {
        assert_eq!(try_out(&host.admin, guest, &how).status, 200, "{guest}");
        let answer = host.shop.post("/checkout", &order);
        if guest == "checkout_sleeps_forever" {
            assert_eq!((answer.status, &*answer.code()), (status, code), "{guest}: {}", answer.text());
        } else {
            assert_eq!(answer.status, 200, "{guest}: {}", answer.text());
            left -= order["quantity"].as_u64().unwrap_or(2);
        }
        assert_eq!(host.on_hand("headphones"), left, "{guest}");
        assert_eq!(change(&host.admin, "abort").status, 200, "{guest}");
        assert_eq!(host.shop.buy("headphones", 1).status, 200, "{guest}");
        left -= 1;
    }
    host.stop();
}

/// As a shadow: its calls have no effect, on customers or on the ledger.
#[test]
fn a_hostile_shadow_is_nobodys_business() {
    let plan = SHORT_WALL.iter().copied().fold(Host::plan(), Plan::set);
    let host = plan.set("stock.headphones=1000000").start();
    let how = json!({ "shadow": true, "force": true, "gates": { "calls_min": 1_000_000, "rollback": false } });
    let mut left = 1_000_000;
    for Row { guest, order, .. } in [rows_of("checkout"), rows_of("inventory")].concat() {
        assert_eq!(try_out(&host.admin, guest, &how).status, 200, "{guest}");
        for _ in 0..2 {
            let answer = host.shop.post("/checkout", &order);
            assert_eq!(answer.status, 200, "{guest}: {}", answer.text());
            left -= order["quantity"].as_u64().unwrap_or(2);
        }
        eventually("its call", || {
            (rollout(&host.admin)["figures"]["candidate"]["calls"].as_u64() > Some(0)).then_some(())
        });
        assert_eq!(host.on_hand("headphones"), left, "{guest}");
        assert_eq!(change(&host.admin, "abort").status, 200, "{guest}");
    }
    assert!(host.orders().iter().all(|order| order["status"] == "COMPLETED"));
    host.stop();
}

/// With the stock at another till: a hostile checkout plugin's stock there is given back, and its orders have ended.
#[test]
fn a_hostile_checkout_plugin_keeps_nothing_of_another_tills_stock() {
    let stock = Host::plan().set("stock.headphones=1000000").start();
    let plan = SHORT_WALL.iter().copied().fold(Host::plan(), Plan::set).warns("checkout failed");
    let host = plan.env("INVENTORY_URL", format!("http://{}", stock.shop.address)).start();
    let force = json!({ "force": true });
    for Row { guest, order, status, code, .. } in rows_of("checkout") {
        let (status, code) = if guest == "checkout_swallows_shortage" { (200, "") } else { (status, code) };
        assert_eq!(try_out(&host.admin, guest, &force).status, 200, "{guest}");
        let answer = host.shop.post("/checkout", &order);
        let answered = if answer.status == 200 { String::new() } else { answer.code() };
        assert_eq!((answer.status, &*answered), (status, code), "{guest}: {}", answer.text());
    }
    eventually("the end of every order", || {
        let orders = host.orders();
        orders
            .iter()
            .all(|order| ["COMPLETED", "FAILED"].contains(&order["status"].as_str().expect("a status")))
            .then_some(())
    });
    assert_eq!(stock.on_hand("headphones"), 1_000_000 - 1_000, "what swallows shortages met none");
    host.stop();
    stock.stop();
}

/// With a hostile inventory plugin at the other till: nothing is sold, and nothing is gone there.
#[test]
fn a_hostile_inventory_plugin_at_another_till_takes_nothing() {
    let stock = Host::plan().start();
    let plan = Host::plan().warns("checkout failed");
    let host = plan.env("INVENTORY_URL", format!("http://{}", stock.shop.address)).start();
    for Row { guest, order, .. } in rows_of("inventory") {
        assert_eq!(try_out(&stock.admin, guest, &json!({ "force": true })).status, 200, "{guest}");
        let answer = host.shop.post("/checkout", &order);
        assert!([500, 502, 504].contains(&answer.status), "{guest}: {}", answer.text());
        eventually("the end of every order", || {
            host.orders().iter().all(|order| order["status"] == "FAILED").then_some(())
        });
        assert_eq!(stock.on_hand("headphones"), OPENING, "{guest}");
    }
    host.stop();
    stock.stop();
}

/// The guests that are hostile only to some orders sell well what they can't spoil.
#[test]
fn whatever_is_in_order_is_sold_whoever_sells_it() {
    for (guest, order) in [
        ("checkout_fewer_pieces", headphones(1)),
        ("checkout_swallows_shortage", headphones(2)),
        ("checkout_answers", answering("nothing of it")),
        ("inventory_takes_fewer", headphones(1)),
        ("checkout_table_grow", headphones(2)),
    ] {
        let host = Host::plan().plugins(built_in_and(guest)).start();
        let answer = host.shop.post("/checkout", &order);
        assert_eq!(answer.status, 200, "{guest}: {}", answer.text());
        host.stop();
    }
}

#[test]
fn a_call_finds_nothing_of_the_call_before() {
    // One at a time, so that each call gets the place in the pool that the one before had.
    let plan = Host::plan().set("limits.concurrent_requests=1").set("limits.inventory_requests=1");
    let host = plan.plugins(built_in_and("checkout_residue")).start();
    for _ in 0..20 {
        let answer = host.shop.buy("headphones", 1);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    host.stop();
}
