//! Plugins that misbehave: each loses its own call, and nothing else.

use serde_json::{Value, json};

use crate::support::{Host, Plan, built_in_and};

const OPENING: u64 = 200;

/// A wall deadline that is reached soon; the others nest inside it.
const SHORT_WALL: &[&str] =
    &["limits.inventory_call_ms=1000", "limits.remote_call_ms=1200", "limits.checkout_call_ms=1500"];
const LITTLE_CPU: &[&str] = &["limits.guest_cpu_ms=50"];

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

#[test]
fn a_hostile_checkout_plugin_loses_only_its_own_orders() {
    check(vec![
        row("checkout_trap", 502, "trap"),
        Row { settings: LITTLE_CPU, ..row("checkout_loop", 504, "deadline") },
        row("checkout_memory_bomb", 502, "memory"),
        row("checkout_recursion", 502, "trap"),
        row("checkout_host_calls", 502, "host_calls"),
        Row { settings: SHORT_WALL, ..row("checkout_sleeps_forever", 504, "deadline") },
        row("checkout_huge_string", 502, "bad_output"),
    ]);
}

#[test]
fn a_checkout_plugin_that_breaks_the_abi_loses_only_its_own_orders() {
    check(vec![
        row("checkout_text_out_of_bounds", 502, "bad_output"),
        row("checkout_bad_utf8", 502, "bad_output"),
        row("checkout_bad_enum", 502, "bad_output"),
        row("checkout_aliased_list", 502, "bad_output"),
        Row { settings: LITTLE_CPU, ..row("checkout_realloc_loop", 504, "deadline") },
        Row { settings: LITTLE_CPU, ..row("checkout_post_return_loop", 504, "deadline") },
    ]);
}

#[test]
fn a_checkout_plugin_that_reckons_wrong_sells_nothing() {
    check(vec![
        row("checkout_bad_total", 502, "bad_output"),
        row("checkout_overflow_total", 502, "bad_output"),
        row("checkout_free", 502, "bad_output"),
        row("checkout_without_deduct", 502, "bad_output"),
        row("checkout_fewer_pieces", 502, "bad_output"),
        row("checkout_second_deduct", 502, "bad_output"),
        Row { order: headphones(1_000), ..row("checkout_swallows_shortage", 502, "bad_output") },
    ]);
}

#[test]
fn a_checkout_plugins_own_errors_are_told_apart() {
    check(vec![
        Row { order: answering("conflict"), ..row("checkout_answers", 500, "inventory_conflict") },
        Row { order: answering("unavailable"), ..row("checkout_answers", 502, "unavailable") },
        Row { order: answering("other"), ..row("checkout_answers", 502, "other") },
    ]);
}

#[test]
fn a_hostile_inventory_plugin_loses_only_its_own_orders() {
    check(vec![
        row("inventory_without_take", 502, "bad_output"),
        row("inventory_takes_fewer", 502, "bad_output"),
        row("inventory_takes_twice", 502, "bad_output"),
        row("inventory_bad_item", 502, "bad_output"),
        row("inventory_trap_after_take", 502, "trap"),
        Row { settings: LITTLE_CPU, ..row("inventory_loop", 504, "deadline") },
        row("inventory_conflict_after_take", 500, "inventory_conflict"),
    ]);
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
