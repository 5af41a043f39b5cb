//! What handlers return, and how it becomes a response.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Body, problem::Problem};
use crate::order::{Currency, MinorUnits};

/// A handler's outcome.
pub type Answer = Result<Reply, Problem>;

/// A body with its type, for a 200 unless said otherwise.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
}

impl Reply {
    /// Returns the value as JSON.
    ///
    /// # Errors
    /// 500 when it can't be written, which no value of ours does.
    pub fn json(value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            status: StatusCode::OK,
            content_type: HeaderValue::from_static("application/json"),
            body: body.into(),
        })
    }

    #[must_use]
    pub fn text(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, content_type: HeaderValue::from_static(content_type), body: body.into() }
    }

    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, self.content_type);
        response
    }
}

/// Returns the amount as a JSON number, exact: it is written from whole minor units, never through a float.
#[must_use]
pub(super) fn money(currency: Currency, amount: MinorUnits) -> Box<RawValue> {
    RawValue::from_string(currency.format(amount)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
