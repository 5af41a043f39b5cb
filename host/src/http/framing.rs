//! Whether a request's head leaves no doubt: where the request ends, whom it is for, what it wants.
//!
//! Two readers of one connection that disagree on where a request ends can be made to see different requests
//! (RFC 9112, 11.2): whatever could be read in two ways is refused, and its connection closed. hyper refuses the worst
//! by itself but mends the rest on the way: of a length beside `chunked` it drops the length, of two equal lengths one.
//! So [`Heads`] looks at the bytes as they were sent, and [`check`] at what hyper made of them. What hyper drops without a word
//! (the target's fragment), and what it has no number for (a length), only the bytes tell.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    HeaderMap, Method, Uri, Version,
    header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING},
    http::{request, uri::Authority},
};
use tokio::time::Instant;

use super::problem::{Code, Problem};
use crate::config::Limits;

/// What HPACK and HTTP/1.1 both count for a header beside its name and value: `: ` and the end of the line, roughly.
const HEADER_EXTRA_BYTES: usize = 4;
/// The longest method that is looked at; IANA's longest has 17 bytes. What is longer a server doesn't implement: 501, by RFC
/// 9112, 3.
const METHOD_BYTES_MAX: usize = 32;
/// The longest body that can be announced. No server takes so much, and sums of it and more still are numbers.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// What is wrong with a head as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Doubt {
    #[error("nobody can tell where this request ends: it has content-length twice")]
    TwoLengths,
    #[error("nobody can tell where this request ends: it has both content-length and transfer-encoding")]
    LengthAndEncoding,
    #[error("nobody can tell where this request ends: a line of it ends in a bare line feed")]
    BareLineFeed,
    #[error("a body of that length is more than anybody takes")]
    EndlessBody,
    #[error("the target has a fragment, which is for the client alone; leave out `#` and what is behind it")]
    Fragment,
}

impl From<Doubt> for Problem {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::EndlessBody => Self::too_large(doubt.to_string()),
            _ => Self::malformed(doubt.to_string()),
        }
    }
}

/// Checks a request's head; `doubt` is what the wire saw in it, `local` where the connection was accepted.
///
/// # Errors
/// 400, 404 for another host's target, 413 and 414, 417, 431, 501 for a tunnel and a method that is too long to be one. The connection is to be closed after it.
pub(super) fn check(
    head: &request::Parts,
    doubt: Option<Doubt>,
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
        // Only who takes this for a proxy writes a host into the target (RFC 9112, 3.2.2).
        (_, _, Some(authority)) if is_here(&head.uri, &authority, local) => Ok(()),
        (_, _, Some(_)) => Err(Problem::not_found("the target is on another host; this is no proxy")),
    }
}

/// Returns a host and its port, `None` for what is none: nothing, a user, a list. A port may be left empty (RFC 3986, 3.2.3).
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

/// Finds the heads in an HTTP/1 connection's bytes, whatever pieces they come in, and what is doubtful about them.
///
/// It follows the connection by lengths alone. Behind a chunked body or a doubtful head it no longer looks: the
/// connection has to be closed after that request.
#[derive(Debug, Default)]
pub(super) struct Heads {
    at: At,
    /// When the latest head began.
    began: Option<Instant>,
    ended: u64,
    doubtful: Option<(u64, Doubt)>,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// Before a request, where empty lines don't count.
    #[default]
    Between,
    Line,
    Body {
        bytes_left: u64,
    },
    /// Behind all that it can follow.
    Beyond,
}

/// What counts of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    is_request_line: bool,
    /// Whether its target has begun.
    in_target: bool,
    line_bytes: usize,
    previous: u8,
    name: Name,
    length: u64,
    /// Whether that is more than a number can be.
    endless: bool,
    fragment: bool,
    lengths: u32,
    encodings: u32,
    bare_line_feed: bool,
}

/// How far a line still can be one of the headers that say where a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Name {
    #[default]
    Unread,
    MayBe(&'static [u8], usize),
    Length,
    Other,
}

impl Heads {
    /// Follows the connection through these bytes, which came now. Digits that a length has no room for are made blanks: hyper
    /// would refuse them by itself, with a status for something else.
    pub(super) fn see(&mut self, bytes: &mut [u8], now: Instant) {
        let mut seen = 0;
        while let Some(byte) = bytes.get_mut(seen) {
            match self.at {
                At::Beyond => return,
                At::Between if matches!(byte, b'\r' | b'\n') => seen += 1,
                At::Between => {
                    self.head = Head { is_request_line: true, ..Head::default() };
                    self.at = At::Line;
                    self.began = Some(now);
                }
                At::Line => {
                    if self.head.see(byte) {
                        self.end_head();
                    }
                    seen += 1;
                }
                At::Body { bytes_left } => {
                    let here = usize::try_from(bytes_left).unwrap_or(usize::MAX).min(bytes.len() - seen);
                    let left = bytes_left - here as u64;
                    self.at = if left == 0 { At::Between } else { At::Body { bytes_left: left } };
                    seen += here;
                }
            }
        }
    }

    /// Returns what is doubtful about the connection up to its request of that number, which counts from 1.
    pub(super) fn doubt_up_to(&self, request: u64) -> Option<Doubt> {
        self.doubtful.filter(|(number, _)| *number <= request).map(|(_, doubt)| doubt)
    }

    /// Returns whether all that came belongs to requests that are there as a whole.
    pub(super) fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Returns since when a request has been coming that isn't there as a whole yet, `None` between requests.
    pub(super) fn coming_since(&self) -> Option<Instant> {
        self.began.filter(|_| !self.is_between())
    }

    /// Returns when the head began that isn't there as a whole yet, `None` if none is on its way.
    pub(super) fn head_began(&self) -> Option<Instant> {
        self.began.filter(|_| self.at == At::Line)
    }

    fn end_head(&mut self) {
        self.ended += 1;
        let head = &self.head;
        let doubt = match (head.lengths, head.encodings) {
            (1.., 1..) => Some(Doubt::LengthAndEncoding),
            (2.., 0) => Some(Doubt::TwoLengths),
            _ if head.bare_line_feed => Some(Doubt::BareLineFeed),
            _ if head.endless => Some(Doubt::EndlessBody),
            _ if head.fragment => Some(Doubt::Fragment),
            _ => None,
        };
        self.doubtful = doubt.map(|doubt| (self.ended, doubt));
        self.at = match (doubt, head.encodings, head.length) {
            (Some(_), ..) | (None, 1.., _) => At::Beyond,
            (None, 0, 0) => At::Between,
            (None, 0, bytes_left) => At::Body { bytes_left },
        };
    }
}

impl Head {
    /// Returns whether the head ends with this byte.
    fn see(&mut self, byte: &mut u8) -> bool {
        let previous = std::mem::replace(&mut self.previous, *byte);
        match byte {
            b'\r' => false,
            b'\n' => {
                self.bare_line_feed |= previous != b'\r';
                let empty = self.line_bytes == 0;
                *self = Self { is_request_line: false, line_bytes: 0, name: Name::Unread, ..std::mem::take(self) };
                empty
            }
            _ => {
                self.line_bytes += 1;
                if self.is_request_line {
                    self.fragment |= self.in_target && *byte == b'#';
                    self.in_target |= *byte == b' ';
                } else {
                    self.see_header(byte);
                }
                false
            }
        }
    }

    fn see_header(&mut self, byte: &mut u8) {
        const LENGTH: &[u8] = b"content-length:";
        const ENCODING: &[u8] = b"transfer-encoding:";
        self.name = match (self.name, byte.to_ascii_lowercase()) {
            (Name::Unread, b'c') => Name::MayBe(LENGTH, 1),
            (Name::Unread, b't') => Name::MayBe(ENCODING, 1),
            (Name::MayBe(name, seen), byte) if name.get(seen) == Some(&byte) => match seen + 1 == name.len() {
                false => Name::MayBe(name, seen + 1),
                true if name == LENGTH => {
                    self.lengths += 1;
                    self.length = 0;
                    Name::Length
                }
                true => {
                    self.encodings += 1;
                    Name::Other
                }
            },
            // What is no number hyper refuses.
            (Name::Length, digit @ b'0'..=b'9') => {
                let longer = self.length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
                self.endless |= longer > LENGTH_MAX;
                if self.endless {
                    *byte = b' ';
                } else {
                    self.length = longer;
                }
                Name::Length
            }
            (Name::Length, _) => Name::Length,
            _ => Name::Other,
        };
    }
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

    #[test]
    fn doubtful_heads_are_found_in_pieces_of_any_size() {
        let check = |connection: &str, expected: &[Option<Doubt>], between: bool| {
            for size in [1, 2, 3, 7, 64, 10_000] {
                let mut heads = Heads::default();
                let mut sent = connection.as_bytes().to_vec();
                sent.chunks_mut(size).for_each(|piece| heads.see(piece, Instant::now()));
                let doubts: Vec<_> = (1..=heads.ended).map(|number| heads.doubt_up_to(number)).collect();
                assert_eq!((doubts.as_slice(), heads.is_between()), (expected, between), "{connection:?} by {size}");
            }
        };
        let plain = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let body = "POST / HTTP/1.1\r\nContent-Length: 12\r\nx: transfer-encoding:\r\n\r\n\r\n\r\n12345678";
        check("", &[], true);
        check(plain, &[None], true);
        check(&format!("\r\n{body}\r\n{plain}{body}"), &[None, None, None], true);
        check(&body[..body.len() - 1], &[None], false);
        check("GET / HTTP/1.1\r\nhost: a\r\n", &[], false);
        check("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", &[None], true);
        check("GET content-length: HTTP/1.1\r\ncontent-length-x: 3\r\ncontent-length: 0\r\n\r\n", &[None], true);

        let lengths = "POST / HTTP/1.1\r\ncontent-length: 1\r\nCONTENT-LENGTH: 1\r\n\r\n";
        check(lengths, &[Some(Doubt::TwoLengths)], false);
        check(&format!("{body}{plain}{lengths}x{plain}"), &[None, None, Some(Doubt::TwoLengths)], false);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(&format!("{chunked}{plain}"), &[None], false);
        for both in ["Content-Length: 0\r\nTransfer-Encoding: x", "Transfer-Encoding: x\r\nContent-Length: 1"] {
            check(&format!("POST / HTTP/1.1\r\n{both}\r\n\r\n"), &[Some(Doubt::LengthAndEncoding)], false);
        }
        for bare in [plain.replace("\r\n", "\n"), plain.replacen("\r\n", "\n", 1), plain.replace("a\r\n", "a\n")] {
            check(&bare, &[Some(Doubt::BareLineFeed)], false);
        }
        for target in ["/#", "/livez#x", "/a?b#c", "#", "http://a/#"] {
            let fragment = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
            check(&fragment, &[Some(Doubt::Fragment)], false);
        }
        check("G#T / HTTP/1.1\r\nhost: a#b\r\n\r\n", &[None], true);
        for length in ["9223372036854775808", "18446744073709551615", "18446744073709551616", &"9".repeat(200)] {
            let endless = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\nx");
            check(&endless, &[Some(Doubt::EndlessBody)], false);
        }
        for length in ["0000000000000000000000001", "9223372036854775807"] {
            let long = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\nx");
            check(&long, &[None], length.ends_with('1'));
        }
    }

    /// What hyper is to read is a number that it takes, however long the one was that was sent.
    #[test]
    fn a_length_past_all_numbers_is_shortened_and_nothing_else_is_changed() {
        let check = |sent: &str, read: &str| {
            for size in [1, 3, 10_000] {
                let mut bytes = sent.as_bytes().to_vec();
                let mut heads = Heads::default();
                bytes.chunks_mut(size).for_each(|piece| heads.see(piece, Instant::now()));
                assert_eq!(String::from_utf8_lossy(&bytes), read, "by {size}");
            }
        };
        let head =
            |length: &str, rest: &str| format!("POST /9 HTTP/1.1\r\nContent-Length: {length}\r\nx: {rest}\r\n\r\n");
        let long = "99999999999999999999999";
        check(&head(long, long), &head("999999999999999999     ", long));
        check(&head("9223372036854775808", "1"), &head("922337203685477580 ", "1"));
        check(&head("9223372036854775807", long), &head("9223372036854775807", long));
    }

    #[test]
    fn a_request_is_coming_from_its_first_byte_to_its_last() {
        let (first, second) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(7));
        let mut heads = Heads::default();
        assert_eq!(heads.coming_since(), None);
        heads.see(&mut b"POST / HTTP/1.1\r\ncontent-length: 2\r\n".to_owned(), first);
        heads.see(&mut b"\r\nx".to_owned(), second);
        assert_eq!(heads.coming_since(), Some(first));
        heads.see(&mut b"x\r\n".to_owned(), second);
        assert_eq!(heads.coming_since(), None);
        heads.see(&mut b"G".to_owned(), second);
        assert_eq!(heads.coming_since(), Some(second));
    }
}
