//! What browsers ask of a shop before they let another site's page use it (the Fetch standard's CORS protocol).
//!
//! Off unless `server.origins` names sites: a shop's clients are mostly servers, which ask for nothing. No cookie takes part,
//! so credentials are never allowed.
//!
//! A browser sends much without asking, and only keeps the answer from the page. So what may change something is refused
//! when the page is another site's.

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

/// What a page may send: what the routes read.
const REQUEST_HEADERS: &str = "content-type, idempotency-key, traceparent, tracestate, baggage";
/// What a page may read, beside what it always may.
const RESPONSE_HEADERS: &str = "idempotency-replayed, retry-after, traceresponse, till-plugins, link";
/// What a browser says of where a page stands to whom it asks; no page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long a browser need not ask again, in seconds; none keeps it for more than two hours.
const MAX_AGE_S: &str = "7200";

/// Returns the origin that the request is from, if it is one of those.
pub(super) fn allowed(origins: &Origins, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origin.to_str().is_ok_and(|origin| origins.contains(origin)).then(|| origin.clone())
}

/// Checks that what may change something isn't sent by a page of a site that isn't one of those, nor the host's own.
///
/// # Errors
/// 403 for another site's.
pub fn check_origin(origins: &Origins, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() || allowed(origins, headers).is_some() {
        return Ok(());
    }
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let is_own = match headers.get(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" || site == "none",
        // No browser, or an old one.
        None => origin.is_none_or(|origin| is_of_host(origin, headers)),
    };
    let origin = origin.unwrap_or("another site");
    let detail =
        || format!("a page of {origin:.100} may not change anything here; server.origins lists sites that may");
    if is_own { Ok(()) } else { Err(Problem::forbidden(detail())) }
}

/// Returns whether the origin is the host as it was asked for. Its scheme is of no account: TLS may end before the host.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let bare = |authority: &str| {
        let port = [":80", ":443"].into_iter().find_map(|port| authority.strip_suffix(port));
        port.unwrap_or(authority).to_ascii_lowercase()
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.split_once("://").map(|(_, authority)| bare(authority)) == host.map(bare)
}

/// Returns whether it only asks what it may do.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the answer to who asks for a route with these methods.
pub(super) fn preflight(methods: &str) -> Reply {
    Reply::no_content()
        .with_header(ACCESS_CONTROL_ALLOW_METHODS, methods)
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
        .with_header(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S)
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
