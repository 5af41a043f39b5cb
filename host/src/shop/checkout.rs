//! A checkout: from a cart to a completed order, or to a failure that changes nothing.
//!
//! ```text
//! POST /checkout                              SERVER
//! ├─ price_cart                               where hooks of track 0.2 are installed, see price.rs
//! └─ checkout_transaction                     the checkout plugin's call; stays open until the commit. Where hooks decide
//!    │                                        about money, the host's own
//!    ├─ db_create_order                       order PENDING
//!    ├─ inventory_deduct_span                 or http_call_inventory_service, see deduct.rs
//!    │  └─ db_take_stock
//!    └─ db_complete_order                     COMPLETED and the reservation final, one transaction
//!       or db_fail_order                      FAILED and the stock given back, one transaction
//! ```
//!
//! The order's creation is queued, and its first take is answered before the store's writer has written it: the plugins
//! decide without waiting for another order's commit. The store may write both together with the order's end. The end
//! waits for its own commit, and fails if the creation or the take couldn't be written.
//!
//! The plugins decide, and the host acts: whatever a plugin did, the order ends here. A customer doesn't see a canary's
//! fault: while there is time left, what the canary took is given back (`db_start_over`) and the live version decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::trace::{SpanContext, SpanKind};
use tokio::time::timeout;

use super::{
    Permit, Refused, Shop,
    deduct::{OfSnapshot, Place},
    end::End,
    keys::{Claim, KeyRefused, KeyedRequest, Outcome},
    price::{Price, Wishes},
    stand_in::{self, Attempt},
};
use crate::{
    clock::now_ms,
    failure::Failure,
    hooks::{Checkout as CheckoutHook, Hook, Placed, Purpose},
    imports::{Moment, inventory},
    order::{Agreed, Cart, Currency, Fingerprint, Receipt, Reference, Status},
    pricing::HooksDecided,
    recordings::{impersonal, impersonal_item},
    runtime::Time,
    store::{Answered, BegunOrder, Durability, Inventory, NewOrder, OrderId, StoreError, Taker},
    telemetry::{
        names::{attribute, span},
        propagation::Carried,
        traces::Span,
    },
    units::i64_of,
    versions::{Pinned, Snapshot},
};

/// What a client asks for.
#[derive(Debug)]
pub struct Asked<Unsound> {
    /// The client's key, with the fingerprint of the request.
    pub keyed: Option<KeyedRequest>,
    /// The cart and what its client agreed to pay, or what is wrong with them. The latter counts only if the key wasn't
    /// answered before.
    pub cart: Result<Wanted, Unsound>,
    /// The order's reference, with which a client asks how the order ended.
    pub reference: Reference,
    /// The plugins that this request uses to its end, whatever is swapped meanwhile.
    pub pinned: Arc<Pinned>,
    /// The parent of the checkout's spans.
    pub parent: SpanContext,
    pub carried: Carried,
}

/// What a client wants to buy.
#[derive(Debug)]
pub struct Wanted {
    pub cart: Cart,
    pub wishes: Wishes,
    /// The cart's fingerprint, wishes included: a quote's and its checkout's are equal.
    pub fingerprint: Fingerprint,
    /// What the client agreed to pay, if it said so.
    pub agreed: Option<Agreed>,
}

/// An order that is about to be completed.
#[derive(Debug)]
pub struct Sold<'a> {
    pub id: OrderId,
    pub reference: &'a Reference,
    pub cart: &'a Cart,
    pub receipt: &'a Receipt,
    pub currency: Currency,
}

/// Returns what the client of a completed order is told, which is kept with the order.
type TellSold = Box<dyn Fn(&Sold<'_>) -> Result<Answered, StoreError> + Send + Sync>;

impl Shop {
    /// Carries a checkout out, or returns what was answered under its key before.
    ///
    /// # Errors
    /// Why it failed. After [`Refused::Late`] the order may still be completed, and its reference tells.
    pub async fn checkout<Unsound>(
        self: &Arc<Self>,
        asked: Asked<Unsound>,
        tell_sold: impl Fn(&Sold<'_>) -> Result<Answered, StoreError> + Send + Sync + 'static,
    ) -> Result<Outcome, Refused<Unsound>> {
        let Asked { keyed, cart, reference, pinned, parent, carried } = asked;
        let claim = keyed.map(|keyed| self.checkout_keys.claim(keyed)).transpose()?;
        let cart = match (&claim, cart) {
            (None, Err(unsound)) => return Err(Refused::Unsound(unsound)),
            (_, cart) => cart,
        };
        let permit = self.checkouts.acquire().await?;
        // Before the cart counts: a completed order is answered again, even if the catalogue has changed since.
        if let Some(claim) = &claim
            && let Some(earlier) = self.store.earlier_checkout(&claim.keyed().key).await?
        {
            return Ok(claim.replay(earlier)?);
        }
        let Wanted { cart, wishes, fingerprint, agreed } = cart.map_err(Refused::Unsound)?;
        let checkout = Checkout {
            shop: Arc::clone(self),
            pinned,
            claim: claim.map(Arc::new),
            reference,
            trace_id: parent.trace_id().to_string(),
            placed_at_ms: now_ms(),
            item_label: self.item_label(cart.lines().iter().map(|line| &line.item)),
            cart: Arc::new(cart),
            wishes,
            fingerprint,
            agreed,
            receipt: None,
            decided: None,
            tell_sold: Box::new(tell_sold),
            carried,
            remote_holds: Arc::default(),
            permit: Arc::new(permit),
        };
        let context = parent.clone();
        let claim = checkout.claim.clone();
        match (self.run_to_completion(&context, checkout.carry_out(parent)).await, claim) {
            // Another host has the key: it carries the request out, or has done so meanwhile.
            (Err(Refused::Failed(Failure::Store(StoreError::KeyTaken))), Some(claim)) => {
                match self.store.earlier_checkout(&claim.keyed().key).await? {
                    Some(earlier) => Ok(claim.replay(earlier)?),
                    None => Err(KeyRefused::InFlight.into()),
                }
            }
            (done, _) => done.map(Outcome::First),
        }
    }
}

/// One checkout under way.
struct Checkout {
    shop: Arc<Shop>,
    pinned: Arc<Pinned>,
    /// The client's key: claimed until the checkout has ended, even if the client has gone.
    claim: Option<Arc<Claim>>,
    reference: Reference,
    trace_id: String,
    placed_at_ms: u64,
    /// What the client sent, then what the hooks made of it.
    cart: Arc<Cart>,
    wishes: Wishes,
    fingerprint: Fingerprint,
    /// What the order costs by the hooks; `None` if the checkout plugin prices it.
    receipt: Option<Receipt>,
    decided: Option<Arc<HooksDecided>>,
    /// What the client agreed to pay; whatever the order costs if `None`.
    agreed: Option<Agreed>,
    tell_sold: TellSold,
    item_label: String,
    carried: Carried,
    /// Whether a remote inventory may hold stock for the order.
    remote_holds: Arc<AtomicBool>,
    /// Held until the checkout has ended.
    permit: Arc<Permit>,
}

/// An order that is being created, and the span of its creation.
struct Creation {
    order: BegunOrder,
    span: Span,
}

/// Waits for the creation, unless that was done before.
async fn created(creation: &mut Option<Creation>) -> Result<(), StoreError> {
    let Some(Creation { order, mut span }) = creation.take() else { return Ok(()) };
    match order.created().await {
        Ok(at) => span.end_at(at),
        Err(error) => {
            span.fail("store_unavailable", error.to_string());
            return Err(error);
        }
    }
    Ok(())
}

/// A completed order, and what its client is told.
struct Completed {
    receipt: Receipt,
    answer: Answered,
}

impl Checkout {
    async fn carry_out(mut self, parent: SpanContext) -> Result<Answered, Failure> {
        self.shop.metrics.checkout(&self.item_label);
        let priced = self.price(&parent).await;
        let shop = &self.shop;
        let mut span = shop.tracer.start(span::CHECKOUT, SpanKind::Internal, Some(&parent), Vec::new());
        self.describe(&mut span);

        let refusal = priced.err().or_else(|| self.pinned.refusal(&self.cart));
        let begun = match refusal {
            // No order is written if no plugin is going to decide about it.
            Some(failure) => Err(failure),
            None => self.begin(&span).await.map_err(Failure::Store),
        };
        let (span, ended) = match begun {
            Ok(creation) => self.decide_and_end(span, creation).await,
            Err(failure) => (span, Err(failure)),
        };
        match ended {
            Ok(Completed { receipt, answer }) => {
                self.completed(span, &receipt);
                Ok(answer)
            }
            Err(failure) => {
                self.failed(span, &failure);
                Err(failure)
            }
        }
    }

    /// Has the hooks of track 0.2 say what the cart costs, if there are any.
    async fn price(&mut self, parent: &SpanContext) -> Result<(), Failure> {
        let of_cart = (Purpose::Checkout, Moment::of_cart(&self.fingerprint, self.placed_at_ms));
        let priced = self.shop.price(&self.pinned, &self.cart, &self.wishes, of_cart, parent).await?;
        if let Some(Price { cart, receipt, decided }) = priced {
            self.cart = Arc::new(cart);
            self.receipt = receipt;
            self.decided = Some(Arc::new(decided));
        }
        Ok(())
    }

    async fn decide_and_end(&self, span: Span, creation: Creation) -> (Span, Result<Completed, Failure>) {
        let id = creation.order.id;
        let mut creation = Some(creation);
        if self.shop.remote.is_some()
            && let Err(error) = created(&mut creation).await
        {
            return (span, Err(error.into()));
        }
        let deciding = Deciding { checkout: self, id, span };
        let whole_ms = self.shop.limits.checkout_call_ms;
        let (Deciding { mut span, .. }, decided) = stand_in::decide(deciding, &self.pinned, whole_ms).await;
        let decided = decided.and_then(|receipt| self.as_agreed(&mut span, receipt));
        let was_decided = decided.is_ok();
        let ended = match decided {
            Ok(receipt) => self.complete(&span, id, receipt).await,
            Err(failure) => Err(self.fail(&span, id, failure).await),
        };
        // Known by now, because the end was carried out after the creation. An order that wasn't created has nothing to end.
        if let Err(error) = created(&mut creation).await {
            return (span, Err(error.into()));
        }
        let ended = match ended {
            Err(failure) if was_decided => Err(self.fail(&span, id, failure).await),
            ended => ended,
        };
        (span, ended)
    }

    /// Returns the receipt if it is what the client agreed to.
    ///
    /// # Errors
    /// [`Failure::QuoteChanged`] with what the order costs.
    fn as_agreed(&self, span: &mut Span, receipt: Receipt) -> Result<Receipt, Failure> {
        let Some(agreed) = &self.agreed else { return Ok(receipt) };
        let changed = self.shop.changed(
            &self.cart,
            (receipt.clone(), self.decided.clone()),
            agreed,
            self.pinned.snapshot().header(),
        );
        span.set(attribute::ORDER_QUOTE, if changed.is_some() { "changed" } else { "matched" });
        changed.map_or(Ok(receipt), Err)
    }

    /// Returns when a step of the order is answered. If another till takes its stock, the step has to survive a crash
    /// first; otherwise a crash may lose the order together with its reservation.
    fn durability(&self) -> Durability {
        if self.shop.remote.is_some() { Durability::Committed } else { Durability::Queued }
    }

    /// Returns where the order's `nth` deduct takes its stock.
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

    /// Queues the order's creation. The plugins decide meanwhile: what they ask of the store is carried out after it.
    async fn begin(&self, parent: &Span) -> Result<Creation, StoreError> {
        let mut span = self.child(span::CREATE_ORDER, parent);
        let inventory = match &self.shop.remote {
            None => Inventory::Local,
            Some(remote) => Inventory::Remote(remote.url()),
        };
        let order = NewOrder {
            reference: self.reference.clone(),
            inventory,
            currency: self.shop.currency,
            cart: (*self.cart).clone(),
            trace_id: self.trace_id.clone(),
            plugins: self.pinned.snapshot().header().to_owned(),
            placed_at_ms: self.placed_at_ms,
            keyed: self.claim.as_ref().map(|claim| claim.keyed().clone()),
        };
        match self.shop.store.begin_order(order, self.durability()).await {
            Ok(order) => {
                span.set(attribute::DB_ORDER_ID, i64_of(order.id.number()));
                Ok(Creation { order, span })
            }
            Err(error) => {
                span.fail("store_unavailable", error.to_string());
                Err(error)
            }
        }
    }

    /// Completes the order.
    ///
    /// # Errors
    /// When the store can't, or its stock is no longer held. The order is to be failed then.
    async fn complete(&self, parent: &Span, id: OrderId, receipt: Receipt) -> Result<Completed, Failure> {
        let mut span = self.child(span::COMPLETE_ORDER, parent);
        let (reference, currency) = (&self.reference, self.shop.currency);
        let answer = (self.tell_sold)(&Sold { id, reference, cart: &self.cart, receipt: &receipt, currency })?;
        let kept = self.claim.as_ref().map(|_| answer.clone());
        match self.shop.store.complete_order(id, &receipt, kept).await {
            Ok(()) => Ok(Completed { receipt, answer }),
            Err(error) => {
                span.fail("store_unavailable", error.to_string());
                Err(error.into())
            }
        }
    }

    /// Fails the order and gives its stock back. If the store can't write that now, it is retried in the background,
    /// and the failure that is returned is the store's: no end is reported that isn't durable, and no order stays
    /// pending because a disk was full for a moment.
    async fn fail(&self, parent: &Span, id: OrderId, failure: Failure) -> Failure {
        let answer = self.claim.as_ref().and_then(|_| (self.shop.tell_failed)(&failure, &self.trace_id));
        let end = End { id, reason: failure.code(), remote_holds: self.remote_may_hold(), answer };
        let mut span = self.child(if end.remote_holds { span::AWAIT_RELEASE } else { span::FAIL_ORDER }, parent);
        let Err(error) = end.write(&self.shop).await else { return failure };
        span.fail("store_unavailable", error.to_string());
        if error.is_passing() {
            tracing::warn!(order_id = id.number(), "order {} can't be failed yet: {error}", id.number());
            end.write_later(&self.shop, (self.claim.clone(), Arc::clone(&self.permit)));
        }
        Failure::Store(error)
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
                span.set(attribute::ORDER_ITEM, impersonal_item(line.item.as_str()).into_owned());
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
        // An open breaker is logged once, when it opens, and so is a shared database's outage. A key that another host has is its
        // client's affair.
        let is_told = match failure {
            Failure::BreakerOpen { .. } | Failure::Store(StoreError::KeyTaken) => true,
            Failure::Store(StoreError::Unavailable(outage)) => outage.is_told(),
            _ => false,
        };
        if failure.is_error() && !is_told {
            let text = failure.to_string();
            let (reference, text) = (&self.reference, impersonal(&text));
            tracing::warn!(%reference, reason = failure.code(), "checkout failed: {text}");
        }
        span.end();
    }
}

/// The plugins' decision about an order that is written.
struct Deciding<'a> {
    checkout: &'a Checkout,
    id: OrderId,
    /// The span of the checkout plugin's call.
    span: Span,
}

impl Attempt for Deciding<'_> {
    type Decided = Receipt;

    /// Calls the plugins. A deduct at another till then is the order's `nth`.
    async fn decide(self, nth: u32, time: Time) -> (Self, Result<Receipt, Failure>) {
        let Checkout { shop, pinned, reference, cart, placed_at_ms, .. } = self.checkout;
        let (placed_at_ms, cart) = (*placed_at_ms, Arc::clone(cart));
        let moment = Moment::of(reference, placed_at_ms);
        let placed = Placed { id: self.id, placed_at_ms, currency: shop.currency, cart, case: None };
        let snapshot = pinned.snapshot();
        let deduct = OfSnapshot {
            plugins: Arc::clone(&shop.plugins),
            snapshot: Arc::clone(snapshot),
            place: self.checkout.place(self.id, nth),
            moment,
        };
        if let Some(receipt) = &self.checkout.receipt {
            let lines = placed.cart.stock_lines();
            let OfSnapshot { plugins, snapshot, place, moment } = &deduct;
            let deducted = super::deduct(plugins, snapshot, place, (*moment, time), self.span.context(), &lines).await;
            return (self, deducted.map(|_| receipt.clone()));
        }
        let door = inventory::Door::new(Box::new(deduct));
        let plugin = snapshot.required(CheckoutHook::KIND);
        let (span, decided) = plugin.call::<CheckoutHook>(&shop.plugins, self.span, &placed, door, moment, time).await;
        (Self { span, ..self }, decided)
    }

    /// Gives back what a canary took, here or at a remote inventory, and lets the live plugins take over. At a remote
    /// inventory they deduct under a reference of their own, since the answer under the canary's is final.
    async fn start_over(&mut self, failure: &Failure, live: &Snapshot, left: Duration) -> Result<(), Failure> {
        let Checkout { shop, pinned, reference, remote_holds, .. } = self.checkout;
        stand_in::tell(&mut self.span, pinned.snapshot(), failure);
        if let Some(remote) = shop.remote.as_ref().filter(|_| self.checkout.remote_may_hold()) {
            let url = remote.url();
            let releasing = remote.release(&shop.tracer, self.span.context(), &url, reference);
            let late = |_| Failure::InventoryUnreachable("no time was left for it to confirm a release".to_owned());
            timeout(left, releasing).await.map_err(late)??;
            remote_holds.store(false, Ordering::Relaxed);
        }
        let span = self.checkout.child(span::START_OVER, &self.span);
        let durability = self.checkout.durability();
        Ok(stand_in::start_over(&shop.store, span, Taker::Order(self.id), live, pinned, durability).await?)
    }
}
