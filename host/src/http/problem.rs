//! The problem documents that clients get (RFC 9457, `application/problem+json`).
//!
//! `code` has each code's status; `of_failure` converts failures into codes. No other file knows a failure's status.
//!
//! | family | statuses |
//! |---|---|
//! | the request | 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 422, 431, 501 |
//! | a rejection, the shop's or its plugins' | 400 insufficient stock, 409 used reference or key, 422, 500 conflict |
//! | a plugin's fault, the remote inventory | 502, 504 |
//! | the host | 500, 503 with Retry-After |

mod code;
mod of_failure;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use serde_json::value::RawValue;

pub use code::Code;

use super::{Body, answer::PROBLEM_JSON};
#[cfg(test)]
use crate::schema;
use crate::{pricing::FoundViolation, store::Answered};

/// A failure, for the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    code: Code,
    detail: String,
    shortage: Option<Box<Shortage>>,
    /// The plugin's own code of a rejection.
    rejection: Option<Box<str>>,
    /// The JSON of a quote: what the order costs.
    quote: Option<Box<str>>,
    /// What is wrong with the cart, as plugins say.
    errors: Box<[ViolationJson]>,
    headers: Vec<(hyper::header::HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Shortage {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    requested: u32,
    available: u32,
}

/// The problem document, with its members in reading order.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AnyProblem"))]
pub(super) struct Document<'a> {
    /// `urn:till:problem:` and the code.
    #[cfg_attr(test, schemars(regex(pattern = "^urn:till:problem:[a-z_]+$")))]
    r#type: String,
    /// The status in words.
    title: &'a str,
    #[cfg_attr(test, schemars(range(min = 400, max = 599)))]
    status: u16,
    /// What was wrong, for people.
    detail: &'a str,
    #[cfg_attr(test, schemars(with = "schema::ProblemCode"))]
    code: &'a str,
    /// The trace of the request, as in `traceresponse`. Present on every problem of the shop's listener and on none of
    /// the admin listener's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::TraceId>"))]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<&'a Shortage>,
    /// The plugin's own code of its rejection. Only with `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<&'a str>,
    /// What the order costs now. Only with `quote_changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<super::quote::QuoteJson>"))]
    quote: Option<&'a RawValue>,
    /// What is wrong with the cart, each with its place in the request. Only with `cart_refused`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ViolationJson],
}

/// One thing that keeps a cart from being sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Violation"))]
pub(super) struct ViolationJson {
    /// The reason for programs, the plugin's own.
    code: String,
    /// The reason for the customer.
    message: String,
    /// A JSON pointer (RFC 6901) into the request; empty for the whole of it.
    field: String,
}

impl From<&FoundViolation> for ViolationJson {
    fn from(FoundViolation { code, message, field }: &FoundViolation) -> Self {
        Self { code: code.clone(), message: message.clone(), field: field.clone() }
    }
}

impl Problem {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            shortage: None,
            rejection: None,
            quote: None,
            errors: Box::default(),
            headers: Vec::new(),
        }
    }

    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::Malformed, detail)
    }

    #[must_use]
    pub fn unacceptable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unacceptable, detail)
    }

    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    #[must_use]
    pub fn method_not_allowed(allowed: &str) -> Self {
        let problem = Self::new(Code::MethodNotAllowed, format!("this route takes {allowed}"));
        match HeaderValue::from_str(allowed) {
            Ok(allowed) => problem.with(ALLOW, allowed),
            Err(_) => problem,
        }
    }

    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(Code::TooLarge, detail)
    }

    #[must_use]
    pub fn unsupported_media(detail: impl Into<String>) -> Self {
        Self::new(Code::UnsupportedMediaType, detail)
    }

    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "this route wants `authorization: Bearer <token>`")
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    #[must_use]
    pub fn token_expired(detail: impl Into<String>) -> Self {
        Self::new(Code::TokenExpired, detail).with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    #[must_use]
    pub fn out_of_scope(detail: impl Into<String>) -> Self {
        Self::new(Code::OutOfScope, detail)
    }

    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// Returns the answer to a request for which the host has no room.
    #[must_use]
    pub fn shed() -> Self {
        Self::unavailable(Code::Overloaded, "the host is at its limit of requests; retry shortly")
    }

    #[must_use]
    pub fn unavailable(code: Code, detail: impl Into<String>) -> Self {
        Self::new(code, detail).with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Returns the answer to a request while the first one with its key is under way.
    #[must_use]
    pub fn key_in_flight(detail: impl Into<String>) -> Self {
        Self::new(Code::IdempotencyKeyInFlight, detail).with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    #[must_use]
    pub fn key_reused(detail: impl Into<String>) -> Self {
        Self::new(Code::IdempotencyKeyReused, detail)
    }

    #[must_use]
    pub fn deadline(detail: impl Into<String>) -> Self {
        Self::new(Code::Deadline, detail)
    }

    /// Returns the answer to an unexpected error. The error itself goes to the log, not to the client.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("internal error: {error}");
        Self::new(Code::Internal, "the host failed; its log says how")
    }

    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code.name()
    }

    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the answer to be stored for a repeated request; `None` for a problem that asks to send the request
    /// again.
    #[must_use]
    pub(super) fn answered(&self, trace_id: &str) -> Option<Answered> {
        let again = self.headers.iter().any(|(name, _)| name == RETRY_AFTER);
        (!again).then(|| Answered { status: self.status().as_u16(), body: self.document(Some(trace_id)) })
    }

    fn document(&self, trace_id: Option<&str>) -> Bytes {
        let quote = self.quote.clone().and_then(|json| RawValue::from_string(json.into()).ok());
        let document = Document {
            r#type: format!("urn:till:problem:{}", self.code()),
            title: self.status().canonical_reason().unwrap_or("Error"),
            status: self.status().as_u16(),
            detail: &self.detail,
            code: self.code(),
            trace_id,
            shortage: self.shortage.as_deref(),
            rejection: self.rejection.as_deref(),
            quote: quote.as_deref(),
            errors: &self.errors,
        };
        let mut json = serde_json::to_vec(&document).unwrap_or_default();
        json.push(b'\n');
        json.into()
    }

    #[must_use]
    pub fn into_response(self, trace_id: Option<&str>) -> Response<Body> {
        let mut response = Response::new(Full::new(self.document(trace_id)));
        *response.status_mut() = self.status();
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }

    fn with(mut self, name: hyper::header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
