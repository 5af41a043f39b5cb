//! Trace context: a caller's is continued, a malformed one isn't, and a guest's forgery changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::{
    support::{
        Host, Protocol, Receiver, golden,
        http::order_of,
        inventory_service::InventoryService,
        tree::{drawn, named, of_trace},
    },
    traces::trace_of,
};

#[test]
fn a_callers_context_is_continued() {
    let receiver = Receiver::start();
    let host = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").start();
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", caller), ("tracestate", "vendor=opaque,other=1")];
    let answer = host.shop.post_with("/checkout", &headers, &order_of("headphones", 1));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    // A caller that doesn't record keeps the host from recording, too.
    let quiet = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let unsampled = host.shop.post_with("/checkout", &[("traceparent", quiet)], &order_of("headphones", 1));
    assert!(unsampled.header("traceresponse").ends_with("-00"), "{}", unsampled.header("traceresponse"));
    host.stop();
    let spans = receiver.spans();
    assert_eq!(of_trace(&spans, &unsampled.trace_id()), []);
    let trace = of_trace(&spans, "4bf92f3577b34da6a3ce929d0e0e4736");
    let server = named(&trace, "POST /checkout");
    assert_eq!((server.parent_id.as_str(), server.parent_is_remote), ("00f067aa0ba902b7", Some(true)));
    for span in &trace {
        assert_eq!(span.trace_state, "vendor=opaque,other=1", "{}", span.name);
        assert_eq!(span.parent_is_remote, Some(span.id == server.id), "{}", span.name);
    }
}

#[test]
fn a_malformed_context_starts_a_new_trace() {
    let receiver = Receiver::start();
    let host = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").start();
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let malformed = [
        "garbage".to_owned(),
        format!("00-{id}-00f067aa0ba902b7"),
        format!("00-{id}-0000000000000000-01"),
        format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
        format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
        format!("00-{id}-00f067aa0ba902b7-01-more"),
        format!("ff-{id}-00f067aa0ba902b7-01"),
        format!("00-+{}-00f067aa0ba902b7-01", &id[1..]),
        "x".repeat(4_000),
    ];
    let answers: Vec<_> = malformed
        .iter()
        .map(|traceparent| {
            let headers = [("traceparent", traceparent.as_str()), ("tracestate", "vendor=opaque")];
            let answer = host.shop.post_with("/checkout", &headers, &order_of("headphones", 1));
            assert_eq!(answer.status, 200, "{traceparent}: {}", answer.text());
            answer
        })
        .collect();
    host.stop();
    let spans = receiver.spans();
    assert_eq!(of_trace(&spans, id), []);
    for answer in answers {
        let trace = of_trace(&spans, &answer.trace_id());
        let server = named(&trace, "POST /checkout");
        assert_eq!((server.parent_id.as_str(), server.trace_state.as_str()), ("", ""), "{}", drawn(&trace));
        assert_eq!(trace.len(), 6, "{}", drawn(&trace));
    }
}

/// What only HTTP itself shows: names in any case, white space around values, headers that come twice.
#[test]
fn what_comes_in_by_http_goes_out_by_http() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02";
    const OTHER: &str = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02";
    let inventory = InventoryService::start();
    let host = Host::plan().env("INVENTORY_URL", &inventory.url).start();
    let mut parents = BTreeSet::from(["00f067aa0ba902b7".to_owned()]);
    // The header lines of a checkout, whether its trace goes on, and the state that goes with it.
    for (lines, continued, state) in [
        (&[][..], false, None),
        (&["tracestate: a=1"], false, None),
        (&["traceparent: {P}"], true, None),
        (&["traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", "tracestate: a=1"], false, None),
        (&["TraceParent: {P}", "TraceState: a=1"], true, Some("a=1")),
        (&["TrAcEpArEnT: {P}", "TrAcEsTaTe: a=1"], true, Some("a=1")),
        (&["TRACEPARENT: {P}", "TRACESTATE: a=1"], true, Some("a=1")),
        (&["trace-parent: {P}", "tracestate: a=1"], false, None),
        (&["traceparent: {P}", "trace-state: a=1"], true, None),
        (&["traceparent: \t {P} \t", "tracestate: \t a=1 \t,\tb=2 "], true, Some("a=1,b=2")),
        (&["traceparent:{P}", "tracestate:a=1"], true, Some("a=1")),
        (&["traceparent: {P}", "traceparent: {P}", "tracestate: a=1"], false, None),
        (&["traceparent: {P}", "TraceParent: {O}"], false, None),
        (&["traceparent: {P}", "tracestate: "], true, None),
        (&["traceparent: {P}", "tracestate: a=1,b=2", "tracestate:", "TraceState: c=3"], true, Some("a=1,b=2,c=3")),
        (&["traceparent: {P}", "tracestate: a=1", "tracestate: a=2"], true, Some("a=1")),
        (&["traceparent: {P}", "tracestate: a=1", "tracestate: B=2"], true, None),
        // More than a span's context can hold.
        (&["traceparent: {P}", "tracestate: a@b@c=1,d=2"], true, Some("a@b@c=1,d=2")),
    ] {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let deduct = deduct_of(&host, &inventory, &lines.replace("{P}", PARENT).replace("{O}", OTHER));
        let sent: Vec<&str> = deduct["traceparent"].split('-').collect();
        assert_eq!((sent[1] == "4bf92f3577b34da6a3ce929d0e0e4736", sent.len()), (continued, 4), "{lines}{sent:?}");
        assert_ne!(sent[1], "5bf92f3577b34da6a3ce929d0e0e4736", "{lines}");
        // Ours are random and recorded; a caller that doesn't record keeps us from it.
        assert_eq!(sent[3], if continued { "02" } else { "03" }, "{lines}");
        assert_eq!(deduct.get("tracestate").map(String::as_str), state, "{lines}");
        assert!(parents.insert(sent[2].to_owned()), "a span's id came twice: {lines}{sent:?}");
    }
    host.stop();
}

/// Returns the headers, by name, of the inventory's call in a checkout with those header lines.
fn deduct_of(host: &Host, inventory: &InventoryService, lines: &str) -> BTreeMap<String, String> {
    let order = order_of("headphones", 1).to_string();
    let mut stream = TcpStream::connect(&host.shop.address).expect("the host listens");
    write!(
        stream,
        "POST /checkout HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{lines}\r\n{order}",
        order.len()
    )
    .expect("the host reads");
    let asked = inventory.asked();
    let headers = asked.headers.clone();
    let levels = json!({ "status": "SUCCESS", "levels": [{ "item": "headphones", "remaining": 1 }] });
    asked.answer(200, "application/json", &levels);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the host answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    headers
}

#[test]
fn a_guest_cant_write_into_another_trace() {
    let (answer, trace, stopped) = trace_of("checkout_forged_context", None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    golden::check("trace_checkout_forged_context.txt", &drawn(&trace));
    let checkout = named(&trace, "checkout_transaction");
    for line in stopped.guest_lines() {
        assert_eq!(
            (line["trace_id"].as_str(), line["span_id"].as_str()),
            (Some(&*answer.trace_id()), Some(&*checkout.id))
        );
    }

    let (answer, trace, _) = trace_of("inventory_forged_context", None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    golden::check("trace_inventory_forged_context.txt", &drawn(&trace));
}
