//! Finds a request's route, makes its SERVER span, and adds the headers of every answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Body, Edge,
    answer::{Answer, Reply},
    arrival::{Arrival, Inbound},
    body, catalogue, checkout, cors, inventory, openapi, orders,
    problem::Problem,
    quote,
    received::Received,
    routes::{self, Routes, Target, at_once},
};
use crate::{
    order::IdempotencyKey,
    telemetry::{
        in_span,
        metrics::HttpRequest,
        names::{self, attribute},
        propagation::{Carried, Remote, traceparent},
        traces::Span,
    },
    versions::Pinned,
};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    header::{ALLOW, HeaderName, HeaderValue, LINK, USER_AGENT},
};
use opentelemetry::trace::{SpanContext, SpanKind};

/// The shortest wait for a client's body that is recorded on the span.
const WAIT_TOLD: Duration = Duration::from_millis(100);

const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const TILL_PLUGINS: HeaderName = HeaderName::from_static("till-plugins");

type Route = routes::Route<Edge, Received>;

/// The shop's routes. `tests/it/openapi.rs` compares them with `openapi.json`.
static ROUTES: Routes<Edge, Received> = Routes(&[
    Route::get("/", "home", |edge, _| at_once(home(edge))),
    Route::get("/openapi.json", "openapi", |_, _| at_once(Ok(openapi::show()))).linked("openapi"),
    Route::post("/checkout", "checkout", |edge, received| Box::pin(checkout::checkout(edge, received)))
        .within(|edge| &edge.shop.checkouts)
        .calling_plugins()
        .linking_its_trace()
        .linked("checkout"),
    Route::post("/quote", "quote", |edge, received| Box::pin(quote::quote(edge, received)))
        .within(|edge| &edge.shop.quotes_at_work)
        .calling_plugins()
        .linking_its_trace()
        .linked("quote"),
    Route::get("/catalogue/{item}", "product", |edge, received| at_once(catalogue::show(edge, &received)))
        .linked("product"),
    Route::get("/inventory", "inventory", |edge, received| Box::pin(inventory::list(edge, received)))
        .behind(|edge| &edge.inventory_access)
        .linked("inventory"),
    Route::post("/inventory/deduct", "deduct", |edge, received| Box::pin(inventory::deduct(edge, received)))
        .behind(|edge| &edge.inventory_access)
        .within(|edge| &edge.shop.deducts)
        .calling_plugins(),
    Route::post("/inventory/release", "release", |edge, received| Box::pin(inventory::release(edge, received)))
        .behind(|edge| &edge.inventory_access)
        .within(|edge| &edge.shop.deducts),
    Route::get("/inventory/{item}", "inventoryItem", |edge, received| Box::pin(inventory::show(edge, received)))
        .behind(|edge| &edge.inventory_access),
    Route::get("/orders/{reference}", "order", |edge, received| Box::pin(orders::show(edge, received))).linked("order"),
    Route::get("/metrics", "metrics", |edge, received| at_once(edge.watch.metrics(&received.headers)))
        .for_watch()
        .linked("metrics"),
    Route::get("/livez", "live", |edge, _| at_once(edge.watch.live())).for_watch().linked("live"),
    Route::get("/readyz", "ready", |edge, _| Box::pin(edge.watch.ready())).for_watch().linked("ready"),
]);

/// Answers one request, with a problem if it has no route.
pub async fn handle(edge: Arc<Edge>, arrival: Arrival) -> Response<Body> {
    let Arrival { request, peer, scheme, fit, crowded } = arrival;
    let started = Instant::now();
    let method = names::http_method(request.method().as_str());
    let version = version_name(request.version());
    let target = fit.and_then(|()| meant(&edge, &request)).and_then(|()| ROUTES.target(&request));
    let template = target.as_ref().map_or("", Target::template);
    let route = target.as_ref().ok().and_then(Target::route);
    let is_head = request.method() == Method::HEAD;
    let origin = cors::allowed(&edge.origins, request.headers());
    let remote = edge.propagator.extract(request.headers());
    // Checked first, so that a refusal takes almost nothing from the requests that are carried out.
    let full = route.and_then(|route| route.permits).is_some_and(|permits| permits(&edge).is_full());
    let is_watch = route.is_some_and(|route| route.is_watch);
    // Spans of a probe every second, or of shed requests, would bury those of the orders.
    let untold = full || is_watch;
    let mut server = ServerSpan::start(&edge, &request, &remote, method, template, (peer, scheme), untold);
    let context = server.context.clone();
    let rest = request.body().rest();
    let calls_plugin = route.is_some_and(|route| route.calls_plugin);
    let pinned = Arc::new(pinned(&edge, calls_plugin, request.headers(), &context));
    let links_trace = route.is_some_and(|route| route.links_trace && route.takes(request.method()));

    let accepted = Accepted {
        target,
        is_preflight: origin.is_some() && cors::is_preflight(&request),
        shed: Shed { crowded: crowded && !is_watch, full },
        parent: context.clone(),
        carried: remote.carried,
        pinned: Arc::clone(&pinned),
    };
    let mut response = match in_span(&context, accepted.answer(&edge, request)).await {
        Ok(reply) => reply.into_response(),
        Err(problem) => {
            server.problem(&problem);
            problem.into_response(Some(&context.trace_id().to_string()))
        }
    };
    if is_head {
        *response.body_mut() = Body::default();
    }
    let headers = response.headers_mut();
    cors::mark(&edge.origins, origin, headers);
    add_trace(&edge, headers, &context, links_trace && server.is_recorded());
    headers.insert(TILL_PLUGINS, pinned.snapshot().header_value().clone());
    let status = response.status().as_u16();
    // Only the host's own time counts; otherwise every client could make the shop look slow.
    let waited = rest.waited();
    let duration = started.elapsed().saturating_sub(waited);
    edge.metrics.http_request(&context, HttpRequest { method, route: template, status, version, duration });
    server.end(status, waited);
    response
}

/// A request whose span has begun.
struct Accepted {
    target: Result<Target<Edge, Received>, Problem>,
    is_preflight: bool,
    shed: Shed,
    parent: SpanContext,
    carried: Carried,
    pinned: Arc<Pinned>,
}

/// Whether a request is refused because there are too many.
struct Shed {
    /// Whether its connection is past their limit.
    crowded: bool,
    /// Whether all permits of its route are taken.
    full: bool,
}

impl Accepted {
    /// Finds the request's operation and carries it out.
    async fn answer(self, edge: &Arc<Edge>, request: Request<Inbound>) -> Answer {
        let Self { target, is_preflight, shed, parent, carried, pinned } = self;
        let target = target?;
        if shed.crowded {
            return Err(Problem::shed());
        }
        let Target::Path(place) = target else {
            return Ok(Reply::no_content().with_header(ALLOW, &ROUTES.allowed()));
        };
        if is_preflight {
            return Ok(cors::preflight(&place.allowed()));
        }
        let operation = place.operation(request.method())?;
        let (parts, body) = request.into_parts();
        if shed.full {
            // The body is read to its end, so that the connection can go on: a new one would cost more than this
            // answer.
            body::pass_over(body, &edge.limits).await;
            return Err(Problem::shed());
        }
        if let Some(access) = operation.access {
            access(edge).check(&parts.headers)?;
        }
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let received = Received { parent, pinned, carried, named: place.named, query, headers: parts.headers, body };
        (operation.handler)(edge, received).await
    }
}

/// Adds what the client finds the trace by: its ids, and a link to its page if there is one.
fn add_trace(edge: &Edge, headers: &mut HeaderMap, context: &SpanContext, links_page: bool) {
    if let Ok(value) = HeaderValue::try_from(traceparent(context)) {
        headers.insert(TRACERESPONSE, value);
    }
    let links = edge.links.as_ref().filter(|_| links_page);
    if let Some(link) = links.and_then(|links| links.header(context.trace_id())) {
        headers.insert(LINK, link);
    }
}

/// Checks that the request is meant for this shop, and isn't from a page of another site.
fn meant(edge: &Edge, request: &Request<Inbound>) -> Result<(), Problem> {
    edge.hosts.as_ref().map_or(Ok(()), |hosts| hosts.check(request.headers()))?;
    cors::check_origin(&edge.origins, request.method(), request.headers())
}

/// Returns the plugins of the request. If it calls one, a canary may be among them, chosen by the request's key, or by
/// its trace id if it has no key.
fn pinned(edge: &Edge, calls_plugin: bool, headers: &HeaderMap, context: &SpanContext) -> Pinned {
    if !calls_plugin {
        return edge.shop.plugins.pin_live();
    }
    match headers.get(IdempotencyKey::HEADER) {
        Some(key) => edge.shop.plugins.pin(key.as_bytes()),
        None => edge.shop.plugins.pin(&context.trace_id().to_bytes()),
    }
}

fn home(edge: &Edge) -> Answer {
    let mut home = serde_json::json!({
        "message": "This is Till, a host for checkout logic. POST /checkout with {\"item\",\"quantity\",\"price\"}.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": ROUTES.links(),
    });
    // Not among the links, because those are paths of this listener.
    if let (Some(links), Some(members)) = (&edge.links, home.as_object_mut()) {
        members.insert("traces".into(), links.page().into());
    }
    Reply::json(&home)
}

pub(crate) fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// The span of a request; only its ids if it isn't recorded, so that every answer has ids.
struct ServerSpan {
    context: SpanContext,
    span: Option<Span>,
}

impl ServerSpan {
    fn start(
        edge: &Edge,
        request: &Request<Inbound>,
        remote: &Remote,
        method: &'static str,
        template: &'static str,
        from: (SocketAddr, &'static str),
        untold: bool,
    ) -> Self {
        let caller = remote.span_context.as_ref();
        if untold {
            return Self { context: edge.tracer.unrecorded(caller), span: None };
        }
        let name = if template.is_empty() { method.to_owned() } else { format!("{method} {template}") };
        let mut span = edge.tracer.start(name, SpanKind::Server, caller, Vec::new());
        if span.is_recording() {
            describe(&mut span, request, method, template, from);
        }
        Self { context: span.context().clone(), span: Some(span) }
    }

    /// Returns whether the span is recorded, even if only for the host's recent traces.
    fn is_recorded(&self) -> bool {
        self.span.as_ref().is_some_and(Span::is_recording)
    }

    /// Marks the span as failed if the problem is the server's. A client's mistake isn't, and neither is an unknown
    /// method.
    fn problem(&mut self, problem: &Problem) {
        let is_error = problem.status().is_server_error() && problem.status() != StatusCode::NOT_IMPLEMENTED;
        if let Some(span) = self.span.as_mut().filter(|_| is_error) {
            span.fail(problem.code(), problem.detail().to_owned());
        }
    }

    fn end(self, status: u16, waited: Duration) {
        if let Some(mut span) = self.span {
            if waited >= WAIT_TOLD {
                span.set(attribute::CLIENT_WAIT_MS, i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
            }
            span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
            span.end();
        }
    }
}

fn describe(
    span: &mut Span,
    request: &Request<Inbound>,
    method: &'static str,
    template: &'static str,
    (peer, scheme): (SocketAddr, &'static str),
) {
    span.set(attribute::HTTP_REQUEST_METHOD, method);
    if method == names::OTHER_METHOD {
        span.set(attribute::HTTP_REQUEST_METHOD_ORIGINAL, request.method().to_string());
    }
    if !template.is_empty() {
        span.set(attribute::HTTP_ROUTE, template);
    }
    span.set(attribute::URL_PATH, request.uri().path().to_owned());
    span.set(attribute::URL_SCHEME, scheme);
    span.set(attribute::NETWORK_PROTOCOL_VERSION, version_name(request.version()));
    span.set(attribute::CLIENT_ADDRESS, peer.ip().to_string());
    let host = request.headers().get(hyper::header::HOST).and_then(|host| host.to_str().ok());
    let (usual, usual_port) = if scheme == "https" { ("443", 443) } else { ("80", 80) };
    if let Some((address, port)) = host.map(|host| host.rsplit_once(':').unwrap_or((host, usual))) {
        span.set(attribute::SERVER_ADDRESS, address.to_owned());
        span.set(attribute::SERVER_PORT, port.parse::<i64>().unwrap_or(usual_port));
    }
    if let Some(agent) = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        span.set(attribute::USER_AGENT_ORIGINAL, agent.to_owned());
    }
}

#[cfg(test)]
pub(super) fn documented() -> Vec<routes::Documented> {
    ROUTES.documented()
}
