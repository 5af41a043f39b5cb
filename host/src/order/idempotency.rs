//! How a repeated request is recognized.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Reference;

/// A client's name for its request in `Idempotency-Key`: 1 to 255 visible ASCII characters. Double quotes around the
/// key, as in the IETF's draft (draft-ietf-httpapi-idempotency-key-header-07), aren't part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Reference);

impl IdempotencyKey {
    /// The header with the key, in a client's checkout and a till's deduct.
    pub const HEADER: &str = "idempotency-key";

    /// Parses a key; `None` if the text is empty, longer than 255 bytes or not visible ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Reference::parse(unquoted.unwrap_or(text)).map(Self)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the key as the reference of a deduct: a deduct's key names the stock that it takes.
    #[must_use]
    pub const fn as_reference(&self) -> &Reference {
        &self.0
    }
}

/// A SHA-256 of a request's content, in a canonical form, so that equal requests have equal fingerprints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; Self::BYTES]);

impl Fingerprint {
    pub const BYTES: usize = 32;

    #[must_use]
    pub fn of_body(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    #[must_use]
    pub const fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Hides the digest, because it stands for a body, which may be in no log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Fingerprint(…)")
    }
}

/// A request that may be repeated: its key and the fingerprint of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_with_or_without_quotes() {
        let check = |text: &str, expected: Option<&str>| {
            let key = IdempotencyKey::parse(text);
            assert_eq!(key.as_ref().map(IdempotencyKey::as_str), expected, "{text:?}");
        };
        let longest = "k".repeat(255);
        check("a", Some("a"));
        check("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324"));
        check("\"8e03978e\"", Some("8e03978e"));
        check(&longest, Some(&longest));
        check(&format!("\"{longest}\""), Some(&longest));
        check("\"", Some("\""));
        check("", None);
        check("\"\"", None);
        check(&"k".repeat(256), None);
        check("two words", None);
        check("tab\t", None);
        check("schlüssel", None);
    }
}
