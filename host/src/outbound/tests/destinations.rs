//! Where a request may go: every way to write another place than the granted one.

use super::*;

/// Each of these must be refused before a connection is made; the server counts connections.
#[tokio::test]
async fn a_url_means_what_the_grant_means_or_is_refused() {
    let server = Server::echo().await;
    let port = server.port();
    let outbound = outbound();
    let grants = grants(&["https://granted.example", &format!("http://127.0.0.1:{port} private=yes")]);
    let rows: &[(&str, &str)] = &[
        // Not absolute, or not HTTP.
        ("", "begin with https://"),
        ("/path", "begin with https://"),
        ("//127.0.0.1:{port}/", "begin with https://"),
        ("127.0.0.1:{port}", "begin with https://"),
        ("http:127.0.0.1:{port}/", "begin with https://"),
        ("http:/127.0.0.1:{port}/", "begin with https://"),
        ("https:granted.example", "begin with https://"),
        ("http:///127.0.0.1:{port}/", "has no host"),
        ("http:////127.0.0.1:{port}/", "has no host"),
        ("http://", "has no host"),
        ("http://:{port}/", "has no host"),
        ("http://?127.0.0.1", "has no host"),
        ("http://#127.0.0.1", "has no host"),
        ("ftp://granted.example/", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("gopher://127.0.0.1:{port}/_x", "begin with https://"),
        ("data:text/plain,x", "begin with https://"),
        ("javascript:1", "begin with https://"),
        ("ws://127.0.0.1:{port}/", "begin with https://"),
        ("unix:///run/docker.sock", "begin with https://"),
        ("view-source:http://127.0.0.1:{port}/", "begin with https://"),
        // A user or password before the host.
        ("http://granted.example@127.0.0.1:{port}/", "user or password"),
        ("https://granted.example@evil.example/", "user or password"),
        ("https://granted.example:443@evil.example/", "user or password"),
        ("http://user:secret@127.0.0.1:{port}/", "user or password"),
        ("http://@127.0.0.1:{port}/", "user or password"),
        ("http://:@127.0.0.1:{port}/", "user or password"),
        ("https://evil.example%40granted.example/", "percent-encoded"),
        ("https://evil.example#@granted.example/", "no grant for https://evil.example:443"),
        ("https://evil.example/@granted.example", "no grant for https://evil.example:443"),
        ("https://evil.example?@granted.example", "no grant for https://evil.example:443"),
        ("https://a@b@granted.example/", "user or password"),
        // Backslashes, tabs, line breaks, spaces, which a browser forgives.
        ("https:\\\\granted.example/", "backslash"),
        ("https://granted.example\\@evil.example/", "backslash"),
        ("https://evil.example\\.granted.example/", "backslash"),
        ("https://granted.example/\\..", "backslash"),
        ("http://127.0.0.1:{port}\t/", "control character"),
        ("ht\ttp://127.0.0.1:{port}/", "control character"),
        ("http://127.0.\n0.1:{port}/", "control character"),
        ("http://127.0.0.1:{port}/\r\nHost: evil", "control character"),
        ("http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y", "space"),
        (" http://127.0.0.1:{port}/", "space"),
        ("http://127.0.0.1:{port}/ ", "space"),
        ("http://127.0.0.1:{port}/\u{a0}", "space"),
        ("http://127.0.0.1:{port}/\u{2028}", "space"),
        ("http://127.0.0.1:{port}/\u{0}", "control character"),
        ("http://127.0.0.1:{port}/\u{85}", "control character"),
        // A percent-encoded host.
        ("http://%31%32%37.0.0.1:{port}/", "percent-encoded"),
        ("https://granted%2eexample/", "percent-encoded"),
        ("https://granted.example%00.evil.example/", "percent-encoded"),
        ("https://granted.example%2f.evil.example/", "percent-encoded"),
        // Other writings of an address.
        ("http://2130706433:{port}/", "write 127.0.0.1"),
        ("http://0x7f000001:{port}/", "write 127.0.0.1"),
        ("http://0x7f.0.0.1:{port}/", "write 127.0.0.1"),
        ("http://0177.0.0.1:{port}/", "write 127.0.0.1"),
        ("http://127.1:{port}/", "write 127.0.0.1"),
        ("http://127.0.1:{port}/", "write 127.0.0.1"),
        ("http://127.0.0.1.:{port}/", "write 127.0.0.1"),
        ("http://127.0.0.01:{port}/", "write 127.0.0.1"),
        ("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{port}/", "write 127.0.0.1"),
        ("http://127\u{3002}0.0.1:{port}/", "write 127.0.0.1"),
        ("http://\u{2460}27.0.0.1:{port}/", "write 127.0.0.1"),
        ("http://0/", "write 0.0.0.0"),
        ("http://4294967296/", "can't be read"),
        ("http://256.0.0.1/", "can't be read"),
        ("http://[::ffff:127.0.0.1]:{port}/", "write 127.0.0.1"),
        ("http://[::ffff:7f00:1]:{port}/", "write 127.0.0.1"),
        ("http://[0:0:0:0:0:ffff:7f00:1]:{port}/", "write 127.0.0.1"),
        ("http://[::1]:{port}/", "no grant for http://[::1]"),
        ("http://[::127.0.0.1]:{port}/", "no grant for http://[::7f00:1]"),
        ("http://[fe80::1%25lo]:{port}/", "percent-encoded"),
        ("http://[::1/", "can't be read"),
        ("http://::1/", "has no host"),
        // Letters that become a separator once they are normalized.
        ("https://granted.example\u{ff20}evil.example/", "can't be read"),
        ("https://granted.example\u{ff0f}.evil.example/", "can't be read"),
        ("https://evil.example\u{ff0f}.granted.example/", "can't be read"),
        ("https://evil.example\u{ff03}.granted.example/", "can't be read"),
        ("https://evil.example\u{ff1f}.granted.example/", "can't be read"),
        ("https://granted.example\u{ff1a}444/", "can't be read"),
        ("https://evil.ex\u{2100}.granted.example/", "can't be read"),
        ("https://granted.example\u{ff0e}/", "ends with a dot"),
        ("https\u{ff1a}//granted.example/", "begin with https://"),
        ("\u{feff}https://granted.example/", "begin with https://"),
        // Another host, port or scheme.
        ("https://granted.example.evil/", "no grant for https://granted.example.evil:443"),
        ("https://evil.granted.example/", "no grant for https://evil.granted.example:443"),
        ("https://evilgranted.example/", "no grant for https://evilgranted.example:443"),
        ("https://granted.exampl/", "no grant"),
        ("https://granted.example./", "ends with a dot"),
        ("https://granted.example../", "ends with a dot"),
        ("https://.granted.example/", "letters, digits"),
        ("https://granted..example/", "letters, digits"),
        ("https://*.example/", "no wildcards"),
        ("https://granted.example,evil.example/", "letters, digits"),
        ("https://granted.example;evil.example/", "letters, digits"),
        ("https://granted.example&evil.example/", "letters, digits"),
        ("https://granted.example|evil.example/", "can't be read"),
        ("https://gr\u{e4}nted.example/", "no grant for https://xn--grnted-cua.example:443"),
        ("https://gr\u{430}nted.example/", "no grant for https://xn--"),
        ("https://xn--granted-.example/", "can't be read"),
        ("https://granted.example:444/", "no grant for https://granted.example:444"),
        ("https://granted.example:0/", "port 0"),
        ("https://granted.example:65536/", "can't be read"),
        ("https://granted.example:-1/", "can't be read"),
        ("https://granted.example:443:444/", "can't be read"),
        ("https://granted.example:4 43/", "space"),
        ("http://granted.example/", "no grant for http://granted.example:80"),
        ("http://granted.example:443/", "no grant for http://granted.example:443"),
        ("https://127.0.0.1:{port}/", "no grant for https://127.0.0.1"),
        ("http://localhost:{port}/", "no grant for http://localhost"),
        ("http://127.0.0.2:{port}/", "no grant for http://127.0.0.2"),
    ];
    for (url, expected) in rows {
        let exchange = send(&outbound, &grants, get(url.replace("{port}", &port.to_string()))).await;
        match &exchange.result {
            Err(HttpError::NotGranted(error)) => assert!(error.contains(expected), "{url:?}: {error:?}"),
            other => panic!("{url:?}: {other:?}"),
        }
        assert_eq!((exchange.observed.peer, exchange.observed.status), (None, None), "{url:?}");
    }
    let long = format!("http://127.0.0.1:{port}/{}", "x".repeat(8_000));
    refused(&send(&outbound, &grants, get(long)).await, "at most 8000 are allowed");
    let long = format!("https://{}.example/", "x".repeat(64));
    refused(&send(&outbound, &grants, get(long)).await, "");
    assert_eq!(server.requests(), Vec::<String>::new());
}

/// Another writing of the granted place is the granted place, and no text of the URL but path and query is sent.
#[tokio::test]
async fn harmless_writings_of_a_place_reach_it() {
    let server = Server::echo().await;
    let port = server.port();
    let outbound = outbound();
    let named = format!("http://LocalHost:{port} private=yes");
    let grants = grants(&[&named, &format!("http://127.0.0.1:{port} private=yes")]);
    for (url, line, host) in [
        ("http://127.0.0.1:{port}", "GET / HTTP/1.1", "127.0.0.1:{port}"),
        ("HTTP://127.0.0.1:{port}/a?b#c", "GET /a?b HTTP/1.1", "127.0.0.1:{port}"),
        ("http://LOCALHOST:{port}/", "GET / HTTP/1.1", "localhost:{port}"),
        ("http://\u{ff4c}ocal\u{ad}host:{port}/", "GET / HTTP/1.1", "localhost:{port}"),
        ("http://127.0.0.1:{port}/a/../b/./c", "GET /b/c HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}/../../x", "GET /x HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}//evil.example/", "GET //evil.example/ HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}/http://evil.example/", "GET /http://evil.example/ HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}/\u{e4}?\u{e4}", "GET /%C3%A4?%C3%A4 HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}/%0d%0aX:%20y", "GET /%0d%0aX:%20y HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}/a|b^c`d{e}\"f'<g>", "GET /a|b^c%60d%7Be%7D%22f'%3Cg%3E HTTP/1.1", "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}?@evil.example", "GET /?@evil.example HTTP/1.1", "127.0.0.1:{port}"),
    ] {
        let at = |text: &str| text.replace("{port}", &port.to_string());
        let exchange = send(&outbound, &grants, get(at(url))).await;
        assert_eq!(exchange.observed.peer.map(|peer| peer.port()), Some(port), "{url}");
        let request = String::from_utf8_lossy(&answered(exchange).body).into_owned();
        assert!(request.starts_with(&format!("{line}\r\n")), "{url}: {request}");
        assert!(request.contains(&format!("\r\nhost: {}\r\n", at(host))), "{url}: {request}");
    }
}

#[tokio::test]
async fn a_default_port_is_the_schemes() {
    let outbound = outbound();
    let granted = grants(&["https://localhost", "http://127.0.0.1 private=yes"]);
    for url in ["https://localhost/", "https://localhost:443/", "https://localhost:/", "https://localhost:0443/"] {
        // Granted, and stopped by the address.
        refused(&send(&outbound, &granted, get(url)).await, "host's own networks");
    }
    let exchange = send(&outbound, &granted, get("http://127.0.0.1:080/")).await;
    assert_eq!(exchange.observed.port, Some(80));
    assert!(!matches!(exchange.result, Err(HttpError::NotGranted(_))));
}

/// `localhost` is a name that resolves to a private address on every machine.
#[tokio::test]
async fn a_name_at_a_private_address_is_refused_before_a_connection() {
    let server = Server::echo().await;
    let (outbound, url) = (outbound(), format!("https://localhost:{}", server.port()));
    let exchange = send(&outbound, &grants(&[&url]), get(&url)).await;
    refused(&exchange, &format!("{url} is at an address of the host's own networks"));
    let HttpError::NotGranted(text) = exchange.result.expect_err("refused") else { panic!("not granted") };
    assert!(!text.contains("127.0.0.1") && !text.contains("::1"), "{text}");
    // The operator's span has it.
    assert!(exchange.observed.peer.is_some_and(|peer| peer.ip().is_loopback()));
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let inner = Server::echo().await;
    for status in [301, 302, 303, 307, 308] {
        for location in [inner.url(), "http://169.254.169.254/latest/meta-data/".to_owned(), "//127.0.0.1/".to_owned()]
        {
            let head = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nRefresh: 0; url={location}\r\n");
            let server = Server::answering(format!("{head}Alt-Svc: h2=\":1\"\r\nContent-Length: 0\r\n\r\n")).await;
            let response = answered(ask(&server, get(server.url())).await);
            assert_eq!(response.status, status);
            assert!(response.headers.contains(&("location".to_owned(), location)));
            assert_eq!(server.requests().len(), 1);
        }
    }
    assert_eq!(inner.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn there_is_no_grant_by_default() {
    let server = Server::echo().await;
    refused(&send(&outbound(), &grants(&[]), get(server.url())).await, "there is no grant for");
    assert_eq!(server.requests(), Vec::<String>::new());
}
