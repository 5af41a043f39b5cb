//! What a handler gets of a request.

use std::sync::Arc;

use hyper::HeaderMap;
use opentelemetry::trace::SpanContext;

use super::Inbound;
use crate::{telemetry::propagation::Carried, versions::Pinned};

/// A request that has its route and its span.
#[derive(Debug)]
pub(super) struct Received {
    /// The SERVER span, below which the handler's belong.
    pub(super) parent: SpanContext,
    /// The plugins that this request uses, all of it, whatever is swapped meanwhile.
    pub(super) pinned: Arc<Pinned>,
    pub(super) carried: Carried,
    /// What its path names where the route has braces, decoded; empty where it has none.
    pub(super) named: String,
    /// As it stands in the target; empty without one.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Inbound,
}
