//! A quote: what a cart would cost. The checkout plugin decides as for an order, and nothing is written or taken.
//!
//! ```text
//! POST /quote                SERVER
//! ├─ price_cart             where hooks of track 0.2 are installed, see price.rs; then, if they decide about money:
//! ├─ db_read_stock          whether what is bought is on hand
//! └─ checkout_quote         else the checkout plugin's call
//!    └─ db_read_stock       its deduct is answered from what is on hand
//! ```
//!
//! The inventory plugin isn't asked: what it decides about is taking. If the stock is at another till, a quote doesn't look at it, and
//! the plugin is told that 0 pieces are left. A canary that is at fault is stood in for, as in a checkout.

use std::{pin::Pin, sync::Arc, time::Duration};

use opentelemetry::trace::{SpanContext, SpanKind};

use super::{
    Refused, Shop,
    price::{Price, Wishes},
    quote_tokens::BadQuote,
    stand_in::{self, Attempt},
};
use crate::{
    clock::now_ms,
    failure::Failure,
    hooks::{Checkout as CheckoutHook, Hook, Placed, Purpose},
    imports::{
        Moment,
        inventory::{self, Deduct, Repeat},
    },
    order::{Agreed, Cart, Fingerprint, MinorUnits, Receipt, Reference, StockLine, sum_by_item},
    pricing::{HooksDecided, Quote},
    runtime::Time,
    store::{OrderId, StockLevel, Store},
    telemetry::{
        Tracer,
        names::{attribute, span},
        traces::Span,
    },
    versions::{Pinned, Snapshot},
};

/// A cart to quote.
#[derive(Debug)]
pub struct AskedQuote {
    pub cart: Cart,
    pub wishes: Wishes,
    pub fingerprint: Fingerprint,
    pub pinned: Arc<Pinned>,
    /// The parent of the quote's spans.
    pub parent: SpanContext,
}

impl Shop {
    /// Returns what the cart costs.
    ///
    /// # Errors
    /// Why it can't be sold now, as a checkout of it would say.
    pub async fn quote<Unsound>(self: &Arc<Self>, asked: AskedQuote) -> Result<Quote, Refused<Unsound>> {
        let AskedQuote { cart, wishes, fingerprint, pinned, parent } = asked;
        let _permit = self.quotes_at_work.acquire().await?;
        let placed_at_ms = now_ms();
        let of_cart = (Purpose::Quote, Moment::of_cart(&fingerprint, placed_at_ms));
        let priced = match self.price(&pinned, &cart, &wishes, of_cart, &parent).await {
            Ok(priced) => priced,
            Err(failure) => {
                self.metrics.quote(failure.code());
                return Err(failure.into());
            }
        };
        let (cart, receipt, by_hooks) = match priced {
            Some(Price { cart, receipt, decided }) => (cart, receipt, Some(Arc::new(decided))),
            None => (cart, None, None),
        };
        if let Some(receipt) = receipt {
            let in_stock = self.look_at_stock(&parent, &cart).await;
            self.metrics.quote(in_stock.as_ref().err().map_or("ok", Failure::code));
            in_stock?;
            return Ok(self.quoted(cart, receipt, by_hooks, &fingerprint, pinned.snapshot().header()));
        }
        let mut span = self.tracer.start(span::QUOTE, SpanKind::Internal, Some(&parent), Vec::new());
        span.set(attribute::ORDER_QUANTITY, i64::try_from(cart.pieces()).unwrap_or(i64::MAX));
        let placed = Placed { id: no_order(), placed_at_ms, currency: self.currency, cart: Arc::new(cart), case: None };
        let moment = Moment::of(&Reference::random(), placed_at_ms);
        let quoting = Quoting { shop: self, pinned: &pinned, placed: &placed, moment, span };
        let (quoting, decided) = match pinned.refusal(&placed.cart) {
            Some(failure) => (quoting, Err(failure)),
            None => stand_in::decide(quoting, &pinned, self.limits.checkout_call_ms).await,
        };
        let mut span = quoting.span;
        self.metrics.quote(decided.as_ref().err().map_or("ok", Failure::code));
        match decided {
            Ok(receipt) => {
                span.set(attribute::QUOTE_TOTAL, self.currency.to_f64(receipt.total()));
                span.end();
                let plugins = pinned.snapshot().header();
                let cart = Arc::unwrap_or_clone(placed.cart);
                Ok(self.quoted(cart, receipt, by_hooks, &fingerprint, plugins))
            }
            Err(failure) => {
                failure.mark(&mut span);
                span.end();
                Err(failure.into())
            }
        }
    }

    /// Returns the total that the token of a quote says of a cart.
    ///
    /// # Errors
    /// Why the token isn't taken.
    pub fn quoted_total(&self, token: &str, cart: &Fingerprint) -> Result<MinorUnits, BadQuote> {
        self.quote_tokens.total(token, cart, now_ms())
    }

    /// Returns why an order isn't sold: it costs something else than its client agreed to.
    pub(super) fn changed(
        &self,
        cart: &Cart,
        (receipt, decided): (Receipt, Option<Arc<HooksDecided>>),
        agreed: &Agreed,
        plugins: &str,
    ) -> Option<Failure> {
        (receipt.total() != agreed.total).then(|| Failure::QuoteChanged {
            agreed: agreed.total,
            quote: Box::new(self.quoted(cart.clone(), receipt, decided, &agreed.cart, plugins)),
        })
    }

    /// Returns whether what is bought is on hand. Stock at another till isn't looked at.
    async fn look_at_stock(&self, parent: &SpanContext, cart: &Cart) -> Result<(), Failure> {
        if self.remote.is_some() {
            return Ok(());
        }
        let stock = OnHand { store: self.store.clone(), tracer: self.tracer.clone() };
        stock.deduct(parent, &cart.stock_lines()).await.map(drop)
    }

    fn quoted(
        &self,
        cart: Cart,
        receipt: Receipt,
        decided: Option<Arc<HooksDecided>>,
        fingerprint: &Fingerprint,
        plugins: &str,
    ) -> Quote {
        let (token, valid_until_ms) = self.quote_tokens.sign(receipt.total(), fingerprint, plugins, now_ms());
        Quote { cart, receipt, currency: self.currency, token, valid_until_ms, decided }
    }
}

/// The plugins' decision about a cart that isn't ordered.
struct Quoting<'a> {
    shop: &'a Arc<Shop>,
    pinned: &'a Pinned,
    placed: &'a Placed,
    moment: Moment,
    /// The span of the checkout plugin's call.
    span: Span,
}

impl Attempt for Quoting<'_> {
    type Decided = Receipt;

    async fn decide(self, _: u32, time: Time) -> (Self, Result<Receipt, Failure>) {
        let shop = self.shop;
        let deduct: Box<dyn Deduct> = match &shop.remote {
            None => Box::new(OnHand { store: shop.store.clone(), tracer: shop.tracer.clone() }),
            Some(_) => Box::new(Repeat(None)),
        };
        let plugin = self.pinned.snapshot().required(CheckoutHook::KIND);
        let door = inventory::Door::new(deduct);
        let called = plugin.call::<CheckoutHook>(&shop.plugins, self.span, self.placed, door, self.moment, time);
        let (span, decided) = called.await;
        (Self { span, ..self }, decided)
    }

    async fn start_over(&mut self, failure: &Failure, _: &Snapshot, _: Duration) -> Result<(), Failure> {
        stand_in::tell(&mut self.span, self.pinned.snapshot(), failure);
        // Nothing was taken.
        self.pinned.take_over();
        Ok(())
    }
}

/// A deduct that takes nothing, and succeeds if everything is on hand.
#[derive(Debug)]
struct OnHand {
    store: Store,
    tracer: Tracer,
}

impl Deduct for OnHand {
    fn deduct<'a>(
        &'a self,
        parent: &'a SpanContext,
        lines: &'a [StockLine],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<StockLevel>, Failure>> + Send + 'a>> {
        Box::pin(async move {
            let mut span = self.tracer.start(span::READ_STOCK, SpanKind::Internal, Some(parent), Vec::new());
            let levels = self.levels(lines).await;
            if let Err(failure) = &levels {
                failure.mark(&mut span);
            }
            span.end();
            levels
        })
    }
}

impl OnHand {
    /// Returns what would be left after these lines.
    async fn levels(&self, lines: &[StockLine]) -> Result<Vec<StockLevel>, Failure> {
        let mut levels = Vec::new();
        for (item, pieces) in sum_by_item(lines) {
            let available = self.store.level(&item).await?.unwrap_or(0);
            let requested = u32::try_from(pieces).unwrap_or(u32::MAX);
            match available.checked_sub(requested) {
                Some(on_hand) => levels.push(StockLevel { item, on_hand }),
                None => return Err(Failure::OutOfStock { item, requested, available }),
            }
        }
        Ok(levels)
    }
}

/// Returns the number that a plugin sees in a quote, as in a trial: no order is written.
#[expect(clippy::expect_used, reason = "1 is a number that an order can have")]
fn no_order() -> OrderId {
    OrderId::new(1).expect("a number")
}
