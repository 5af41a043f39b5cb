//! A call's spans as the tree that they form.

use std::collections::{BTreeSet, HashMap};

use crate::telemetry::recent::{KeptTrace, span::Span};

/// A span with those below it, in the order in which they started.
#[derive(Debug)]
pub struct Node<'a> {
    pub span: Span<'a>,
    pub children: Vec<Self>,
}

/// An id's bytes; none for a root's parent.
type Id = Option<[u8; 8]>;

/// Returns the roots of the trace: one, if all its spans were kept.
#[must_use]
pub fn tree(trace: &KeptTrace) -> Vec<Node<'_>> {
    let spans = trace.spans.in_order();
    let known: BTreeSet<_> = spans.iter().map(|span| span.id().to_bytes()).collect();
    let mut by_parent: HashMap<Id, Vec<Span<'_>>> = HashMap::new();
    for span in spans {
        let parent = span.parent_id().map(|parent| parent.to_bytes()).filter(|parent| known.contains(parent));
        by_parent.entry(parent).or_default().push(span);
    }
    nodes(&mut by_parent, None)
}

fn nodes<'a>(by_parent: &mut HashMap<Id, Vec<Span<'a>>>, parent: Id) -> Vec<Node<'a>> {
    let spans = by_parent.remove(&parent).unwrap_or_default();
    let node = |span: Span<'a>| Node { children: nodes(by_parent, Some(span.id().to_bytes())), span };
    spans.into_iter().map(node).collect()
}

impl Node<'_> {
    /// Returns the names of the span and of all below it, one per line, indented by two spaces per level.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let below = self.children.iter().flat_map(Self::names).map(|name| format!("  {name}"));
        std::iter::once(self.span.name.to_owned()).chain(below).collect()
    }
}
