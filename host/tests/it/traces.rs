//! The span trees of checkouts and deducts, read back from a receiver that isn't ours.

use serde_json::json;

use crate::support::{
    Answer, Host, Plan, Protocol, Receiver, Stopped, built_in_and, eventually, golden,
    guests::file,
    http::order_of,
    tree::{Span, drawn, named, of_trace},
};

#[test]
fn a_checkout_is_one_trace_over_grpc() {
    golden_trees(Protocol::Grpc);
}

#[test]
fn a_checkout_is_one_trace_over_http() {
    golden_trees(Protocol::Http);
}

/// Both transports bring the same trees.
fn golden_trees(protocol: Protocol) {
    let receiver = Receiver::start();
    let host = Host::plan_demo().traced(&receiver, protocol, "order-service").warns("Database deadlock").start();
    let cart = json!({ "lines": [
        { "item": "headphones", "quantity": 2, "price": 99.99 },
        { "item": "laptop", "quantity": 1, "price": 1299 },
    ] });
    let unacceptable = json!({ "item": "headphones", "quantity": 0, "price": 1 });
    let answers = [
        ("success", 200, host.shop.buy("headphones", 1)),
        ("two_lines", 200, host.shop.post("/checkout", &cart)),
        ("out_of_stock", 400, host.shop.buy("headphones", 1_000)),
        ("conflict", 500, conflict(&host)),
        ("slow", 200, host.shop.buy("smartphone", 3)),
        ("unacceptable", 422, host.shop.post("/checkout", &unacceptable)),
        ("deduct", 200, host.shop.post("/inventory/deduct", &json!({ "item": "headphones", "quantity": 1 }))),
        ("no_route", 404, host.shop.get("/nowhere")),
    ];
    host.stop();
    check(&receiver, &answers);
}

fn check(receiver: &Receiver, answers: &[(&str, u16, Answer)]) {
    let spans = receiver.spans();
    for (name, status, answer) in answers {
        assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        golden::check(&format!("trace_{name}.txt"), &drawn(&of_trace(&spans, &answer.trace_id())));
    }
}

/// Returns the answer to the first checkout that meets the simulated deadlock; six of ten do.
fn conflict(host: &Host) -> Answer {
    eventually("a deadlock", || Some(host.shop.buy("laptop", 2)).filter(|answer| answer.status == 500))
}

#[test]
fn a_remote_inventory_belongs_to_the_same_trace_below_the_client_span() {
    let receiver = Receiver::start();
    let inventory = Host::plan().traced(&receiver, Protocol::Grpc, "inventory-service").start();
    let url = format!("http://{}", inventory.shop.address);
    let orders = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").env("INVENTORY_URL", url).start();

    let success = orders.shop.buy("headphones", 1);
    let out_of_stock = orders.shop.buy("headphones", 1_000);
    assert_eq!(inventory.on_hand("headphones"), 199);
    orders.stop();
    inventory.stop();
    let trace = of_trace(&receiver.spans(), &success.trace_id());
    let client = named(&trace, "http_call_inventory_service");
    let mut ancestor = named(&trace, "inventory_deduct_span");
    while ancestor.id != client.id {
        let parent = trace.iter().find(|span| span.id == ancestor.parent_id);
        ancestor = parent.unwrap_or_else(|| panic!("not below the client span:\n{}", drawn(&trace)));
    }
    check(&receiver, &[("remote_success", 200, success), ("remote_out_of_stock", 400, out_of_stock)]);
}

#[test]
fn an_unreachable_inventory_shows_in_the_trace() {
    let receiver = Receiver::start();
    // Nothing listens on port 1, and unlike a port that was free a moment ago nothing is about to.
    let host = Host::plan()
        .traced(&receiver, Protocol::Grpc, "order-service")
        .env("INVENTORY_URL", "http://127.0.0.1:1")
        .warns("checkout failed: the inventory service can't be reached")
        .warns("waits for its release (1 in all): the inventory service can't be reached")
        .start();
    let answer = host.shop.buy("headphones", 1);
    assert_eq!(answer.code(), "inventory_unreachable");
    eventually("a release that fails", || {
        host.log().iter().any(|line| line["message"].as_str().unwrap().contains("waits")).then_some(())
    });
    host.stop();
    check(&receiver, &[("remote_down", 502, answer)]);
}

/// Has a host with the guest answer one checkout of two headphones, and returns that, its trace and what is left.
pub(crate) fn trace_of(guest: &str, warning: Option<&str>) -> (Answer, Vec<Span>, Stopped) {
    let receiver = Receiver::start();
    let plan = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").plugins(built_in_and(guest));
    let host = warning.into_iter().fold(plan, Plan::warns).start();
    let answer = host.shop.buy("headphones", 2);
    let stopped = host.stop();
    let trace = of_trace(&receiver.spans(), &answer.trace_id());
    (answer, trace, stopped)
}

#[test]
fn who_took_over_from_a_canary_shows_in_the_trace() {
    let receiver = Receiver::start();
    let host = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").start();
    let guest = "inventory_takes_fewer";
    let component = std::fs::read(file(guest)).expect("the guest is read");
    let tried = host.admin.deploy(guest, "&try=%7B%22canary%22:100%7D", &component);
    assert_eq!(tried.status, 200, "{}", tried.text());
    let deducted = host.shop.post("/inventory/deduct", &json!({ "item": "headphones", "quantity": 2 }));
    let bought = host.shop.buy("headphones", 2);
    host.stop();
    check(&receiver, &[("canary_fault_deduct", 200, deducted), ("canary_fault_checkout", 200, bought)]);
}

#[test]
fn a_guests_own_spans_stand_in_the_tree() {
    let (answer, trace, stopped) = trace_of("checkout_spans", None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    golden::check("trace_checkout_spans.txt", &drawn(&trace));

    let lines: Vec<_> =
        stopped.guest_lines().into_iter().map(|line| (line["message"].as_str().unwrap(), line)).collect();
    let line = |message: &str| {
        let found = lines.iter().find(|(text, _)| *text == message);
        found.unwrap_or_else(|| panic!("no line {message:?} in {lines:#?}")).1
    };
    let checkout = named(&trace, "checkout_transaction");
    let coupon = named(&trace, "look_up_coupon");
    for (message, span) in
        [("coupon looked up", coupon), ("printed to stdout", checkout), ("printed to stderr", checkout)]
    {
        let line = line(message);
        assert_eq!(line["trace_id"].as_str(), Some(&*answer.trace_id()), "{message}");
        assert_eq!(line["span_id"].as_str(), Some(&*span.id), "{message}");
        let plugin = line["plugin"].as_str().unwrap();
        assert!(plugin.starts_with("checkout/checkout_spans@"), "{plugin}");
    }
    assert_eq!(line("coupon looked up")["attributes"], r#"{"coupon.code":"WELCOME10"}"#);
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

#[test]
fn a_flood_of_telemetry_is_cut_off_and_counted() {
    let (answer, trace, stopped) = trace_of("checkout_telemetry_flood", None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let floods: Vec<&Span> = trace.iter().filter(|span| span.name == "flood").collect();
    assert_eq!(floods.len(), 64);
    assert!(floods.iter().all(|span| *span.attribute("abandoned") == true));
    assert_eq!(floods.iter().map(|span| span.attributes.len()).max(), Some(32 + 2), "flood.*, abandoned, plugin.span");

    let checkout = named(&trace, "checkout_transaction");
    assert_eq!(checkout.events.len(), 128);
    assert_eq!(*checkout.attribute("plugin.dropped_spans"), 6);
    assert_eq!(*checkout.attribute("plugin.dropped_events"), 2);
    assert_eq!(*checkout.attribute("plugin.dropped_attributes"), 35);
    assert!(checkout.attribute("plugin.dropped_log_bytes").as_i64() > Some(0));
    assert_eq!(*checkout.attribute("plugin.outcome"), "ok");
    assert_eq!(*checkout.attribute("flood.nan"), serde_json::Value::Null);
    assert_eq!(checkout.attribute("flood.text").as_str().map(str::len), Some(1_024));
    let flood = checkout.attributes.keys().filter(|key| key.starts_with("flood.")).count();
    assert_eq!(flood, 32);

    let logged: usize = stopped.guest_lines().iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!((10_000..=16_384).contains(&logged), "{logged} bytes of log");
}

#[test]
fn a_guests_panic_message_is_in_the_log_of_its_trace() {
    for (guest, span, message) in [
        ("checkout_trap", "checkout_transaction", "no receipt for order 1"),
        ("inventory_trap_after_take", "inventory_deduct_span", "no answer about 1 levels"),
    ] {
        let (answer, trace, stopped) = trace_of(guest, Some("plugin trapped"));
        assert_eq!((answer.status, &*answer.code()), (502, "trap"));
        golden::check(&format!("trace_{guest}.txt"), &drawn(&trace));
        let lines = stopped.guest_lines();
        let line = lines.iter().find(|line| line["message"].as_str().unwrap().contains(message));
        let line = line.unwrap_or_else(|| panic!("no {message:?} in {lines:#?}"));
        assert_eq!(line["trace_id"].as_str(), Some(&*answer.trace_id()));
        assert_eq!(line["span_id"].as_str(), Some(&*named(&trace, span).id));
    }
}

#[test]
fn without_a_backend_answers_still_name_their_trace() {
    let host = Host::start();
    let (first, second) = (host.shop.buy("headphones", 1), host.shop.get("/livez"));
    assert_eq!((first.trace_id().len(), second.trace_id().len()), (32, 32));
    assert_ne!(first.trace_id(), second.trace_id());
    assert_eq!(host.orders()[0]["trace_id"].as_str(), Some(&*first.trace_id()));
    host.stop();
    let disabled = Host::plan().env("OTEL_SDK_DISABLED", "true").start();
    let caller = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let answer = disabled.shop.post_with("/checkout", &caller, &order_of("headphones", 1));
    assert_eq!((answer.status, &*answer.trace_id()), (200, "4bf92f3577b34da6a3ce929d0e0e4736"));
    disabled.stop();
}
