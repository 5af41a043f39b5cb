//! Killed at any moment under load: what was acknowledged is there, what wasn't has an end.

use std::time::{Duration, Instant};

use rand::RngExt;

use crate::support::{
    Host, Plan, dice,
    disk::Disk,
    eventually,
    host::till,
    promises::{Acknowledged, Buyers, broken},
    rounds,
};

const BUYERS: usize = 6;
/// An item that every order has, with enough stock.
const PLENTY: &str = "espresso";

/// A host with one more item that is scarce from the start.
fn plan(round: usize) -> Plan {
    Host::plan().set(format!("stock.{PLENTY}=10000000")).set(format!("stock.{}=20", scarce(round)))
}

fn scarce(round: usize) -> String {
    format!("scarce_{round}")
}

#[test]
fn nothing_acknowledged_is_lost_when_the_host_is_killed() {
    let mut dice = dice("kill");
    let rounds = rounds(20, 200);
    let mut folder = plan(0).start().stop().folder;
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for round in 1..=rounds {
        // Every second disk is slow, which makes it likelier that a kill comes in the middle of a commit.
        let plan = plan(round).folder(&folder);
        let disk = Disk::of(&folder);
        let host = if round % 2 == 0 { disk.slow(plan) } else { plan }.start();
        let buyers = Buyers::start(BUYERS, &host.shop, &[PLENTY.to_owned(), scarce(round)]);
        std::thread::sleep(Duration::from_micros(dice.random_range(0..400_000)));
        folder = host.kill().folder;
        let bought = buyers.until_gone();

        let host = Host::plan().folder(&folder).start();
        assert_eq!(
            broken(&folder.path().join("data"), &[&acknowledged[..], &bought].concat()),
            [""; 0],
            "round {round}"
        );
        if let Some(last) = bought.last() {
            let order = host.shop.get(&format!("/orders/{}", last.reference)).json();
            assert_eq!((order["status"].as_str(), order["order_id"].as_i64()), (Some("COMPLETED"), Some(last.number)));
        }
        folder = host.stop().folder;
        acknowledged.extend(bought);
    }
    println!("kill: {rounds} rounds, {} orders acknowledged, none lost", acknowledged.len());
    assert!(acknowledged.len() > rounds, "only {} orders in {rounds} rounds", acknowledged.len());
}

#[test]
fn a_store_of_100_000_orders_is_ready_soon_after_a_kill() {
    const ORDERS: u64 = 100_000;
    let folder = plan(0).start().stop().folder;
    fill(&folder.path().join("data").join("till.db"), ORDERS);
    let host = plan(0).folder(&folder).start();
    let buyers = Buyers::start(BUYERS, &host.shop, &[PLENTY.to_owned()]);
    let newest = format!("/orders/{}", ORDERS + 200);
    eventually("load", || (host.admin.get(&newest).status == 200).then_some(()));
    let folder = host.kill().folder;
    let acknowledged = buyers.until_gone();

    let started = Instant::now();
    let host = plan(0).folder(&folder).start();
    eventually("readiness", || (host.shop.get("/readyz").status == 200).then_some(()));
    println!("kill: ready {:?} after the start, with {ORDERS} orders", started.elapsed());
    let data = folder.path().join("data");
    assert_eq!(broken(&data, &acknowledged), [""; 0]);
    host.stop();

    let backup = folder.path().join("backup.db");
    for command in [vec!["doctor".as_ref()], vec!["backup".as_ref(), backup.as_os_str()]] {
        let started = Instant::now();
        let done = till().args(&command).arg("--data").arg(&data).output().expect("till starts");
        assert!(done.status.success(), "{done:?}");
        println!("till {:?} took {:?}", command[0], started.elapsed());
    }
}

/// Writes so many completed orders, as fast as SQL can.
fn fill(file: &std::path::Path, orders: u64) {
    let store = rusqlite::Connection::open(file).expect("the store opens");
    let sql = format!(
        "BEGIN;
         CREATE TEMP TABLE numbers AS
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {orders})
             SELECT n, printf('01900000-0000-7000-8000-%012x', n) AS reference FROM numbers;
         INSERT INTO orders (id, reference, status, inventory, currency, decimals, lines, attributes, subtotal,
                             adjustments, receipt_attributes, total, trace_id, plugins, placed_at_ms, ended_at_ms)
         SELECT n, reference, 'COMPLETED', 'local', 'USD', 2,
             '[{{\"item\":\"{PLENTY}\",\"quantity\":1,\"unit_price\":500,\"attributes\":[]}}]', '[]', 500,
             '[]', '[]', 500, printf('%032x', n), 'checkout/x@0.1.0+000000000000', 1700000000000 + n, 1700000000001 + n
             FROM numbers;
         INSERT INTO reservations (reference, state, at_ms) SELECT reference, 'final', 1700000000001 + n FROM numbers;
         INSERT INTO stock_movements (reference, item, delta, kind, at_ms)
             SELECT reference, '{PLENTY}', -1, 'reserved', 1700000000000 + n FROM numbers;
         UPDATE stock SET on_hand = on_hand - {orders} WHERE item = '{PLENTY}';
         COMMIT;"
    );
    store.execute_batch(&sql).expect("the orders are written");
}
