//! Requests over real sockets on loopback, most of them of a plugin that wants more than it was granted, or to a server
//! that means harm.

mod answers;
mod certificates;
mod destinations;
mod limits;
mod messages;
mod outcomes;
mod secrets;
mod server;
mod tls;

use std::time::Duration;

use hyper::HeaderMap;
use server::Server;
use tokio::time::Instant;

use super::*;

fn settings() -> config::Outbound {
    config::Outbound {
        secrets: None,
        ca_file: None,
        requests: 64,
        bodies_mib: 64,
        lookups: 16,
        header_bytes: 16_384,
        headers: 64,
        cache_mib: 1,
    }
}

fn outbound() -> Outbound {
    Outbound::new(&settings()).expect("usable settings")
}

fn grants(texts: &[&str]) -> Grants {
    let grants = texts.iter().map(|text| text.parse().expect("a grant"));
    Grants::new("test", grants.collect()).expect("usable grants")
}

fn get(url: impl Into<String>) -> Request {
    Request { method: Method::Get, url: url.into(), headers: Vec::new(), body: None, timeout_ms: 5_000, cache_ms: 0 }
}

fn post(url: impl Into<String>, body: &[u8]) -> Request {
    Request { method: Method::Post, body: Some(bytes::Bytes::copy_from_slice(body)), ..get(url) }
}

fn text(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: HeaderText::Text(value.to_owned()) }
}

fn secret(name: &str, secret: &str) -> Header {
    Header { name: name.to_owned(), value: HeaderText::Secret(secret.to_owned()) }
}

/// Sends a request as a call's first.
async fn send(outbound: &Outbound, grants: &Grants, request: Request) -> Exchange {
    let deadline = Instant::now() + Duration::from_secs(5);
    outbound.send(grants, &mut CallBudget::default(), request, &HeaderMap::new(), deadline).await
}

/// Sends a request to a server under a grant for it.
async fn ask(server: &Server, request: Request) -> Exchange {
    send(&outbound(), &grants(&[&format!("{} private=yes", server.url())]), request).await
}

fn refused(exchange: &Exchange, expected: &str) {
    match &exchange.result {
        Err(HttpError::NotGranted(text)) => assert!(text.contains(expected), "{text:?} lacks {expected:?}"),
        other => panic!("{other:?} where {expected:?} was expected"),
    }
}

fn answered(exchange: Exchange) -> Response {
    exchange.result.expect("an answer")
}

/// An async function of a guest may be continued on another thread.
#[test]
fn a_request_may_move_between_threads() {
    fn check(_: impl Send) {}
    let (outbound, grants, trace) = (outbound(), grants(&[]), HeaderMap::new());
    let mut budget = CallBudget::default();
    check(outbound.send(&grants, &mut budget, get("https://a.example"), &trace, Instant::now()));
}
