//! `till:plugin/http`: requests to others, by the operator's grants.
//!
//! ```text
//! http_call_by_plugin       CLIENT, below the span that the plugin names
//! ```

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hyper::{HeaderMap, header::HeaderValue};
use opentelemetry::trace::SpanKind;
use tokio::time::Instant;

use crate::{
    imports::{
        HostCall, NoDoor,
        bindings::v0_2::till::plugin::{
            http::{self, HttpError},
            types::TraceContext,
        },
        telemetry::context_to_guest,
    },
    outbound::{self, CallBudget, Exchange, Grants, Observed, Outbound},
    telemetry::{
        names::{attribute, span},
        traces::Span,
    },
    units::i64_of,
};

/// The most headers of a request.
const HEADERS_MAX: usize = 32;

/// The most that a request leaves of its call's time.
const LEFT_TO_ANSWER: Duration = Duration::from_millis(100);

/// Returns when a request has to have ended whose call ends then. What is left, a tenth at most, is the plugin's: whoever asks a
/// silent place could otherwise never answer for it, but would be cut off at the same moment.
fn request_ends(call_ends: Instant) -> Instant {
    let left = call_ends.saturating_duration_since(Instant::now());
    call_ends - LEFT_TO_ANSWER.min(left / 10)
}

/// One call's access to others, and what it got there.
#[derive(Debug)]
pub struct Door {
    source: Source,
    answers: Vec<Answer>,
}

/// What a request of a plugin came to.
pub type Answer = Result<outbound::Response, outbound::HttpError>;

#[derive(Debug)]
enum Source {
    /// Sends, within these grants.
    Send { outbound: Arc<Outbound>, grants: Arc<Grants>, budget: CallBudget },
    /// Sends nothing, and answers in turn what another call got.
    Repeat(VecDeque<Answer>),
}

impl Door {
    #[must_use]
    pub fn new(outbound: Arc<Outbound>, grants: Arc<Grants>) -> Self {
        Self { source: Source::Send { outbound, grants, budget: CallBudget::default() }, answers: Vec::new() }
    }

    /// Returns a door that sends nothing. Past the answers it says that the outcome is unknown.
    #[must_use]
    pub fn repeating(answers: Vec<Answer>) -> Self {
        Self { source: Source::Repeat(answers.into()), answers: Vec::new() }
    }

    /// Returns what the call got so far, in order.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    async fn send(
        &mut self,
        request: outbound::Request,
        trace: &HeaderMap,
        ends: Instant,
    ) -> (Answer, Option<Observed>) {
        let (answer, observed) = match &mut self.source {
            Source::Send { outbound, grants, budget } => {
                let Exchange { result, observed } = outbound.send(grants, budget, request, trace, ends).await;
                (result, Some(observed))
            }
            Source::Repeat(answers) => {
                let none = || Err(outbound::HttpError::Unknown("this call sends nothing".to_owned()));
                (answers.pop_front().unwrap_or_else(none), None)
            }
        };
        self.answers.push(answer.clone());
        (answer, observed)
    }
}

impl http::Host for HostCall<'_> {
    async fn send(
        &mut self,
        ctx: TraceContext,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, HttpError>> {
        let http::Request { url, headers, body, .. } = &request;
        let of_headers: usize = headers.iter().map(header_bytes).sum();
        let bytes = url.len() + of_headers + body.as_ref().map_or(0, Vec::len);
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + bytes)?;
        if headers.len() > HEADERS_MAX {
            let text = format!("a request has at most {HEADERS_MAX} headers; this one has {}", headers.len());
            return Ok(Err(HttpError::NotGranted(text)));
        }
        let state = &mut **self;
        let ctx = super::telemetry::context(ctx);
        let parent = state.telemetry.parent(&ctx);
        let mut span = state.telemetry.tracer().start(span::PLUGIN_HTTP, SpanKind::Client, Some(&parent), Vec::new());
        let trace = trace_headers(&context_to_guest(span.context()));
        let ends = state.ends;
        let door = state.http.as_mut().ok_or(NoDoor("http"))?;
        let (answer, observed) = door.send(sent(request), &trace, request_ends(ends)).await;
        describe(&mut span, observed.as_ref(), &answer);
        span.end();
        Ok(answer.map(response).map_err(error))
    }
}

fn header_bytes(header: &http::Header) -> usize {
    let (http::HeaderValue::Text(text) | http::HeaderValue::Secret(text)) = &header.value;
    header.name.len() + text.len()
}

fn trace_headers(context: &crate::imports::bindings::types::TraceContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("traceparent", &context.traceparent), ("tracestate", &context.tracestate)] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    headers
}

fn describe(span: &mut Span, observed: Option<&Observed>, answer: &Answer) {
    if let Some(Observed { method, host, port, status, request_bytes, response_bytes, cached, .. }) = observed {
        span.set(attribute::HTTP_REQUEST_METHOD, method.as_str());
        if let Some(host) = host {
            span.set(attribute::SERVER_ADDRESS, host.clone());
        }
        if let Some(port) = port {
            span.set(attribute::SERVER_PORT, i64::from(*port));
        }
        if let Some(status) = status {
            span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(*status));
        }
        span.set(attribute::HTTP_REQUEST_BODY_SIZE, i64_of(*request_bytes as u64));
        span.set(attribute::HTTP_RESPONSE_BODY_SIZE, i64_of(*response_bytes as u64));
        span.set(attribute::HTTP_CACHED, *cached);
    }
    if let Err(error) = answer {
        span.fail(error.name(), error.to_string());
    }
}

fn sent(request: http::Request) -> outbound::Request {
    let http::Request { method, url, headers, body, timeout_ms, cache_ms } = request;
    let method = match method {
        http::Method::Get => outbound::Method::Get,
        http::Method::Post => outbound::Method::Post,
        http::Method::Put => outbound::Method::Put,
        http::Method::Delete => outbound::Method::Delete,
    };
    let header = |http::Header { name, value }| outbound::Header {
        name,
        value: match value {
            http::HeaderValue::Text(text) => outbound::HeaderText::Text(text),
            http::HeaderValue::Secret(secret) => outbound::HeaderText::Secret(secret),
        },
    };
    let headers = headers.into_iter().map(header).collect();
    outbound::Request { method, url, headers, body: body.map(Into::into), timeout_ms, cache_ms }
}

fn response(outbound::Response { status, headers, body }: outbound::Response) -> http::Response {
    let headers = headers.into_iter().map(|(name, value)| http::ResponseHeader { name, value }).collect();
    http::Response { status, headers, body: body.into() }
}

fn error(error: outbound::HttpError) -> HttpError {
    match error {
        outbound::HttpError::NotGranted(text) => HttpError::NotGranted(text),
        outbound::HttpError::NotSent(text) => HttpError::NotSent(text),
        outbound::HttpError::Unknown(text) => HttpError::Unknown(text),
        outbound::HttpError::TooLarge => HttpError::TooLarge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_left_time_to_answer_for_a_silent_place() {
        for (call_ms, left_ms) in [(100, 10), (500, 50), (3_000, 100), (600_000, 100)] {
            let call_ends = Instant::now() + Duration::from_millis(call_ms);
            let left = call_ends - request_ends(call_ends);
            // Some of the time has passed since.
            let most = Duration::from_millis(left_ms);
            assert!(left <= most && left > most / 2, "{left:?} of {call_ms} ms");
        }
        let over = Instant::now();
        assert_eq!(request_ends(over), over);
    }
}
