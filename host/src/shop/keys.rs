//! Idempotency keys: a request that is sent again gets its first answer, and is carried out once.
//!
//! The same key and cart get the first answer, byte for byte; another cart under the key is refused, and so is a second
//! request while the first is under way. Carts are compared as they were read: a client that writes its JSON anew, with
//! its fields in another order, sends the same one. An answer is kept in the transaction that makes it true (see
//! `store/sqlite/answers.rs`). What was refused before anything was carried out isn't kept, nor is a 503, which says that
//! the request may be sent again.
//!
//! The semantics are Stripe's, the header is that of draft-ietf-httpapi-idempotency-key-header-07.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use super::Shop;
use crate::{
    order::{Fingerprint, IdempotencyKey, Keyed},
    store::{Answered, Earlier},
};
use parking_lot::Mutex;

/// A request that has a key.
#[derive(Debug)]
pub struct KeyedRequest {
    /// The key, with the fingerprint of the request.
    pub keyed: Keyed,
    /// The digest of its body, which versions up to 0.1.0 kept instead.
    pub body: Fingerprint,
}

/// The answer to a client.
#[derive(Debug)]
pub enum Outcome {
    First(Answered),
    /// What was answered to the same request before.
    Replayed(Answered),
}

/// Why a key's request isn't carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefused {
    /// Its first request is under way.
    InFlight,
    /// The key came with another request before.
    Reused,
}

/// How often old answers are looked for.
const PRUNING: Duration = Duration::from_secs(60);

/// The keys of the requests under way. There are no more keys than requests, which are bounded.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<HashMap<IdempotencyKey, Fingerprint>>);

/// The right to carry out a key's request, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    keys: Arc<Keys>,
    request: KeyedRequest,
}

impl Keys {
    /// # Errors
    /// While a request of the key is under way.
    pub(super) fn claim(self: &Arc<Self>, request: KeyedRequest) -> Result<Claim, KeyRefused> {
        match self.0.lock().entry(request.keyed.key.clone()) {
            Entry::Occupied(claimed) if *claimed.get() == request.keyed.fingerprint => Err(KeyRefused::InFlight),
            Entry::Occupied(_) => Err(KeyRefused::Reused),
            Entry::Vacant(free) => {
                free.insert(request.keyed.fingerprint);
                Ok(Claim { keys: Arc::clone(self), request })
            }
        }
    }
}

impl Claim {
    pub(super) const fn keyed(&self) -> &Keyed {
        &self.request.keyed
    }

    /// Returns the answer to a request that came before.
    ///
    /// # Errors
    /// If the earlier request was another one, or while its order has no end.
    pub(super) fn replay(&self, earlier: Earlier) -> Result<Outcome, KeyRefused> {
        if earlier.fingerprint != self.request.keyed.fingerprint && earlier.fingerprint != self.request.body {
            return Err(KeyRefused::Reused);
        }
        earlier.answer.map(Outcome::Replayed).ok_or(KeyRefused::InFlight)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.0.lock().remove(&self.request.keyed.key);
    }
}

impl Shop {
    /// Deletes the answers that were kept long enough, until the host stops.
    pub async fn prune_answers(self: Arc<Self>) {
        loop {
            // If the store can't delete now, it is asked again later.
            let more =
                async || self.store.leads() && matches!(self.store.prune_answers(self.answers_kept).await, Ok(true));
            while !self.stopping.is_cancelled() && more().await {}
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(PRUNING) => {}
            }
        }
    }
}
