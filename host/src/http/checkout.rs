//! `POST /checkout`: from a cart to an order that stands, or to a problem and nothing changed.
//!
//! ```text
//! POST /checkout                              SERVER
//! └─ checkout_transaction                     the checkout plugin's call; stays open until the commit
//!    ├─ db_create_order                       order PENDING
//!    ├─ inventory_deduct_span                 or http_call_inventory_service, see imports/inventory.rs
//!    │  └─ db_take_stock
//!    └─ db_complete_order                     COMPLETED and the reservation final, one transaction
//!       or db_fail_order                      FAILED and the stock given back, one transaction
//! ```
//!
//! Plugins decide, the host does: whatever the plugin did, the order ends here.

mod release;
mod reply;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::{SpanContext, SpanKind};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Shop,
    answer::{Answer, Reply},
    body,
    cart::{self, Form},
    received::Received,
};
use crate::{
    imports::inventory::Place,
    order::{Cart, Receipt, Reference, Status},
    plugin::{Failure, Snapshot, call},
    store::{Durability, Inventory, NewOrder, OrderId, StoreError, Taker},
    telemetry::{
        names::{attribute, span},
        propagation::Baggage,
        traces::Span,
    },
};

/// How long a failed order waits to be tried again when the store can't take its end.
const FAIL_RETRY: Duration = Duration::from_millis(250);

/// Parses the request and has the checkout carried out.
///
/// # Errors
/// A problem; past the request's deadline the order may still be completed, and its reference tells.
pub(super) async fn checkout(shop: &Arc<Shop>, received: Received) -> Answer {
    let bytes = body::read_json(&received.headers, received.body, &shop.limits).await?;
    let (cart, form) = cart::parse(&bytes, shop.currency, &shop.prices)?;
    let permit = shop.checkouts.acquire().await?;
    let checkout = Checkout {
        shop: Arc::clone(shop),
        snapshot: received.snapshot,
        reference: Reference::random(),
        placed_at_ms: now_ms(),
        item_label: shop.item_label(cart.lines().iter().map(|line| &line.item)),
        cart,
        baggage: received.baggage,
        remote_holds: Arc::default(),
        _permit: permit,
    };
    let reference = checkout.reference.clone();
    let context = received.parent.clone();
    let late = || format!("not done yet; ask for its end at /orders/{reference}");
    shop.see_through(&context, checkout.carry_out(received.parent, form), late).await
}

/// One checkout under way.
struct Checkout {
    shop: Arc<Shop>,
    snapshot: Arc<Snapshot>,
    reference: Reference,
    placed_at_ms: u64,
    cart: Cart,
    item_label: String,
    baggage: Baggage,
    /// Whether a remote inventory may hold stock for the order.
    remote_holds: Arc<AtomicBool>,
    /// Held to the end, also when the client has gone.
    _permit: OwnedSemaphorePermit,
}

impl Checkout {
    async fn carry_out(self, parent: SpanContext, form: Form) -> Answer {
        let shop = &self.shop;
        shop.metrics.checkout(&self.item_label);
        let mut span = shop.tracer.start(span::CHECKOUT, SpanKind::Internal, Some(&parent), Vec::new());
        self.describe(&mut span);

        let (span, outcome) = match self.create(&span, parent.trace_id().to_string()).await {
            Ok(id) => self.decide_and_end(span, id).await,
            Err(error) => (span, Err(Failure::Store(error))),
        };
        match outcome {
            Ok((id, receipt)) => {
                self.completed(span, &receipt);
                let reply = reply::of(form, id, &self.reference, &self.cart, &receipt, shop.currency);
                Reply::json(&reply)
            }
            Err(failure) => {
                self.failed(span, &failure);
                Err(failure.into())
            }
        }
    }

    async fn decide_and_end(&self, span: Span, id: OrderId) -> (Span, Result<(OrderId, Receipt), Failure>) {
        let shop = &self.shop;
        let placed = call::Placed { id, placed_at_ms: self.placed_at_ms, currency: shop.currency, cart: &self.cart };
        let (span, decided) = call::checkout(&shop.plugins, &self.snapshot, span, &placed, self.place(id)).await;
        let ended = match decided {
            Ok(receipt) => match self.complete(&span, id, &receipt).await {
                Ok(()) => Ok((id, receipt)),
                Err(error) => Err(Failure::Store(error)),
            },
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &ended {
            self.fail(&span, id, failure).await;
        }
        (span, ended)
    }

    fn place(&self, id: OrderId) -> Place {
        match &self.shop.remote {
            None => Place::Here(Taker::Order(id)),
            Some(remote) => Place::Remote {
                remote: Arc::clone(remote),
                reference: self.reference.clone(),
                baggage: self.baggage.clone(),
                holds: Arc::clone(&self.remote_holds),
            },
        }
    }

    async fn create(&self, parent: &Span, trace_id: String) -> Result<OrderId, StoreError> {
        let mut span = self.child(span::CREATE_ORDER, parent);
        // What leaves this host has to be findable after a crash; what stays here may be lost with it.
        let (inventory, durability) = match self.shop.remote {
            None => (Inventory::Local, Durability::Queued),
            Some(_) => (Inventory::Remote, Durability::Committed),
        };
        let order = NewOrder {
            reference: self.reference.clone(),
            inventory,
            currency: self.shop.currency,
            cart: self.cart.clone(),
            trace_id,
            plugins: self.snapshot.header().to_owned(),
            placed_at_ms: self.placed_at_ms,
        };
        let created = self.shop.store.create_order(order, durability).await;
        match &created {
            Ok(id) => span.set(attribute::DB_ORDER_ID, i64::try_from(id.number()).unwrap_or(i64::MAX)),
            Err(error) => span.fail("store_unavailable", error.to_string()),
        }
        created
    }

    async fn complete(&self, parent: &Span, id: OrderId, receipt: &Receipt) -> Result<(), StoreError> {
        let mut span = self.child(span::COMPLETE_ORDER, parent);
        let completed = self.shop.store.complete_order(id, receipt).await;
        if let Err(error) = &completed {
            span.fail("store_unavailable", error.to_string());
        }
        completed
    }

    /// Ends the order as failed, with its stock given back. If the store can't take that now, it is tried until it
    /// can, beside the answer: an order never stays pending because a disk was full for a moment.
    async fn fail(&self, parent: &Span, id: OrderId, failure: &Failure) {
        let holds = self.remote_may_hold();
        let name = if holds { span::AWAIT_RELEASE } else { span::FAIL_ORDER };
        let mut span = self.child(name, parent);
        let Err(error) = end_as_failed(&self.shop, id, holds, failure.code()).await else { return };
        span.fail("store_unavailable", error.to_string());
        tracing::warn!(order_id = id.number(), "order {} can't be failed yet: {error}", id.number());
        let (shop, reason) = (Arc::clone(&self.shop), failure.code());
        self.shop.tasks.spawn(async move {
            while !shop.stopping.is_cancelled() {
                tokio::time::sleep(FAIL_RETRY).await;
                if end_as_failed(&shop, id, holds, reason).await.is_ok() {
                    return;
                }
            }
        });
    }

    fn remote_may_hold(&self) -> bool {
        self.remote_holds.load(Ordering::Relaxed)
    }

    fn child(&self, name: &'static str, parent: &Span) -> Span {
        self.shop.tracer.start(name, SpanKind::Internal, Some(parent.context()), Vec::new())
    }

    fn describe(&self, span: &mut Span) {
        if !span.is_recording() {
            return;
        }
        match self.cart.single() {
            Some(line) => {
                span.set(attribute::ORDER_ITEM, line.item.to_string());
                span.set(attribute::ORDER_PRICE_PER_UNIT, self.shop.currency.to_f64(line.unit_price));
            }
            None => span.set(attribute::ORDER_ITEM, "multiple"),
        }
        span.set(attribute::ORDER_QUANTITY, i64::try_from(self.cart.pieces()).unwrap_or(i64::MAX));
        span.set(attribute::ORDER_REFERENCE, self.reference.to_string());
    }

    fn completed(&self, mut span: Span, receipt: &Receipt) {
        let revenue = self.shop.currency.to_f64(receipt.total());
        self.shop.metrics.revenue(&self.item_label, revenue);
        span.set(attribute::ORDER_STATUS, Status::Completed.as_str());
        span.set(attribute::ORDER_REVENUE, revenue);
        span.end();
    }

    fn failed(&self, mut span: Span, failure: &Failure) {
        self.shop.metrics.checkout_error(&self.item_label, failure.code());
        let status = if self.remote_may_hold() { Status::PendingRelease } else { Status::Failed };
        span.set(attribute::ORDER_STATUS, status.as_str());
        failure.mark(&mut span);
        if failure.is_error() {
            tracing::warn!(reference = %self.reference, reason = failure.code(), "checkout failed: {failure}");
        }
        span.end();
    }
}

/// Ends the order in the store; one that a remote inventory may hold stock for waits for that to be released first.
async fn end_as_failed(shop: &Shop, id: OrderId, remote_holds: bool, reason: &str) -> Result<(), StoreError> {
    let ended =
        if remote_holds { shop.store.await_release(id, reason).await } else { shop.store.fail_order(id, reason).await };
    match ended {
        // It has ended another way, or was lost with a batch: either way there is nothing left to give back.
        Err(StoreError::OrderEnded { .. } | StoreError::ReservationGone) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
