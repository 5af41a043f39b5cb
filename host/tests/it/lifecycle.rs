//! Starting, stopping in order, and being stopped.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    thread::JoinHandle,
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    Client, Host, Plan, built_in_and, eventually, host::run, http::order_of, inventory_service::InventoryService,
};

/// Deadlines that end no request of a test.
const PATIENT: [&str; 5] = [
    "limits.inventory_call_ms=100000",
    "limits.remote_call_ms=110000",
    "limits.checkout_call_ms=120000",
    "limits.request_ms=130000",
    "limits.drain_ms=140000",
];

fn patient(plan: Plan) -> Plan {
    PATIENT.into_iter().fold(plan, Plan::set)
}

#[test]
fn a_slow_checkout_under_way_is_answered_before_the_end() {
    let host = Host::plan_demo().start();
    let shop = host.shop.clone();
    let buyer = std::thread::spawn(move || shop.buy("smartphone", 3));
    host.wait_for_unresolved(1);
    host.signal(Signal::TERM);
    let answer = buyer.join().expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
    stopped.check_store();
    let again = Host::plan().folder(&stopped.folder).start();
    assert_eq!(again.orders()[0]["status"], "COMPLETED");
    again.stop();
}

#[test]
fn new_connections_are_refused_while_old_ones_end() {
    let inventory = InventoryService::start();
    let host = patient(Host::plan()).env("INVENTORY_URL", &inventory.url).start();
    let shop = host.shop.clone();
    let buyer = std::thread::spawn(move || shop.buy("headphones", 1));
    let asked = inventory.asked();
    host.signal(Signal::TERM);
    for address in [&host.shop.address, &host.admin.address] {
        eventually("a refused connection", || {
            TcpStream::connect(address).err().filter(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
    }
    // The request under way has its answer still to come.
    let levels = json!({ "status": "SUCCESS", "levels": [{ "item": "headphones", "remaining": 1 }] });
    asked.answer(200, "application/json", &levels);
    let answer = buyer.join().expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
    stopped.check_store();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let inventory = InventoryService::start();
    let host = patient(Host::plan()).env("INVENTORY_URL", &inventory.url).start();
    let shop = host.shop.clone();
    let buyer = std::thread::spawn(move || {
        shop.send(
            "POST",
            "/checkout",
            &[("content-type", "application/json")],
            Some(order_of("headphones", 1).to_string().as_bytes()),
        )
    });
    let _never_answered = inventory.asked();
    host.signal(Signal::TERM);
    eventually("the first signal's effect", || TcpStream::connect(&host.shop.address).err());
    host.signal(Signal::TERM);
    assert_eq!(host.wait().status.code(), Some(130));
    assert!(buyer.join().expect("no panic").is_err(), "nobody could answer that request");
}

#[test]
fn a_second_till_is_kept_off_the_data() {
    let host = Host::start();
    let second = Host::plan().folder(&host.folder).command().output().expect("till starts");
    let message = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{message}");
    assert!(message.contains("another till"), "{message}");
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

#[test]
fn what_a_kill_leaves_is_settled_at_the_next_start() {
    let mut folder = Host::start().stop().folder;
    let mut sold = 0;
    for round in 0..3 {
        // Some orders that are acknowledged, then some that hold stock and never end.
        let host = Host::plan().folder(&folder).start();
        let acknowledged: Vec<String> = (0..4).map(|_| host.shop.buy("headphones", 1).reference()).collect();
        sold += 4;
        folder = host.kill().folder;

        let plan = patient(Host::plan().folder(&folder)).plugins(built_in_and("checkout_sleeps_forever"));
        let host = plan.start();
        assert_eq!(host.on_hand("headphones"), 200 - sold, "round {round}");
        let buyers: Vec<_> = (0..5)
            .map(|_| {
                let (shop, order) = (host.shop.clone(), order_of("headphones", 2).to_string());
                let json = [("content-type", "application/json")];
                std::thread::spawn(move || shop.send("POST", "/checkout", &json, Some(order.as_bytes())))
            })
            .collect();
        eventually("stock that is held", || (host.on_hand("headphones") == 200 - sold - 10).then_some(()));
        host.wait_for_unresolved(5);
        let killed = host.kill();
        assert_eq!(killed.status.signal(), Some(9));
        folder = killed.folder;
        for buyer in buyers {
            assert!(buyer.join().expect("no panic").is_err(), "an order that never ended was answered");
        }

        let host = Host::plan().folder(&folder).start();
        assert_eq!(host.on_hand("headphones"), 200 - sold, "round {round}");
        for reference in acknowledged {
            assert_eq!(host.shop.get(&format!("/orders/{reference}")).json()["status"], "COMPLETED");
        }
        let orders = host.orders();
        let interrupted = orders.iter().filter(|order| order["reason"] == "interrupted").count();
        assert_eq!(interrupted, 5 * (round + 1));
        assert!(orders.iter().all(|order| order["status"] == "COMPLETED" || order["status"] == "FAILED"));
        folder = host.stop().folder;
    }
}

#[test]
fn orders_acknowledged_under_load_survive_a_kill() {
    const OPENING: u64 = 100_000;
    const BUYERS: usize = 8;
    let plan = || Host::plan().set(format!("stock.headphones={OPENING}"));
    let mut folder = plan().start().stop().folder;
    let mut acknowledged: Vec<String> = Vec::new();
    // Each kill meets the writer at another moment of a batch.
    for round in 1..=6 {
        let host = plan().folder(&folder).start();
        let before = host.on_hand("headphones");
        let buyers: Vec<_> = (0..BUYERS).map(|_| buy_until_it_dies(&host.shop)).collect();
        eventually("some orders", || (host.on_hand("headphones") + 60 < before).then_some(()));
        folder = host.kill().folder;
        acknowledged.extend(buyers.into_iter().flat_map(|buyer| buyer.join().expect("no panic")));

        let host = plan().folder(&folder).start();
        for reference in &acknowledged {
            assert_eq!(host.shop.get(&format!("/orders/{reference}")).json()["status"], "COMPLETED", "{reference}");
        }
        let admin = format!("http://{}", host.admin.address);
        let exported = run(&["orders", "export", "--format", "json", "--status", "COMPLETED", "--admin", &admin]);
        let completed = String::from_utf8(exported.stdout).expect("UTF-8").lines().count();
        // Each buyer may have had one in each round that was committed and not yet answered.
        assert!((acknowledged.len()..=acknowledged.len() + round * BUYERS).contains(&completed), "{completed}");
        assert_eq!(host.on_hand("headphones"), OPENING - u64::try_from(completed).expect("few"));
        folder = host.stop().folder;
    }
}

/// Buys one piece after the other and returns the references of those that were acknowledged.
fn buy_until_it_dies(shop: &Client) -> JoinHandle<Vec<String>> {
    let (shop, order) = (shop.clone(), order_of("headphones", 1).to_string());
    std::thread::spawn(move || {
        let json = [("content-type", "application/json")];
        let answers = std::iter::from_fn(|| shop.send("POST", "/checkout", &json, Some(order.as_bytes())).ok());
        answers.map(|answer| answer.reference()).collect()
    })
}

#[test]
fn a_client_that_hangs_up_changes_nothing() {
    let host = Host::plan_demo().start();
    let order = order_of("smartphone", 3).to_string();
    let mut stream = TcpStream::connect(&host.shop.address).expect("the host listens");
    write!(
        stream,
        "POST /checkout HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{order}",
        host.shop.address,
        order.len()
    )
    .expect("the host reads");
    host.wait_for_unresolved(1);
    drop(stream);
    host.wait_for_unresolved(0);
    assert_eq!(host.orders()[0]["status"], "COMPLETED");
    assert_eq!(host.on_hand("smartphone"), 97);
    host.stop();
}
