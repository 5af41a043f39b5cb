//! The shop's public HTTP interface.
//!
//! A request goes `server` and `connection` (with `wire` and `framing` below) → `router` (which route, its span, its answer's headers) → one file a
//! route. Handlers parse at the edge and return a value or a [`problem::Problem`]; only `problem` knows statuses.

mod access;
mod answer;
mod arrival;
pub mod body;
mod cart;
pub(crate) mod catalogue;
mod checkout;
mod connection;
mod cors;
mod facts;
mod frames;
mod framing;
mod hosts;
mod idempotency;
mod inventory;
mod links;
pub mod openapi;
mod orders;
pub mod problem;
pub(crate) mod query;
mod quote;
mod received;
mod router;
pub(crate) mod routes;
pub mod server;
mod socket;
mod waiting_answers;
mod watch;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;

pub use access::Access;
pub use answer::{Answer, Reply, rfc3339};
pub use arrival::{Arrival, Inbound, Unread};
pub use cors::check_origin;
pub(crate) use hosts::Hosts;
pub use inventory::{OnHand, levels};
pub use links::TraceLinks;
pub use orders::OrderJson;
use problem::Problem;
pub use router::handle;
pub(crate) use router::version_name;
pub use waiting_answers::Answers;
pub use watch::Watch;

use crate::{
    catalogue::LiveCatalogue,
    config::{Limits, Origins, Settings},
    facts::{Customers, DigestKey},
    failure::Failure,
    order::{Item, MinorUnits},
    shop::Shop,
    store::Answered,
    telemetry::{Metrics, Propagator, Telemetry, Tracer},
};

/// A response's body: small and complete.
pub type Body = Full<Bytes>;

/// The state that a request needs before and after the shop's flow. One for each process.
#[derive(Debug)]
pub struct Edge {
    shop: Arc<Shop>,
    tracer: Tracer,
    metrics: Metrics,
    propagator: Propagator,
    prices: BTreeMap<Item, MinorUnits>,
    catalogue: Arc<LiveCatalogue>,
    customers: Arc<Customers>,
    /// What digests of facts are keyed with, so that nobody can guess an address from a trace.
    digest_key: DigestKey,
    limits: Limits,
    inventory_access: Access,
    /// `None` if requests may use any host name.
    hosts: Option<Hosts>,
    watch: Watch,
    /// `None` if no traces are kept.
    links: Option<TraceLinks>,
    /// The sites whose pages may use the shop.
    origins: Origins,
}

impl Edge {
    /// Returns what carts are priced by, with the catalogue as it is now.
    fn priced_by(&self) -> cart::PricedBy<'_> {
        cart::PricedBy {
            currency: self.shop.currency,
            prices: &self.prices,
            catalogue: self.catalogue.now(),
            customers: &self.customers,
            digest_key: &self.digest_key,
        }
    }

    /// Returns the shop's edge; `links` is `None` if no traces are kept.
    ///
    /// # Errors
    /// If the inventory's token can't be used.
    pub fn new(
        settings: &Settings,
        (shop, catalogue, customers): (Arc<Shop>, Arc<LiveCatalogue>, Arc<Customers>),
        watch: Watch,
        links: Option<TraceLinks>,
        telemetry: &Telemetry,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            shop,
            tracer: telemetry.tracer().clone(),
            metrics: telemetry.metrics().clone(),
            propagator: *telemetry.propagator(),
            prices: settings.prices.clone(),
            catalogue,
            customers,
            digest_key: DigestKey::drawn(),
            limits: settings.limits.clone(),
            inventory_access: Access::of_inventory(settings)?,
            hosts: Hosts::of_shop(settings),
            watch,
            links,
            origins: settings.server.origins.clone(),
        }))
    }
}

/// Returns the answer to a failure, to be stored for a repeated request; `None` for a failure that asks to send the
/// request again.
#[must_use]
pub fn failed(failure: &Failure, trace_id: &str) -> Option<Answered> {
    Problem::from(failure).answered(trace_id)
}
