//! Why a plugin has no answer to its request, by what may have been carried out.
//!
//! The line between [`HttpError::NotSent`] and [`HttpError::Unknown`] is the first byte of the request that is handed to
//! the connection: to the socket for `http`, to the TLS session after its handshake for `https`. Before that byte the
//! receiver can't have begun. After it nobody but the receiver knows, whatever ended the exchange: the deadline, a
//! connection that broke, an answer that isn't HTTP.

/// A request without an answer, in the cases of the WIT.
///
/// The texts are for the plugin's author and for the operator. None of them contains a secret, a header's value, a path
/// or a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The host refuses the request, and refuses it again however often it is repeated: no grant covers it, the call's
    /// requests are used up, or it is malformed. Nothing was sent.
    #[error("not granted: {0}")]
    NotGranted(String),
    /// The request couldn't be made: no such host, connection refused, TLS. Nothing of the request was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request or a part of it was sent, and there is no whole answer. It may have been carried out.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The answer's head or body is larger than allowed. The request was carried out as far as the answer says.
    #[error("the answer is larger than granted")]
    TooLarge,
}

impl HttpError {
    /// Returns the variant's name, for `error.type` of a span.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotGranted(_) => "NotGranted",
            Self::NotSent(_) => "NotSent",
            Self::Unknown(_) => "Unknown",
            Self::TooLarge => "TooLarge",
        }
    }
}
