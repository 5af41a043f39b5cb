//! `/recent/traces`: the recent traces that are kept in memory.

use std::collections::BTreeMap;

use opentelemetry::trace::TraceId;
use serde::Serialize;

use super::{Admin, Asked, query, searched};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, problem::Problem},
    telemetry::{
        Recent,
        recent::{
            FieldValue, Figures, KeptTrace, Line, Root, jaeger, micros,
            summary::{Filter, StatusFilter, Summary},
        },
    },
};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;
const FILTERS: [&str; 14] = [
    "text",
    "route",
    "status",
    "outcome",
    "plugin",
    "item",
    "min_ms",
    "max_ms",
    "errors",
    "trace_id",
    "after_us",
    "before_us",
    "sort",
    "limit",
];

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
    Slowest,
}

#[derive(Debug)]
struct Wanted {
    filter: Filter,
    /// In lower case.
    text: Option<String>,
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
        Sort::Slowest => root.took_ns,
    };
    let row = |trace: &KeptTrace| {
        let has_text = |row: &Summary| wanted.text.as_ref().is_none_or(|text| row.has_text(trace, text));
        Summary::of(trace).filter(|row| wanted.filter.takes(row) && has_text(row))
    };
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
        let mut wanted = Self { filter: Filter::default(), text: None, sort: Sort::Newest, limit: LIMIT_DEFAULT };
        for (name, value) in query::parameters(query)? {
            wanted.take(&name, value)?;
        }
        Ok(wanted)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), Problem> {
        let filter = &mut self.filter;
        let number = || query::value(name, &value, value.parse::<u64>().ok(), "a whole number");
        let milliseconds = || {
            let parsed = value.parse().ok().filter(|number: &f64| (0.0..=1e12).contains(number));
            query::value(name, &value, parsed, "milliseconds")
                .map(|number| std::time::Duration::from_secs_f64(number / 1e3))
        };
        let text = || query::value(name, &value, Some(value.clone()).filter(|text| !text.is_empty()), "some text");
        match name {
            "status" => {
                filter.status = Some(query::value(name, &value, StatusFilter::parse(&value), "a status, or 5xx")?);
            }
            "min_ms" => filter.min = Some(milliseconds()?),
            "max_ms" => filter.max = Some(milliseconds()?),
            "after_us" => filter.after_us = Some(number()?),
            "before_us" => filter.before_us = Some(number()?),
            "errors" => filter.errors = Some(query::value(name, &value, value.parse().ok(), "true or false")?),
            "sort" => {
                let sort = match &*value {
                    "newest" => Some(Sort::Newest),
                    "slowest" => Some(Sort::Slowest),
                    _ => None,
                };
                self.sort = query::value(name, &value, sort, "newest or slowest")?;
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                self.limit = query::value(name, &value, limit, "1 to 500")?;
            }
            "trace_id" => {
                let is_start = (1..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                let start = is_start.then(|| value.to_ascii_lowercase());
                filter.trace_id = Some(query::value(name, &value, start, "the beginning of a trace id")?);
            }
            "text" => self.text = Some(text()?.to_lowercase()),
            "route" => filter.route = Some(text()?),
            "outcome" => filter.outcome = Some(text()?),
            "plugin" => filter.plugin = Some(text()?),
            "item" => filter.item = Some(text()?),
            _ => return Err(query::unknown("filter", name, FILTERS)),
        }
        Ok(())
    }
}
