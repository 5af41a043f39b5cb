//! Clients that take their time.

use super::ORDER;
use crate::support::{
    Host, Plan,
    raw::{Raw, checkout, request},
};

/// Returns a host that waits for nobody long.
fn impatient() -> Plan {
    let limits = ["idle_ms=300", "header_ms=300", "body_ms=300", "write_ms=300"];
    limits.into_iter().fold(Host::plan(), |plan, limit| plan.set(format!("limits.{limit}")))
}

#[test]
fn a_slow_head_is_cut_off() {
    let host = impatient().start();
    for address in [&host.shop.address, &host.admin.address] {
        for sent in ["", "P", "PRI * HTTP/2.0", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            let mut connection = Raw::connect(address);
            connection.send(sent);
            assert!(connection.is_closed(), "{sent:?}");
        }
        // The same behind a request that was answered.
        let mut connection = Raw::connect(address);
        connection.send("GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        assert_eq!(connection.answer().expect("an answer").status, 200);
        connection.send("GET /livez HTTP/1.1\r\n");
        assert!(connection.is_closed());
    }
    host.stop();
}

/// dotcom-rendering PR 10450: a server that closes an idle connection before its balancer does loses the request that is
/// on its way. A head that has begun doesn't have that long.
#[test]
fn a_connection_rests_for_longer_than_a_head_may_take() {
    let host = Host::plan().set("limits.header_ms=100").set("limits.idle_ms=100000").start();
    let live = "GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    for address in [&host.shop.address, &host.admin.address] {
        let mut silent = Raw::connect(address);
        let mut rested = Raw::connect(address);
        rested.send(live);
        assert_eq!(rested.answer().expect("an answer").status, 200);
        // By then every connection that might be closed would have been.
        for sent in ["P", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            let mut slow = Raw::connect(address);
            slow.send(sent);
            assert!(slow.is_closed(), "{sent:?}");
        }
        for connection in [&mut rested, &mut silent] {
            connection.send(live);
            assert_eq!(connection.answer().expect("an answer").status, 200);
        }
        // A head that began while another request was under way has its time from that one's answer on.
        rested.send(format!("{live}GET /livez HTTP/1.1\r\n"));
        assert_eq!(rested.answer().expect("an answer").status, 200);
        assert!(rested.is_closed());
    }
    host.stop();
}

#[test]
fn a_slow_body_is_told_so_and_cut_off() {
    let host = impatient().start();
    let length = format!("content-length: {}", ORDER.len());
    for framing in [length.as_str(), "transfer-encoding: chunked"] {
        let mut connection = Raw::connect(&host.shop.address);
        let headers = ["host: 127.0.0.1", "content-type: application/json", framing];
        connection.send(request("POST /checkout HTTP/1.1", &headers, ""));
        let answer = connection.answer().expect("an answer");
        assert_eq!((answer.status, &*answer.code(), answer.header("connection")), (408, "body_timeout", "close"));
        connection.send(ORDER);
        assert!(connection.is_closed());
    }
    assert!(host.orders().is_empty());
    host.stop();
}

#[test]
fn a_client_that_reads_no_answer_is_given_up() {
    let host = impatient().start();
    let mut connection = Raw::connect(&host.shop.address);
    // Pipelined until the answers fill what the kernel keeps for a client that doesn't read.
    connection.send_until_closed(request("GET /metrics HTTP/1.1", &["host: 127.0.0.1"], ""));
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

#[test]
fn an_old_connection_ends_with_its_next_answer() {
    let host = Host::plan().set("stock.headphones=100000").set("limits.connection_age_ms=300").start();
    let mut connection = Raw::connect(&host.shop.address);
    let mut orders = 0;
    loop {
        connection.send(checkout(ORDER));
        let answer = connection.answer().expect("an answer to each");
        assert_eq!(answer.status, 200);
        orders += 1;
        if answer.header("connection") == "close" {
            break;
        }
    }
    assert!(connection.is_closed());
    assert_eq!(host.on_hand("headphones"), 100_000 - orders);
    host.stop();
}
