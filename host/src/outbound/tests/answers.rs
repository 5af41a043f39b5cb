//! What a server may answer, and what a plugin is told of it.

use super::*;

async fn answer(bytes: impl Into<Vec<u8>>) -> Result<Response, HttpError> {
    let server = Server::answering(bytes).await;
    ask(&server, get(server.url())).await.result
}

async fn body(bytes: &str) -> String {
    String::from_utf8_lossy(&answer(bytes).await.expect("an answer").body).into_owned()
}

async fn unknown(bytes: impl Into<Vec<u8>>) {
    let bytes = bytes.into();
    let shown = String::from_utf8_lossy(&bytes).chars().take(80).collect::<String>();
    match answer(bytes).await {
        Err(HttpError::Unknown(_)) => {}
        other => panic!("{shown:?}: {other:?}"),
    }
}

async fn too_large(bytes: impl Into<Vec<u8>>) {
    let result = answer(bytes).await;
    assert!(matches!(result, Err(HttpError::TooLarge)), "{result:?}");
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for status in [200, 204, 304, 400, 404, 407, 429, 500, 503, 599, 999] {
        let response = answer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")).await.expect("an answer");
        assert_eq!(response.status, status);
    }
}

#[tokio::test]
async fn a_body_ends_as_its_head_says() {
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more").await, "hello");
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n").await,
        "hello"
    );
    assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nhello").await, "hello");
    assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nhello").await, "hello");
    // A second answer on the connection is nobody's.
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nevil";
    assert_eq!(body(two).await, "hi");
    // Chunked wins over a length, and the connection isn't used again.
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(body(both).await, "hello");
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello").await, "hello");
    assert_eq!(body("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nhello").await, "");
}

#[tokio::test]
async fn trailers_arent_handed_over() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-after\r\nX-Before: 1\r\n\r\n";
    let answer =
        answer(format!("{chunked}5\r\nhello\r\n0\r\nX-After: 2\r\nX-Before: 3\r\n\r\n")).await.expect("an answer");
    assert_eq!(answer.headers, [("x-before".to_owned(), "1".to_owned())]);
    assert_eq!(answer.body, "hello");
    unknown(format!("{chunked}5\r\nhello\r\n0\r\nX-After: {}\r\n\r\n", "x".repeat(600_000))).await;
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let response = answer(format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")).await.expect("an answer");
    assert_eq!((response.status, response.body.as_ref()), (200, b"hi".as_ref()));
    assert_eq!(response.headers, [("content-length".to_owned(), "2".to_owned())]);
    unknown("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n").await;
    // Without end: as much is read as an answer may have in all.
    too_large("HTTP/1.1 103 X\r\nX: y\r\n\r\n".repeat(100_000)).await;
}

#[tokio::test]
async fn headers_are_told_that_are_text_and_of_the_answer() {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nX-Text: \xc3\xa4\r\nX-Bytes: \xff\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n".to_vec();
    bytes.extend(
        b"Keep-Alive: timeout=5\r\nConnection: x-private\r\nUpgrade: h2c\r\nTE: x\r\nContent-Encoding: gzip\r\n",
    );
    bytes.extend(b"Content-Length: 3\r\n\r\n\x1f\x8b\x08");
    let response = answer(bytes).await.expect("an answer");
    let mut headers: Vec<_> = response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    headers.sort();
    // Nothing is decompressed.
    assert_eq!(response.body.as_ref(), b"\x1f\x8b\x08");
    let expected =
        ["content-encoding: gzip", "content-length: 3", "set-cookie: a=1", "set-cookie: b=2", "x-text: \u{e4}"];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn what_isnt_http_is_no_answer() {
    for bytes in [
        "",
        "\r\n\r\n",
        "hello",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "220 mail.example ESMTP\r\n",
        "+OK\r\n-ERR\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "<html>",
        // Heads that two readers could read differently.
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX\0: a\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // Bodies that are cut off or malformed.
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5hello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ] {
        unknown(bytes).await;
    }
}

#[tokio::test]
async fn an_answer_has_as_much_as_is_granted() {
    let whole = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
    let open = |bytes: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(bytes));
    let chunked = |bytes: usize| {
        let chunks = "10\r\nxxxxxxxxxxxxxxxx\r\n".repeat(bytes / 16);
        let last = "1\r\nx\r\n".repeat(bytes % 16);
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{last}0\r\n\r\n")
    };
    for make in [&whole as &dyn Fn(usize) -> String, &open, &chunked] {
        assert_eq!(answer(make(65_536)).await.expect("an answer").body.len(), 65_536);
        too_large(make(65_537)).await;
    }
    // Announced only: neither waited for nor reserved.
    too_large("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nx").await;
    too_large(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n".to_owned() + &"x".repeat(70_000),
    )
    .await;
    // A chunk's extension is no way around it.
    let extension = format!("1;x={}\r\nx\r\n", "y".repeat(2_000_000));
    let result = answer(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{extension}0\r\n\r\n")).await;
    assert!(matches!(result, Err(HttpError::TooLarge | HttpError::Unknown(_))), "{result:?}");
}

#[tokio::test]
async fn a_head_has_as_much_as_is_allowed() {
    let head = |count: usize, bytes: usize| {
        let lines = (0..count).map(|index| format!("x-{index}: {}\r\n", "x".repeat(bytes)));
        format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines.collect::<String>())
    };
    assert_eq!(answer(head(63, 10)).await.expect("an answer").headers.len(), 64);
    too_large(head(64, 10)).await;
    assert_eq!(answer(head(1, 16_000)).await.expect("an answer").headers.len(), 2);
    too_large(head(1, 17_000)).await;
    too_large(head(60, 300)).await;
    too_large(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(5_000_000))).await;
    too_large(format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(5_000_000))).await;
}

/// A server that sends each byte with a chunk of its own costs the host more than itself.
#[tokio::test]
async fn a_body_has_as_many_chunks_as_are_worth_reading() {
    let chunks = "1\r\nx\r\n".repeat(16_000);
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let server = Server::answering(answer).await;
    let outbound = Outbound::new(&config::Outbound { header_bytes: 8_192, ..settings() }).expect("usable settings");
    let granted = grants(&[&format!("{} kib=16 private=yes", server.url())]);
    let exchange = send(&outbound, &granted, get(server.url())).await;
    assert!(matches!(exchange.result, Err(HttpError::TooLarge)), "{exchange:?}");
}
