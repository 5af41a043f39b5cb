//! What a query is held against: a trace, or one of its spans.

use std::sync::Arc;

use super::super::{
    KeptTrace, Line,
    lines::FieldValue,
    span::{Span, Value},
    summary::{Called, Summary, called},
};
use crate::telemetry::names::attribute;

/// What is counted and listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Of {
    #[default]
    Traces,
    Spans,
}

impl Of {
    /// Returns what the text names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "traces" => Some(Self::Traces),
            "spans" => Some(Self::Spans),
            _ => None,
        }
    }
}

/// A trace with its spans read, or one of them.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub trace: &'a Summary,
    spans: &'a [Span<'a>],
    lines: &'a [Arc<Line>],
    /// The span that is looked at; `None` for the trace.
    pub span: Option<&'a Span<'a>>,
}

impl<'a> Seen<'a> {
    /// Reads a trace and returns what `look` makes of it; `None` if it has no local root, which every kept trace has.
    pub fn read<T>(trace: &KeptTrace, look: impl FnOnce(Seen<'_>) -> Option<T>) -> Option<T> {
        let spans = trace.spans.in_order();
        let summary = Summary::of_spans(trace.trace_id, &spans)?;
        look(Seen { trace: &summary, spans: &spans, lines: &trace.lines, span: None })
    }

    /// Returns each span of the trace, to be held against a query by itself.
    pub fn each_span(self) -> impl Iterator<Item = Seen<'a>> {
        self.spans.iter().map(move |span| Seen { span: Some(span), ..self })
    }

    /// Returns the spans that are looked at.
    #[must_use]
    pub fn spans(&self) -> &'a [Span<'a>] {
        self.span.map_or(self.spans, std::slice::from_ref)
    }

    #[must_use]
    pub fn start_us(&self) -> u64 {
        self.span.map_or(self.trace.start_us, Span::start_us)
    }

    #[must_use]
    pub fn took_us(&self) -> u64 {
        self.span.map_or(self.trace.duration_us, Span::duration_us)
    }

    #[must_use]
    pub fn is_error(&self) -> bool {
        self.span.map_or(self.trace.is_error, Span::is_error)
    }

    pub(super) fn outcome(&self) -> Option<String> {
        match self.span {
            None => self.trace.outcome.clone(),
            Some(span) => span.value(attribute::PLUGIN_OUTCOME).map(|value| value.text().into_owned()),
        }
    }

    /// Returns the plugins' versions that were called.
    #[must_use]
    pub fn versions(&self) -> Vec<Called> {
        self.span.map_or_else(|| self.trace.versions.clone(), |span| called(span).into_iter().collect())
    }

    /// Returns whether a text, in lower case, is part of a name, an attribute, an event, an error or a log line.
    pub(super) fn has_text(&self, lower: &str) -> bool {
        let is_in = |text: &str| contains(text, lower);
        let of_trace = || {
            let trace = self.trace;
            let own = [&trace.route, &trace.outcome, &trace.item, &trace.reference].into_iter().flatten();
            own.chain([&trace.name, &trace.trace_id]).chain(&trace.plugins).any(|text| is_in(text))
        };
        let of_line = |line: &Arc<Line>| {
            is_in(&line.message) || line.fields.iter().any(|(name, value)| is_in(name) || is_in_field(value, lower))
        };
        let has_line = |line: &Arc<Line>| self.span.is_none_or(|span| span.id() == line.span_id) && of_line(line);
        (self.span.is_none() && of_trace())
            || self.spans().iter().any(|span| has_text(span, lower))
            || self.lines.iter().any(has_line)
    }
}

fn is_in_field(value: &FieldValue, lower: &str) -> bool {
    matches!(value, FieldValue::Text(text) if contains(text, lower))
}

fn has_text(span: &Span<'_>, lower: &str) -> bool {
    let is_in = |text: &str| contains(text, lower);
    let of_pairs = |pairs: &[(&str, Value<'_>)]| pairs.iter().any(|(key, value)| is_in(key) || is_in(&value.text()));
    span.error().is_some_and(is_in)
        || is_in(span.name)
        || of_pairs(&span.attributes)
        || span.events.iter().any(|event| is_in(event.name) || of_pairs(&event.attributes))
}

/// Returns whether the text contains another, which is in lower case.
fn contains(text: &str, lower: &str) -> bool {
    if text.is_ascii() {
        // Without a copy: most texts are no match.
        return lower.is_empty()
            || text.as_bytes().windows(lower.len()).any(|part| part.eq_ignore_ascii_case(lower.as_bytes()));
    }
    text.to_lowercase().contains(lower)
}
