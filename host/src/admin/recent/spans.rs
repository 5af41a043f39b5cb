//! `GET /recent/spans`: the spans that match, each with its trace.

use serde::Serialize;

#[cfg(test)]
use super::LIMIT_MAX;
use super::{
    super::{Admin, Asked, query, searched},
    LIMIT_DEFAULT, Selection, limit,
};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply},
    telemetry::{
        Recent,
        recent::{
            Root,
            query::{Of, Seen},
        },
    },
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentSpans"))]
pub(in super::super) struct SpansJson {
    /// Those of the newest traces first, and of a trace in the order in which they began.
    #[cfg_attr(test, schemars(length(max = LIMIT_MAX)))]
    spans: Vec<SpanJson>,
}

/// A span that matches.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentSpan"))]
struct SpanJson {
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    trace_id: String,
    #[cfg_attr(test, schemars(with = "schema::SpanId"))]
    span_id: String,
    name: String,
    /// Microseconds since 1970.
    start_us: u64,
    duration_us: u64,
    is_error: bool,
    /// What its error says.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The plugin's version that it is a call of, `kind/name@version+digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// The version's number in this host's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    number: Option<u64>,
    /// The name of its trace's first span.
    trace_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
}

/// # Errors
/// 404 if none are kept, 422 for an unknown or invalid filter.
pub(in super::super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    let mut count = LIMIT_DEFAULT;
    let mut selection = Selection::of_query(&asked.query, &["limit"], |name, value| {
        count = query::value(name, value, limit(value), "1 to 500")?;
        Ok(())
    })?;
    selection.of = Of::Spans;
    searched(move || Reply::json(&listed(&recent, &selection, count))).await
}

fn listed(recent: &Recent, selection: &Selection, count: usize) -> SpansJson {
    let of_trace = |trace: &_| {
        let mut spans = Vec::new();
        selection.each(trace, |seen| spans.extend(SpanJson::of(seen).filter(|_| spans.len() < count)));
        Some(spans).filter(|spans| !spans.is_empty())
    };
    let traces = recent.first(count, |root: Root| root.start_ns, of_trace);
    SpansJson { spans: traces.into_iter().flatten().take(count).collect() }
}

impl SpanJson {
    fn of(seen: &Seen<'_>) -> Option<Self> {
        let span = seen.span?;
        let version = seen.versions().into_iter().next();
        Some(Self {
            trace_id: seen.trace.trace_id.clone(),
            span_id: span.id().to_string(),
            name: span.name.to_owned(),
            start_us: span.start_us(),
            duration_us: span.duration_us(),
            is_error: span.is_error(),
            error: span.error().filter(|error| !error.is_empty()).map(str::to_owned),
            number: version.as_ref().and_then(|version| version.number),
            plugin: version.map(|version| version.whole()),
            trace_name: seen.trace.name.clone(),
            item: seen.trace.item.clone(),
        })
    }
}
