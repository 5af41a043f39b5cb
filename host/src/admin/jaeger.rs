//! `/api`: Jaeger's query API over the recent traces, for Grafana's Jaeger data source and for a Jaeger UI.
//!
//! | route | |
//! |---|---|
//! | `GET /api/services` | the host's own name |
//! | `GET /api/services/{service}/operations` | names of spans |
//! | `GET /api/operations?service=&spanKind=` | the same with their kinds |
//! | `GET /api/traces?service=&operation=&tags=&tag=&start=&end=&lookback=&minDuration=&maxDuration=&limit=` | a search, the newest first |
//! | `GET /api/traces?traceID=&traceID=` | these |
//! | `GET /api/traces/{trace id}` | one |
//! | `GET /api/dependencies?endTs=&lookback=` | none: a host knows only itself |
//!
//! Version 3 of the API is in `v3`.
//!
//! Answers and errors have Jaeger's form, and unknown parameters are ignored, as Jaeger does. A search finds a trace if
//! one of its spans meets all conditions.

mod search;
pub(super) mod v3;

use std::collections::BTreeSet;

use hyper::StatusCode;
use opentelemetry::trace::TraceId;
use serde::Serialize;

use self::search::{Search, Wanted};
use super::{Admin, Asked, query, searched};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, routes::Answering},
    telemetry::{
        Recent,
        recent::{KeptTrace, jaeger::Trace, jaeger::kind},
    },
    units::MIB,
};

/// The most traces of one answer. Jaeger's own default is 100, without a limit.
const LIMIT_MAX: usize = 500;
/// The most memory of one answer's traces, estimated; further traces are left out.
const ANSWER_BYTES_MAX: usize = 16 * MIB;

const NOT_FOUND: &str = "trace not found";

/// The envelope of every answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Jaeger{T}"))]
pub(in crate::admin) struct Envelope<T> {
    #[cfg_attr(test, schemars(with = "T"))]
    data: Option<T>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<ErrorJson>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerError"))]
pub(in crate::admin) struct ErrorJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerOperation"))]
pub(in crate::admin) struct OperationJson {
    name: String,
    #[cfg_attr(test, schemars(with = "schema::SpanKind"))]
    span_kind: &'static str,
}

/// Answers with the result of `find` on the recent traces, the path's segment and the query.
///
/// # Errors
/// 404 if no traces are kept.
pub(super) fn answer(admin: &Admin, asked: Asked, find: fn(&Recent, &str, &str) -> Answer) -> Answering<'static> {
    let recent = admin.recent().cloned();
    Box::pin(async move {
        let recent = recent?;
        searched(move || find(&recent, &asked.named, &asked.query)).await
    })
}

pub(super) fn services(recent: &Recent, _: &str, _: &str) -> Answer {
    let services = [&recent.process().service_name];
    data(&services, services.len())
}

pub(super) fn operation_names(recent: &Recent, service: &str, _: &str) -> Answer {
    let names: BTreeSet<_> = operations_of(recent, service, "").into_iter().map(|known| known.name).collect();
    data(&names, names.len())
}

pub(super) fn operations(recent: &Recent, _: &str, query: &str) -> Answer {
    match parameter(query, "service") {
        Some(service) => {
            let operations = operations_of(recent, &service, &parameter(query, "spanKind").unwrap_or_default());
            data(&operations, operations.len())
        }
        None => refused("parameter 'service' is required"),
    }
}

pub(super) fn traces(recent: &Recent, _: &str, query: &str) -> Answer {
    match Wanted::of_query(query) {
        Ok(Wanted::Traces(ids)) => these(recent, &ids),
        Ok(Wanted::Search(search)) => found(recent, &search),
        Err(why) => refused(why),
    }
}

pub(super) fn trace(recent: &Recent, id: &str, _: &str) -> Answer {
    let Some(parsed) = search::trace_id(id) else { return refused(format!("{id:?} is no trace id")) };
    match recent.trace(parsed) {
        Some(trace) => data(&[Trace::with_lines(&trace, recent.process())], 0),
        None => failed(StatusCode::NOT_FOUND, NOT_FOUND),
    }
}

pub(super) fn dependencies(_: &Recent, _: &str, query: &str) -> Answer {
    match unreadable_number(query) {
        Some(name) => refused(format!("unable to parse param '{name}'")),
        None => data(&[(); 0], 0),
    }
}

fn these(recent: &Recent, ids: &[TraceId]) -> Answer {
    let (mut traces, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match recent.trace(*id) {
            Some(trace) => traces.push(trace),
            None => errors.push(ErrorJson { code: None, msg: NOT_FOUND.to_owned(), trace_id: Some(id.to_string()) }),
        }
    }
    traces_json(recent, &traces, errors)
}

fn found(recent: &Recent, search: &Search) -> Answer {
    if search.service != recent.process().service_name {
        return traces_json(recent, &[], Vec::new());
    }
    let takes = |trace: &KeptTrace| search.takes(trace, recent.process()).then(|| trace.clone());
    let traces = recent.first(search.limit, |root| root.start_ns, takes);
    traces_json(recent, &traces, Vec::new())
}

fn traces_json(recent: &Recent, traces: &[KeptTrace], errors: Vec<ErrorJson>) -> Answer {
    let mut bytes = 0;
    let fitting = traces.iter().take_while(|trace| {
        bytes += trace.bytes;
        bytes <= ANSWER_BYTES_MAX
    });
    let traces: Vec<_> = fitting.map(|trace| Trace::with_lines(trace, recent.process())).collect();
    let errors = Some(errors).filter(|errors| !errors.is_empty());
    Reply::json(&Envelope { data: Some(traces), total: 0, limit: 0, offset: 0, errors })
}

fn operations_of(recent: &Recent, service: &str, wanted: &str) -> BTreeSet<OperationJson> {
    if service != recent.process().service_name {
        return BTreeSet::new();
    }
    let of_trace = recent.select(|trace| {
        let spans = trace.spans.in_order().into_iter();
        let operations = spans.map(|span| OperationJson { name: span.name.to_owned(), span_kind: kind(&span.kind) });
        Some(operations.filter(|operation| wanted.is_empty() || wanted == operation.span_kind).collect::<BTreeSet<_>>())
    });
    of_trace.into_iter().flatten().collect()
}

/// Returns the value of a parameter, unless it is empty.
fn parameter(query: &str, wanted: &str) -> Option<String> {
    query::pairs(query).find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value)
}

/// Returns the name of a parameter of `/api/dependencies` that isn't a number; `None` if all are.
fn unreadable_number(query: &str) -> Option<&'static str> {
    let is_bad = |name: &&str| parameter(query, name).is_some_and(|value| value.parse::<u64>().is_err());
    ["endTs", "lookback"].into_iter().find(is_bad)
}

fn data(data: &impl Serialize, total: usize) -> Answer {
    Reply::json(&Envelope { data: Some(data), total, limit: 0, offset: 0, errors: None })
}

fn refused(why: impl Into<String>) -> Answer {
    failed(StatusCode::BAD_REQUEST, why)
}

fn failed(status: StatusCode, why: impl Into<String>) -> Answer {
    let errors = Some(vec![ErrorJson { code: Some(status.as_u16()), msg: why.into(), trace_id: None }]);
    let mut reply = Reply::json(&Envelope::<()> { data: None, total: 0, limit: 0, offset: 0, errors })?;
    reply.status = status;
    Ok(reply)
}
