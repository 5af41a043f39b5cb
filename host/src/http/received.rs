//! The request that a handler gets.

use std::sync::Arc;

use hyper::HeaderMap;
use opentelemetry::trace::SpanContext;

use super::Inbound;
use crate::{telemetry::propagation::Carried, versions::Pinned};

/// A request with its route and its span.
#[derive(Debug)]
pub(super) struct Received {
    /// The SERVER span, the parent of the handler's spans.
    pub(super) parent: SpanContext,
    /// The plugins that the whole request uses, whatever is swapped meanwhile.
    pub(super) pinned: Arc<Pinned>,
    pub(super) carried: Carried,
    /// The decoded path segment in place of the route's braces; empty if the route has none.
    pub(super) named: String,
    /// The target's query, not decoded; empty if there is none.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Inbound,
}
