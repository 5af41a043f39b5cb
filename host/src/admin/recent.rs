//! `/recent`: the recent traces that are kept in memory, what they have in common and what sets some apart.

pub(super) mod differences;
pub(super) mod keys;
mod selection;
pub(super) mod spans;
pub(super) mod statistics;

use std::collections::BTreeMap;

use opentelemetry::trace::TraceId;
use serde::Serialize;

use super::{Admin, Asked, query, searched};
use selection::Selection;

#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, problem::Problem},
    telemetry::{
        Recent,
        recent::{FieldValue, Figures, KeptTrace, Line, Root, jaeger, micros, query::Seen, summary::Summary},
    },
};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentTraces"))]
pub(super) struct TracesJson {
    #[cfg_attr(test, schemars(length(max = LIMIT_MAX)))]
    traces: Vec<Summary>,
    /// How much is kept in total. `bytes` is an estimate; `evicted` counts the traces removed since the start.
    kept: Figures,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentTrace"))]
pub(super) struct TraceJson<'a> {
    trace: jaeger::Trace<'a>,
    lines: Vec<LineJson<'a>>,
    /// Log lines past the limit of one trace.
    lines_dropped: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LogLine"))]
struct LineJson<'a> {
    time_us: u64,
    #[cfg_attr(test, schemars(with = "schema::Level"))]
    level: &'a str,
    message: &'a str,
    target: &'a str,
    #[cfg_attr(test, schemars(with = "schema::SpanId"))]
    span_id: String,
    #[cfg_attr(test, schemars(with = "BTreeMap<String, schema::FieldValue>"))]
    fields: BTreeMap<&'a str, &'a FieldValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Newest,
    Oldest,
    Slowest,
}

#[derive(Debug)]
struct Wanted {
    selection: Selection,
    sort: Sort,
    limit: usize,
}

/// # Errors
/// 404 if none are kept, 422 for an unknown or invalid filter.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    let wanted = Wanted::of_query(&asked.query)?;
    searched(move || Reply::json(&listed(&recent, &wanted))).await
}

/// # Errors
/// 404 if the trace isn't kept.
pub(super) fn show(admin: &Admin, id: &str) -> Answer {
    let recent = admin.recent()?;
    let parsed = Some(id).filter(|id| id.len() == 32).and_then(|id| TraceId::from_hex(id).ok());
    let trace = parsed.and_then(|id| recent.trace(id));
    let trace = trace.ok_or_else(|| Problem::not_found(format!("the trace {id:?} isn't kept, or not any more")))?;
    Reply::json(&TraceJson {
        trace: jaeger::Trace::of(&trace, recent.process()),
        lines: trace.lines.iter().map(|line| LineJson::of(line)).collect(),
        lines_dropped: trace.lines_dropped,
    })
}

fn listed(recent: &Recent, wanted: &Wanted) -> TracesJson {
    let rank = |root: Root| match wanted.sort {
        Sort::Newest => root.start_ns,
        Sort::Oldest => u64::MAX - root.start_ns,
        Sort::Slowest => root.took_ns,
    };
    let row = |trace: &KeptTrace| Seen::read(trace, |seen| wanted.selection.takes(&seen).then(|| seen.trace.clone()));
    TracesJson { traces: recent.first(wanted.limit, rank, row), kept: recent.figures() }
}

impl<'a> LineJson<'a> {
    fn of(line: &'a Line) -> Self {
        Self {
            time_us: micros(line.time),
            level: line.level,
            message: &line.message,
            target: line.target,
            span_id: line.span_id.to_string(),
            fields: line.fields.iter().map(|(name, value)| (*name, value)).collect(),
        }
    }
}

impl Wanted {
    fn of_query(query: &str) -> Result<Self, Problem> {
        let (mut sort, mut count) = (Sort::Newest, LIMIT_DEFAULT);
        let selection = Selection::of_query(query, &["sort", "limit"], |name, value| {
            match name {
                "sort" => sort = query::value(name, value, Sort::parse(value), "newest, oldest or slowest")?,
                _ => count = query::value(name, value, limit(value), "1 to 500")?,
            }
            Ok(())
        })?;
        Ok(Self { selection, sort, limit: count })
    }
}

impl Sort {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "newest" => Some(Self::Newest),
            "oldest" => Some(Self::Oldest),
            "slowest" => Some(Self::Slowest),
            _ => None,
        }
    }
}

fn limit(text: &str) -> Option<usize> {
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
}
