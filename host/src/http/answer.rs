//! Handlers' answers, and their conversion into responses.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    http::response::Parts,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Body, problem::Problem};
use crate::{
    order::{Currency, MinorUnits},
    store::Answered,
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A handler's outcome.
pub type Answer = Result<Reply, Problem>;

/// A body with its type, for a 200 unless said otherwise.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Returns the value as JSON.
    ///
    /// # Errors
    /// 500 if it can't be serialized, which happens for none of the host's values.
    pub fn json(value: &impl Serialize) -> Answer {
        serde_json::to_vec(value).map(Self::of_json).map_err(|error| Problem::internal(&error))
    }

    /// Returns a reply of finished JSON, with a line break added for terminals.
    #[must_use]
    pub fn of_json(mut body: Vec<u8>) -> Self {
        if !body.ends_with(b"\n") {
            body.push(b'\n');
        }
        Self { status: StatusCode::OK, content_type: Some(JSON), body: body.into(), headers: Vec::new() }
    }

    /// Returns the earlier answer to a repeated request.
    #[must_use]
    pub(super) fn replayed(earlier: Answered) -> Self {
        Self::kept(earlier).with_header(IDEMPOTENCY_REPLAYED, "true")
    }

    /// Returns a stored answer. Its content type follows from its status.
    #[must_use]
    pub(super) fn kept(answer: Answered) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        let content_type = Some(if status.is_success() { JSON } else { PROBLEM_JSON });
        Self { status, content_type, body: answer.body, headers: Vec::new() }
    }

    /// Returns the answer to be stored for a repeated request.
    #[must_use]
    pub(super) fn answered(&self) -> Answered {
        Answered { status: self.status.as_u16(), body: self.body.clone() }
    }

    #[must_use]
    pub fn text(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content_type = Some(HeaderValue::from_static(content_type));
        Self { status: StatusCode::OK, content_type, body: body.into(), headers: Vec::new() }
    }

    /// Returns another listener's answer, with its headers.
    #[must_use]
    pub fn passed_on(head: Parts, body: Bytes) -> Self {
        let mut headers = head.headers;
        let content_type = headers.remove(CONTENT_TYPE);
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name?, value))).collect();
        Self { status: head.status, content_type, body, headers }
    }

    /// Returns an answer without a body.
    #[must_use]
    pub const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, content_type: None, body: Bytes::new(), headers: Vec::new() }
    }

    /// Adds a header, unless the value isn't valid in one.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
        self
    }

    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

/// Returns the amount as an exact JSON number, written from whole minor units, never through a float.
#[must_use]
pub(super) fn money(currency: Currency, amount: MinorUnits) -> Box<RawValue> {
    RawValue::from_string(currency.format(amount)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Returns the moment in RFC 3339's form, in UTC and to the millisecond, for people. Programs use the number beside it.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_for_people() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!(rfc3339(u64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
