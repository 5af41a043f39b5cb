//! `POST /buy`: an operator's own checkout, carried out by the shop as a customer's.
//!
//! The console's page may ask nobody but its own listener, so that the shop's is asked from here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Uri,
    header::{AUTHORIZATION, HOST, ORIGIN},
};

use super::{Admin, Asked};
use crate::http::{self, Answer, Arrival, Reply, problem::Problem};

/// Who the shop is told that it serves: this host.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Answers as the shop's `POST /checkout` does, with its headers.
///
/// # Errors
/// Only 500; the shop's own refusals are answers.
pub(super) async fn buy(admin: &Admin, asked: Asked) -> Answer {
    let mut request = Request::new(asked.body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/checkout");
    *request.headers_mut() = asked.headers;
    // They are about this listener, which has checked them.
    for name in [HOST, ORIGIN, AUTHORIZATION] {
        request.headers_mut().remove(name);
    }
    let arrival = Arrival { request, peer: PEER, scheme: "http", fit: Ok(()), crowded: false };
    let (head, body) = http::handle(admin.edge.clone(), arrival).await.into_parts();
    let body = body.collect().await.map_err(|error| Problem::internal(&error))?.to_bytes();
    Ok(Reply::passed_on(head, body))
}
