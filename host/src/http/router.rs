//! Which route a request takes, its SERVER span, and what every answer carries.
//!
//! | route | |
//! |---|---|
//! | `GET /` | what this is, with links |
//! | `POST /checkout` | `checkout.rs` |
//! | `POST /inventory/deduct`, `POST /inventory/release`, `GET /inventory`, `GET /inventory/{item}` | `inventory.rs` |
//! | `GET /orders/{reference}` | `orders.rs` |
//! | `GET /openapi.json` | all of this for programs: `openapi.rs`; `tests/it/openapi.rs` holds the host to it |
//! | `GET /metrics`, `GET /livez`, `GET /readyz` | `watch.rs`; their spans are not recorded, for a probe every second would bury the orders |

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    header::{HeaderName, HeaderValue, LINK, USER_AGENT},
};
use opentelemetry::trace::{SpanContext, SpanKind};
use percent_encoding::percent_decode_str;

use super::{
    Body, Shop,
    answer::{Answer, Reply},
    arrival::{Arrival, Inbound},
    body, checkout, cors, inventory, openapi, orders,
    problem::Problem,
    received::Received,
};
use crate::{
    order::{IdempotencyKey, Item, Reference},
    plugin::Pinned,
    telemetry::{
        in_span,
        metrics::HttpRequest,
        names::{self, attribute},
        propagation::{Remote, traceparent},
        traces::Span,
    },
};

/// A client that was waited for no longer than this sent its body at once.
const WAIT_TOLD: Duration = Duration::from_millis(100);

const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const TILL_PLUGINS: HeaderName = HeaderName::from_static("till-plugins");

#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Home,
    OpenApi,
    /// The host as a whole, of which a client asks what it can do: `OPTIONS *` (RFC 9110, 9.3.7).
    Whole,
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
            ["openapi.json"] => Self::OpenApi,
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
            Self::OpenApi => "/openapi.json",
            Self::Whole => "*",
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
            Self::Whole => "OPTIONS",
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
pub async fn handle(shop: Arc<Shop>, arrival: Arrival) -> Response<Body> {
    let Arrival { request, peer, fit, crowded } = arrival;
    let started = Instant::now();
    let method = names::http_method(request.method().as_str());
    let version = version_name(request.version());
    let routed = fit.and_then(|()| meant(&shop, &request)).and_then(|()| routed(&request));
    let template = routed.as_ref().map_or("", Route::template);
    let is_head = request.method() == Method::HEAD;
    let origin = cors::allowed(&shop.origins, request.headers());
    let remote = shop.propagator.extract(request.headers());
    let full = routed.as_ref().is_ok_and(|route| shop.is_full_for(route));
    // A probe every second would bury the orders, and so would what there is no room for.
    let untold = full || routed.as_ref().is_ok_and(Route::is_watch);
    let mut server = ServerSpan::start(&shop, &request, &remote, method, template, peer, untold);
    let context = server.context.clone();
    let rest = request.body().rest();
    let is_checkout = routed.as_ref().is_ok_and(|route| *route == Route::Checkout && route.takes(request.method()));
    let pinned = Arc::new(pinned(&shop, routed.as_ref().ok(), request.headers(), &context));

    let answer = in_span(&context, async {
        let route = routed?;
        if crowded && !route.is_watch() {
            return Err(Problem::shed());
        }
        if origin.is_some() && cors::is_preflight(&request) {
            return Ok(cors::preflight(route.allowed()));
        }
        if !route.takes(request.method()) {
            return Err(Problem::method_not_allowed(route.allowed()));
        }
        let (parts, body) = request.into_parts();
        if full {
            // To its end, so that the connection goes on: a new one would cost more than this whole answer.
            body::pass_over(body, &shop.limits).await;
            return Err(Problem::shed());
        }
        let received = Received {
            parent: context.clone(),
            pinned: Arc::clone(&pinned),
            carried: remote.carried,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        };
        // Boxed: a checkout's future is large, and hyper moves a request's several times before it runs.
        Box::pin(dispatch(&shop, route, received)).await.map(Reply::into_response)
    })
    .await;

    let mut response = match answer {
        Ok(response) => response,
        Err(problem) => {
            server.problem(&problem);
            problem.into_response(Some(&context.trace_id().to_string()))
        }
    };
    if is_head {
        *response.body_mut() = Body::default();
    }
    let headers = response.headers_mut();
    cors::mark(&shop.origins, origin, headers);
    if let Ok(value) = HeaderValue::try_from(traceparent(&context)) {
        headers.insert(TRACERESPONSE, value);
    }
    let links = shop.links.as_ref().filter(|_| is_checkout && server.is_recorded());
    if let Some(link) = links.and_then(|links| links.header(context.trace_id())) {
        headers.insert(LINK, link);
    }
    headers.insert(TILL_PLUGINS, pinned.snapshot().header_value().clone());
    let status = response.status().as_u16();
    // The host's own: else every client could make the shop look slow.
    let waited = rest.waited();
    let duration = started.elapsed().saturating_sub(waited);
    shop.metrics.http_request(&context, HttpRequest { method, route: template, status, version, duration });
    server.end(status, waited);
    response
}

/// Checks that the request is meant for this shop, and not a page's of another site.
fn meant(shop: &Shop, request: &Request<Inbound>) -> Result<(), Problem> {
    shop.hosts.as_ref().map_or(Ok(()), |hosts| hosts.check(request.headers()))?;
    cors::check_origin(&shop.origins, request.method(), request.headers())
}

fn routed(request: &Request<Inbound>) -> Result<Route, Problem> {
    if is_options_of_all(request) {
        return Ok(Route::Whole);
    }
    let route = Route::of_path(request.uri().path());
    route.ok_or_else(|| Problem::not_found("there is no such route; GET / lists them"))
}

/// Returns whether it asks what the host can do at all.
pub(crate) fn is_options_of_all<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

/// Returns the plugins of the request. Where it calls one, a canary may be among them: always for the same key, or, of
/// those that have none, by chance.
fn pinned(shop: &Shop, route: Option<&Route>, headers: &HeaderMap, context: &SpanContext) -> Pinned {
    if !matches!(route, Some(Route::Checkout | Route::InventoryDeduct)) {
        return shop.plugins.pin_live();
    }
    match headers.get(IdempotencyKey::HEADER) {
        Some(key) => shop.plugins.pin(key.as_bytes()),
        None => shop.plugins.pin(&context.trace_id().to_bytes()),
    }
}

async fn dispatch(shop: &Arc<Shop>, route: Route, received: Received) -> Answer {
    match route {
        Route::Home => home(shop),
        Route::OpenApi => Ok(openapi::show()),
        Route::Whole => Ok(Reply::options(&[("allow", "GET, HEAD, POST, OPTIONS")])),
        Route::Checkout => checkout::checkout(shop, received).await,
        Route::InventoryDeduct => inventory::deduct(shop, received).await,
        Route::InventoryRelease => inventory::release(shop, received).await,
        Route::Inventory => inventory::list(shop, &received).await,
        Route::InventoryItem(item) => inventory::show(shop, &received, &item).await,
        Route::Order(reference) => orders::show(shop, &reference).await,
        Route::Metrics => shop.watch.metrics(&received.headers),
        Route::Live => shop.watch.live(),
        Route::Ready => shop.watch.ready().await,
    }
}

fn home(shop: &Shop) -> Answer {
    let mut home = serde_json::json!({
        "message": "This is Till, a host for checkout logic. POST /checkout with {\"item\",\"quantity\",\"price\"}.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "openapi": "/openapi.json",
            "checkout": "/checkout",
            "inventory": "/inventory",
            "order": "/orders/{reference}",
            "metrics": "/metrics",
            "live": "/livez",
            "ready": "/readyz",
        },
    });
    // Not among the links, for those are paths of this listener's.
    if let (Some(links), Some(members)) = (&shop.links, home.as_object_mut()) {
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

impl Shop {
    /// Returns whether a request of this route would be refused anyway. Asked first, so that a refusal costs next to
    /// nothing of what is there for those that are carried out.
    fn is_full_for(&self, route: &Route) -> bool {
        match route {
            Route::Checkout => self.checkouts.is_full(),
            Route::InventoryDeduct | Route::InventoryRelease => self.deducts.is_full(),
            _ => false,
        }
    }
}

/// The span of a request; for one that isn't recorded only its ids, so that its answer has them as every other.
struct ServerSpan {
    context: SpanContext,
    span: Option<Span>,
}

impl ServerSpan {
    fn start(
        shop: &Shop,
        request: &Request<Inbound>,
        remote: &Remote,
        method: &'static str,
        template: &'static str,
        peer: SocketAddr,
        untold: bool,
    ) -> Self {
        let caller = remote.span_context.as_ref();
        if untold {
            return Self { context: shop.tracer.unrecorded(caller), span: None };
        }
        let name = if template.is_empty() { method.to_owned() } else { format!("{method} {template}") };
        let mut span = shop.tracer.start(name, SpanKind::Server, caller, Vec::new());
        if span.is_recording() {
            describe(&mut span, request, method, template, peer);
        }
        Self { context: span.context().clone(), span: Some(span) }
    }

    /// Returns whether it will be found, be it only by the host's own people.
    fn is_recorded(&self) -> bool {
        self.span.as_ref().is_some_and(Span::is_recording)
    }

    /// A client's own mistake is no error of the server's, nor is a method that nobody implements.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_path_is_a_route_with_these_methods() {
        for (path, methods) in openapi::documented(openapi::Listener::Shop) {
            let filled = path.replace("{item}", "headphones").replace("{reference}", "a");
            let route = Route::of_path(&filled).unwrap_or_else(|| panic!("{path} is no route"));
            assert_eq!((route.template(), route.allowed()), (path.as_str(), methods.as_str()));
        }
    }
}
