//! Writes a failed order's end, with the answer to the next request with its key: now, or as soon as the store can.

use std::sync::Arc;

use super::Shop;
use crate::store::{Answered, OrderId, StoreError};

/// A failed order's end, to be written.
#[derive(Clone)]
pub(super) struct End {
    pub(super) id: OrderId,
    pub(super) reason: &'static str,
    /// Whether a remote inventory may hold stock for the order. Then the order waits for the release of that first.
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
            // The order has ended otherwise, or was lost with a batch: there is no stock left to give back.
            Err(StoreError::OrderEnded { .. } | StoreError::ReservationGone) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes the end as soon as the store can. Until then `held` isn't dropped.
    pub(super) fn write_later(self, shop: &Arc<Shop>, held: impl Send + 'static) {
        shop.write_later(held, move |shop| {
            let end = self.clone();
            async move { end.write(&shop).await }
        });
    }
}
