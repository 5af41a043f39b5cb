//! The shop's public HTTP.
//!
//! A request goes `server` and `connection` (with `wire` and `framing` below) → `router` (which route, its span, its answer's headers) → one file a
//! route. Handlers parse at the edge and return a value or a [`problem::Problem`]; only `problem.rs` knows statuses.

mod access;
mod answer;
mod arrival;
pub mod body;
mod canary;
mod cart;
mod checkout;
mod connection;
mod cors;
mod frames;
mod framing;
mod hosts;
mod idempotency;
mod inventory;
mod links;
pub mod openapi;
mod orders;
mod outbound;
mod permits;
pub mod problem;
pub(crate) mod query;
mod received;
mod router;
pub(crate) mod routes;
pub mod server;
mod watch;
mod wire;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use opentelemetry::trace::SpanContext;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use access::{Access, Token};
pub use answer::{Answer, Reply, rfc3339};
pub use arrival::{Arrival, Inbound, Unread};
pub use cors::check_origin;
use hosts::Hosts;
use idempotency::Keys;
pub use inventory::{OnHand, levels};
pub use links::TraceLinks;
pub use orders::OrderJson;
pub use outbound::Answers;
use permits::Permits;
use problem::Problem;
pub use router::handle;
pub(crate) use router::version_name;
pub use watch::Watch;

use crate::{
    config::{Limits, Origins, Settings},
    imports::inventory::remote::Remote,
    order::{Currency, Item, MinorUnits},
    plugin::Plugins,
    store::{Store, StoreError},
    telemetry::{Metrics, Propagator, Telemetry, Tracer, in_span},
};

/// How long a write waits to be tried again when the store can't take it.
const WRITE_RETRY: Duration = Duration::from_millis(250);

/// A response's body: small, and there as a whole.
pub type Body = Full<Bytes>;

/// What every request needs. One a process.
#[derive(Debug)]
pub struct Shop {
    plugins: Arc<Plugins>,
    store: Store,
    remote: Option<Arc<Remote>>,
    tracer: Tracer,
    metrics: Metrics,
    propagator: Propagator,
    currency: Currency,
    prices: BTreeMap<Item, MinorUnits>,
    limits: Limits,
    checkouts: Permits,
    checkout_keys: Arc<Keys>,
    deducts: Permits,
    deduct_keys: Arc<Keys>,
    /// How long an answer is kept under its key.
    answers_kept: Duration,
    inventory_access: Access,
    /// `None` where it is called by any name.
    hosts: Option<Hosts>,
    watch: Watch,
    /// `None` where no traces are kept.
    links: Option<TraceLinks>,
    /// Of sites whose pages may use the shop.
    origins: Origins,
    /// Checkouts under way: they go on when their client hangs up, and a shutdown waits for them.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What of the host a shop is made of.
#[derive(Debug)]
pub struct Parts {
    pub plugins: Arc<Plugins>,
    pub store: Store,
    pub watch: Watch,
    /// `None` where no traces are kept.
    pub links: Option<TraceLinks>,
}

impl Shop {
    /// # Errors
    /// When the inventory's address or token can't be used.
    pub fn new(
        settings: &Settings,
        parts: Parts,
        telemetry: &Telemetry,
        stopping: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let Parts { plugins, store, watch, links } = parts;
        let limits = settings.limits.clone();
        let propagator = *telemetry.propagator();
        let server = &settings.server;
        let remote = server.inventory_url.as_deref();
        let remote = remote.map(|url| Remote::new(url, server, propagator, &limits)).transpose()?;
        Ok(Arc::new(Self {
            plugins,
            store,
            remote,
            tracer: telemetry.tracer().clone(),
            metrics: telemetry.metrics().clone(),
            propagator,
            currency: settings.shop.currency,
            prices: settings.prices.clone(),
            checkouts: Permits::new(&limits, limits.concurrent_requests),
            checkout_keys: Arc::default(),
            deducts: Permits::new(&limits, limits.inventory_requests),
            deduct_keys: Arc::default(),
            answers_kept: Duration::from_secs(u64::from(settings.checkout.idempotency_hours) * 60 * 60),
            inventory_access: Access::of_inventory(settings)?,
            hosts: Hosts::of_shop(settings),
            watch,
            links,
            origins: server.origins.clone(),
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

    /// Carries out what mustn't be left half done: in a task of its own, so that a client that hangs up changes nothing.
    ///
    /// # Errors
    /// The work's own; 504 with the text of `late` when it isn't done by the request's deadline. It goes on then.
    async fn see_through(
        &self,
        span: &SpanContext,
        work: impl Future<Output = Answer> + Send + 'static,
        late: impl FnOnce() -> String,
    ) -> Answer {
        // Boxed before it is wrapped: a checkout's future is large, and every layer would move it once more.
        let task = self.tasks.spawn(in_span(span, Box::pin(work)));
        match tokio::time::timeout(Duration::from_millis(self.limits.request_ms), task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
            Err(_) => Err(Problem::deadline(late())),
        }
    }

    /// Goes on with a write that the store couldn't take, beside the answer, until it can or the host stops. What is
    /// `held` stays taken meanwhile: a key, and the request's place, so that no more wait than there are places.
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

    /// Returns the label under which an item counts in metrics: its name if the shop knows it. Labels are bounded.
    fn item_label<'a>(&self, items: impl Iterator<Item = &'a Item>) -> String {
        let mut items = items;
        match (items.next(), items.next()) {
            (Some(item), None) if self.store.knows(item) => item.to_string(),
            (Some(_), Some(_)) => "multiple".to_owned(),
            _ => "other".to_owned(),
        }
    }
}
