//! A trace as `GET /recent/traces/{trace_id}` returns it, made into what people and programs read: spans in the order of a
//! tree, with their own time, and below each what happened in it. The trace page does the same in `model.js`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{super::client::Admin, Called};
use crate::{
    cli::text::{field, iso},
    telemetry::names::attribute,
};

/// A trace for programs.
#[derive(Debug, Serialize)]
pub(super) struct Trace {
    pub(super) trace_id: String,
    pub(super) started_at: String,
    pub(super) duration_us: u64,
    /// The order's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// Parents before their children.
    pub(super) spans: Vec<Span>,
    /// Log lines of no span that is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) lines: Vec<Happened>,
    pub(super) warnings: Vec<String>,
    #[serde(skip)]
    pub(super) start_us: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Span {
    pub(super) span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_id: Option<String>,
    pub(super) depth: usize,
    pub(super) name: String,
    pub(super) started_at: String,
    pub(super) duration_us: u64,
    /// The time in which none of its children was at work.
    pub(super) own_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plugin: Option<Called>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<String>,
    /// Whether the plugin itself made the span.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_plugin: bool,
    pub(super) is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) attributes: BTreeMap<String, Value>,
    /// Its events and log lines, in their order.
    pub(super) happened: Vec<Happened>,
    pub(super) warnings: Vec<String>,
    #[serde(skip)]
    pub(super) start_us: u64,
}

/// An event of a span, or a line that was logged in it.
#[derive(Debug, Serialize)]
pub(super) struct Happened {
    pub(super) at: String,
    #[serde(flatten)]
    pub(super) what: What,
    pub(super) fields: BTreeMap<String, Value>,
    #[serde(skip)]
    pub(super) at_us: u64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum What {
    Event { event: String },
    Line { level: String, message: String },
}

#[derive(Deserialize)]
struct Answered {
    trace: AnsweredTrace,
    lines: Vec<AnsweredLine>,
    #[serde(default)]
    lines_dropped: u64,
}

#[derive(Deserialize)]
struct AnsweredTrace {
    spans: Vec<AnsweredSpan>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnsweredSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    tags: Vec<Tag>,
    logs: Vec<Log>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
struct Log {
    timestamp: u64,
    fields: Vec<Tag>,
}

#[derive(Deserialize)]
struct AnsweredLine {
    time_us: u64,
    level: String,
    message: String,
    span_id: String,
    fields: BTreeMap<String, Value>,
}

/// Asks for a trace.
///
/// # Errors
/// If it isn't kept any more.
pub(super) fn read(id: &str, admin: &Admin) -> anyhow::Result<Trace> {
    let Answered { trace, lines, lines_dropped } = admin.get(&format!("/recent/traces/{id}"))?;
    let mut warnings = trace.warnings.unwrap_or_default();
    if lines_dropped > 0 {
        warnings.push(format!("{lines_dropped} more log lines of this trace were not kept"));
    }
    let mut spans = in_order(trace.spans);
    let mut homeless = Vec::new();
    for line in lines {
        let at = spans.iter_mut().find(|span| span.span_id == line.span_id);
        at.map_or(&mut homeless, |span| &mut span.happened).push(Happened::of_line(line));
    }
    for span in &mut spans {
        span.happened.sort_by_key(|happened| happened.at_us);
    }
    let start_us = spans.iter().map(|span| span.start_us).min().unwrap_or_default();
    let end_us = spans.iter().map(|span| span.start_us + span.duration_us).max().unwrap_or_default();
    let reference = spans.iter().find_map(|span| span.attributes.get(attribute::ORDER_REFERENCE)).map(field);
    Ok(Trace {
        trace_id: id.to_owned(),
        started_at: iso(start_us),
        duration_us: end_us.saturating_sub(start_us),
        reference,
        spans,
        lines: homeless,
        warnings,
        start_us,
    })
}

/// Returns the spans as a tree is written: parents before their children, siblings by their beginning. A span whose
/// parent isn't kept is a root; so is the first of spans that are each other's parents.
fn in_order(mut answered: Vec<AnsweredSpan>) -> Vec<Span> {
    answered.sort_by_key(|span| span.start_time);
    let ids: BTreeSet<&str> = answered.iter().map(|span| &*span.span_id).collect();
    let mut children: BTreeMap<&str, Vec<&AnsweredSpan>> = BTreeMap::new();
    let (mut roots, mut others) = (Vec::new(), Vec::new());
    for span in &answered {
        match span.parent_id().filter(|parent| ids.contains(parent)) {
            Some(parent) => {
                children.entry(parent).or_default().push(span);
                others.push(span);
            }
            None => roots.push(span),
        }
    }
    let (mut ordered, mut placed) = (Vec::new(), BTreeSet::new());
    for root in roots.into_iter().chain(others) {
        let mut waiting = vec![(root, 0)];
        while let Some((span, depth)) = waiting.pop() {
            if !placed.insert(&*span.span_id) {
                continue;
            }
            let below = children.get(&*span.span_id).map(Vec::as_slice).unwrap_or_default();
            ordered.push(Span::of(span, depth, below));
            waiting.extend(below.iter().rev().map(|child| (*child, depth + 1)));
        }
    }
    ordered
}

impl AnsweredSpan {
    fn parent_id(&self) -> Option<&str> {
        self.references.iter().find(|reference| reference.ref_type == "CHILD_OF").map(|parent| &*parent.span_id)
    }

    /// Returns the time in which none of the children, which are in their order, was at work.
    fn own_us(&self, children: &[&Self]) -> u64 {
        let end = self.start_time + self.duration;
        let (mut own, mut at) = (0, self.start_time);
        for child in children {
            own += child.start_time.min(end).saturating_sub(at);
            at = at.max(end.min(child.start_time + child.duration));
        }
        own + end.saturating_sub(at)
    }
}

impl Span {
    fn of(span: &AnsweredSpan, depth: usize, children: &[&AnsweredSpan]) -> Self {
        let attributes: BTreeMap<_, _> = span.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        let text = |key: &str| attributes.get(key).map(field);
        let is_set = |key: &str| text(key).is_some_and(|value| value == "true");
        let plugin = text(attribute::PLUGIN_NAME).map(|name| Called {
            installation: text(attribute::PLUGIN_INSTALLATION),
            name,
            version: text(attribute::PLUGIN_VERSION).unwrap_or_default(),
            number: attributes.get(attribute::PLUGIN_NUMBER).and_then(Value::as_u64),
            rollout: text(attribute::PLUGIN_ROLLOUT).unwrap_or_else(|| "live".to_owned()),
        });
        Self {
            span_id: span.span_id.clone(),
            parent_id: span.parent_id().map(str::to_owned),
            depth,
            name: span.operation_name.clone(),
            started_at: iso(span.start_time),
            duration_us: span.duration,
            own_us: span.own_us(children),
            plugin,
            outcome: text(attribute::PLUGIN_OUTCOME),
            by_plugin: is_set(attribute::PLUGIN_SPAN),
            is_error: is_set("error"),
            error: text("otel.status_description"),
            happened: span.logs.iter().map(Happened::of_event).collect(),
            warnings: span.warnings.clone().unwrap_or_default(),
            start_us: span.start_time,
            attributes,
        }
    }

    /// Returns the status of the answer, if this is a request's span.
    pub(super) fn status(&self) -> Option<u16> {
        self.attributes.get(attribute::HTTP_RESPONSE_STATUS_CODE)?.as_u64()?.try_into().ok()
    }
}

impl Happened {
    fn of_event(log: &Log) -> Self {
        let mut fields: BTreeMap<_, _> = log.fields.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        let event = fields.remove("event").map_or_else(|| "event".to_owned(), |name| field(&name));
        Self { at: iso(log.timestamp), what: What::Event { event }, fields, at_us: log.timestamp }
    }

    fn of_line(line: AnsweredLine) -> Self {
        let AnsweredLine { time_us, level, message, fields, .. } = line;
        Self { at: iso(time_us), what: What::Line { level, message }, fields, at_us: time_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: &str, start_time: u64, duration: u64) -> AnsweredSpan {
        let references = vec![Reference { ref_type: "CHILD_OF".to_owned(), span_id: parent.to_owned() }];
        AnsweredSpan {
            span_id: id.to_owned(),
            operation_name: id.to_owned(),
            references,
            start_time,
            duration,
            tags: Vec::new(),
            logs: Vec::new(),
            warnings: None,
        }
    }

    fn shape(spans: Vec<AnsweredSpan>) -> Vec<(String, usize, u64)> {
        in_order(spans).into_iter().map(|span| (span.name, span.depth, span.own_us)).collect()
    }

    #[test]
    fn parents_stand_before_their_children_and_own_time_is_what_no_child_took() {
        let spans = vec![
            span("later", "root", 60, 20),
            span("leaf", "first", 12, 5),
            // A child that outlives its parent, and one beside it at the same time.
            span("first", "root", 10, 30),
            span("beside", "root", 30, 20),
            span("root", "elsewhere", 0, 70),
        ];
        let expected = [("root", 0, 20), ("first", 1, 25), ("leaf", 2, 5), ("beside", 1, 20), ("later", 1, 20)];
        assert_eq!(shape(spans), expected.map(|(name, depth, own)| (name.to_owned(), depth, own)));
    }

    #[test]
    fn spans_that_are_each_others_parents_are_shown_once() {
        let spans = vec![span("a", "b", 0, 10), span("b", "a", 1, 5), span("c", "c", 2, 1)];
        let names: Vec<_> = shape(spans).into_iter().map(|(name, depth, _)| (name, depth)).collect();
        assert_eq!(names, [("a".to_owned(), 0), ("b".to_owned(), 1), ("c".to_owned(), 0)]);
    }
}
