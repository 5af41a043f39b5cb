//! Which requests may have been carried out.

use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;

fn not_sent(exchange: &Exchange, expected: &str) {
    match &exchange.result {
        Err(HttpError::NotSent(text)) => assert!(text.contains(expected), "{text:?} lacks {expected:?}"),
        other => panic!("{other:?} where {expected:?} was expected"),
    }
}

fn unknown(exchange: &Exchange, expected: &str) {
    match &exchange.result {
        Err(HttpError::Unknown(text)) => assert!(text.contains(expected), "{text:?} lacks {expected:?}"),
        other => panic!("{other:?} where {expected:?} was expected"),
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let granted = grants(&[&format!("{url} private=yes"), "https://no-such-host.invalid"]);
    not_sent(&send(&outbound(), &granted, get(&url)).await, "Connection refused");
    let exchange = send(&outbound(), &granted, get("https://no-such-host.invalid")).await;
    not_sent(&exchange, "no-such-host.invalid can't be looked up");
    assert_eq!(exchange.observed.host.as_deref(), Some("no-such-host.invalid"));
}

/// A listener that accepts nobody: the system shakes hands for it, so the request is written, and nobody answers.
#[tokio::test]
async fn a_request_that_nobody_reads_may_have_been_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let granted = grants(&[&format!("{url} private=yes")]);
    unknown(
        &send(&outbound(), &granted, Request { timeout_ms: 500, ..get(&url) }).await,
        "no whole answer from http://127",
    );
    // So may a part of one that is larger than what the system takes before somebody reads.
    let large = grants(&[&format!("{url} kib=4096 private=yes")]);
    let request = Request { timeout_ms: 500, ..post(&url, &vec![b'x'; 4 << 20]) };
    unknown(&send(&outbound(), &large, request).await, "no whole answer");
    // With TLS, the handshake comes first, and nothing of the request before its end.
    let url = url.replace("http:", "https:");
    let granted = grants(&[&format!("{url} private=yes")]);
    not_sent(
        &send(&outbound(), &granted, Request { timeout_ms: 500, ..get(&url) }).await,
        "no connection to https://127",
    );
}

#[tokio::test]
async fn the_calls_deadline_holds_as_the_requests_own() {
    let server = Server::with(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let granted = grants(&[&format!("{} private=yes", server.url())]);
    let (outbound, trace) = (outbound(), HeaderMap::new());
    let begin = Instant::now();
    for (timeout_ms, left_ms) in [(500, 60_000), (60_000, 500)] {
        let deadline = Instant::now() + Duration::from_millis(left_ms);
        let request = Request { timeout_ms, ..get(server.url()) };
        unknown(
            &outbound.send(&granted, &mut CallBudget::default(), request, &trace, deadline).await,
            "no whole answer",
        );
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
    // A call without time left sends nothing.
    let (request, now) = (get(server.url()), Instant::now());
    not_sent(&outbound.send(&granted, &mut CallBudget::default(), request, &trace, now).await, "no connection to");
}

#[tokio::test]
async fn an_answer_that_never_ends_ends_at_the_deadline() {
    let drips: [(&str, &str); 4] = [
        ("", "H"),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", "x"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ];
    for (head, drip) in drips {
        let server = Server::with(move |mut stream, _| async move {
            let mut written = stream.write_all(head.as_bytes()).await;
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            while written.is_ok() {
                pace.tick().await;
                written = stream.write_all(drip.as_bytes()).await;
            }
        })
        .await;
        let exchange = ask(&server, Request { timeout_ms: 700, ..get(server.url()) }).await;
        // "HHHH" is no answer even before.
        assert!(matches!(exchange.result, Err(HttpError::Unknown(_))), "{head:?}: {exchange:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_unknown() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nConte",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        let closed = Server::answering(answer).await;
        unknown(&ask(&closed, get(closed.url())).await, "");
        // The same with a reset.
        let reset = Server::with(move |mut stream, _| async move {
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.set_zero_linger());
        })
        .await;
        unknown(&ask(&reset, post(reset.url(), b"x")).await, "");
    }
}

/// An answer that is sent before the request was read to its end is an answer.
#[tokio::test]
async fn an_early_answer_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.readable().await.expect("a request");
        stream.write_all(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n").await.expect("it is written");
        stream
    });
    let granted = grants(&[&format!("{url} kib=4096 private=yes")]);
    let exchange = send(&outbound(), &granted, post(&url, &vec![b'x'; 4 << 20])).await;
    assert_eq!(answered(exchange).status, 413);
    drop(task);
}

/// Whoever drops a request closes its connection.
#[tokio::test]
async fn a_dropped_request_leaves_no_connection() {
    let (gone, closed) = tokio::sync::oneshot::channel::<usize>();
    let gone = std::sync::Mutex::new(Some(gone));
    let server = Server::with(move |mut stream, _| {
        let gone = gone.lock().expect("no panic").take();
        async move {
            let mut buffer = [0; 16];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
            let _ = gone.map(|gone| gone.send(read.unwrap_or(0)));
        }
    })
    .await;
    let dropped = tokio::time::timeout(Duration::from_millis(100), ask(&server, get(server.url()))).await;
    assert!(dropped.is_err());
    assert_eq!(closed.await, Ok(0));
}
