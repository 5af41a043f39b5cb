//! What a request may say, and what the host says beside it.

use super::*;

#[tokio::test]
async fn a_request_is_sent_as_it_is_with_the_hosts_headers() {
    let server = Server::echo().await;
    let grant = format!("{} methods=get,post,put,delete private=yes", server.url());
    let mut trace = HeaderMap::new();
    for (name, value) in [("traceparent", "00-a-b-01"), ("tracestate", "a=1"), ("baggage", "customer=1"), ("x", "y")] {
        trace.insert(name, value.parse().expect("a value"));
    }
    let request = Request {
        method: Method::Put,
        headers: vec![text("X-Tenant", "7"), text("Content-Type", "text/plain")],
        ..post(format!("{}/v1/x?y=z#w", server.url()), b"hello")
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    let exchange = outbound().send(&grants(&[&grant]), &mut CallBudget::default(), request, &trace, deadline).await;
    let observed = Observed {
        method: Method::Put,
        scheme: Some("http"),
        host: Some("127.0.0.1".to_owned()),
        port: Some(server.port()),
        peer: Some(([127, 0, 0, 1], server.port()).into()),
        status: Some(200),
        request_bytes: 5,
        response_bytes: exchange.result.as_ref().map_or(0, |response| response.body.len()),
        cached: false,
    };
    assert_eq!(exchange.observed, observed);
    let mut lines: Vec<String> =
        String::from_utf8_lossy(&answered(exchange).body).split("\r\n").map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "PUT /v1/x?y=z HTTP/1.1");
    lines.sort();
    let agent = format!("user-agent: till/{}", env!("CARGO_PKG_VERSION"));
    let host = format!("host: 127.0.0.1:{}", server.port());
    let expected = [
        "",
        "connection: close",
        "content-length: 5",
        "content-type: text/plain",
        "hello",
        &host,
        "traceparent: 00-a-b-01",
        "tracestate: a=1",
        &agent,
        "x-tenant: 7",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_header_that_could_change_the_message_is_refused() {
    let server = Server::echo().await;
    let of_host = "the host sets the header";
    let of_connection = "concerns the host's connection";
    let of_parts = "whole, plain answers";
    let of_method = "change the method";
    let a_name = "a header's name has to be";
    let a_value = "has a line break or another letter";
    let long = "x".repeat(129);
    let rows: &[(&str, &str, &str)] = &[
        ("Host", "evil.example", of_host),
        ("host", "127.0.0.1", of_host),
        ("Content-Length", "0", of_host),
        ("content_length", "0", of_host),
        ("Traceparent", "00-a-b-01", of_host),
        ("tracestate", "a=1", of_host),
        ("Expect", "100-continue", of_host),
        ("Connection", "keep-alive, x-forwarded-for", of_connection),
        ("Keep-Alive", "timeout=5", of_connection),
        ("Proxy-Connection", "keep-alive", of_connection),
        ("Proxy-Authorization", "Basic eA==", of_connection),
        ("Proxy-Authenticate", "Basic", of_connection),
        ("TE", "trailers", of_connection),
        ("Trailer", "x", of_connection),
        ("Transfer-Encoding", "chunked", of_connection),
        ("transfer-ENCODING", "identity", of_connection),
        ("transfer_encoding", "chunked", of_connection),
        ("Transfer-Encoding ", "chunked", a_name),
        (" Transfer-Encoding", "chunked", a_name),
        ("Transfer-Encoding\u{b}", "chunked", a_name),
        ("Upgrade", "h2c", of_connection),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA", of_connection),
        ("Accept-Encoding", "gzip", of_parts),
        ("Range", "bytes=0-5", of_parts),
        ("If-Range", "x", of_parts),
        ("X-HTTP-Method-Override", "DELETE", of_method),
        ("X-HTTP-Method", "DELETE", of_method),
        ("X-Method-Override", "DELETE", of_method),
        ("x_http_method_override", "DELETE", of_method),
        // Names that are none.
        ("", "x", a_name),
        ("x y", "x", a_name),
        ("x:y", "x", a_name),
        (":authority", "evil.example", a_name),
        ("x\r\nhost: evil.example\r\ny", "x", a_name),
        ("x\n", "x", a_name),
        ("x\0", "x", a_name),
        ("h\u{f6}st", "x", a_name),
        ("x(y)", "x", a_name),
        (&long, "x", a_name),
        // Values with more than themselves.
        ("x", "a\r\nhost: evil.example", a_value),
        ("x", "a\r\n\r\nGET /admin HTTP/1.1", a_value),
        ("x", "a\nb", a_value),
        ("x", "a\rb", a_value),
        ("x", "a\0b", a_value),
        ("x", "a\u{7f}b", a_value),
        ("x", "a\u{b}b", a_value),
        // U+560A and U+560D end in the bytes of a line feed and a carriage return, if they are cut to a byte.
        ("x", "a\u{560d}\u{560a}b", a_value),
        ("x", "a\u{10a}b", a_value),
        ("x", "\u{e4}", a_value),
    ];
    for (name, value, expected) in rows {
        let request = Request { headers: vec![text(name, value)], ..get(server.url()) };
        let exchange = ask(&server, request).await;
        match &exchange.result {
            Err(HttpError::NotGranted(error)) => {
                assert!(error.contains(expected), "{name:?}: {value:?}: {error}");
                assert!(!error.contains("evil"), "{error}");
            }
            other => panic!("{name:?}: {value:?}: {other:?}"),
        }
    }
    for names in [["x-a", "X-A"], ["content-type", "Content-Type"], ["authorization", "AUTHORIZATION"]] {
        let headers = names.iter().map(|name| text(name, "x")).collect();
        refused(&ask(&server, Request { headers, ..get(server.url()) }).await, "is there twice");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_has_as_much_as_is_allowed() {
    let server = Server::echo().await;
    let many = |count: usize, bytes: usize| {
        let headers = (0..count).map(|index| text(&format!("x-{index:02}"), &"x".repeat(bytes)));
        Request { headers: headers.collect(), ..get(server.url()) }
    };
    assert_eq!(answered(ask(&server, many(32, 500)).await).status, 200);
    refused(&ask(&server, many(33, 1)).await, "there are 33 headers; at most 32 are allowed");
    refused(&ask(&server, many(32, 600)).await, "at most 16384 are allowed");

    let (outbound, url) = (outbound(), server.url());
    let grants = grants(&[&format!("{url} kib=1 private=yes")]);
    // The echo is larger than the body.
    let exchange = send(&outbound, &grants, post(&url, &[b'x'; 1_024])).await;
    assert!(matches!(exchange.result, Err(HttpError::TooLarge)), "{exchange:?}");
    refused(&send(&outbound, &grants, post(&url, &[b'x'; 1_025])).await, "1025 bytes");
    let with_body = Request { body: Some(bytes::Bytes::new()), ..get(&url) };
    refused(&send(&outbound, &grants, with_body).await, "a get has no body");
    refused(&send(&outbound, &grants, Request { timeout_ms: 0, ..get(&url) }).await, "at least 1");
}

#[tokio::test]
async fn a_method_is_granted_by_name() {
    let server = Server::echo().await;
    let (outbound, url) = (outbound(), server.url());
    let grants = grants(&[&format!("{url} methods=put,delete private=yes")]);
    for (method, granted) in [(Method::Get, false), (Method::Post, false), (Method::Put, true), (Method::Delete, true)]
    {
        let exchange = send(&outbound, &grants, Request { method, ..get(&url) }).await;
        if granted {
            let line = format!("{} / HTTP/1.1\r\n", method.as_str());
            assert!(answered(exchange).body.starts_with(line.as_bytes()));
        } else {
            refused(&exchange, &format!("doesn't have the method {}", method.in_lower_case()));
        }
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn debug_shows_no_content() {
    let request =
        Request { headers: vec![text("x-a", "hidden"), secret("x-b", "name")], ..post("https://hidden", b"hidden") };
    assert_eq!(format!("{request:?}"), "Request(POST, 2 headers, 6 bytes)");
    assert_eq!(format!("{:?}", request.headers), r#"[Header("x-a"), Header("x-b")]"#);
    assert_eq!(format!("{:?}", HeaderText::Text("hidden".to_owned())), "Text(6 bytes)");
    let response = Response { status: 200, headers: vec![("x".into(), "hidden".into())], body: "hidden".into() };
    assert_eq!(format!("{response:?}"), "Response(200, 1 headers, 6 bytes)");
}
