//! Secrets reach the granted place, and nobody else.

use super::*;

const VALUE: &str = "Bearer 0123456789abcdef";

fn with_secrets() -> (Outbound, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value) in [("carrier-key", VALUE), ("other-key", "other-secret-value")] {
        std::fs::write(folder.path().join(name), value).expect("it is written");
    }
    let settings = config::Outbound { secrets: Some(folder.path().to_owned()), ..settings() };
    (Outbound::new(&settings).expect("usable settings"), folder)
}

#[tokio::test]
async fn a_secret_is_sent_and_blanked_where_it_comes_back() {
    let server = Server::with(|mut stream, request| async move {
        let seen = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default().to_owned();
        let body = format!("you sent {seen}, {} and {}", seen.to_uppercase(), seen.replace("Bearer ", ""));
        let head = format!("HTTP/1.1 200 OK\r\nX-Echo: <{seen}>\r\nX-{}: 1\r\n", seen.replace("Bearer ", ""));
        let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await);
    })
    .await;
    let (outbound, _folder) = with_secrets();
    let grants = grants(&[&format!("{} private=yes secrets=carrier-key", server.url())]);
    grants.check_secrets(outbound.secrets()).expect("they are there");
    let request =
        || Request { headers: vec![secret("Authorization", "carrier-key")], cache_ms: 1_000, ..get(server.url()) };
    for cached in [false, true] {
        let exchange = send(&outbound, &grants, request()).await;
        assert_eq!(exchange.observed.cached, cached);
        let response = answered(exchange);
        let stars = "*".repeat(VALUE.len());
        let token = "*".repeat(VALUE.len() - "Bearer ".len());
        assert_eq!(response.body, format!("you sent {stars}, {stars} and {token}"));
        assert_eq!(
            response.headers,
            [("x-echo".to_owned(), format!("<{stars}>")), ("content-length".to_owned(), "78".to_owned())]
        );
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests.iter().all(|request| request.contains(&format!("authorization: {VALUE}\r\n"))));
}

/// A place may keep what it was sent and show it to a request without the secret, under another name even.
#[tokio::test]
async fn a_secret_is_blanked_in_every_answer_to_its_installation() {
    let (one, two) = (Server::answering("HTTP/1.1 200 OK\r\n\r\n").await, Server::echo().await);
    let (outbound, _folder) = with_secrets();
    let grants =
        grants(&[&format!("{} private=yes secrets=carrier-key", one.url()), &format!("{} private=yes", two.url())]);
    let response = answered(send(&outbound, &grants, post(two.url(), b"0123456789abcdef, other-secret-value")).await);
    assert!(response.body.ends_with(b"****************, other-secret-value"), "{:?}", response.body);
}

#[tokio::test]
async fn a_secret_needs_its_name_in_the_grant_of_the_place() {
    let (one, two) = (Server::echo().await, Server::echo().await);
    let (outbound, folder) = with_secrets();
    let grants = grants(&[
        &format!("{} private=yes secrets=carrier-key,gone-key", one.url()),
        &format!("{} private=yes", two.url()),
    ]);
    let missing = grants.check_secrets(outbound.secrets()).expect_err("one isn't there");
    assert!(missing.to_string().contains(r#"no secret "gone-key""#), "{missing}");
    for (url, name, expected) in [
        (one.url(), "other-key", r#"doesn't have the secret "other-key""#),
        (one.url(), "gone-key", r#"there is no secret "gone-key""#),
        (one.url(), "", "doesn't have the secret"),
        (one.url(), "../carrier-key", "doesn't have the secret"),
        (one.url(), "Carrier-Key", "doesn't have the secret"),
        (one.url(), "carrier-key\0", "doesn't have the secret"),
        (one.url(), "x\r\nforged log line", r#"the secret "x\r\nforged log line""#),
        (two.url(), "carrier-key", "doesn't have the secret"),
    ] {
        let exchange = send(&outbound, &grants, Request { headers: vec![secret("x-key", name)], ..get(url) }).await;
        refused(&exchange, expected);
        assert!(!format!("{exchange:?}").contains("0123456789"));
    }
    // Neither as a text: `text` is sent as it is.
    let as_text = Request { headers: vec![text("x-key", "carrier-key")], ..get(two.url()) };
    assert!(
        String::from_utf8_lossy(&answered(send(&outbound, &grants, as_text).await).body).contains("x-key: carrier-key")
    );
    for header in ["host", "connection", "transfer-encoding", "content-length", "x\r\ny"] {
        let request = Request { headers: vec![secret(header, "carrier-key")], ..get(one.url()) };
        assert!(matches!(send(&outbound, &grants, request).await.result, Err(HttpError::NotGranted(_))));
    }
    assert_eq!((one.requests().len(), two.requests().len()), (0, 1));
    drop(folder);
}

/// Nothing that the host prints of a failed request has the secret in it, whatever the server sends back.
#[tokio::test]
async fn no_error_has_a_secret() {
    let (outbound, _folder) = with_secrets();
    for answer in [
        format!("{VALUE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{VALUE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {VALUE}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{VALUE}\r\n"),
        format!("HTTP/1.1 101 {VALUE}\r\nUpgrade: {VALUE}\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0123".to_owned(),
    ] {
        let server = Server::answering(answer).await;
        let grants = grants(&[&format!("{} private=yes secrets=carrier-key", server.url())]);
        let headers = vec![secret("Authorization", "carrier-key")];
        let exchange = send(&outbound, &grants, Request { headers, ..get(server.url()) }).await;
        let error = exchange.result.as_ref().expect_err("no answer");
        for shown in [format!("{exchange:?}"), error.to_string(), format!("{outbound:?}"), format!("{grants:?}")] {
            assert!(!shown.contains("0123456789"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_secret_counts_by_its_name_in_the_cache() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    let (outbound, _folder) = with_secrets();
    let grants = grants(&[&format!("{} private=yes secrets=carrier-key,other-key", server.url())]);
    let request = |header| Request { headers: vec![header], cache_ms: 1_000, ..get(server.url()) };
    for (header, cached) in [
        (secret("x", "carrier-key"), false),
        (secret("x", "carrier-key"), true),
        (secret("x", "other-key"), false),
        (text("x", "carrier-key"), false),
        // A guess of the value finds no answer, so the cache isn't asked whether it is right.
        (text("x", VALUE), false),
    ] {
        assert_eq!(send(&outbound, &grants, request(header)).await.observed.cached, cached);
    }
}
