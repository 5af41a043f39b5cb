//! The shop without HTTP: a checkout from its cart to an order that is completed or failed, a deduct for another till,
//! and the writes that either leaves for later.
//!
//! ```text
//! checkout   the order's life: written, decided by plugins, ended in one transaction with its answer
//! price      what a cart costs, by the hooks of track 0.2
//! quote      what a cart would cost, with nothing written or taken
//! quote_tokens  what says so to a checkout, signed
//! deduct     here, by the inventory plugin, or at another till
//! stand_in   the live version takes over from a canary that is at fault
//! for_till   another till's deduct
//! end        writes a failed order's end, later if the store can't now
//! release    asks another till to release stock that it may hold, until it confirms
//! permits    how many are at work at once
//! keys       requests that are sent again
//! ```

mod checkout;
mod deduct;
mod end;
mod for_till;
mod keys;
mod permits;
mod price;
mod quote;
mod quote_tokens;
mod release;
pub mod remote;
mod stand_in;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::SpanContext;
use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use checkout::{Asked, Sold, Wanted};
pub use deduct::{OfSnapshot, Place, deduct};
pub use for_till::AskedToDeduct;
use keys::Keys;
pub use keys::{KeyRefused, KeyedRequest, Outcome};
pub use permits::{Full, Permit, Permits};
pub use price::Wishes;
pub use quote::AskedQuote;
use quote_tokens::QuoteTokens;
use remote::Remote;

use crate::{
    config::{Limits, PaymentMethods, Settings},
    failure::Failure,
    order::{Currency, Item},
    outbound::Outbound,
    store::{Answered, Store, StoreError},
    telemetry::{Metrics, Telemetry, Tracer, in_span},
    versions::Plugins,
};

/// How long a write waits to be tried again when the store can't take it.
const WRITE_RETRY: Duration = Duration::from_millis(250);

/// What every checkout needs. One per process.
#[derive(Debug)]
pub struct Shop {
    pub plugins: Arc<Plugins>,
    pub store: Store,
    remote: Option<Arc<Remote>>,
    tracer: Tracer,
    metrics: Metrics,
    pub currency: Currency,
    limits: Limits,
    pub checkouts: Permits,
    checkout_keys: Arc<Keys>,
    pub quotes_at_work: Permits,
    quote_tokens: QuoteTokens,
    /// Sends plugins' requests to others.
    outbound: Arc<Outbound>,
    payment_methods: PaymentMethods,
    pub deducts: Permits,
    deduct_keys: Arc<Keys>,
    /// How long an answer is kept under its key.
    answers_kept: Duration,
    tell_failed: TellFailed,
    /// Checkouts under way: they go on when their client hangs up, and a shutdown waits for them.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// Returns the answer to a failure, with that trace id, for repeating it under the request's key; `None` if it says to
/// send the request again.
pub type TellFailed = fn(&Failure, &str) -> Option<Answered>;

/// Why a request failed. `Unsound` is what is wrong with the request itself.
#[derive(Debug)]
pub enum Refused<Unsound> {
    Unsound(Unsound),
    Key(KeyRefused),
    Full(Full),
    Failed(Failure),
    /// The work isn't done by the request's deadline, and goes on.
    Late,
    /// The work's task panicked.
    Broken(JoinError),
}

impl<Unsound> From<KeyRefused> for Refused<Unsound> {
    fn from(refused: KeyRefused) -> Self {
        Self::Key(refused)
    }
}

impl<Unsound> From<Full> for Refused<Unsound> {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl<Unsound> From<Failure> for Refused<Unsound> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<Unsound> From<StoreError> for Refused<Unsound> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Shop {
    /// Returns a shop that serves until `stopping`.
    ///
    /// # Errors
    /// When the inventory's address or token, or the key of quotes, can't be used.
    pub fn new(
        settings: &Settings,
        (plugins, store): (Arc<Plugins>, Store),
        telemetry: &Telemetry,
        tell_failed: TellFailed,
        stopping: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let (limits, server) = (settings.limits.clone(), &settings.server);
        let remote = server.inventory_url.as_deref();
        let remote = remote.map(|url| Remote::new(url, server, *telemetry.propagator(), &limits)).transpose()?;
        let quote_tokens = QuoteTokens::new(&settings.quote, settings.shop.currency, store.is_shared())?;
        Ok(Arc::new(Self {
            plugins,
            store,
            remote,
            tracer: telemetry.tracer().clone(),
            metrics: telemetry.metrics().clone(),
            currency: settings.shop.currency,
            checkouts: Permits::new(&limits, limits.concurrent_requests),
            checkout_keys: Arc::default(),
            quotes_at_work: Permits::new(&limits, limits.quotes),
            quote_tokens,
            outbound: Arc::new(Outbound::new(&settings.outbound)?),
            payment_methods: settings.payment.methods.clone(),
            deducts: Permits::new(&limits, limits.inventory_requests),
            deduct_keys: Arc::default(),
            answers_kept: Duration::from_secs(u64::from(settings.checkout.idempotency_hours) * 60 * 60),
            tell_failed,
            limits,
            tasks: TaskTracker::new(),
            stopping,
        }))
    }

    /// Waits for the checkouts under way. No new one may be started by then.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs work that must not be left half done, in a task of its own: it goes on when the client hangs up.
    ///
    /// # Errors
    /// The work's own; [`Refused::Late`] when the work isn't done by the request's deadline, in which case it goes on.
    async fn run_to_completion<T: Send + 'static, Unsound>(
        &self,
        span: &SpanContext,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Refused<Unsound>> {
        // Boxed before it is wrapped: a checkout's future is large, and every layer would move it once more.
        let task = self.tasks.spawn(in_span(span, Box::pin(work)));
        match tokio::time::timeout(Duration::from_millis(self.limits.request_ms), task).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(broken)) => Err(Refused::Broken(broken)),
            Err(_) => Err(Refused::Late),
        }
    }

    /// Retries a write that the store couldn't take, in the background, until it succeeds, fails for good, or the host
    /// stops. Until then `held` isn't dropped: a key, and the request's permit, so that no more writes wait than
    /// permits.
    fn write_later<W>(self: &Arc<Self>, held: impl Send + 'static, write: impl Fn(Arc<Self>) -> W + Send + 'static)
    where
        W: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let shop = Arc::clone(self);
        self.tasks.spawn(async move {
            while !shop.stopping.is_cancelled() {
                tokio::time::sleep(WRITE_RETRY).await;
                if !write(Arc::clone(&shop)).await.is_err_and(|error| error.is_passing()) {
                    break;
                }
            }
            drop(held);
        });
    }

    /// Returns the label under which items count in metrics: an item's name if the shop knows it. Labels are bounded.
    fn item_label<'a>(&self, items: impl Iterator<Item = &'a Item>) -> String {
        let mut items = items;
        match (items.next(), items.next()) {
            (Some(item), None) if self.store.knows(item) => item.to_string(),
            (Some(_), Some(_)) => "multiple".to_owned(),
            _ => "other".to_owned(),
        }
    }
}
