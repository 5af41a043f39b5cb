//! How many requests a call makes, and how answers stand in for others.

use super::*;

#[tokio::test]
async fn a_call_makes_as_many_requests_as_are_granted_for_each_place() {
    let (one, two) = (Server::echo().await, Server::answering("").await);
    let grants = grants(&[
        &format!("{} requests=2 private=yes", one.url()),
        &format!("{} requests=1 methods=get private=yes", two.url()),
    ]);
    let outbound = outbound();
    let mut budget = CallBudget::default();
    let deadline = Instant::now() + Duration::from_secs(5);
    let trace = HeaderMap::new();
    let mut send = async |request| outbound.send(&grants, &mut budget, request, &trace, deadline).await;
    assert!(send(get(one.url())).await.result.is_ok());
    // A method that isn't granted doesn't count.
    refused(&send(post(two.url(), b"")).await, "doesn't have the method post");
    // Neither does another place. A malformed request and one without an answer do.
    refused(&send(get("https://evil.example")).await, "there is no grant");
    refused(&send(Request { headers: vec![text("Host", "x")], ..get(one.url()) }).await, "the host sets");
    assert!(matches!(send(get(two.url())).await.result, Err(HttpError::Unknown(_))));
    for url in [one.url(), two.url()] {
        let most = if url == one.url() { "allows 2 requests a call" } else { "allows 1 requests a call" };
        refused(&send(get(url)).await, most);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[tokio::test]
async fn an_equal_request_gets_the_earlier_answer() {
    let server = Server::echo().await;
    let outbound = outbound();
    let granted = [format!("{} private=yes", server.url())];
    let grants = |installation: &str| {
        let grants = granted.iter().map(|text| text.parse().expect("a grant")).collect();
        Grants::new(installation, grants).expect("usable grants")
    };
    let request = || Request { cache_ms: 60_000, ..get(server.url()) };
    let first = send(&outbound, &grants("one"), request()).await;
    assert!(!first.observed.cached);
    let second = send(&outbound, &grants("one"), request()).await;
    assert!(second.observed.cached);
    assert_eq!((second.observed.status, second.observed.peer), (Some(200), None));
    assert_eq!((&second.result, second.observed.response_bytes), (&first.result, first.observed.response_bytes));
    assert_eq!(server.requests().len(), 1);
    // Of another installation, under another header, or without the wish for it, it isn't the same.
    let other = Request { headers: vec![text("x", "y")], ..request() };
    for (grants, request) in [
        (grants("two"), request()),
        (grants("one"), other),
        (grants("one"), Request { cache_ms: 0, ..request() }),
        (grants("one"), Request { cache_ms: 60_000, ..post(server.url(), b"x") }),
    ] {
        assert!(!send(&outbound, &grants, request).await.observed.cached);
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn an_earlier_answer_needs_the_grant_still() {
    let server = Server::answering(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2_000))).await;
    let (outbound, url) = (outbound(), server.url());
    let request = || Request { cache_ms: 60_000, ..get(&url) };
    assert!(send(&outbound, &grants(&[&format!("{url} private=yes")]), request()).await.result.is_ok());
    refused(&send(&outbound, &grants(&[]), request()).await, "there is no grant");
    refused(&send(&outbound, &grants(&[&format!("{url} methods=post private=yes")]), request()).await, "method get");
    let smaller = send(&outbound, &grants(&[&format!("{url} kib=1 private=yes")]), request()).await;
    assert!(matches!(smaller.result, Err(HttpError::TooLarge)), "{smaller:?}");
    // It counts as a request of the call.
    let once = grants(&[&format!("{url} requests=1 private=yes")]);
    let mut budget = CallBudget::default();
    let deadline = Instant::now() + Duration::from_secs(5);
    let trace = HeaderMap::new();
    assert!(outbound.send(&once, &mut budget, request(), &trace, deadline).await.observed.cached);
    refused(&outbound.send(&once, &mut budget, request(), &trace, deadline).await, "allows 1 requests");
}

#[tokio::test]
async fn what_is_no_answer_is_not_kept() {
    for (answer, method) in [
        ("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", Method::Get),
        ("HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", Method::Get),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", Method::Get),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Method::Put),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Method::Delete),
    ] {
        let server = Server::answering(answer).await;
        let grants = grants(&[&format!("{} methods=get,put,delete private=yes", server.url())]);
        let outbound = outbound();
        for _ in 0..2 {
            let request = Request { method, cache_ms: 60_000, ..get(server.url()) };
            assert!(!send(&outbound, &grants, request).await.observed.cached);
        }
        assert_eq!(server.requests().len(), 2, "{answer:?}");
    }
}

/// A request without a place among those under way waits for one within its own time.
#[tokio::test]
async fn requests_under_way_are_bounded() {
    let server = Server::with(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    for (requests, bodies_mib) in [(1, 64), (64, 1)] {
        let settings = config::Outbound { requests, bodies_mib, ..settings() };
        let outbound = Outbound::new(&settings).expect("usable settings");
        // More than all bodies may have together.
        let grants = grants(&[&format!("{} kib=4096 private=yes", server.url())]);
        let request = || Request { timeout_ms: 1_000, ..get(server.url()) };
        let (one, two) = tokio::join!(send(&outbound, &grants, request()), send(&outbound, &grants, request()));
        assert!(matches!(one.result, Err(HttpError::Unknown(_))), "{one:?}");
        assert!(matches!(two.result, Err(HttpError::NotSent(_))), "{two:?}");
    }
}
