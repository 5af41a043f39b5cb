//! The operators' listener: orders, stock and plugins. Loopback only, or behind a token; never the public one.
//!
//! | route | |
//! |---|---|
//! | `GET /` | links |
//! | `GET /openapi.json` | all of this for programs, in the one document of both listeners |
//! | `GET /orders?status=&unresolved=&after=&limit=` | a page of orders, ascending by number |
//! | `GET /orders/{reference}` | one, by its number too |
//! | `GET /stock`, `POST /stock/{item}` with `{"set": n}` or `{"add": n}` | what is on hand, and changing it |
//! | `GET /plugins` | what is live |
//! | `POST /plugins?kind=&name=&by=&try=` with a component | a deploy |
//! | `GET /plugins/versions?after=&limit=`, `GET /plugins/versions/{number}`, `GET /plugins/history?after=&limit=` | what was live, and who changed it |
//! | `POST /plugins/{kind}/rollback` with `{"to"?, "by"?}`, `POST /plugins/{kind}/settings` with `{"set", "by"?, "canary"?, "shadow"?, "gates"?}` | other changes |
//! | `GET /plugins/rollout`, `GET /plugins/rollout/differences`, `GET /plugins/rollouts?after=&limit=` | what is and was tried beside the live versions |
//! | `POST /plugins/rollout/{promote, pause, resume or abort}` with `{"by"?, "reason"?}` | deciding about it |
//! | `GET /traces`, `GET /traces/{trace_id}`, `GET /page/{file}` | the trace page, which shows what the next ones answer |
//! | `GET /recent/traces?…`, `GET /recent/traces/{trace_id}`, `GET /recent/charts` | recent traces, one with its log lines, the last minutes of the metrics |
//! | `GET /api/…` | the traces for what reads Jaeger's query API, `/api/v3/…` among them: `jaeger.rs` |
//! | `GET /livez`, `GET /readyz`, `GET /metrics` | as on the shop's listener, and also when that has no connection to spare |
//!
//! JSON is packed with gzip for who asks for that.

pub mod charts;
mod gzip;
mod jaeger;
mod listed;
mod orders;
mod page;
mod plugins;
mod recent;
mod rollouts;
mod stock;

use std::{sync::Arc, time::Instant};

pub use plugins::{
    EventJson, EventsJson, LiveJson, LivesJson, OutcomesJson, SwappedJson, VersionJson, VersionsJson, same_file_text,
};
pub use rollouts::{CallsJson, DifferenceJson, DifferencesJson, RolloutJson, RolloutsJson};

use hyper::{
    Method, Request, Response,
    header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use percent_encoding::percent_decode_str;

use crate::{
    config::{Limits, Origins, Settings},
    http::{
        Access, Answer, Arrival, Body, Inbound, Reply, Watch, check_origin, is_options_of_all, openapi,
        problem::Problem, query, version_name,
    },
    plugin::Plugins,
    store::Store,
    telemetry::{Metrics, Recent, charts::Charts, metrics::HttpRequest, names},
};

/// What the operators' requests need.
#[derive(Debug)]
pub struct Admin {
    store: Store,
    plugins: Arc<Plugins>,
    limits: Limits,
    access: Access,
    watch: Watch,
    metrics: Metrics,
    charts: Arc<Charts>,
    recent: Option<Recent>,
}

impl Admin {
    /// # Errors
    /// When the listener would be open to others without a token.
    pub fn new(
        settings: &Settings,
        plugins: Arc<Plugins>,
        store: Store,
        watch: Watch,
        metrics: Metrics,
        charts: Arc<Charts>,
        recent: Option<Recent>,
    ) -> anyhow::Result<Arc<Self>> {
        let access = Access::of_admin(settings)?;
        let limits = settings.limits.clone();
        Ok(Arc::new(Self { store, plugins, limits, access, watch, metrics, charts, recent }))
    }

    /// Returns the recent traces.
    ///
    /// # Errors
    /// 404 where none are kept, with what keeps some.
    fn recent(&self) -> Result<&Recent, Problem> {
        let why = "no traces are kept here: traces.kept_mib is 0, or OTEL_SDK_DISABLED is true";
        self.recent.as_ref().ok_or_else(|| Problem::not_found(why))
    }
}

/// What an operator can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Home,
    OpenApi,
    Orders,
    Order,
    Stock,
    StockItem,
    Plugins,
    Versions,
    Version,
    History,
    Rollout,
    Rollouts,
    Differences,
    RolloutChange,
    RollBack,
    Settings,
    RecentTraces,
    RecentTrace,
    Charts,
    /// Of Jaeger's query API: `jaeger.rs` tells them apart.
    Jaeger,
    Live,
    Ready,
    Metrics,
}

const GET: &str = "GET, HEAD";
const POST: &str = "POST";

/// All routes: the path as `openapi.json` has it, where a segment in braces stands for any, and the methods it takes.
/// The first that fits is the one.
const ROUTES: [(Route, &str, &str); 32] = [
    (Route::Home, "/", GET),
    (Route::OpenApi, "/openapi.json", GET),
    (Route::Orders, "/orders", GET),
    (Route::Order, "/orders/{reference}", GET),
    (Route::Stock, "/stock", GET),
    (Route::StockItem, "/stock/{item}", "POST, DELETE"),
    (Route::Plugins, "/plugins", "GET, HEAD, POST"),
    (Route::Versions, "/plugins/versions", GET),
    (Route::Version, "/plugins/versions/{number}", GET),
    (Route::History, "/plugins/history", GET),
    (Route::Rollout, "/plugins/rollout", GET),
    (Route::Rollouts, "/plugins/rollouts", GET),
    (Route::Differences, "/plugins/rollout/differences", GET),
    (Route::RolloutChange, "/plugins/rollout/{change}", POST),
    (Route::RollBack, "/plugins/{kind}/rollback", POST),
    (Route::Settings, "/plugins/{kind}/settings", POST),
    (Route::RecentTraces, "/recent/traces", GET),
    (Route::RecentTrace, "/recent/traces/{trace_id}", GET),
    (Route::Charts, "/recent/charts", GET),
    (Route::Jaeger, "/api/services", GET),
    (Route::Jaeger, "/api/services/{service}/operations", GET),
    (Route::Jaeger, "/api/operations", GET),
    (Route::Jaeger, "/api/traces", GET),
    (Route::Jaeger, "/api/traces/{trace_id}", GET),
    (Route::Jaeger, "/api/dependencies", GET),
    (Route::Jaeger, "/api/v3/services", GET),
    (Route::Jaeger, "/api/v3/operations", GET),
    (Route::Jaeger, "/api/v3/trace-summaries", GET),
    (Route::Jaeger, "/api/v3/traces/{trace_id}", GET),
    (Route::Live, "/livez", GET),
    (Route::Ready, "/readyz", GET),
    (Route::Metrics, "/metrics", GET),
];

impl Route {
    /// Returns the route of a path; `None` where there is nothing.
    fn of_path(path: &str) -> Option<Found> {
        ROUTES.iter().find_map(|(route, template, allowed)| {
            let named = percent_decode_str(named(template, path)?).decode_utf8_lossy().into_owned();
            Some(Found { route: *route, template, named, allowed })
        })
    }
}

/// A route that a path has.
#[derive(Debug)]
struct Found {
    route: Route,
    template: &'static str,
    /// What stands in the place of the template's braces, decoded.
    named: String,
    /// The methods that it takes.
    allowed: &'static str,
}

/// Returns what stands in the path where the template has braces, nothing if it has none; `None` if the path is another.
fn named<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    let mut named = "";
    let mut segments = path.split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        if wanted.starts_with('{') {
            named = segment;
        } else if segment != wanted {
            return None;
        }
    }
    segments.next().is_none().then_some(named)
}

/// Answers one request, whatever it is.
pub async fn handle(admin: Arc<Admin>, arrival: Arrival) -> Response<Body> {
    let started = Instant::now();
    let Arrival { request, fit, crowded, .. } = arrival;
    let is_head = request.method() == Method::HEAD;
    let takes_gzip = gzip::is_accepted(request.headers());
    let (method, version) = (names::http_method(request.method().as_str()), version_name(request.version()));
    let found = Route::of_path(request.uri().path());
    let route = found.as_ref().map_or("", |found| found.template);
    let answer = match fit {
        Ok(()) if crowded && !is_watch(request.uri().path()) => Err(Problem::shed()),
        Ok(()) => answer(&admin, request, found).await,
        Err(unfit) => Err(unfit),
    };
    let response = match answer {
        Ok(reply) => reply.into_response(),
        Err(problem) => problem.into_response(None),
    };
    let mut response = gzip::packed(response, takes_gzip).await;
    let headers = response.headers_mut();
    // What operators see is for nobody else who uses their browser, and is what it says that it is.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_head {
        *response.body_mut() = Body::default();
    }
    let (status, duration) = (response.status().as_u16(), started.elapsed());
    admin.metrics.admin_request(HttpRequest { method, route, status, version, duration });
    response
}

fn is_watch(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

async fn answer(admin: &Admin, request: Request<Inbound>, found: Option<Found>) -> Answer {
    let of_all = is_options_of_all(&request);
    let (parts, body) = request.into_parts();
    admin.access.check_host(&parts.headers)?;
    check_origin(&Origins::default(), &parts.method, &parts.headers)?;
    if let Some(page) = page::find(parts.uri.path()) {
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        return if reads { Ok(page) } else { Err(Problem::method_not_allowed(GET)) };
    }
    admin.access.check(&parts.headers)?;
    if of_all {
        return Ok(Reply::options(&[("allow", "GET, HEAD, POST, DELETE, OPTIONS")]));
    }
    let (headers, query) = (&parts.headers, parts.uri.query().unwrap_or_default());
    let Found { route, named, allowed, .. } =
        found.ok_or_else(|| Problem::not_found("there is no such route; GET / lists them"))?;
    if !allowed.split(", ").any(|allowed| allowed == parts.method.as_str()) {
        return Err(Problem::method_not_allowed(allowed));
    }
    match route {
        Route::Home => home(admin),
        Route::OpenApi => Ok(openapi::show()),
        Route::Orders => orders::list(admin, query).await,
        Route::Order => orders::show(admin, &named).await,
        Route::Stock => stock::list(admin, query).await,
        Route::StockItem if parts.method == Method::DELETE => stock::remove(admin, &named).await,
        Route::StockItem => stock::change(admin, &named, headers, body).await,
        Route::Plugins if parts.method == Method::POST => plugins::deploy(admin, query, headers, body).await,
        Route::Plugins => plugins::live(admin),
        Route::Versions => plugins::versions(admin, query).await,
        Route::Version => plugins::version(admin, &named).await,
        Route::History => plugins::history(admin, query).await,
        Route::Rollout => rollouts::show(admin).await,
        Route::Rollouts => rollouts::list(admin, query).await,
        Route::Differences => rollouts::differences(admin),
        Route::RolloutChange => rollouts::change(admin, &named, headers, body).await,
        Route::RollBack => plugins::roll_back(admin, &named, headers, body).await,
        Route::Settings => plugins::set(admin, &named, headers, body).await,
        Route::RecentTraces => recent::list(admin, query).await,
        Route::RecentTrace => recent::show(admin, &named),
        Route::Charts => charts::show(admin).await,
        Route::Jaeger => jaeger::answer(admin, parts.uri.path(), query).await,
        Route::Live => admin.watch.live(),
        Route::Ready => admin.watch.ready().await,
        Route::Metrics => admin.watch.metrics(headers),
    }
}

fn home(admin: &Admin) -> Answer {
    let mut home = serde_json::json!({
        "message": "This is Till's admin listener.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "openapi": "/openapi.json",
            "orders": "/orders",
            "order": "/orders/{reference}",
            "stock": "/stock",
            "stock_item": "/stock/{item}",
            "plugins": "/plugins",
            "plugin_versions": "/plugins/versions",
            "plugin_history": "/plugins/history",
            "plugin_rollback": "/plugins/{kind}/rollback",
            "plugin_settings": "/plugins/{kind}/settings",
            "rollout": "/plugins/rollout",
            "rollouts": "/plugins/rollouts",
            "rollout_differences": "/plugins/rollout/differences",
            "rollout_change": "/plugins/rollout/{change}",
            "charts": "/recent/charts",
            "traces": "/recent/traces",
            "trace": "/recent/traces/{trace_id}",
            "jaeger": "/api/traces",
            "jaeger_v3": "/api/v3/trace-summaries",
            "metrics": "/metrics",
            "live": "/livez",
            "ready": "/readyz",
        },
    });
    // A page, and no route of this interface.
    if let (Some(_), Some(members)) = (&admin.recent, home.as_object_mut()) {
        members.insert("traces".into(), "/traces".into());
    }
    Reply::json(&home)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_route_is_documented_and_every_documented_path_is_a_route() {
        let routes: BTreeMap<_, _> =
            ROUTES.iter().map(|(_, path, allowed)| ((*path).to_owned(), (*allowed).to_owned())).collect();
        assert_eq!(openapi::documented(openapi::Listener::Admin), routes);
        assert_eq!(routes.len(), ROUTES.len(), "no path stands twice");
    }

    #[test]
    fn a_path_is_the_first_route_that_it_fits() {
        let of_path = |path| Route::of_path(path).map(|found| (found.route, found.named));
        let named = |route, named: &str| Some((route, named.to_owned()));
        assert_eq!(of_path("/"), named(Route::Home, ""));
        assert_eq!(of_path("/stock/a%20b"), named(Route::StockItem, "a b"));
        assert_eq!(of_path("/stock/"), named(Route::StockItem, ""));
        assert_eq!(of_path("/plugins/rollout/differences"), named(Route::Differences, ""));
        assert_eq!(of_path("/plugins/rollout/abort"), named(Route::RolloutChange, "abort"));
        assert_eq!(of_path("/plugins/checkout/rollback"), named(Route::RollBack, "checkout"));
        for path in ["", "stock", "/stock/a/b", "/plugins/", "/nothing"] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }
}
