//! How an order ends: completed or failed in one transaction, together with the answer that its key's next request gets.

use std::sync::Arc;

use super::{
    super::{Shop, answer::Reply, problem::Problem},
    Checkout, reply,
};
use crate::{
    order::Receipt,
    plugin::Failure,
    store::{Answered, OrderId, StoreError},
    telemetry::{names::span, traces::Span},
};

/// An order that was sold.
pub(super) struct Completed {
    pub(super) receipt: Receipt,
    pub(super) reply: Reply,
}

/// An order that came to nothing: why, and what its client is told.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) problem: Problem,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { problem: Problem::from(&failure), failure }
    }
}

impl Checkout {
    /// Completes the order.
    ///
    /// # Errors
    /// When the store can't, or its stock is no longer held. The order is to be failed then.
    pub(super) async fn complete(&self, parent: &Span, id: OrderId, receipt: Receipt) -> Result<Completed, Failure> {
        let mut span = self.child(span::COMPLETE_ORDER, parent);
        let reply = reply::of(self.form, id, &self.reference, &self.cart, &receipt, self.shop.currency);
        let reply = serde_json::to_vec(&reply).map(Reply::of_json).map_err(StoreError::Unwritable)?;
        let answer = self.claim.as_ref().map(|_| reply.answered());
        match self.shop.store.complete_order(id, &receipt, answer).await {
            Ok(()) => Ok(Completed { receipt, reply }),
            Err(error) => {
                span.fail("store_unavailable", error.to_string());
                Err(error.into())
            }
        }
    }

    /// Fails the order, its stock given back. If the store can't take that now, it is tried until it can, beside the
    /// answer, which then is that the store can't: no end is told that isn't durable, and no order stays pending
    /// because a disk was full for a moment.
    pub(super) async fn fail(&self, parent: &Span, id: OrderId, failure: Failure) -> Failed {
        let failed = Failed::from(failure);
        let end = End {
            id,
            reason: failed.failure.code(),
            remote_holds: self.remote_may_hold(),
            answer: self.claim.as_ref().and_then(|_| failed.problem.answered(&self.trace_id)),
        };
        let mut span = self.child(if end.remote_holds { span::AWAIT_RELEASE } else { span::FAIL_ORDER }, parent);
        let Err(error) = end.write(&self.shop).await else { return failed };
        span.fail("store_unavailable", error.to_string());
        if error.is_passing() {
            tracing::warn!(order_id = id.number(), "order {} can't be failed yet: {error}", id.number());
            let held = (self.claim.clone(), Arc::clone(&self.permit));
            self.shop.write_later(held, move |shop| {
                let end = end.clone();
                async move { end.write(&shop).await }
            });
        }
        Failure::Store(error).into()
    }
}

/// A failed order's end, to be written.
#[derive(Clone)]
struct End {
    id: OrderId,
    reason: &'static str,
    /// One that a remote inventory may hold stock for waits for that to be released first.
    remote_holds: bool,
    answer: Option<Answered>,
}

impl End {
    async fn write(&self, shop: &Shop) -> Result<(), StoreError> {
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
}
