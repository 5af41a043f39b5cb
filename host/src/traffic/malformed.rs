//! Requests that every shop has to refuse.

use super::mix::{Cart, JSON, Request};

/// Longer than the longest attribute of an order (1 KiB), and than a body may be by default (64 KiB).
const TOO_LARGE_BYTES: usize = 70_000;

/// How a request is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    BrokenJson,
    NegativeQuantity,
    UnknownField,
    ContentType,
    TooLarge,
}

impl Malformed {
    pub const ALL: [Self; 5] =
        [Self::BrokenJson, Self::NegativeQuantity, Self::UnknownField, Self::ContentType, Self::TooLarge];

    /// Returns a request with the cart, malformed in this way.
    pub(super) fn of(self, mut cart: Cart) -> Request {
        let mut content_type = JSON;
        match self {
            Self::NegativeQuantity => cart.quantity = -1,
            Self::UnknownField => cart.more = r#","colour":"red""#.to_owned(),
            Self::TooLarge => cart.more = format!(r#","attributes":{{"note":"{}"}}"#, "x".repeat(TOO_LARGE_BYTES)),
            Self::ContentType => content_type = "text/plain",
            Self::BrokenJson => {}
        }
        let mut body = cart.to_string();
        if self == Self::BrokenJson {
            body.pop();
        }
        Request { body: body.into(), content_type, malformed: Some(self), repeated: false }
    }
}
