//! Requests to places that the operator granted; for the hooks `delivery-options` and `tax` only.
//!
//! ```no_run
//! # use till_sdk::hooks::{HookError, Json, Span, http::Request};
//! # fn rates(call: &Span) -> Result<Option<Json>, HookError> {
//! let request = Request::get("https://rates.example/v1/quotes?to=CA").secret("authorization", "rates_token");
//! let answer = request.timeout_ms(800).cache_ms(60_000).send(call)?;
//! # Ok(answer.json())
//! # }
//! ```

pub use super::bindings::shared::till::plugin::http::{
    Header, HeaderValue, HttpError, Method, Request, Response, ResponseHeader,
};
use super::{HookError, Json, Span, bindings::shared::till::plugin::http};

const TIMEOUT_MS: u32 = 1_000;

impl Request {
    /// Returns a request without a body.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url.into(), None)
    }

    /// Returns a request with a body of JSON.
    #[must_use]
    pub fn post_json(url: impl Into<String>, body: &Json) -> Self {
        Self::new(Method::Post, url.into(), Some(body.to_string().into_bytes()))
            .header("content-type", "application/json")
    }

    /// Returns the same request with one more header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(name, HeaderValue::Text(value.to_owned()))
    }

    /// Returns the same request with a header whose value is a secret that the operator granted, by its name.
    #[must_use]
    pub fn secret(self, name: &str, secret: &str) -> Self {
        self.with(name, HeaderValue::Secret(secret.to_owned()))
    }

    /// Returns the same request, which waits that long for the whole answer; without, it is 1 s.
    #[must_use]
    pub fn timeout_ms(self, timeout_ms: u32) -> Self {
        Self { timeout_ms, ..self }
    }

    /// Returns the same request, whose answer may stand in for the next one's for that long; without, it may not.
    #[must_use]
    pub fn cache_ms(self, cache_ms: u32) -> Self {
        Self { cache_ms, ..self }
    }

    /// Sends the request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer; `?` turns it into a [`HookError`].
    pub fn send(&self, call: &Span) -> Result<Response, HttpError> {
        http::send(call.context(), self)
    }

    fn new(method: Method, url: String, body: Option<Vec<u8>>) -> Self {
        Self { method, url, headers: Vec::new(), body, timeout_ms: TIMEOUT_MS, cache_ms: 0 }
    }

    fn with(mut self, name: &str, value: HeaderValue) -> Self {
        self.headers.push(Header { name: name.to_owned(), value });
        self
    }
}

impl Response {
    /// Returns whether the status is a 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// Returns the body if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Json> {
        Json::parse(self.text()?)
    }
}

impl From<HttpError> for HookError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotGranted(detail) => Self::Other(format!("not granted: {detail}")),
            HttpError::NotSent(detail) => Self::Unavailable(format!("not sent: {detail}")),
            HttpError::Unknown(detail) => Self::Unavailable(format!("no answer: {detail}")),
            HttpError::TooLarge => Self::Other("the answer is larger than granted".to_owned()),
        }
    }
}
