//! CORS: what browsers require of a shop before another site's page may use it (the Fetch standard).
//!
//! Off unless `server.origins` names sites: a shop's clients are mostly servers, which don't need it. The shop uses no
//! cookies, so credentials are never allowed.
//!
//! A browser sends many requests without asking, and only hides the answer from the page. So a request that may change
//! something is refused if it comes from another site's page.

use hyper::{
    HeaderMap, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderName,
        HeaderValue, ORIGIN, VARY,
    },
};

use super::{answer::Reply, problem::Problem};
use crate::config::Origins;

/// The headers that a page may send: those that the routes read.
const REQUEST_HEADERS: &str = "content-type, idempotency-key, traceparent, tracestate, baggage";
/// The headers that a page may read, besides those that it always may.
const RESPONSE_HEADERS: &str = "idempotency-replayed, retry-after, traceresponse, till-plugins, link";
/// How a browser describes the page's relation to the host; no page can set this header.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long a browser may cache a preflight's answer, in seconds; no browser keeps it for more than two hours.
const MAX_AGE_S: &str = "7200";

/// Returns the request's origin, if it is one of `origins`.
pub(super) fn allowed(origins: &Origins, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origin.to_str().is_ok_and(|origin| origins.contains(origin)).then(|| origin.clone())
}

/// Checks that a request that may change something isn't from a page of another site than the host's own or `origins`.
///
/// # Errors
/// 403 for a page of another site.
pub fn check_origin(origins: &Origins, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() || allowed(origins, headers).is_some() {
        return Ok(());
    }
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let is_own = match headers.get(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" || site == "none",
        // Not a browser, or an old one.
        None => origin.is_none_or(|origin| is_of_host(origin, headers)),
    };
    let origin = origin.unwrap_or("another site");
    let detail =
        || format!("a page of {origin:.100} may not change anything here; server.origins lists sites that may");
    if is_own { Ok(()) } else { Err(Problem::forbidden(detail())) }
}

/// Returns whether the origin is the host that the request names. The scheme is ignored, because TLS may end before the
/// host.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let bare = |authority: &str| {
        let port = [":80", ":443"].into_iter().find_map(|port| authority.strip_suffix(port));
        port.unwrap_or(authority).to_ascii_lowercase()
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.split_once("://").map(|(_, authority)| bare(authority)) == host.map(bare)
}

/// Returns whether the request is a CORS preflight.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the answer to a preflight for a route with these methods.
pub(super) fn preflight(methods: &str) -> Reply {
    Reply::no_content()
        .with_header(ACCESS_CONTROL_ALLOW_METHODS, methods)
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
        .with_header(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S)
}

/// Adds the headers that say who may read the answer. If any origin is set, also says that the answer varies by origin.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    #[test]
    fn another_sites_page_changes_nothing() {
        let mut sources = Sources::defaults();
        sources.add_flags(["server.origins=https://shop.example"].iter().copied()).expect("flags");
        let origins = Settings::load(&sources).expect("usable").server.origins;
        let check = |method: Method, headers: &[(HeaderName, &str)], fits: bool| {
            let headers =
                headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")));
            let headers: HeaderMap = headers.chain([(HOST, HeaderValue::from_static("till.example:8000"))]).collect();
            assert_eq!(check_origin(&origins, &method, &headers).is_ok(), fits, "{method} {headers:?}");
        };
        let (evil, shop) = ((ORIGIN, "https://evil.example"), (ORIGIN, "https://shop.example"));
        for method in [Method::POST, Method::DELETE, Method::PUT, Method::PATCH] {
            check(method.clone(), &[], true);
            for fits in [&shop, &(ORIGIN, "http://till.example:8000"), &(ORIGIN, "https://TILL.example:8000")] {
                check(method.clone(), std::slice::from_ref(fits), true);
            }
            for foreign in [&evil, &(ORIGIN, "null"), &(ORIGIN, "http://till.example"), &(ORIGIN, "till.example:8000")]
            {
                check(method.clone(), std::slice::from_ref(foreign), false);
            }
            for (site, fits) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)] {
                check(method.clone(), &[(SEC_FETCH_SITE, site)], fits);
                check(method.clone(), &[(SEC_FETCH_SITE, site), shop.clone()], true);
            }
            check(method, &[(SEC_FETCH_SITE, "cross-site"), evil.clone()], false);
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            check(method, std::slice::from_ref(&evil), true);
        }
    }
}
