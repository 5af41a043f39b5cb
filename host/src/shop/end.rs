//! A failed order's end, written with the answer that its key's next request gets: now, or as soon as the store can.

use std::sync::Arc;

use super::Shop;
use crate::store::{Answered, OrderId, StoreError};

/// A failed order's end, to be written.
#[derive(Clone)]
pub(super) struct End {
    pub(super) id: OrderId,
    pub(super) reason: &'static str,
    /// One that a remote inventory may hold stock for waits for that to be released first.
    pub(super) remote_holds: bool,
    pub(super) answer: Option<Answered>,
}

impl End {
    pub(super) async fn write(&self, shop: &Shop) -> Result<(), StoreError> {
        let answer = self.answer.clone();
        let written = if self.remote_holds {
            shop.store.await_release(self.id, self.reason, answer).await
        } else {
            shop.store.fail_order(self.id, self.reason, answer).await
        };
        match written {
            // It has ended another way, or was lost with a batch: either way there is nothing left to give back.
            Err(StoreError::OrderEnded { .. } | StoreError::ReservationGone) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes it as soon as the store can. What is `held` stays taken until then.
    pub(super) fn write_later(self, shop: &Arc<Shop>, held: impl Send + 'static) {
        shop.write_later(held, move |shop| {
            let end = self.clone();
            async move { end.write(&shop).await }
        });
    }
}
