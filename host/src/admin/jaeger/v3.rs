//! `/api/v3`: version 3 of Jaeger's query API. A Jaeger UI since 2.20 (its commit b6c97a182) searches with it, and so
//! does Grafana's data source if it is set to the gRPC endpoint.
//!
//! | route | |
//! |---|---|
//! | `GET /api/v3/services` | the host's own name |
//! | `GET /api/v3/operations?service=&span_kind=` | names of spans with their kinds |
//! | `GET /api/v3/trace-summaries?query.serviceName=&query.operationName=&query.attributes=&query.startTimeMin=&query.startTimeMax=&query.durationMin=&query.durationMax=&query.searchDepth=` | a search, the newest first |
//! | `GET /api/v3/traces/{trace id}` | one, as OTLP |
//!
//! A parameter's name may have underscores instead, as Jaeger's own gateway allows.

use std::collections::BTreeSet;

use hyper::StatusCode;
use opentelemetry::trace::SpanId;
use serde::Serialize;

use super::{
    NOT_FOUND, operations_of, parameter,
    search::{Search, trace_id},
};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply},
    telemetry::{
        Recent,
        recent::{KeptTrace, Process, otlp::ResourceSpans},
    },
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Services"))]
pub(in crate::admin) struct Services<'a> {
    services: [&'a str; 1],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Operations"))]
pub(in crate::admin) struct Operations {
    operations: BTreeSet<super::OperationJson>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Summaries"))]
pub(in crate::admin) struct Summaries {
    #[cfg_attr(test, schemars(length(max = super::LIMIT_MAX)))]
    summaries: Vec<Summary>,
}

/// The summary of a trace. Times are nanoseconds since 1970, as decimal texts, because a JavaScript number can't hold
/// them.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Summary"))]
struct Summary {
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    trace_id: String,
    root_service_name: String,
    root_operation_name: String,
    #[cfg_attr(test, schemars(with = "schema::Nanoseconds"))]
    min_start_time_unix_nano: String,
    #[cfg_attr(test, schemars(with = "schema::Nanoseconds"))]
    max_end_time_unix_nano: String,
    span_count: usize,
    error_span_count: usize,
    /// Spans whose parents aren't among them.
    orphan_span_count: usize,
    services: Vec<Service>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Service"))]
struct Service {
    name: String,
    span_count: usize,
    error_span_count: usize,
}

#[derive(Serialize)]
struct Found<'a> {
    result: OtlpTrace<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpTrace<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3Error"))]
pub(in crate::admin) struct Failed {
    error: ErrorJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "JaegerV3ErrorText"))]
struct ErrorJson {
    http_code: u16,
    message: String,
}

pub(in crate::admin) fn services(recent: &Recent, _: &str, _: &str) -> Answer {
    Reply::json(&Services { services: [&recent.process().service_name] })
}

pub(in crate::admin) fn operations(recent: &Recent, _: &str, query: &str) -> Answer {
    let Some(service) = parameter(query, "service") else { return refused("parameter 'service' is required") };
    let kind = parameter(query, "span_kind").or_else(|| parameter(query, "spanKind")).unwrap_or_default();
    Reply::json(&Operations { operations: operations_of(recent, &service, &kind.to_lowercase()) })
}

pub(in crate::admin) fn summaries(recent: &Recent, _: &str, query: &str) -> Answer {
    match Search::of_v3_query(query) {
        Ok(search) => Reply::json(&Summaries { summaries: rows(recent, &search) }),
        Err(why) => refused(why),
    }
}

pub(in crate::admin) fn trace(recent: &Recent, id: &str, _: &str) -> Answer {
    let Some(parsed) = trace_id(id) else { return refused(format!("{id:?} is no trace id")) };
    match recent.trace(parsed) {
        Some(trace) => {
            Reply::json(&Found { result: OtlpTrace { resource_spans: [ResourceSpans::of(&trace, recent.process())] } })
        }
        None => failed(StatusCode::NOT_FOUND, NOT_FOUND),
    }
}

fn rows(recent: &Recent, search: &Search) -> Vec<Summary> {
    let process = recent.process();
    if search.service != process.service_name {
        return Vec::new();
    }
    let row = |trace: &KeptTrace| search.takes(trace, process).then(|| Summary::of(trace, process));
    recent.first(search.limit, |root| root.start_ns, row)
}

impl Summary {
    fn of(trace: &KeptTrace, process: &Process) -> Self {
        let spans = trace.spans.in_order();
        let ids: BTreeSet<_> = spans.iter().map(|span| span.id().to_bytes()).collect();
        let is_here = |parent: SpanId| ids.contains(&parent.to_bytes());
        let root = spans.iter().find(|span| span.is_local_root).or_else(|| spans.first());
        let errors = spans.iter().filter(|span| span.is_error()).count();
        let name = process.service_name.clone();
        Self {
            trace_id: trace.trace_id.to_string(),
            root_service_name: name.clone(),
            root_operation_name: root.map(|root| root.name.to_owned()).unwrap_or_default(),
            min_start_time_unix_nano: spans.iter().map(|span| span.start_ns).min().unwrap_or(0).to_string(),
            max_end_time_unix_nano: spans.iter().map(|span| span.end_ns()).max().unwrap_or(0).to_string(),
            span_count: spans.len(),
            error_span_count: errors,
            orphan_span_count: spans.iter().filter_map(|span| span.parent_id()).filter(|id| !is_here(*id)).count(),
            services: vec![Service { name, span_count: spans.len(), error_span_count: errors }],
        }
    }
}

fn refused(why: impl Into<String>) -> Answer {
    failed(StatusCode::BAD_REQUEST, why)
}

fn failed(status: StatusCode, why: impl Into<String>) -> Answer {
    let error = ErrorJson { http_code: status.as_u16(), message: why.into() };
    let mut reply = Reply::json(&Failed { error })?;
    reply.status = status;
    Ok(reply)
}
