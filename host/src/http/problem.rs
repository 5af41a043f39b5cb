//! The one place that turns failures into statuses: RFC 9457, `application/problem+json`.
//!
//! | family | statuses |
//! |---|---|
//! | the request | 400, 404, 405, 408, 413, 414, 415, 417, 422, 431, 501 |
//! | a rejection, the shop's or its plugins' | 400 insufficient stock, 409 used reference or key, 422, 500 conflict |
//! | a plugin's fault, the remote inventory | 502, 504 |
//! | the host | 500, 503 with Retry-After |

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use super::{Body, answer::PROBLEM_JSON};
use crate::{
    plugin::{Cause, Failure, ShelfError, SwapError},
    store::{Answered, StockError, StoreError},
};

/// What went wrong, for the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    shortage: Option<Box<Shortage>>,
    /// The plugin's own code of a rejection.
    rejection: Option<String>,
    headers: Vec<(hyper::header::HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Shortage {
    item: String,
    requested: u32,
    available: u32,
}

/// The document, in the order that people read it.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<&'a Shortage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<&'a str>,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), shortage: None, rejection: None, headers: Vec::new() }
    }

    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    #[must_use]
    pub fn unacceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unacceptable", detail)
    }

    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    #[must_use]
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        let detail = format!("this route takes {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .with(ALLOW, HeaderValue::from_static(allowed))
    }

    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    #[must_use]
    pub fn unsupported_media(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "this route wants `authorization: Bearer <token>`")
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Returns the answer to a request that the host has no room for.
    #[must_use]
    pub fn shed() -> Self {
        Self::unavailable("overloaded", "the host is at its limit of requests; retry shortly")
    }

    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Returns the answer to a request whose key's first request is under way.
    #[must_use]
    pub fn key_in_flight(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "idempotency_key_in_flight", detail)
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    #[must_use]
    pub fn key_reused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
    }

    #[must_use]
    pub fn deadline(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline", detail)
    }

    /// Returns the answer to what should not have happened. The error itself goes to the log, not to the client.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("internal error: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the host failed; its log says how")
    }

    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the problem as it is kept for a request that comes again; `None` for one that says to send it again.
    #[must_use]
    pub(super) fn answered(&self, trace_id: &str) -> Option<Answered> {
        let again = self.headers.iter().any(|(name, _)| name == RETRY_AFTER);
        (!again).then(|| Answered { status: self.status.as_u16(), body: self.document(Some(trace_id)) })
    }

    fn document(&self, trace_id: Option<&str>) -> Bytes {
        let document = Document {
            r#type: format!("urn:till:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            trace_id,
            shortage: self.shortage.as_deref(),
            rejection: self.rejection.as_deref(),
        };
        let mut json = serde_json::to_vec(&document).unwrap_or_default();
        json.push(b'\n');
        json.into()
    }

    #[must_use]
    pub fn into_response(self, trace_id: Option<&str>) -> Response<Body> {
        let mut response = Response::new(Full::new(self.document(trace_id)));
        *response.status_mut() = self.status;
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

impl From<SwapError> for Problem {
    fn from(error: SwapError) -> Self {
        let detail = error.to_string();
        match error {
            SwapError::Refused(_)
            | SwapError::OtherKind { .. }
            | SwapError::Unusable { .. }
            | SwapError::Shelf(ShelfError::Refused(_)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", detail)
            }
            SwapError::Settings | SwapError::UnknownSetting(_) | SwapError::Reuse(_) => Self::unacceptable(detail),
            SwapError::NothingBefore { .. } | SwapError::NoVersion { .. } => {
                Self::new(StatusCode::CONFLICT, "no_such_version", detail)
            }
            SwapError::NoRollout => Self::new(StatusCode::CONFLICT, "no_rollout", detail),
            SwapError::RolloutState(_) => Self::new(StatusCode::CONFLICT, "rollout_state", detail),
            SwapError::Shelf(ShelfError::File(_)) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "plugin_file", detail)
            }
            SwapError::Store(error) => error.into(),
            SwapError::Host(error) => Self::internal(&format_args!("{error:#}")),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let code = failure.code();
        let detail = failure.to_string();
        let problem = |status| Self::new(status, code, detail.clone());
        match failure {
            Failure::OutOfStock { item, requested, available } => {
                let (item, requested, available) = (item.to_string(), *requested, *available);
                let shortage = Some(Box::new(Shortage { item, requested, available }));
                Self { shortage, ..problem(StatusCode::BAD_REQUEST) }
            }
            Failure::Rejected { code, .. } => {
                Self { rejection: Some(code.clone()), ..problem(StatusCode::UNPROCESSABLE_ENTITY) }
            }
            Failure::Conflict(_) => problem(StatusCode::INTERNAL_SERVER_ERROR),
            Failure::ReferenceUsed(_) => problem(StatusCode::CONFLICT),
            Failure::Unavailable(_)
            | Failure::Other(_)
            | Failure::InventoryUnreachable(_)
            | Failure::InventoryRefused(_) => problem(StatusCode::BAD_GATEWAY),
            Failure::Fault(fault) => match &fault.cause {
                Cause::Cpu { .. } | Cause::Deadline { .. } => problem(StatusCode::GATEWAY_TIMEOUT),
                _ => problem(StatusCode::BAD_GATEWAY),
            },
            Failure::Overloaded(_) => Self::unavailable(code, detail),
            Failure::BreakerOpen { retry_after, .. } => {
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                problem(StatusCode::SERVICE_UNAVAILABLE).with(RETRY_AFTER, HeaderValue::from(seconds))
            }
            Failure::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Overloaded { .. }
            | StoreError::Unavailable(_)
            | StoreError::Closed
            | StoreError::ReservationGone => Self::unavailable("store_unavailable", error.to_string()),
            StoreError::OrderEnded { .. } | StoreError::OfLocalOrder | StoreError::ReferenceTaken => {
                Self::new(StatusCode::CONFLICT, "reference_used", error.to_string())
            }
            StoreError::RolloutOpen => Self::new(StatusCode::CONFLICT, "rollout_open", error.to_string()),
            other => Self::internal(other),
        }
    }
}

impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        match error {
            StockError::OutOfRange { .. } => Self::unacceptable(error.to_string()),
            StockError::Unknown { .. } => Self::not_found(error.to_string()),
            StockError::Store(error) => error.into(),
        }
    }
}
