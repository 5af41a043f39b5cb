//! `Idempotency-Key`: a request that is sent again is answered again, and carried out once.
//!
//! The same key and cart get the first answer, byte for byte; another cart under the key is refused, and so is a second
//! request while the first is under way. Carts are compared as they were read: a client that writes its JSON anew, with
//! its fields in another order, sends the same one. An answer is kept in the transaction that makes it true (see
//! `store/answers.rs`). What was refused before anything was carried out isn't kept, nor is a 503, which says that
//! the request may be sent again.
//!
//! The semantics are Stripe's, the header is that of draft-ietf-httpapi-idempotency-key-header-07.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::HeaderMap;

use super::{
    Shop,
    answer::{Answer, Reply},
    problem::Problem,
};
use crate::{
    order::{Fingerprint, IdempotencyKey, Keyed},
    store::Earlier,
};

/// Returns the request's key, `None` if it has none.
///
/// # Errors
/// 400 for two of them, or one that is none.
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

/// How often old answers are looked for.
const PRUNING: Duration = Duration::from_secs(60);

/// The keys of the requests under way: as many as those, so bounded by what bounds them.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<HashMap<IdempotencyKey, Fingerprint>>);

/// The right to carry out a key's request, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    keys: Arc<Keys>,
    keyed: Keyed,
}

impl Keys {
    /// # Errors
    /// 409 while a request of the key is under way, 422 if that asks for something else.
    pub(super) fn claim(self: &Arc<Self>, keyed: Keyed) -> Result<Claim, Problem> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(keyed.key.clone()) {
            Entry::Occupied(claimed) if *claimed.get() == keyed.fingerprint => Err(in_flight()),
            Entry::Occupied(_) => Err(reused()),
            Entry::Vacant(free) => {
                free.insert(keyed.fingerprint);
                Ok(Claim { keys: Arc::clone(self), keyed })
            }
        }
    }
}

impl Claim {
    pub(super) const fn keyed(&self) -> &Keyed {
        &self.keyed
    }

    /// Returns the answer to a request that came before. Up to 0.1.0 the digest of its body was kept, so the body is
    /// compared with that as well.
    ///
    /// # Errors
    /// 422 if that asked for something else, 409 while its order has no end.
    pub(super) fn replay(&self, earlier: Earlier, body: &[u8]) -> Answer {
        if earlier.fingerprint != self.keyed.fingerprint && earlier.fingerprint != Fingerprint::of_body(body) {
            return Err(reused());
        }
        earlier.answer.map(Reply::replayed).ok_or_else(in_flight)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.keyed.key);
    }
}

impl Shop {
    /// Forgets the answers that were kept long enough, until the host stops.
    pub async fn prune_answers(self: Arc<Self>) {
        loop {
            // A store that can't now is asked again later.
            while !self.stopping.is_cancelled() && matches!(self.store.prune_answers(self.answers_kept).await, Ok(true))
            {
            }
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(PRUNING) => {}
            }
        }
    }
}

fn in_flight() -> Problem {
    Problem::key_in_flight("a request with this Idempotency-Key is under way; send it again for its answer")
}

fn reused() -> Problem {
    Problem::key_reused(
        "this Idempotency-Key came with something else before: send that again for its answer, and a new purchase under a \
         new key",
    )
}
