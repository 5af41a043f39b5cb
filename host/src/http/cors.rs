//! What browsers ask of a shop before they let another site's page use it (the Fetch standard's CORS protocol).
//!
//! Off unless `server.origins` names sites: a shop's clients are mostly servers, which ask for nothing. No cookie takes part,
//! so credentials are never allowed.

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
        VARY,
    },
};

use super::Body;
use crate::config::Origins;

/// What a page may send: what the routes read.
const REQUEST_HEADERS: &str = "content-type, idempotency-key, traceparent, tracestate, baggage";
/// What a page may read, beside what it always may.
const RESPONSE_HEADERS: &str = "idempotency-replayed, retry-after, traceresponse, till-plugins, link";
/// How long a browser need not ask again, in seconds; none keeps it for more than two hours.
const MAX_AGE_S: &str = "7200";

/// Returns the origin that the request is from, if it is one of those.
pub(super) fn allowed(origins: &Origins, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origin.to_str().is_ok_and(|origin| origins.contains(origin)).then(|| origin.clone())
}

/// Returns whether it only asks what it may do.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the answer to who asks for a route with these methods.
pub(super) fn preflight(methods: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_S));
    response
}

/// Says on an answer who may read it, and, wherever any origin is set, that it depends on who asks.
pub(super) fn mark(origins: &Origins, allowed: Option<HeaderValue>, headers: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
}
