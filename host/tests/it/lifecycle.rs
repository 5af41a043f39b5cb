//! Starting, stopping in order, and being stopped.

use std::{io::ErrorKind, net::TcpStream, os::unix::process::ExitStatusExt};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    Host, Plan, built_in_and, eventually,
    http::order_of,
    inventory_service::InventoryService,
    raw::{Raw, checkout},
    soaking,
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

/// Without a handler each of these ends a process at once, its requests with it.
#[test]
fn no_signal_ends_it_without_a_drain() {
    let buy_slowly = |host: &Host| {
        let shop = host.shop.clone();
        let buyer = std::thread::spawn(move || shop.buy("smartphone", 3));
        host.wait_for_unresolved(1);
        buyer
    };
    let host = Host::plan_demo().on_a_terminal().start();
    let buyer = buy_slowly(&host);
    for signal in [Signal::USR1, Signal::USR2] {
        host.signal(signal);
        let said = |line: &serde_json::Value| line["message"].as_str().is_some_and(|said| said.starts_with("SIGUSR"));
        eventually("a line about it", || host.log().iter().any(said).then_some(()));
    }
    assert_eq!(buyer.join().expect("an answer").status, 200, "it was passed over");
    // A terminal that closes.
    let buyer = buy_slowly(&host);
    host.signal(Signal::HUP);
    assert_eq!(buyer.join().expect("an answer").status, 200);
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
    stopped.check_store();
}

#[test]
fn under_nohup_a_terminal_that_closes_changes_nothing() {
    let host = Host::plan().under_nohup().start();
    host.signal(Signal::HUP);
    for _ in 0..10 {
        assert_eq!(host.shop.buy("headphones", 1).status, 200);
    }
    host.stop();
}

/// containerd #9342, moby #22502: a pipe that nobody reads blocks whoever writes to it. Under `make soak` for a minute.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let plan = Host::plan().set("stock.headphones=1000000").set("log.level=trace").with_unread_log();
    let host = plan.start();
    let lost = || {
        let page = host.admin.get("/metrics").text();
        let line = page.lines().find_map(|line| line.strip_prefix("log_lines_lost_total ").map(str::to_owned));
        line.expect("it is counted").parse::<f64>().expect("a number")
    };
    let started = std::time::Instant::now();
    let soaked = std::time::Duration::from_secs(if soaking() { 60 } else { 0 });
    let mut sold = 0;
    while lost() == 0.0 || started.elapsed() < soaked {
        for _ in 0..50 {
            assert_eq!(host.shop.buy("headphones", 1).status, 200);
            sold += 1;
        }
        for listener in [&host.shop, &host.admin] {
            assert_eq!((listener.get("/livez").status, listener.get("/readyz").status), (200, 200));
        }
    }
    println!("{sold} sold in {:?}, {} lines lost", started.elapsed(), lost());
    host.signal(Signal::TERM);
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0));
    stopped.check_store();
    assert_eq!(stopped.completed().len(), sold);
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
fn a_stop_under_load_loses_nothing_and_answers_whole() {
    const BUYERS: usize = 4;
    let order = order_of("headphones", 1).to_string();
    for _ in 0..4 {
        let host = Host::plan().set("stock.headphones=100000").start();
        let address = host.shop.address.as_str();
        let request = checkout(&order);
        let buy = |connection: &mut Raw| {
            connection.send(&request);
            connection.answer().map(|answer| answer.reference())
        };
        let on_one_connection = || -> Vec<String> {
            let mut connection = Raw::connect(address);
            std::iter::from_fn(|| buy(&mut connection)).collect()
        };
        let on_a_connection_each = || -> Vec<String> {
            std::iter::from_fn(|| Raw::connect_if_listening(address).and_then(|mut connection| buy(&mut connection)))
                .collect()
        };
        let mut acknowledged: Vec<String> = std::thread::scope(|scope| {
            let buyers = (0..BUYERS).flat_map(|_| [scope.spawn(on_one_connection), scope.spawn(on_a_connection_each)]);
            let buyers: Vec<_> = buyers.collect();
            eventually("orders", || (host.on_hand("headphones") < 100_000 - 100).then_some(()));
            host.signal(Signal::TERM);
            buyers.into_iter().flat_map(|buyer| buyer.join().expect("whole answers")).collect()
        });
        let stopped = host.wait();
        assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
        stopped.check_store();
        // What was completed was answered, and the other way round: nobody hung up.
        let mut completed = stopped.completed();
        completed.sort_unstable();
        acknowledged.sort_unstable();
        assert_eq!(completed, acknowledged);
    }
}

#[test]
fn a_client_that_hangs_up_changes_nothing() {
    let host = Host::plan_demo().start();
    let order = order_of("smartphone", 3).to_string();
    let mut connection = Raw::connect(&host.shop.address);
    connection.send(checkout(&order));
    host.wait_for_unresolved(1);
    drop(connection);
    host.wait_for_unresolved(0);
    assert_eq!(host.orders()[0]["status"], "COMPLETED");
    assert_eq!(host.on_hand("smartphone"), 97);
    host.stop();
}
