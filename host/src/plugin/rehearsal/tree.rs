//! A call's spans as the tree that they form.

use std::{collections::HashMap, sync::Arc};

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

use crate::telemetry::recent::Kept;

/// A span with what hangs below it, in the order it started.
#[derive(Debug)]
pub struct Node {
    pub span: Arc<SpanData>,
    pub children: Vec<Self>,
}

/// Returns the roots of the trace: one, if all its spans were kept.
#[must_use]
pub fn tree(trace: &Kept) -> Vec<Node> {
    let mut by_parent: HashMap<SpanId, Vec<&Arc<SpanData>>> = HashMap::new();
    let known = |id: SpanId| trace.spans.iter().any(|span| span.span_context.span_id() == id);
    for span in &trace.spans {
        let parent = if known(span.parent_span_id) { span.parent_span_id } else { SpanId::INVALID };
        by_parent.entry(parent).or_default().push(span);
    }
    nodes(&mut by_parent, SpanId::INVALID)
}

fn nodes(by_parent: &mut HashMap<SpanId, Vec<&Arc<SpanData>>>, parent: SpanId) -> Vec<Node> {
    let spans = by_parent.remove(&parent).unwrap_or_default();
    let node = |span: &Arc<SpanData>| {
        let children = nodes(by_parent, span.span_context.span_id());
        Node { span: Arc::clone(span), children }
    };
    spans.into_iter().map(node).collect()
}

impl Node {
    /// Returns the names of it and of all below, one a line, indented by two spaces a level.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let below = self.children.iter().flat_map(Self::names).map(|name| format!("  {name}"));
        std::iter::once(self.span.name.to_string()).chain(below).collect()
    }
}
