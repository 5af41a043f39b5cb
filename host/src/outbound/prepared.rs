//! A request that passed the host's checks, ready to be written.
//!
//! Whatever could make a receiver, or a proxy before it, read something else than the host checked is refused here:
//! headers that the host sets or that concern the connection, the same header twice, names that become a refused one once
//! a server takes `_` for `-`, values with line breaks, a body where servers don't expect one, and headers by which some
//! frameworks let a POST be a DELETE.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method as HyperMethod,
    header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use url::Url;

use super::{
    error::HttpError,
    grant::Grant,
    message::{Header, HeaderText, Method, Request},
    place::Place,
    secrets::{Secret, Secrets, is_secret_name},
};
use crate::telemetry::propagation::{TRACEPARENT, TRACESTATE};

/// The WIT's limit.
const HEADERS_MAX: usize = 32;
/// Names and values together. Many servers take 8 KiB or 16 KiB.
const HEADER_BYTES_MAX: usize = 16_384;
const NAME_BYTES_MAX: usize = 128;

/// The host sets these, or doesn't have them.
const OF_HOST: [&str; 5] = ["host", "content-length", "traceparent", "tracestate", "expect"];
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];
const TRANSFER_ENCODING: &str = "transfer-encoding";
/// With these, an answer isn't whole or isn't plain, and a secret that it repeats couldn't be found.
const OF_PARTS: [&str; 3] = ["accept-encoding", "if-range", "range"];
/// Some frameworks take the method from these, and not from the request line.
const OF_METHOD: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// A checked request.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) method: HyperMethod,
    /// Path and query, as in the request line.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Prepared {
    /// Checks a request under the grant for its place.
    ///
    /// # Errors
    /// [`HttpError::NotGranted`], whose text says what to change.
    pub(super) fn new(request: &Request, url: &Url, grant: &Grant, secrets: &Secrets) -> Result<Self, HttpError> {
        Self::checked(request, url, grant, secrets).map_err(HttpError::NotGranted)
    }

    fn checked(request: &Request, url: &Url, grant: &Grant, secrets: &Secrets) -> Result<Self, String> {
        if request.timeout_ms == 0 {
            return Err("the timeout is 0 ms; it has to be at least 1".to_owned());
        }
        let body = request.body.clone().unwrap_or_default();
        if body.len() > grant.bytes_max() {
            let (bytes, place, most) = (body.len(), &grant.place, grant.bytes_max());
            return Err(format!("the body has {bytes} bytes, and the grant for {place} allows {most}"));
        }
        if request.method == Method::Get && request.body.is_some() {
            return Err("a get has no body; send a post".to_owned());
        }
        if request.headers.len() > HEADERS_MAX {
            return Err(format!("there are {} headers; at most {HEADERS_MAX} are allowed", request.headers.len()));
        }
        let mut prepared = Self {
            method: of_hyper(request.method),
            target: target(url),
            headers: HeaderMap::with_capacity(request.headers.len() + 5),
            body,
        };
        for header in &request.headers {
            prepared.add(header, grant, secrets)?;
        }
        let bytes: usize = prepared.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > HEADER_BYTES_MAX {
            return Err(format!("the headers have {bytes} bytes; at most {HEADER_BYTES_MAX} are allowed"));
        }
        prepared.add_of_host(&grant.place)?;
        Ok(prepared)
    }

    fn add(&mut self, header: &Header, grant: &Grant, secrets: &Secrets) -> Result<(), String> {
        let name = name(&header.name)?;
        let value = match &header.value {
            HeaderText::Text(text) => value(text).ok_or_else(|| {
                format!("the value of {name} has a line break or another letter than visible ASCII; encode it")
            })?,
            HeaderText::Secret(secret) => granted(secret, grant, secrets)?.header(),
        };
        match self.headers.insert(name.clone(), value) {
            Some(_) => Err(format!("the header {name} is there twice; join its values with commas")),
            None => Ok(()),
        }
    }

    fn add_of_host(&mut self, place: &Place) -> Result<(), String> {
        let host = HeaderValue::try_from(place.host_header()).map_err(|_| "the host's name is no header".to_owned())?;
        self.headers.insert(HOST, host);
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if !self.headers.contains_key(USER_AGENT) {
            self.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("till/", env!("CARGO_PKG_VERSION"))));
        }
        Ok(())
    }

    /// Adds the trace context. Nothing else of a trace goes to others.
    pub(super) fn add_trace(&mut self, trace: &HeaderMap) {
        for name in [TRACEPARENT, TRACESTATE] {
            if let Some(value) = trace.get(&name) {
                self.headers.insert(name, value.clone());
            }
        }
    }
}

fn name(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|name| name.as_str().len() <= NAME_BYTES_MAX);
    let name = name.ok_or("a header's name has to be of letters, digits and `-`, up to 128 of them")?;
    // A server that hands headers on as variables (CGI, WSGI) has one name for both.
    let read = name.as_str().replace('_', "-");
    let read = read.as_str();
    if OF_HOST.contains(&read) {
        Err(format!("the host sets the header {read} itself; leave it out"))
    } else if OF_CONNECTION.contains(&read) || read == TRANSFER_ENCODING {
        Err(format!("the header {read} concerns the host's connection; leave it out"))
    } else if OF_PARTS.contains(&read) {
        Err(format!("the host takes whole, plain answers; leave the header {read} out"))
    } else if OF_METHOD.contains(&read) {
        Err(format!("the header {read} would change the method that is granted; leave it out"))
    } else {
        Ok(name)
    }
}

/// `HeaderValue` takes other letters as well, which a server may read as it likes.
fn value(text: &str) -> Option<HeaderValue> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'));
    HeaderValue::from_str(text).ok().filter(|_| is_plain)
}

fn granted<'a>(name: &str, grant: &Grant, secrets: &'a Secrets) -> Result<&'a Secret, String> {
    if !is_secret_name(name) || !grant.secrets.contains(name) {
        let shown: String = name.chars().take(64).collect();
        return Err(format!("the grant for {} doesn't have the secret {shown:?}", grant.place));
    }
    secrets.find(name).ok_or_else(|| format!("there is no secret {name:?} in outbound.secrets"))
}

fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

const fn of_hyper(method: Method) -> HyperMethod {
    match method {
        Method::Get => HyperMethod::GET,
        Method::Post => HyperMethod::POST,
        Method::Put => HyperMethod::PUT,
        Method::Delete => HyperMethod::DELETE,
    }
}
