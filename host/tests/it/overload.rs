//! More than there is room for: of requests, of bodies, of connections, of files.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Answer, Client, Host, Plan, eventually,
    inventory_service::InventoryService,
    raw::{Raw, request},
};

const LIVE: &str = "GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
/// A head that stays unfinished.
const UNFINISHED: &str = "GET /livez HTTP/1.1\r\n";
const ORDER: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;

/// Returns a host whose deadlines end nothing of a test.
fn patient() -> Plan {
    let deadlines =
        ["inventory_call_ms=100000", "remote_call_ms=110000", "checkout_call_ms=120000", "request_ms=130000"];
    let times = ["header_ms=150000", "body_ms=150000", "drain_ms=150000"];
    deadlines
        .into_iter()
        .chain(times)
        .fold(Host::plan().set("stock.headphones=1000000"), |plan, limit| plan.set(format!("limits.{limit}")))
}

/// Returns a checkout that says so much of its body, and what of that is sent.
fn post(about_body: &[&str], sent: impl AsRef<[u8]>) -> Vec<u8> {
    let headers = [&["host: 127.0.0.1", "content-type: application/json"], about_body].concat();
    request("POST /checkout HTTP/1.1", &headers, sent)
}

/// Returns a connection whose request the host has begun to read: its body is still to come. An `Err` is the host's answer
/// to a connection that it has no place for.
fn busy(host: &Host) -> Result<Raw, Box<Answer>> {
    let mut connection = Raw::connect(&host.shop.address);
    let length = format!("content-length: {}", ORDER.len());
    connection.send(post(&[&length, "expect: 100-continue"], ""));
    if connection.is_asked_for_the_body() {
        return Ok(connection);
    }
    Err(Box::new(connection.answer().expect("a refusal")))
}

/// Checks that who watches the host is answered.
fn is_watched(listener: &Client) {
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(listener.get(path).status, 200, "{path}");
    }
}

fn is_refused(answer: &Answer) {
    assert_eq!((answer.status, &*answer.code(), answer.header("retry-after")), (503, "overloaded", "1"));
}

#[test]
fn past_its_places_a_checkout_is_refused_at_once_and_watchers_are_served() {
    let inventory = InventoryService::start();
    let plan = patient().set("limits.concurrent_requests=2").set("limits.queued_requests=4").set("limits.queue_ms=50");
    let host = plan.env("INVENTORY_URL", &inventory.url).start();
    std::thread::scope(|scope| {
        let buy = || host.shop.buy("headphones", 1);
        let buyers = [scope.spawn(buy), scope.spawn(buy)];
        let under_way = [inventory.asked(), inventory.asked()];
        // More requests than may wait, all at once: some find the queue full, others time out, because no place gets
        // free.
        let refused: Vec<_> = (0..12).map(|_| scope.spawn(buy)).collect();
        refused.into_iter().for_each(|buyer| is_refused(&buyer.join().expect("an answer")));
        is_watched(&host.shop);
        is_watched(&host.admin);
        let levels = json!({ "status": "SUCCESS", "levels": [{ "item": "headphones", "remaining": 1 }] });
        for asked in under_way {
            asked.answer(200, "application/json", &levels);
        }
        for buyer in buyers {
            assert_eq!(buyer.join().expect("an answer").status, 200);
        }
        let next = scope.spawn(buy);
        inventory.asked().answer(200, "application/json", &levels);
        assert_eq!(next.join().expect("an answer").status, 200, "there is room again");
    });
    assert_eq!(host.orders().len(), 3, "a refused checkout is no order");
    host.stop();
}

/// 256 connections, where 128 or more have a place and all the others may wait, each with its next order as soon as the last is answered.
#[test]
fn a_steady_crowd_within_the_limits_is_served() {
    // 20 s, for the machine may be so busy that the queue takes more than the default.
    let host = patient().set("limits.queue_ms=20000").start();
    let order = post(&[&format!("content-length: {}", ORDER.len())], ORDER);
    let served: usize = std::thread::scope(|scope| {
        let customer = || {
            let mut connection = Raw::connect(&host.shop.address);
            let answered = (0..10).map(|_| {
                connection.send(&order);
                connection.answer().expect("an answer").status
            });
            answered.filter(|status| *status == 200).count()
        };
        let customers: Vec<_> = (0..256).map(|_| scope.spawn(customer)).collect();
        customers.into_iter().map(|customer| customer.join().expect("no panic")).sum()
    });
    assert_eq!(served, 2_560, "nobody was refused");
    host.stop();
}

#[test]
fn bodies_under_way_have_a_room_of_their_own() {
    let whole = post(&["content-length: 65536"], " ".repeat(65_535));
    // JSON may begin like this. It takes the memory that the others have left, if any.
    let large = format!("{}{ORDER}", " ".repeat(65_000));
    no_room_beside(&[&whole; 16], &large);
    // Each piece counts for more than its byte.
    let in_pieces = post(&["transfer-encoding: chunked"], "1\r\n \r\n".repeat(16_131));
    no_room_beside(&[&in_pieces], ORDER);
}

/// The host's threads return the memory of a crowd when it has gone, whichever thread freed it.
#[test]
fn what_a_crowd_makes_the_host_take_is_given_back() {
    const BODIES: usize = 1_000;
    let host = patient().set("limits.bodies_mib=256").start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    let before = host.memory_bytes();
    let unfinished = post(&["content-length: 65536"], " ".repeat(65_535));
    let crowd: Vec<Raw> = (0..BODIES)
        .map(|_| {
            let mut connection = Raw::connect(&host.shop.address);
            connection.send(&unfinished);
            connection
        })
        .collect();
    eventually("a full host", || (host.memory_bytes() > before + BODIES as u64 * 65_536 / 2).then_some(()));
    drop(crowd);
    eventually("what it took, given back", || (host.memory_bytes() < before + (8 << 20)).then_some(()));
    host.stop();
}

/// Checks that an order finds no room while the others are being sent, and that it does when they are gone.
fn no_room_beside(others: &[&Vec<u8>], order: &str) {
    let host = patient().set("limits.bodies_mib=1").start();
    let json = [("content-type", "application/json")];
    let buy = || host.shop.send("POST", "/checkout", &json, Some(order.as_bytes())).expect("an answer");
    let others: Vec<Raw> = others
        .iter()
        .map(|other| {
            let mut connection = Raw::connect(&host.shop.address);
            connection.send(other);
            connection
        })
        .collect();
    is_refused(&eventually("a full room", || Some(buy()).filter(|answer| answer.status != 200)));
    is_watched(&host.shop);
    drop(others);
    eventually("room", || (buy().status == 200).then_some(()));
    assert!(host.orders().iter().all(|order| order["status"] == "COMPLETED"));
    host.stop();
}

#[test]
fn a_connection_too_many_is_told_so_and_watchers_are_served() {
    let host = patient().set("limits.connections=4").set("limits.refusals=2").start();
    let mut under_way: Vec<Raw> = (0..4).map(|_| busy(&host).expect("a place")).collect();
    let refused = busy(&host).expect_err("all places are taken");
    is_refused(&refused);
    assert_eq!(refused.header("connection"), "close");
    is_watched(&host.shop);
    is_watched(&host.admin);
    assert_eq!(host.admin.get("/orders").status, 200, "the operators have connections of their own");

    // A flood that says nothing, or never ends what it says: nobody waits in the kernel's queue for ever.
    let mut flood: Vec<Raw> = (0..200).map(|_| Raw::connect(&host.shop.address)).collect();
    flood.iter_mut().step_by(2).for_each(|connection| connection.send(UNFINISHED));
    assert!(flood.iter_mut().all(Raw::is_closed));

    // Those that were there first were never disturbed.
    for connection in &mut under_way {
        connection.send(ORDER);
        assert_eq!(connection.answer().expect("an answer").status, 200);
    }
    drop(under_way);
    eventually("room", || (host.shop.buy("headphones", 1).status == 200).then_some(()));
    host.stop();
}

#[test]
fn a_flood_that_asks_for_nothing_keeps_no_buyer_out() {
    for sent in ["", UNFINISHED] {
        let host = patient().set("limits.connections=20").set("limits.refusals=2").start();
        let mut flood: Vec<Raw> = (0..100).map(|_| Raw::connect(&host.shop.address)).collect();
        flood.iter_mut().for_each(|connection| connection.send(sent));
        let bought =
            || host.shop.send("POST", "/checkout", &[("content-type", "application/json")], Some(ORDER.as_bytes()));
        eventually("a place", || bought().is_ok_and(|answer| answer.status == 200).then_some(()));
        host.stop();
    }
}

#[test]
fn connections_stay_within_the_files_that_may_be_open() {
    let host = patient().open_files_max(400).start();
    // Accepting never fails, which would be logged and isn't announced.
    let mut under_way = Vec::new();
    let refused = (0..400).find_map(|_| busy(&host).map(|connection| under_way.push(connection)).err());
    is_refused(&refused.expect("fewer places than files"));
    is_watched(&host.admin);
    drop(under_way);
    eventually("room", || (host.shop.buy("headphones", 1).status == 200).then_some(()));
    host.stop();
}

#[test]
fn an_idle_connection_makes_room() {
    let host = patient().set("limits.connections=2").start();
    let mut idle: Vec<Raw> = (0..2).map(|_| Raw::connect(&host.shop.address)).collect();
    for connection in &mut idle {
        connection.send(LIVE);
        assert_eq!(connection.answer().expect("an answer").status, 200);
    }
    assert_eq!(
        eventually("room", || Some(host.shop.buy("headphones", 1)).filter(|answer| answer.status != 503)).status,
        200
    );
    let gone = idle.iter_mut().filter_map(|connection| {
        connection.send(LIVE);
        connection.answer_if_whole().is_none().then_some(())
    });
    assert!(gone.count() >= 1, "one of them made it");
    host.stop();
}

#[test]
fn a_head_on_its_way_is_not_cut_off_for_a_newcomer() {
    let host = patient().set("limits.connections=1").start();
    let (mut connection, told) = eventually("a newcomer while the head is coming", || {
        let mut connection = Raw::connect(&host.shop.address);
        let connected = Instant::now();
        while connected.elapsed() < Duration::from_millis(300) {
            connection.send(LIVE);
            if connection.answer()?.header("connection") == "close" {
                return None;
            }
        }
        connection.send(UNFINISHED);
        let begun = Instant::now();
        let told = busy(&host).err();
        (begun.elapsed() < Duration::from_millis(100)).then_some((connection, told))
    });
    is_refused(&told.expect("there is no place"));
    connection.send("host: 127.0.0.1\r\n\r\n");
    assert_eq!(connection.answer().expect("an answer").status, 200);
    // One that dawdles makes room.
    connection.send(UNFINISHED);
    eventually("a place", || busy(&host).ok());
    assert!(connection.is_closed());
    host.stop();
}

#[test]
fn readiness_waits_for_no_store() {
    let host = Host::plan().set("store.busy_timeout_ms=150000").start();
    let backup = rusqlite::Connection::open(host.folder.path().join("data/till.db")).expect("the store opens");
    backup.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    for listener in [&host.shop, &host.admin] {
        let refusal = || Some(listener.get("/readyz")).filter(|answer| answer.status != 200);
        let answer = eventually("a refusal", refusal);
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
        assert_eq!(listener.get("/livez").status, 200);
    }
    backup.execute_batch("ROLLBACK").expect("the lock is given back");
    eventually("readiness", || (host.shop.get("/readyz").status == 200).then_some(()));
    host.stop();
}

/// Issue 15.19: accepting failed, and `/livez` was answered 7 s later.
#[test]
fn where_few_files_may_be_open_the_watch_routes_are_answered() {
    let host = patient().open_files_max(64).start();
    let flood: Vec<Raw> = (0..120).map(|_| Raw::connect(&host.shop.address)).collect();
    let is_live =
        |listener: &Client| listener.send("GET", "/livez", &[], None).is_ok_and(|answer| answer.status == 200);
    for listener in [&host.shop, &host.admin] {
        eventually("an answer", || is_live(listener).then_some(()));
    }
    assert!(host.log().iter().any(|line| line.to_string().contains("this process may open 64 files")));
    drop(flood);
    eventually("room", || (host.shop.buy("headphones", 1).status == 200).then_some(()));
    // Accepting never failed, which would be logged and isn't announced.
    host.stop();
    let said = patient().open_files_max(40).refusal();
    assert!(said.contains("ulimit -n"), "{said}");
}

#[test]
fn without_files_to_open_the_host_rests_and_recovers() {
    let host = patient().warns("connections can't be accepted").start();
    // Limited only from now on, because a start would adapt to the limit.
    host.open_files_max(40);
    let warnings = || {
        let told =
            |line: &&serde_json::Value| line["message"].as_str().is_some_and(|text| text.contains("can't be accepted"));
        host.log().iter().filter(told).count()
    };
    let (started, worked) = (Instant::now(), host.cpu_time());
    let flood: Vec<Raw> = (0..120).map(|_| Raw::connect(&host.shop.address)).collect();
    eventually("three warnings", || (warnings() >= 3).then_some(()));
    let (waited, worked) = (started.elapsed(), host.cpu_time() - worked);
    assert!(waited >= Duration::from_secs(2), "not more than one a second: 3 in {waited:?}");
    assert!(worked < waited / 2, "at work for {worked:?} of {waited:?}");
    drop(flood);
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}
