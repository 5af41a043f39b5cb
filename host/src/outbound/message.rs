//! A plugin's request and its answer, as the WIT has them.

use std::fmt;

use bytes::Bytes;

use super::secrets::Secret;

/// A request's method. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub(super) const ALL: [Self; 4] = [Self::Get, Self::Post, Self::Put, Self::Delete];

    /// Returns the method as it stands in a request line and in a span.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Returns the method as it stands in a grant and in the WIT.
    pub(super) const fn in_lower_case(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

/// A plugin's request, not checked yet.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    /// Absolute: `https://rates.example/v1/quotes?to=CA`.
    pub url: String,
    pub headers: Vec<Header>,
    pub body: Option<Bytes>,
    /// How long to wait for the whole answer, at least 1.
    pub timeout_ms: u32,
    /// How old an answer to the same request may be that stands in for it; 0 for none.
    pub cache_ms: u32,
}

/// A header of a plugin's request.
#[derive(Clone)]
pub struct Header {
    pub name: String,
    pub value: HeaderText,
}

/// What a header of a plugin's request says.
#[derive(Clone)]
pub enum HeaderText {
    Text(String),
    /// The name of a secret.
    Secret(String),
}

/// The answer to a plugin's request, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, and values; those whose values are UTF-8, without those that only concern the connection.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Response {
    /// Removes a secret from an answer that repeats it.
    pub(super) fn blank(&mut self, secret: &Secret) {
        self.headers.retain(|(name, _)| !secret.is_in(name));
        for (_, value) in &mut self.headers {
            *value = secret.blanked(std::mem::take(value));
        }
        let mut body = Vec::from(std::mem::take(&mut self.body));
        secret.blank(&mut body);
        self.body = Bytes::from(body);
    }
}

impl fmt::Debug for Request {
    /// Hides the URL's path, the headers and the body, which may be about people or contain keys.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_ref().map_or(0, Bytes::len);
        write!(out, "Request({}, {} headers, {body} bytes)", self.method.as_str(), self.headers.len())
    }
}

impl fmt::Debug for Header {
    /// Hides the value.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Header({:?})", self.name)
    }
}

impl fmt::Debug for HeaderText {
    /// Hides a text, which may be a key that the plugin has from elsewhere.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "Text({} bytes)", text.len()),
            Self::Secret(name) => write!(out, "Secret({name:?})"),
        }
    }
}

impl fmt::Debug for Response {
    /// Hides the headers and the body, which may be about people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Response({}, {} headers, {} bytes)", self.status, self.headers.len(), self.body.len())
    }
}
