//! The summary of a trace in a list, and the list's filter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::TraceId;
use serde::Serialize;

use super::KeptTrace;
use super::query::Seen;
use super::span::{Span, Value};
#[cfg(test)]
use crate::schema;
use crate::telemetry::names::{attribute, span};

/// A trace's row in a list. Name, start, duration, route and status are the local root's; the first local root's if a
/// caller made several requests under one trace id.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceSummary"))]
pub struct Summary {
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    /// Microseconds since 1970.
    pub start_us: u64,
    /// How long the host took, without waiting for the client's body.
    pub duration_us: u64,
    /// The name of its first span in this process.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How the checkout plugin's call ended, else the inventory plugin's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Whether one of its spans failed.
    pub is_error: bool,
    pub spans: usize,
    /// `kind/name@version+digest`, each once.
    pub plugins: Vec<String>,
    /// The called versions in parts, each once for each role.
    pub versions: Vec<Called>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The order's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A version of a plugin that was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CalledVersion"))]
pub struct Called {
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    pub name: String,
    pub version: String,
    /// The beginning of the file's digest, and after a dot that of its own settings' digest.
    pub digest: String,
    /// The version's number in this host's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub number: Option<u64>,
    /// The first version of the same file; only the settings differ. Absent on that first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
    /// The role in which the version was called.
    #[cfg_attr(test, schemars(with = "schema::Role"))]
    pub rollout: String,
}

/// Which traces to list; all, if nothing is set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub route: Option<String>,
    pub status: Option<StatusFilter>,
    pub outcome: Option<String>,
    /// A part of `kind/name@version+digest`.
    pub plugin: Option<String>,
    pub item: Option<String>,
    pub min: Option<Duration>,
    pub max: Option<Duration>,
    pub errors: Option<bool>,
    /// The beginning of a trace id, in lower case.
    pub trace_id: Option<String>,
    /// The earliest start, inclusive, microseconds since 1970.
    pub after_us: Option<u64>,
    pub before_us: Option<u64>,
}

/// One status, or a class of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    One(u16),
    /// 5 is 500 to 599.
    Class(u16),
}

impl Called {
    /// Returns `kind/name@version+digest`.
    #[must_use]
    pub fn whole(&self) -> String {
        let Self { kind, name, version, digest, .. } = self;
        format!("{kind}/{name}@{version}+{digest}")
    }
}

impl StatusFilter {
    /// Returns the filter of `404` or `4xx`, `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(class) = text.strip_suffix("xx") {
            return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class);
        }
        text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::One)
    }

    /// Returns whether it takes the status.
    #[must_use]
    pub const fn takes(self, status: u16) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

impl Filter {
    /// Returns whether the trace, or the span, is wanted. Of a span, its own time and error count.
    #[must_use]
    pub fn takes(&self, seen: &Seen<'_>) -> bool {
        let (trace, start_us) = (seen.trace, seen.start_us());
        let duration = Duration::from_micros(seen.took_us());
        is(self.route.as_ref(), trace.route.as_ref())
            && is(self.outcome.as_ref(), trace.outcome.as_ref())
            && is(self.item.as_ref(), trace.item.as_ref())
            && self.status.is_none_or(|wanted| trace.status.is_some_and(|status| wanted.takes(status)))
            && self.plugin.as_ref().is_none_or(|part| trace.plugins.iter().any(|plugin| plugin.contains(part.as_str())))
            && self.errors.is_none_or(|wanted| seen.is_error() == wanted)
            && self.trace_id.as_ref().is_none_or(|beginning| trace.trace_id.starts_with(beginning.as_str()))
            && self.min.is_none_or(|min| duration >= min)
            && self.max.is_none_or(|max| duration <= max)
            && self.after_us.is_none_or(|after| start_us >= after)
            && self.before_us.is_none_or(|before| start_us <= before)
    }
}

fn is(wanted: Option<&String>, found: Option<&String>) -> bool {
    wanted.is_none() || wanted == found
}

impl Summary {
    /// Returns the row of a trace; `None` if it has no local root, which every kept trace has.
    #[must_use]
    pub fn of(trace: &KeptTrace) -> Option<Self> {
        Self::of_spans(trace.trace_id, &trace.spans.in_order())
    }

    /// Returns the row of a trace of these spans, in their order.
    #[must_use]
    pub fn of_spans(trace_id: TraceId, spans: &[Span<'_>]) -> Option<Self> {
        let root = spans.iter().find(|span| span.is_local_root)?;
        let outcome = outcome(spans, span::CHECKOUT).or_else(|| outcome(spans, span::INVENTORY));
        let versions = || spans.iter().filter_map(called);
        let first = |key: &str| spans.iter().find_map(|span| text(span, key));
        Some(Self {
            trace_id: trace_id.to_string(),
            start_us: root.start_us(),
            duration_us: root.duration_us().saturating_sub(waited_us(root)),
            name: root.name.to_owned(),
            route: text(root, attribute::HTTP_ROUTE),
            status: number(root, attribute::HTTP_RESPONSE_STATUS_CODE).and_then(|status| status.try_into().ok()),
            outcome,
            is_error: spans.iter().any(Span::is_error),
            spans: spans.len(),
            plugins: each_once(versions().map(|version| version.whole())),
            versions: each_once(versions()),
            item: first(attribute::ORDER_ITEM).or_else(|| first(attribute::INVENTORY_ITEM)),
            reference: first(attribute::ORDER_REFERENCE),
        })
    }
}

fn waited_us(root: &Span<'_>) -> u64 {
    let waited_ms = number(root, attribute::CLIENT_WAIT_MS).and_then(|waited| u64::try_from(waited).ok());
    waited_ms.unwrap_or_default().saturating_mul(1000)
}

fn outcome(spans: &[Span<'_>], name: &str) -> Option<String> {
    let mut calls = spans.iter().filter(|span| span.name == name);
    calls.find_map(|span| text(span, attribute::PLUGIN_OUTCOME))
}

fn each_once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

/// Returns the version that was called in the span; `None` if none was.
pub(super) fn called(span: &Span<'_>) -> Option<Called> {
    let whole = |key| number(span, key).and_then(|number| number.try_into().ok());
    Some(Called {
        kind: text(span, attribute::PLUGIN_KIND)?,
        name: text(span, attribute::PLUGIN_NAME)?,
        version: text(span, attribute::PLUGIN_VERSION)?,
        digest: text(span, attribute::PLUGIN_DIGEST)?,
        number: whole(attribute::PLUGIN_NUMBER),
        same_file_as: whole(attribute::PLUGIN_SAME_FILE_AS),
        rollout: text(span, attribute::PLUGIN_ROLLOUT).unwrap_or_default(),
    })
}

fn text(span: &Span<'_>, key: &str) -> Option<String> {
    span.value(key).map(|value| value.text().into_owned())
}

fn number(span: &Span<'_>, key: &str) -> Option<i64> {
    span.value(key).and_then(|value| if let Value::Whole(number) = value { Some(*number) } else { None })
}

/// Returns the microseconds since 1970, 0 for a time before.
#[must_use]
pub fn micros(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
