//! The name under which an order, its reservation and a remote inventory know each other.

use std::fmt;

use uuid::Uuid;

/// An order's unguessable name: a `UUIDv7` where this host made it, any visible ASCII of up to 255 bytes
/// where another service sent it as its Idempotency-Key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(Box<str>);

impl Reference {
    pub const BYTES_MAX: usize = 255;

    /// Returns a new one. Ordered by time, so that the index it goes into grows at its end.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Returns the reference that `text` is, `None` when it is empty, longer than 255 bytes or not visible ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
