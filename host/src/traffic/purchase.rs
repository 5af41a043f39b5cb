//! One checkout, from the moment it is due to its end.

use std::{sync::Arc, time::Instant};

use hyper::StatusCode;

use super::{
    client::{Answer, Shop},
    mix::Request,
    tally::{Promise, Tally},
};

/// A request with its key, with which every retry is sent.
#[derive(Debug)]
pub(super) struct Purchase {
    pub request: Request,
    pub key: String,
    /// When a customer would have sent it. Latency is measured from then, whatever delayed the sending.
    pub due: Instant,
}

impl Purchase {
    /// Sends the request, records its result in the tally, and sends a repeated one again with the same key. May be
    /// dropped midway: then the tally doesn't count its end.
    pub(super) async fn carry_out(self, shop: Arc<Shop>, retries: u32, tally: Arc<Tally>) {
        let said = shop.insist(&self.request, &self.key, retries, || tally.retried()).await;
        tally.ended(self.due.elapsed(), &said);
        if self.request.malformed.is_some() {
            match said.answer() {
                Some(answer) if answer.status.is_client_error() => tally.refused(),
                // A 503 says nothing about the request, only about the host.
                Some(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => {}
                Some(_) => tally.broken(Promise::MalformedTaken, &said),
                None => {}
            }
        } else if let Some(first) = said.answer().filter(|answer| self.request.repeated && answer.is_kept()) {
            self.repeat(&shop, retries, &tally, first).await;
        }
    }

    async fn repeat(&self, shop: &Shop, retries: u32, tally: &Tally, first: &Answer) {
        tally.repeated();
        let again = shop.insist(&self.request, &self.key, retries, || tally.retried()).await;
        let Some(second) = again.answer().filter(|_| again.stands()) else { return };
        if second.status == first.status && second.body == first.body {
            tally.repeat_agreed();
        } else {
            tally.broken(Promise::RepeatDiffers, &again);
        }
    }
}

impl Answer {
    /// Returns whether a host stores the answer for the next request with its key: an order, or a failure after a
    /// plugin was called. An earlier refusal isn't stored.
    fn is_kept(&self) -> bool {
        let code = self.outcome().code;
        self.status == StatusCode::OK
            || self.replayed
            || matches!(code.as_str(), "insufficient_stock" | "inventory_conflict" | "rejected")
    }
}
