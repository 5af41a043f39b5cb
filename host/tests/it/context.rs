//! Whose trace it is: a caller's is continued, a malformed one is not, a guest's forgery changes nothing.

use crate::{
    support::{
        Host, Protocol, Receiver, golden,
        http::order_of,
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
