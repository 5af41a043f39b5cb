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
//! Plugins decide, the host does: whatever the plugin did, the order ends here. A canary's fault is none of its
//! customer's: while there is time left, what it took is given back (`db_start_over`) and the live version decides.

mod end;
mod release;
mod reply;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::trace::{SpanContext, SpanKind};
use tokio::time::timeout;

use end::{Completed, Failed};

use super::{
    Shop,
    answer::Answer,
    body, canary,
    cart::{self, Form, Wanted},
    idempotency::{self, Claim},
    permits::Permit,
    received::Received,
};
use crate::{
    imports::inventory::Place,
    order::{Cart, Fingerprint, Keyed, Receipt, Reference, Status},
    plugin::{
        Failure, Pinned, Snapshot,
        call::{self, Time},
    },
    store::{Durability, Inventory, NewOrder, OrderId, StoreError, Taker},
    telemetry::{
        names::{attribute, span},
        propagation::Carried,
        traces::Span,
    },
};

/// Parses the request and has the checkout carried out, or its first answer given again.
///
/// # Errors
/// A problem; past the request's deadline the order may still be completed, and its reference tells.
pub(super) async fn checkout(shop: &Arc<Shop>, received: Received) -> Answer {
    let key = idempotency::key(&received.headers)?;
    let bytes = body::read_json(&received.headers, received.body, &shop.limits).await?;
    let wanted = cart::read(&bytes);
    let claim = match key {
        None => None,
        Some(key) => {
            let fingerprint = wanted.as_ref().map_or_else(|_| Fingerprint::of_body(&bytes), Wanted::fingerprint);
            Some(shop.checkout_keys.claim(Keyed { key, fingerprint })?)
        }
    };
    let priced = wanted.and_then(|wanted| wanted.priced(shop.currency, &shop.prices));
    if let (None, Err(problem)) = (&claim, &priced) {
        return Err(problem.clone());
    }
    let permit = shop.checkouts.acquire().await?;
    // Before the cart counts: what was sold once is answered again, whatever the catalogue says by now.
    if let Some(claim) = &claim
        && let Some(earlier) = shop.store.earlier_checkout(&claim.keyed().key).await?
    {
        return claim.replay(earlier, &bytes);
    }
    let (cart, form) = priced?;
    let checkout = Checkout {
        shop: Arc::clone(shop),
        pinned: received.pinned,
        claim: claim.map(Arc::new),
        reference: Reference::random(),
        trace_id: received.parent.trace_id().to_string(),
        placed_at_ms: call::now_ms(),
        item_label: shop.item_label(cart.lines().iter().map(|line| &line.item)),
        cart,
        form,
        carried: received.carried,
        remote_holds: Arc::default(),
        permit: Arc::new(permit),
    };
    let reference = checkout.reference.clone();
    let context = received.parent.clone();
    let late = || format!("not done yet; ask for its end at /orders/{reference}");
    shop.see_through(&context, checkout.carry_out(received.parent), late).await
}

/// One checkout under way.
struct Checkout {
    shop: Arc<Shop>,
    pinned: Arc<Pinned>,
    /// The client's key: taken to the end, also when the client has gone.
    claim: Option<Arc<Claim>>,
    reference: Reference,
    trace_id: String,
    placed_at_ms: u64,
    cart: Cart,
    form: Form,
    item_label: String,
    carried: Carried,
    /// Whether a remote inventory may hold stock for the order.
    remote_holds: Arc<AtomicBool>,
    /// Held to the end, likewise.
    permit: Arc<Permit>,
}

impl Checkout {
    async fn carry_out(self, parent: SpanContext) -> Answer {
        let shop = &self.shop;
        shop.metrics.checkout(&self.item_label);
        let mut span = shop.tracer.start(span::CHECKOUT, SpanKind::Internal, Some(&parent), Vec::new());
        self.describe(&mut span);

        let created = match self.pinned.refusal(&self.cart) {
            // Nothing is written for what isn't going to be decided.
            Some(failure) => Err(failure),
            None => self.create(&span).await.map_err(Failure::Store),
        };
        let (span, ended) = match created {
            Ok(id) => self.decide_and_end(span, id).await,
            Err(failure) => (span, Err(Failed::from(failure))),
        };
        match ended {
            Ok(Completed { receipt, reply }) => {
                self.completed(span, &receipt);
                Ok(reply)
            }
            Err(Failed { failure, problem }) => {
                self.failed(span, &failure);
                Err(problem)
            }
        }
    }

    async fn decide_and_end(&self, span: Span, id: OrderId) -> (Span, Result<Completed, Failed>) {
        let began = Instant::now();
        let (mut span, mut decided) = self.decide(span, id, 1, Time::Whole).await;
        if let Err(failure) = &decided
            && let Some((live, left)) =
                canary::stand_in(&self.pinned, failure, began, self.shop.limits.checkout_call_ms)
        {
            canary::tell(&mut span, self.pinned.snapshot(), failure);
            let ends = Instant::now() + left;
            match self.start_over(&span, id, live, left).await {
                Ok(()) => {
                    let left = ends.saturating_duration_since(Instant::now());
                    (span, decided) = self.decide(span, id, 2, Time::Left(left)).await;
                }
                Err(error) => decided = Err(error),
            }
        }
        let completed = match decided {
            Ok(receipt) => self.complete(&span, id, receipt).await,
            Err(failure) => Err(failure),
        };
        let ended = match completed {
            Ok(completed) => Ok(completed),
            Err(failure) => Err(self.fail(&span, id, failure).await),
        };
        (span, ended)
    }

    /// Has the plugins decide; a deduct at another till is the order's `nth` then.
    async fn decide(&self, span: Span, id: OrderId, nth: u32, time: Time) -> (Span, Result<Receipt, Failure>) {
        let shop = &self.shop;
        let placed = call::Placed { id, placed_at_ms: self.placed_at_ms, currency: shop.currency, cart: &self.cart };
        call::checkout(&shop.plugins, self.pinned.snapshot(), span, &placed, self.place(id, nth), time).await
    }

    /// Gives back what a canary took, here or at a remote inventory, and lets the live plugins take over: they deduct there
    /// under a reference of their own, for what was answered under the canary's stands.
    ///
    /// # Errors
    /// When the store can't, or the remote inventory hasn't confirmed the release in time. Nobody takes over then.
    async fn start_over(&self, parent: &Span, id: OrderId, live: &Snapshot, left: Duration) -> Result<(), Failure> {
        if let Some(remote) = self.shop.remote.as_ref().filter(|_| self.remote_may_hold()) {
            let (tracer, url) = (&self.shop.tracer, remote.url());
            let releasing = remote.release(tracer, parent.context(), &url, &self.reference);
            let late = |_| Failure::InventoryUnreachable("no time was left for it to confirm a release".to_owned());
            timeout(left, releasing).await.map_err(late)??;
            self.remote_holds.store(false, Ordering::Relaxed);
        }
        let span = self.child(span::START_OVER, parent);
        let durability = self.durability();
        Ok(canary::start_over(&self.shop.store, span, Taker::Order(id), live, &self.pinned, durability).await?)
    }

    /// What leaves this host has to be findable after a crash; what stays here may be lost with it.
    fn durability(&self) -> Durability {
        if self.shop.remote.is_some() { Durability::Committed } else { Durability::Queued }
    }

    fn place(&self, id: OrderId, nth: u32) -> Place {
        match &self.shop.remote {
            None => Place::Here(Taker::Order(id)),
            Some(remote) => Place::Remote {
                remote: Arc::clone(remote),
                reference: self.reference.of_deduct(nth),
                carried: self.carried.clone(),
                holds: Arc::clone(&self.remote_holds),
            },
        }
    }

    async fn create(&self, parent: &Span) -> Result<OrderId, StoreError> {
        let mut span = self.child(span::CREATE_ORDER, parent);
        let inventory = match &self.shop.remote {
            None => Inventory::Local,
            Some(remote) => Inventory::Remote(remote.url()),
        };
        let order = NewOrder {
            reference: self.reference.clone(),
            inventory,
            currency: self.shop.currency,
            cart: self.cart.clone(),
            trace_id: self.trace_id.clone(),
            plugins: self.pinned.snapshot().header().to_owned(),
            placed_at_ms: self.placed_at_ms,
            keyed: self.claim.as_ref().map(|claim| claim.keyed().clone()),
        };
        let created = self.shop.store.create_order(order, self.durability()).await;
        match &created {
            Ok(id) => span.set(attribute::DB_ORDER_ID, i64::try_from(id.number()).unwrap_or(i64::MAX)),
            Err(error) => span.fail("store_unavailable", error.to_string()),
        }
        created
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
        // An open breaker is told once, when it opens.
        if failure.is_error() && !matches!(failure, Failure::BreakerOpen { .. }) {
            tracing::warn!(reference = %self.reference, reason = failure.code(), "checkout failed: {failure}");
        }
        span.end();
    }
}
