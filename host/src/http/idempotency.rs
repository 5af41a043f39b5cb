//! `Idempotency-Key`, and the answers to repeated requests.
//!
//! The same key and cart get the first answer, byte for byte; another cart under the key is refused, and so is a second
//! request while the first is under way (`shop/keys.rs`). Carts are compared after parsing: JSON with its fields in
//! another order is the same cart. A refusal before anything was carried out isn't stored, nor is a 503, which says
//! that the request may be sent again.
//!
//! The semantics are Stripe's, the header is that of draft-ietf-httpapi-idempotency-key-header-07.

use hyper::HeaderMap;

use super::{answer::Reply, problem::Problem};
use crate::{
    order::IdempotencyKey,
    shop::{Full, KeyRefused, Outcome},
};

/// Returns the request's key; `None` if it has none.
///
/// # Errors
/// 400 for two keys, or an invalid one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut keys = headers.get_all(IdempotencyKey::HEADER).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let key = key.to_str().ok().and_then(IdempotencyKey::parse);
            let problem = || Problem::malformed("an Idempotency-Key is 1 to 255 visible ASCII characters");
            key.map(Some).ok_or_else(problem)
        }
        (Some(_), Some(_)) => Err(Problem::malformed("send one Idempotency-Key")),
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::First(answer) => Self::kept(answer),
            Outcome::Replayed(answer) => Self::replayed(answer),
        }
    }
}

impl From<Full> for Problem {
    fn from(_: Full) -> Self {
        Self::shed()
    }
}

impl From<KeyRefused> for Problem {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::InFlight => {
                Self::key_in_flight("a request with this Idempotency-Key is under way; send it again for its answer")
            }
            KeyRefused::Reused => Self::key_reused(
                "this Idempotency-Key came with something else before: send that again for its answer, and a new purchase \
                 under a new key",
            ),
        }
    }
}
