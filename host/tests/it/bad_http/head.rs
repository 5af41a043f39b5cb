//! What is in the head: method, target, version, headers. Both listeners refuse alike.

use super::{Case, ORDER, check, check_all, only_good_orders};
use crate::support::{
    Host,
    raw::{Raw, checkout_with, request},
};

/// Returns requests that would be fine but for their head: to `target`, with that body.
fn heads(target: &str, body: &str) -> Vec<Case> {
    let line = format!("POST {target} HTTP/1.1");
    let (host, json) = ("host: 127.0.0.1", "content-type: application/json");
    let length = format!("content-length: {}", body.len());
    let length = length.as_str();
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let chunked = "transfer-encoding: chunked";
    let right = [host, json, length];
    let with_line = |line: &str| request(line, &right, body);
    let with = |headers: &[&str]| request(&line, &[&right, headers].concat(), body);
    let without_host = |headers: &[&str]| request(&line, &[&[json, length], headers].concat(), body);
    let encoded = |headers: &[&str]| request(&line, &[&[host, json], headers].concat(), &chunk);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII");
    let sound = text(&with(&[]));
    let bare_line_feeds = sound.replace("\r\n", "\n");
    let one_bare_line_feed = sound.replacen(&format!("{json}\r\n"), &format!("{json}\n"), 1);
    let lengths = [length, length];

    let refused = |name: &str, bytes: Vec<u8>| Case::new(name, bytes, 400, "malformed").closing();
    // What hyper refuses by itself, as a bare status.
    let bare = |name: &str, bytes: Vec<u8>| Case::new(name, bytes, 400, "").closing();
    let endless = |length: &str| {
        let bytes = request(&line, &[host, json, &format!("content-length: {length}")], body);
        Case::new(format!("a length of {length}"), bytes, 413, "too_large").closing()
    };
    let large = |name: &str, bytes: Vec<u8>, code| Case::new(name, bytes, 431, code).closing();
    let long = |target: String| {
        Case::new(
            format!("{target:.12}… of {}", target.len()),
            with_line(&format!("POST {target} HTTP/1.1")),
            414,
            "uri_too_long",
        )
        .closing()
    };

    vec![
        refused("no host", without_host(&[])),
        refused("two hosts", with(&["host: 127.0.0.1"])),
        refused("two different hosts", with(&["host: other.example"])),
        refused("an empty host", without_host(&["host:"])),
        refused("no host's name", without_host(&["host: a b"])),
        refused("a list of hosts", without_host(&["host: 127.0.0.1, 127.0.0.1"])),
        refused("a user at the host", without_host(&["host: me@127.0.0.1"])),
        refused("no port's number", without_host(&["host: 127.0.0.1:http"])),
        refused("a user in the target", with_line(&format!("POST http://me@127.0.0.1{target} HTTP/1.1"))),
        refused("a user and a password", with_line(&format!("POST http://me:secret@127.0.0.1{target} HTTP/1.1"))),
        refused("a fragment", with_line(&format!("POST {target}#x HTTP/1.1"))),
        refused("a fragment behind a query", with_line(&format!("POST {target}?x=1#y HTTP/1.1"))),
        refused("two authorizations", with(&["authorization: Bearer a", "authorization: Bearer b"])),
        refused("one authorization twice", with(&["authorization: Bearer a", "Authorization: Bearer a"])),
        Case::new(
            "a method of 70 KB",
            with_line(&format!("{} {target} HTTP/1.1", "X".repeat(70_000))),
            501,
            "not_implemented",
        )
        .closing(),
        Case::new(
            "a foreign host's target",
            with_line(&format!("POST http://shop.example{target} HTTP/1.1")),
            404,
            "not_found",
        )
        .closing(),
        Case::new("a tunnel", request("CONNECT 127.0.0.1:80 HTTP/1.1", &[host], ""), 501, "not_implemented").closing(),
        Case::new("a tunnel to a route", with_line(&format!("CONNECT {target} HTTP/1.1")), 501, "not_implemented")
            .closing(),
        refused("one length twice", with(&[length])),
        refused("one length thrice", with(&lengths)),
        bare("two lengths", with(&["content-length: 1"])),
        bare("a list of lengths", request(&line, &[host, json, &format!("{length}, {}", body.len())], body)),
        bare("a signed length", request(&line, &[host, json, &length.replace(": ", ": +")], body)),
        bare("a negative length", request(&line, &[host, json, "content-length: -1"], body)),
        bare("a hexadecimal length", request(&line, &[host, json, "content-length: 0x10"], body)),
        endless("9223372036854775808"),
        endless("18446744073709551615"),
        endless("18446744073709551616"),
        endless("99999999999999999999999999999999999999999999999999"),
        bare("an empty length", request(&line, &[host, json, "content-length:"], body)),
        refused("a length, then chunked", encoded(&[length, chunked])),
        refused("chunked, then a length", encoded(&[chunked, length])),
        refused("chunked, then no length", encoded(&[chunked, "content-length: 0"])),
        refused("gzip, chunked", encoded(&["transfer-encoding: gzip, chunked"])),
        refused("chunked, chunked", encoded(&["transfer-encoding: chunked, chunked"])),
        refused("chunked twice", encoded(&[chunked, chunked])),
        refused("identity, then chunked", encoded(&["transfer-encoding: identity", chunked])),
        bare("chunked, gzip", encoded(&["transfer-encoding: chunked, gzip"])),
        bare("identity", encoded(&["transfer-encoding: identity"])),
        bare("xchunked", encoded(&["transfer-encoding: xchunked"])),
        bare("chunked behind a vertical tab", encoded(&["transfer-encoding: \x0bchunked"])),
        bare("chunked in HTTP/1.0", request(&format!("POST {target} HTTP/1.0"), &[host, json, chunked], &chunk)),
        Case::new("an unknown expectation", with(&["expect: 200-ok"]), 417, "expectation_failed").closing(),
        Case::new("two expectations", with(&["expect: 100-continue", "expect: tea"]), 417, "expectation_failed")
            .closing(),
        refused("bare line feeds", bare_line_feeds.into_bytes()),
        refused("one bare line feed", one_bare_line_feed.into_bytes()),
        bare("a folded header", with(&["x: a\r\n b"])),
        bare("a folded length", request(&line, &[host, json, "content-length:\r\n 1"], body)),
        bare("a header before the first name", request(&line, &[" x: a", host, json, length], body)),
        bare("NUL in a header", with(&["x: a\0b"])),
        bare("a bare carriage return", with(&["x: a\rb"])),
        bare("a space before the colon", with(&["x : a"])),
        bare("a space before the length's colon", request(&line, &[host, json, &length.replace(':', " :")], body)),
        bare("no colon", with(&["x"])),
        bare("no name", with(&[": x"])),
        bare("a name with a bracket", with(&["x[]: a"])),
        bare("HTTP/0.9", request(&format!("POST {target}"), &[], "")),
        bare("HTTP/1.2", with_line(&format!("POST {target} HTTP/1.2"))),
        bare("HTTP/2.0 in words", with_line(&format!("POST {target} HTTP/2.0"))),
        bare("no version", with_line(&format!("POST {target} HTTP"))),
        bare("three words too many", with_line(&format!("POST {target} x HTTP/1.1"))),
        bare("a method with a slash", with_line(&format!("PO/ST {target} HTTP/1.1"))),
        bare("the start of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaa".to_vec()),
        bare("noise", b"\x00\x01\x02noise\r\n\r\n".to_vec()),
        long(format!("/{}", "x".repeat(2_048))),
        long(format!("{target}?{}", "x".repeat(2_048))),
        long(format!("/{}", "x".repeat(20_000))),
        long(format!("http://{}/", "x".repeat(2_048))),
        Case::new("a target of 66 KB", with_line(&format!("POST /{} HTTP/1.1", "x".repeat(66_000))), 414, "").closing(),
        large("a header of 16 KiB", with(&[&format!("x: {}", "x".repeat(16_384))]), "headers_too_large"),
        large("64 headers more", with(&["x: x"; 64]), ""),
        large("a header of 100 KB", with(&[&format!("x: {}", "x".repeat(100_000))]), ""),
    ]
}

#[test]
fn a_doubtful_head_is_refused_on_the_shops_listener() {
    check_all(&heads("/checkout", ORDER));
}

#[test]
fn a_doubtful_head_is_refused_on_the_operators_listener() {
    let host = Host::plan().set("stock.headphones=1000").start();
    for case in heads("/stock/headphones", r#"{"add":1}"#) {
        check(&host.admin, &case);
        assert_eq!(host.on_hand("headphones"), 1000, "{}", case.name);
    }
    only_good_orders(&host, 0);
    host.stop();
}

#[test]
fn a_route_takes_its_methods_only() {
    let host = Host::start();
    let ask = |method: &str, path: &str| {
        let length = format!("content-length: {}", ORDER.len());
        let headers = ["host: 127.0.0.1", "content-type: application/json", &length];
        let mut connection = Raw::connect(&host.shop.address);
        connection.send(request(&format!("{method} {path} HTTP/1.1"), &headers, ORDER));
        let answer = connection.answer().expect("an answer");
        (answer.status, answer.header("allow").to_owned())
    };
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "post", "POSTPOST"] {
        assert_eq!(ask(method, "/checkout"), (405, "POST".into()), "{method}");
    }
    for (method, path, allow) in [
        ("GET", "/inventory/deduct", "POST"),
        ("GET", "/inventory/release", "POST"),
        ("PUT", "/inventory", "GET, HEAD"),
        ("POST", "/inventory/headphones", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("TRACE", "/livez", "GET, HEAD"),
    ] {
        assert_eq!(ask(method, path), (405, allow.into()), "{method} {path}");
    }
    for path in
        ["/nowhere", "/checkout/", "//checkout", "/Checkout", "/checkout/x", "/%63heckout", "/x/../checkout", "*"]
    {
        assert_eq!(ask("POST", path).0, 404, "{path}");
    }
    for path in ["/inventory/%zz", "/inventory/%ff", "/inventory/%00", "/inventory/a%0ab", "/orders/%2e%2e"] {
        assert_eq!(ask("GET", path).0, 404, "{path}");
    }
    let options = ask("OPTIONS", "*");
    assert_eq!((options.0, &*options.1), (204, "GET, HEAD, POST, OPTIONS"));
    only_good_orders_of(&host);
    host.stop();
}

fn only_good_orders_of(host: &Host) {
    assert!(host.orders().is_empty(), "{:#?}", host.orders());
}

#[test]
fn a_key_that_is_none_is_malformed() {
    let long = "k".repeat(256);
    let of_lines = |name: &str, lines: &[&str]| {
        let (checkout, deduct) =
            (checkout_with(lines, ORDER), text(&checkout_with(lines, r#"{"item":"headphones","quantity":1}"#)));
        let deduct = deduct.replace("/checkout", "/inventory/deduct");
        [("checkout", checkout), ("deduct", deduct.into_bytes())]
            .map(|(route, bytes)| Case::new(format!("{name} at {route}"), bytes, 400, "malformed"))
    };
    let cases = [
        of_lines("an empty key", &["idempotency-key:"]),
        of_lines("nothing in quotes", &["idempotency-key: \"\""]),
        of_lines("256 bytes", &[&format!("idempotency-key: {long}")]),
        of_lines("a blank within", &["idempotency-key: two words"]),
        of_lines("a tab within", &["idempotency-key: two\twords"]),
        of_lines("no ASCII", &["idempotency-key: schl\u{fc}ssel"]),
        of_lines("two keys", &["idempotency-key: one", "idempotency-key: two"]),
        of_lines("one key twice", &["idempotency-key: one", "Idempotency-Key: one"]),
    ];
    check_all(&cases.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_head_that_is_only_unusual_is_served() {
    let host = Host::start();
    let address = &host.shop.address;
    let long = format!("x: {}", "x".repeat(15_000));
    for (name, bytes) in [
        ("empty lines before it", [b"\r\n\r\n", checkout_with(&[], ORDER).as_slice()].concat()),
        ("a query", text(&checkout_with(&[], ORDER)).replace("/checkout", "/checkout?x=1").into_bytes()),
        (
            "its own address as a target",
            text(&checkout_with(&[], ORDER)).replace("/checkout", &format!("http://{address}/checkout")).into_bytes(),
        ),
        ("an empty port", text(&checkout_with(&[], ORDER)).replace("127.0.0.1", "127.0.0.1:").into_bytes()),
        ("a host in capitals", text(&checkout_with(&[], ORDER)).replace("127.0.0.1", "LocalHost").into_bytes()),
        ("a host with its dot", text(&checkout_with(&[], ORDER)).replace("127.0.0.1", "localhost.").into_bytes()),
        ("names in capitals", text(&checkout_with(&[], ORDER)).replace("content", "CONTENT").into_bytes()),
        (
            "HTTP/1.0 without a host",
            text(&checkout_with(&[], ORDER)).replace("HTTP/1.1\r\nhost: 127.0.0.1", "HTTP/1.0").into_bytes(),
        ),
        ("a long header", checkout_with(&[&long], ORDER)),
        (
            "bytes that are no UTF-8",
            [
                text(&checkout_with(&[], ORDER)).split_once("\r\n\r\n").expect("a head").0.as_bytes(),
                b"\r\nx: \xff\xfe\r\n\r\n",
                ORDER.as_bytes(),
            ]
            .concat(),
        ),
        (
            "an upgrade it doesn't want",
            checkout_with(
                &["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA"],
                ORDER,
            ),
        ),
        ("a baggage of 9 KB", checkout_with(&[&format!("baggage: a={}", "x".repeat(9_000))], ORDER)),
        ("many cookies", checkout_with(&["cookie: a=1"; 50], ORDER)),
    ] {
        let mut connection = Raw::connect(address);
        connection.send(bytes);
        let answer = connection.answer().unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    host.stop();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("ASCII")
}

#[test]
fn a_malformed_trace_context_is_no_reason_to_lose_an_order() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let sound = format!("traceparent: 00-{trace}-{span}-01");
    let members: Vec<String> = (0..33).map(|number| format!("a{number}=1")).collect();
    let host = Host::start();
    for (name, headers) in [
        ("too short", vec![format!("traceparent: 00-{trace}-{span}")]),
        ("too long", vec![format!("{sound}-00")]),
        ("in capitals", vec![sound.to_uppercase()]),
        ("no trace", vec![format!("traceparent: 00-{}-{span}-01", "0".repeat(32))]),
        ("no span", vec![format!("traceparent: 00-{trace}-{}-01", "0".repeat(16))]),
        ("version ff", vec![sound.replace("00-4", "ff-4")]),
        ("no hexadecimal", vec![sound.replace("4bf9", "4bg9")]),
        ("twice", vec![sound.clone(), sound.clone()]),
        ("empty", vec!["traceparent:".into()]),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let mut connection = Raw::connect(&host.shop.address);
        connection.send(checkout_with(&headers, ORDER));
        let answer = connection.answer().expect("an answer");
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(!answer.trace_id().contains(trace), "{name}: a new trace");
    }
    for state in ["=", "a", &members.join(","), &format!("a={}", "x".repeat(513)), "A=1", "a=1,a=2"] {
        let mut connection = Raw::connect(&host.shop.address);
        connection.send(checkout_with(&[&sound, &format!("tracestate: {state}")], ORDER));
        let answer = connection.answer().expect("an answer");
        assert_eq!((answer.status, &*answer.trace_id()), (200, trace), "{state:.20}");
    }
    host.stop();
}
