//! The operators' listener: orders, stock and plugins. Loopback only, or behind a token; never the public one.
//!
//! | route | |
//! |---|---|
//! | `GET /` | links |
//! | `GET /orders?status=&unresolved=&after=&limit=` | a page of orders, ascending by number |
//! | `GET /orders/{number or reference}` | one |
//! | `GET /stock`, `POST /stock/{item}` with `{"set": n}` or `{"add": n}` | what is on hand, and changing it |
//! | `GET /plugins` | what is live |
//! | `POST /plugins?kind=&name=&by=&try=` with a component | a deploy |
//! | `GET /plugins/versions`, `GET /plugins/versions/{number}`, `GET /plugins/history` | what was live, and who changed it |
//! | `POST /plugins/{kind}/rollback` with `{"to"?, "by"?}`, `POST /plugins/{kind}/settings` with `{"set", "by"?, "canary"?, "shadow"?, "gates"?}` | other changes |
//! | `GET /plugins/rollout`, `GET /plugins/rollout/differences`, `GET /plugins/rollouts` | what is and was tried beside the live versions |
//! | `POST /plugins/rollout/{promote, pause, resume or abort}` with `{"by"?, "reason"?}` | deciding about it |
//! | `GET /traces`, `GET /traces/{trace_id}`, `GET /page/{file}` | the trace page, which shows what the next ones answer |
//! | `GET /recent/traces?…`, `GET /recent/traces/{trace_id}` | recent traces, and one with its log lines |
//! | `GET /api/…` | the same for what reads Jaeger's query API: `jaeger.rs` |
//! | `GET /livez`, `GET /readyz`, `GET /metrics` | as on the shop's listener, and also when that has no connection to spare |

mod jaeger;
mod orders;
mod page;
mod plugins;
mod query;
mod recent;
mod rollouts;
mod stock;

use std::sync::Arc;

pub use plugins::{EventJson, EventsJson, LiveJson, LivesJson, SwappedJson, VersionJson, VersionsJson};
pub use rollouts::{CallsJson, DifferenceJson, DifferencesJson, RolloutJson, RolloutsJson};

use hyper::{HeaderMap, Method, Request, Response, header::HOST};
use percent_encoding::percent_decode_str;

use crate::{
    config::{Limits, Settings},
    http::{Access, Answer, Arrival, Body, Inbound, Reply, Watch, problem::Problem},
    plugin::Plugins,
    store::Store,
    telemetry::Recent,
};

/// What the operators' requests need.
#[derive(Debug)]
pub struct Admin {
    store: Store,
    plugins: Arc<Plugins>,
    limits: Limits,
    access: Access,
    watch: Watch,
    recent: Option<Recent>,
    /// Names under which the listener is asked for; another one comes from a page that rebound its own name to here.
    hosts: Vec<String>,
}

impl Admin {
    /// # Errors
    /// When the listener would be open to others without a token.
    pub fn new(
        settings: &Settings,
        plugins: Arc<Plugins>,
        store: Store,
        watch: Watch,
        recent: Option<Recent>,
    ) -> anyhow::Result<Arc<Self>> {
        let own = settings.server.admin.ip().to_string();
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned).into_iter().chain([own]).collect();
        let access = Access::of_admin(settings)?;
        Ok(Arc::new(Self { store, plugins, limits: settings.limits.clone(), access, watch, recent, hosts }))
    }

    /// Returns the recent traces.
    ///
    /// # Errors
    /// 404 where none are kept, with what keeps some.
    fn recent(&self) -> Result<&Recent, Problem> {
        let why = "no traces are kept here: traces.kept_mib is 0, or OTEL_SDK_DISABLED is true";
        self.recent.as_ref().ok_or_else(|| Problem::not_found(why))
    }

    fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        // With a token nothing else decides: the caller has it, under whatever name it found the host.
        if matches!(self.access, Access::Bearer(_)) {
            return Ok(());
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
        if self.hosts.iter().any(|allowed| allowed == name) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the admin listener isn't called {name:?}; ask for it as 127.0.0.1")))
    }
}

/// Answers one request, whatever it is.
pub async fn handle(admin: Arc<Admin>, arrival: Arrival) -> Response<Body> {
    let Arrival { request, fit, crowded, .. } = arrival;
    let answer = match fit {
        Ok(()) if crowded && !is_watch(request.uri().path()) => Err(Problem::shed()),
        Ok(()) => route(&admin, request).await,
        Err(unfit) => Err(unfit),
    };
    match answer {
        Ok(reply) => reply.into_response(),
        Err(problem) => problem.into_response(None),
    }
}

fn is_watch(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

async fn route(admin: &Admin, request: Request<Inbound>) -> Answer {
    let (parts, body) = request.into_parts();
    admin.check_host(&parts.headers)?;
    let path = parts.uri.path();
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if let Some(page) = page::find(&segments) {
        return if parts.method == Method::GET { Ok(page) } else { Err(Problem::method_not_allowed("GET")) };
    }
    admin.access.check(&parts.headers)?;
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, [""]) => home(),
        (&Method::GET, ["orders"]) => orders::list(admin, parts.uri.query().unwrap_or_default()).await,
        (&Method::GET, ["orders", order]) => orders::show(admin, &decoded(order)).await,
        (&Method::GET, ["stock"]) => stock::list(admin).await,
        (&Method::POST, ["stock", item]) => stock::change(admin, &decoded(item), &parts.headers, body).await,
        (&Method::GET, ["plugins"]) => plugins::live(admin),
        (&Method::POST, ["plugins"]) => {
            plugins::deploy(admin, parts.uri.query().unwrap_or_default(), &parts.headers, body).await
        }
        (&Method::GET, ["plugins", "versions"]) => plugins::versions(admin).await,
        (&Method::GET, ["plugins", "versions", number]) => plugins::version(admin, number).await,
        (&Method::GET, ["plugins", "history"]) => plugins::history(admin).await,
        (&Method::GET, ["plugins", "rollout"]) => rollouts::show(admin).await,
        (&Method::GET, ["plugins", "rollouts"]) => rollouts::list(admin).await,
        (&Method::GET, ["plugins", "rollout", "differences"]) => rollouts::differences(admin),
        (&Method::POST, ["plugins", "rollout", change]) => rollouts::change(admin, change, &parts.headers, body).await,
        (&Method::POST, ["plugins", kind, "rollback"]) => plugins::roll_back(admin, kind, &parts.headers, body).await,
        (&Method::POST, ["plugins", kind, "settings"]) => plugins::set(admin, kind, &parts.headers, body).await,
        (&Method::GET, ["recent", "traces"]) => recent::list(admin, parts.uri.query().unwrap_or_default()).await,
        (&Method::GET, ["recent", "traces", id]) => recent::show(admin, id),
        (&Method::GET, ["api", rest @ ..]) => jaeger::answer(admin, rest, parts.uri.query().unwrap_or_default()).await,
        (&Method::GET, ["livez"]) => admin.watch.live(),
        (&Method::GET, ["readyz"]) => admin.watch.ready().await,
        (&Method::GET, ["metrics"]) => admin.watch.metrics(),
        (
            _,
            ["" | "orders" | "livez" | "readyz" | "metrics" | "stock"]
            | ["orders", _]
            | ["plugins", "versions" | "history" | "rollout" | "rollouts"]
            | ["plugins", "versions", _]
            | ["plugins", "rollout", "differences"]
            | ["recent", "traces"]
            | ["recent", "traces", _]
            | ["api", ..],
        ) => Err(Problem::method_not_allowed("GET")),
        (_, ["plugins"]) => Err(Problem::method_not_allowed("GET, POST")),
        (_, ["stock", _] | ["plugins", _, "rollback" | "settings"] | ["plugins", "rollout", _]) => {
            Err(Problem::method_not_allowed("POST"))
        }
        _ => Err(Problem::not_found("there is no such route; GET / lists them")),
    }
}

fn home() -> Answer {
    Reply::json(&serde_json::json!({
        "message": "This is Till's admin listener.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "orders": "/orders",
            "order": "/orders/{number or reference}",
            "stock": "/stock",
            "plugins": "/plugins",
            "plugin_versions": "/plugins/versions",
            "plugin_history": "/plugins/history",
            "rollout": "/plugins/rollout",
            "rollouts": "/plugins/rollouts",
            "rollout_differences": "/plugins/rollout/differences",
            "trace_page": "/traces",
            "traces": "/recent/traces",
            "trace": "/recent/traces/{trace_id}",
            "jaeger": "/api/traces",
            "metrics": "/metrics",
            "live": "/livez",
            "ready": "/readyz",
        },
    }))
}
