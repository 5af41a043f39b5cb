//! Checks that a request's head is unambiguous: where the request ends, which host it is for, what it requests.
//!
//! If two readers of one connection disagree about a request's end, a client can make them see different requests (RFC
//! 9112, 11.2). So every ambiguous request is refused, and its connection closed. hyper refuses the worst cases by
//! itself and repairs the others: it drops a length next to `chunked` and one of two equal lengths, accepts any
//! encoding that ends in `chunked`, and drops a target's fragment. So [`Heads`] checks the bytes as they were sent, and
//! [`check`] the result of hyper or h2.

mod heads;

use std::net::{IpAddr, SocketAddr};

pub(super) use heads::{HeadFault, Heads};
use hyper::{
    HeaderMap, Method, Uri, Version,
    header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING},
    http::{request, uri::Authority},
};

use super::problem::{Code, Problem};
use crate::config::Limits;

/// The bytes that are counted for a header besides its name and value: roughly `: ` and the end of the line.
const HEADER_EXTRA_BYTES: usize = 4;
/// The longest method, bytes; IANA's longest has 17. A longer one isn't implemented: 501 (RFC 9112, 3).
const METHOD_BYTES_MAX: usize = 32;

impl From<HeadFault> for Problem {
    fn from(doubt: HeadFault) -> Self {
        match doubt {
            HeadFault::EndlessBody => Self::too_large(doubt.to_string()),
            _ => Self::malformed(doubt.to_string()),
        }
    }
}

/// Checks a request's head; `doubt` is the fault that the wire found in it, `local` the address that accepted the
/// connection.
///
/// # Errors
/// 400, 404 for another host's target, 413 and 414, 417, 431, 501 for a tunnel and a method that is too long. The
/// connection has to be closed after the answer.
pub(super) fn check(
    head: &request::Parts,
    doubt: Option<HeadFault>,
    local: SocketAddr,
    limits: &Limits,
) -> Result<(), Problem> {
    if let Some(doubt) = doubt {
        return Err(doubt.into());
    }
    check_length(&head.headers)?;
    if head.method.as_str().len() > METHOD_BYTES_MAX {
        let detail = format!("a method has at most {METHOD_BYTES_MAX} bytes");
        return Err(Problem::new(Code::NotImplemented, detail));
    }
    if head.method == Method::CONNECT {
        let detail = "this is a shop, not a proxy: it opens no tunnels";
        return Err(Problem::new(Code::NotImplemented, detail));
    }
    check_size(head, limits)?;
    check_host(head, local)?;
    if head.headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(Problem::malformed("authorization stands twice"));
    }
    check_expectation(&head.headers)
}

fn check_length(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Problem::malformed("content-length stands twice"));
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(encoding), None) if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Problem::malformed("the one transfer-encoding that is read is `chunked`, sent once")),
    }
}

fn check_size(head: &request::Parts, limits: &Limits) -> Result<(), Problem> {
    let target = &head.uri;
    let target_bytes = target.path_and_query().map_or(0, |path| path.as_str().len())
        + target.authority().map_or(0, |authority| authority.as_str().len());
    if target_bytes > limits.uri_bytes {
        let detail = format!("a request's target may have {} bytes", limits.uri_bytes);
        return Err(Problem::new(Code::UriTooLong, detail));
    }
    let of_header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_EXTRA_BYTES
    };
    if head.headers.iter().map(of_header).sum::<usize>() > limits.header_bytes || head.headers.len() > limits.headers {
        let detail = format!("a request may have {} headers of {} bytes together", limits.headers, limits.header_bytes);
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}

fn check_host(head: &request::Parts, local: SocketAddr) -> Result<(), Problem> {
    let wanted = || Problem::malformed("name the host once, as `host: name` or `host: name:port`");
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok().and_then(authority_of).ok_or_else(wanted)?),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(wanted()),
    };
    let authority = match head.uri.authority() {
        Some(authority) => Some(authority_of(authority.as_str()).ok_or_else(wanted)?),
        None => None,
    };
    match (head.version, host, authority) {
        (Version::HTTP_2, None, None) | (Version::HTTP_11, None, _) => Err(wanted()),
        (Version::HTTP_2, Some(host), Some(authority)) if host != authority => Err(wanted()),
        (Version::HTTP_2, ..) | (_, _, None) => Ok(()),
        // Only a client that takes this host for a proxy writes a host into the target (RFC 9112, 3.2.2).
        (_, _, Some(authority)) if is_here(&head.uri, &authority, local) => Ok(()),
        (_, _, Some(_)) => Err(Problem::not_found("the target is on another host; this is no proxy")),
    }
}

/// Returns a host and its port; `None` for an empty text, a user name or a list. The port may be empty (RFC 3986,
/// 3.2.3).
fn authority_of(text: &str) -> Option<Authority> {
    let text = text.strip_suffix(':').unwrap_or(text);
    let authority = text.parse::<Authority>().ok().filter(|authority| !authority.host().is_empty())?;
    let port = text.strip_prefix(authority.host())?;
    let sound = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (sound && !text.contains(',')).then_some(authority)
}

fn is_here(target: &Uri, authority: &Authority, local: SocketAddr) -> bool {
    let name = authority.host().trim_matches(['[', ']']);
    let name = name.strip_suffix('.').unwrap_or(name);
    let same_name = match name.parse::<IpAddr>() {
        Ok(address) => address == local.ip().to_canonical(),
        Err(_) => local.ip().to_canonical().is_loopback() && name.eq_ignore_ascii_case("localhost"),
    };
    same_name && target.scheme_str() == Some("http") && authority.port_u16().unwrap_or(80) == local.port()
}

fn check_expectation(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(EXPECT).iter().all(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Ok(());
    }
    let detail = "the one expectation that is met is 100-continue";
    Err(Problem::new(Code::ExpectationFailed, detail))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;
    use crate::config::{Settings, Sources};

    #[test]
    fn a_head_is_taken_or_refused() {
        let limits = Settings::load(&Sources::defaults()).expect("the defaults are usable").limits;
        let local: SocketAddr = "127.0.0.1:8000".parse().expect("an address");
        let check = |version: Version, line: &str, headers: &[(&str, &str)], expected: u16| {
            let (method, target) = line.split_once(' ').expect("a method and a target");
            let mut request = Request::builder().method(method).uri(target).version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).expect("a request").into_parts();
            let status = check(&head, None, local, &limits).map_or_else(|problem| problem.status().as_u16(), |()| 200);
            assert_eq!(status, expected, "{version:?} {line:.80} {headers:.80?}");
        };
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        let host = ("host", "shop.example");

        check(one, "POST /checkout", &[host], 200);
        check(one, "POST /checkout", &[("host", "shop.example:8000")], 200);
        check(one, "POST /checkout", &[("host", "[::1]:8000")], 200);
        check(Version::HTTP_10, "GET /livez", &[], 200);
        for headers in [
            &[][..],
            &[host, host],
            &[("host", "")],
            &[("host", "a b")],
            &[("host", "me@shop.example")],
            &[("host", "a:b")],
            &[("host", ":")],
            &[("host", "a::")],
        ] {
            check(one, "POST /checkout", headers, 400);
        }
        for name in ["shop.example:", "SHOP.example", "shop.example.", "shop.example.:8000", "[::1]:"] {
            check(one, "POST /checkout", &[("host", name)], 200);
            check(two, &format!("POST http://{name}/checkout"), &[], 200);
        }
        check(Version::HTTP_10, "GET /livez", &[host, host], 400);

        check(one, "POST http://127.0.0.1:8000/checkout", &[host], 200);
        check(one, "POST http://LOCALHOST:8000/checkout", &[host], 200);
        for target in ["http://shop.example/", "http://127.0.0.1/", "http://127.0.0.2:8000/", "https://127.0.0.1:8000/"]
        {
            check(one, &format!("POST {target}checkout"), &[host], 404);
        }
        for target in ["http://me@127.0.0.1:8000/", "http://me:secret@127.0.0.1:8000/", "http://@127.0.0.1:8000/"] {
            check(one, &format!("POST {target}checkout"), &[host], 400);
            check(two, &format!("POST {target}checkout"), &[], 400);
        }
        for own in ["http://127.0.0.1:8000/", "http://localhost.:8000/"] {
            check(one, &format!("POST {own}checkout"), &[host], 200);
        }
        check(one, "CONNECT shop.example:80", &[host], 501);
        check(one, &format!("{} /checkout", "X".repeat(32)), &[host], 200);
        for bytes in [33, 70_000] {
            check(one, &format!("{} /checkout", "X".repeat(bytes)), &[host], 501);
        }
        let authorization = ("authorization", "Bearer a");
        check(one, "POST /checkout", &[host, authorization], 200);
        check(one, "POST /checkout", &[host, authorization, authorization], 400);
        check(two, "POST http://shop.example/checkout", &[authorization, ("authorization", "Basic b")], 400);
        check(one, "TRACE /checkout", &[host], 200);

        check(two, "POST http://shop.example/checkout", &[], 200);
        check(two, "POST http://shop.example/checkout", &[host], 200);
        check(two, "POST http://shop.example/checkout", &[("host", "other.example")], 400);
        check(two, "POST /checkout", &[], 400);
        check(two, "POST /checkout", &[host], 200);

        let length = ("content-length", "1");
        check(one, "POST /checkout", &[host, length], 200);
        check(two, "POST /checkout", &[host, length, length], 400);
        for (encodings, expected) in [
            (&["chunked"][..], 200),
            (&["Chunked"], 200),
            (&["gzip, chunked"], 400),
            (&["chunked, chunked"], 400),
            (&["chunked", "chunked"], 400),
            (&["identity", "chunked"], 400),
            (&["xchunked"], 400),
        ] {
            let encodings = encodings.iter().map(|encoding| ("transfer-encoding", *encoding));
            check(one, "POST /checkout", &encodings.chain([host]).collect::<Vec<_>>(), expected);
        }

        check(one, "POST /checkout", &[host, ("expect", "100-Continue")], 200);
        check(one, "POST /checkout", &[host, ("expect", "200-ok")], 417);
        check(one, "POST /checkout", &[host, ("expect", "100-continue"), ("expect", "tea")], 417);

        check(one, &format!("GET /{}", "x".repeat(2_047)), &[host], 200);
        check(one, &format!("GET /{}", "x".repeat(2_048)), &[host], 414);
        check(one, &format!("GET /?{}", "x".repeat(2_048)), &[host], 414);
        check(one, &format!("GET http://{}/", "x".repeat(2_048)), &[host], 414);
        check(one, "GET /", &[host, ("x", &"x".repeat(16_384))], 431);
        check(one, "GET /", &[&[host; 1][..], &[("x", "x"); 64]].concat(), 431);
    }
}
