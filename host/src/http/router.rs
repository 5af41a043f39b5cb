//! Which route a request takes, its SERVER span, and what every answer carries.
//!
//! | route | |
//! |---|---|
//! | `GET /` | what this is, with links |
//! | `POST /checkout` | `checkout.rs` |
//! | `POST /inventory/deduct`, `POST /inventory/release`, `GET /inventory`, `GET /inventory/{item}` | `inventory.rs` |
//! | `GET /orders/{reference}` | `orders.rs` |
//! | `GET /metrics`, `GET /livez`, `GET /readyz` | here; their spans are not recorded, for a probe every second would bury the orders |

use std::{net::SocketAddr, sync::Arc, time::Instant};

use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{HeaderName, HeaderValue, USER_AGENT},
};
use opentelemetry::trace::{SpanContext, SpanKind};
use percent_encoding::percent_decode_str;

use super::{
    Body, Shop,
    answer::{Answer, Reply},
    checkout, inventory, orders,
    problem::Problem,
    received::Received,
};
use crate::{
    order::{Item, Reference},
    telemetry::{
        in_span,
        metrics::{CONTENT_TYPE, HttpRequest},
        names::{self, attribute},
        propagation::{Remote, traceparent},
        traces::Span,
    },
};

const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const TILL_PLUGINS: HeaderName = HeaderName::from_static("till-plugins");

#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Home,
    Checkout,
    InventoryDeduct,
    InventoryRelease,
    Inventory,
    InventoryItem(Item),
    Order(Reference),
    Metrics,
    Live,
    Ready,
}

impl Route {
    /// Returns the route of a path, `None` where there is nothing.
    fn of_path(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8().ok().map(String::from);
        Some(match segments.as_slice() {
            [""] => Self::Home,
            ["checkout"] => Self::Checkout,
            ["inventory"] => Self::Inventory,
            ["inventory", "deduct"] => Self::InventoryDeduct,
            ["inventory", "release"] => Self::InventoryRelease,
            ["inventory", item] => Self::InventoryItem(Item::parse(&decoded(item)?)?),
            ["orders", reference] => Self::Order(Reference::parse(&decoded(reference)?)?),
            ["metrics"] => Self::Metrics,
            ["livez"] => Self::Live,
            ["readyz"] => Self::Ready,
            _ => return None,
        })
    }

    const fn template(&self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Checkout => "/checkout",
            Self::Inventory => "/inventory",
            Self::InventoryDeduct => "/inventory/deduct",
            Self::InventoryRelease => "/inventory/release",
            Self::InventoryItem(_) => "/inventory/{item}",
            Self::Order(_) => "/orders/{reference}",
            Self::Metrics => "/metrics",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
        }
    }

    const fn allowed(&self) -> &'static str {
        match self {
            Self::Checkout | Self::InventoryDeduct | Self::InventoryRelease => "POST",
            _ => "GET, HEAD",
        }
    }

    fn takes(&self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| allowed == method.as_str())
    }

    /// Returns whether the route serves machines that watch the host, not the shop.
    const fn is_watch(&self) -> bool {
        matches!(self, Self::Metrics | Self::Live | Self::Ready)
    }
}

/// Answers one request, whatever it is.
pub async fn handle(shop: Arc<Shop>, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
    let started = Instant::now();
    let method = names::http_method(request.method().as_str());
    let version = version_name(request.version());
    let routed = routed(&shop, &request);
    let template = routed.as_ref().map_or("", Route::template);
    let is_head = request.method() == Method::HEAD;
    let remote = shop.propagator.extract(request.headers());
    let watch = routed.as_ref().is_ok_and(Route::is_watch);
    let mut server = ServerSpan::start(&shop, &request, &remote, method, template, peer, watch);
    let context = server.context.clone();
    let snapshot = shop.plugins.snapshot();

    let answer = in_span(&context, async {
        let route = routed?;
        if !route.takes(request.method()) {
            return Err(Problem::method_not_allowed(route.allowed()));
        }
        let (parts, body) = request.into_parts();
        let received = Received {
            parent: context.clone(),
            snapshot: Arc::clone(&snapshot),
            baggage: remote.baggage,
            headers: parts.headers,
            body,
        };
        dispatch(&shop, route, received).await
    })
    .await;

    let mut response = match answer {
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
    if let Ok(value) = HeaderValue::try_from(traceparent(&context)) {
        headers.insert(TRACERESPONSE, value);
    }
    headers.insert(TILL_PLUGINS, snapshot.header_value().clone());
    let status = response.status().as_u16();
    server.end(status);
    shop.metrics.http_request(HttpRequest { method, route: template, status, version, duration: started.elapsed() });
    response
}

fn routed(shop: &Shop, request: &Request<Incoming>) -> Result<Route, Problem> {
    let uri = request.uri();
    let uri_bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if uri_bytes > shop.limits.uri_bytes {
        let detail = format!("a request's target may have {} bytes", shop.limits.uri_bytes);
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail));
    }
    Route::of_path(uri.path()).ok_or_else(|| Problem::not_found("there is no such route; GET / lists them"))
}

async fn dispatch(shop: &Arc<Shop>, route: Route, received: Received) -> Answer {
    match route {
        Route::Home => home(),
        Route::Checkout => checkout::checkout(shop, received).await,
        Route::InventoryDeduct => inventory::deduct(shop, received).await,
        Route::InventoryRelease => inventory::release(shop, received).await,
        Route::Inventory => inventory::list(shop, &received).await,
        Route::InventoryItem(item) => inventory::show(shop, &received, &item).await,
        Route::Order(reference) => orders::show(shop, &reference).await,
        Route::Metrics => metrics(shop),
        Route::Live => Reply::json(&serde_json::json!({ "status": "live" })),
        Route::Ready => ready(shop).await,
    }
}

fn home() -> Answer {
    Reply::json(&serde_json::json!({
        "message": "This is Till, a host for checkout logic. POST /checkout with {\"item\",\"quantity\",\"price\"}.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "checkout": "/checkout",
            "inventory": "/inventory",
            "order": "/orders/{reference}",
            "metrics": "/metrics",
            "live": "/livez",
            "ready": "/readyz",
        },
    }))
}

fn metrics(shop: &Shop) -> Answer {
    let text = shop.metrics.render().map_err(|error| Problem::internal(&error))?;
    Ok(Reply::text(CONTENT_TYPE, text))
}

async fn ready(shop: &Shop) -> Answer {
    if shop.stopping.is_cancelled() {
        return Err(Problem::unavailable("stopping", "the host is shutting down"));
    }
    shop.store.ready().await?;
    Reply::json(&serde_json::json!({ "status": "ready" }))
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// The span of a request; for a watch route only its ids, so that its answer has them as every other.
struct ServerSpan {
    context: SpanContext,
    span: Option<Span>,
}

impl ServerSpan {
    fn start(
        shop: &Shop,
        request: &Request<Incoming>,
        remote: &Remote,
        method: &'static str,
        template: &'static str,
        peer: SocketAddr,
        watch: bool,
    ) -> Self {
        let caller = remote.span_context.as_ref();
        if watch {
            return Self { context: shop.tracer.unrecorded(caller), span: None };
        }
        let name = if template.is_empty() { method.to_owned() } else { format!("{method} {template}") };
        let mut span = shop.tracer.start(name, SpanKind::Server, caller, Vec::new());
        if span.is_recording() {
            describe(&mut span, request, method, template, peer);
        }
        Self { context: span.context().clone(), span: Some(span) }
    }

    /// A client's own mistake is no error of the server's.
    fn problem(&mut self, problem: &Problem) {
        if let Some(span) = self.span.as_mut().filter(|_| problem.status().is_server_error()) {
            span.fail(problem.code(), problem.detail().to_owned());
        }
    }

    fn end(self, status: u16) {
        if let Some(mut span) = self.span {
            span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
            span.end();
        }
    }
}

fn describe(
    span: &mut Span,
    request: &Request<Incoming>,
    method: &'static str,
    template: &'static str,
    peer: SocketAddr,
) {
    span.set(attribute::HTTP_REQUEST_METHOD, method);
    if method == names::OTHER_METHOD {
        span.set(attribute::HTTP_REQUEST_METHOD_ORIGINAL, request.method().to_string());
    }
    if !template.is_empty() {
        span.set(attribute::HTTP_ROUTE, template);
    }
    span.set(attribute::URL_PATH, request.uri().path().to_owned());
    span.set(attribute::URL_SCHEME, "http");
    span.set(attribute::NETWORK_PROTOCOL_VERSION, version_name(request.version()));
    span.set(attribute::CLIENT_ADDRESS, peer.ip().to_string());
    let host = request.headers().get(hyper::header::HOST).and_then(|host| host.to_str().ok());
    if let Some((address, port)) = host.map(|host| host.rsplit_once(':').unwrap_or((host, "80"))) {
        span.set(attribute::SERVER_ADDRESS, address.to_owned());
        span.set(attribute::SERVER_PORT, port.parse::<i64>().unwrap_or(80));
    }
    if let Some(agent) = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        span.set(attribute::USER_AGENT_ORIGINAL, agent.to_owned());
    }
}
