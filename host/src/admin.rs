//! The operators' listener: orders, stock and plugins. Loopback only, or behind a token; never the public one.
//!
//! The routes are the rows of `ROUTES`; `openapi.json` describes each. `page.rs` serves the console besides, which
//! shows what the routes return: `GET /console` and below, `GET /traces`, `GET /traces/{trace_id}` and `GET /page/{folder}/{file}`.
//!
//! JSON is compressed with gzip for clients that accept it.

mod access;
mod approvals;
mod buy;
mod catalogue;
pub mod charts;
mod gzip;
mod installations;
mod jaeger;
mod lines;
mod listed;
mod orders;
mod page;
mod plugins;
mod recent;
mod recordings;
mod replays;
mod rollouts;
mod settings;
mod stock;
mod timeline;

use std::{sync::Arc, time::Instant};

pub use approvals::{ApprovalJson, ApprovalsJson};
pub use installations::InstallationsJson;
pub use plugins::{
    EventJson, EventsJson, LiveJson, LivesJson, OutcomesJson, ReplacedJson, SignedJson, SwappedJson, VersionJson,
    VersionsJson, same_file_text,
};
pub use recordings::{KeptJson, RecordingJson, RecordingsJson};
pub use replays::{
    CallJson, DecisionJson, DifferingJson, LogOfCallJson, ProfileJson, RepeatJob, Repeated, RepeatedCall, ReplayedJson,
    SampledJson, SpanOfCallJson,
};
pub use rollouts::{CallsJson, DifferenceJson, DifferencesJson, RolloutJson, RolloutsJson};

use access::{AdminAccess, check_scope};
use replays::Replays;

use hyper::{
    HeaderMap, Method, Request, Response,
    header::{ALLOW, CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    catalogue::LiveCatalogue,
    config::{Limits, Listed, Origins, Settings},
    http::{
        Answer, Arrival, Body, Edge, Inbound, Reply, Watch, check_origin, openapi,
        problem::Problem,
        query,
        routes::{self, Routes, Target, at_once},
        version_name,
    },
    store::Store,
    telemetry::{Metrics, Recent, charts::Charts, metrics::HttpRequest, names},
    tokens::{AdminTokens, Caller, Scope},
    versions::Plugins,
};

/// The state that operators' requests need.
#[derive(Debug)]
pub struct Admin {
    store: Store,
    plugins: Arc<Plugins>,
    catalogue: Arc<LiveCatalogue>,
    limits: Limits,
    access: AdminAccess,
    watch: Watch,
    metrics: Metrics,
    charts: Arc<Charts>,
    recent: Option<Recent>,
    replays: Replays,
    /// The shop, for an operator's own checkouts.
    edge: Arc<Edge>,
    listed: Arc<[Listed]>,
}

/// Answers with what a search finds. It runs on a blocking thread, because it may read many thousands of entries.
async fn searched(search: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(search).await.map_err(|panicked| Problem::internal(&panicked))?
}

impl Admin {
    /// # Errors
    /// If the listener would be open to others without a token.
    pub fn new(
        settings: &Settings,
        (plugins, store, catalogue): (Arc<Plugins>, Store, Arc<LiveCatalogue>),
        watch: Watch,
        metrics: Metrics,
        charts: Arc<Charts>,
        (recent, edge): (Option<Recent>, Arc<Edge>),
        tokens: Option<Arc<AdminTokens>>,
    ) -> anyhow::Result<Arc<Self>> {
        let access = AdminAccess::new(settings, tokens)?;
        let (limits, replays) = (settings.limits.clone(), Replays::new(settings));
        let listed = Arc::clone(&settings.listed);
        Ok(Arc::new(Self {
            store,
            plugins,
            catalogue,
            limits,
            access,
            watch,
            metrics,
            charts,
            recent,
            replays,
            edge,
            listed,
        }))
    }

    /// Returns the recent traces.
    ///
    /// # Errors
    /// 404 if none are kept, with how to keep some.
    fn recent(&self) -> Result<&Recent, Problem> {
        let why = "no traces are kept here: traces.kept_mib is 0, or OTEL_SDK_DISABLED is true";
        self.recent.as_ref().ok_or_else(|| Problem::not_found(why))
    }
}

/// A request with its route.
#[derive(Debug)]
struct Asked {
    caller: Caller,
    /// The decoded path segment in place of the route's braces; empty if the route has none.
    named: String,
    /// The target's query, not decoded; empty if there is none.
    query: String,
    headers: HeaderMap,
    body: Inbound,
}

type Route = routes::Route<Admin, Asked, Scope>;

/// The operators' routes.
static ROUTES: Routes<Admin, Asked, Scope> = Routes(&[
    Route::get(Scope::Read, "/", "home", |admin, _| at_once(home(admin))),
    Route::get(Scope::Read, "/openapi.json", "openapi", |_, _| at_once(Ok(openapi::show()))).linked("openapi"),
    Route::get(Scope::Read, "/orders", "orders", |admin, asked| Box::pin(orders::list(admin, asked))).linked("orders"),
    Route::get(Scope::Read, "/orders/{reference}", "order", |admin, asked| Box::pin(orders::show(admin, asked)))
        .linked("order"),
    Route::get(Scope::Read, "/stock", "stock", |admin, asked| Box::pin(stock::list(admin, asked))).linked("stock"),
    Route::post(Scope::Stock, "/stock/{item}", "changeStock", |admin, asked| Box::pin(stock::change(admin, asked)))
        .linked("stock_item"),
    Route::delete(Scope::Stock, "/stock/{item}", "removeStock", |admin, asked| Box::pin(stock::remove(admin, asked))),
    Route::get(Scope::Read, "/movements", "movements", |admin, asked| Box::pin(stock::movements(admin, asked)))
        .linked("movements"),
    Route::get(Scope::Read, "/sales", "sales", |admin, asked| Box::pin(stock::sales(admin, asked))).linked("sales"),
    Route::get(Scope::Read, "/settings", "settings", |admin, _| at_once(settings::list(admin))).linked("settings"),
    Route::get(Scope::Read, "/timeline", "timeline", |admin, asked| Box::pin(timeline::list(admin, asked)))
        .linked("timeline"),
    Route::post(Scope::Stock, "/buy", "buy", |admin, asked| Box::pin(buy::buy(admin, asked))),
    Route::get(Scope::Read, "/catalogue", "catalogue", |admin, asked| at_once(catalogue::list(admin, &asked)))
        .linked("catalogue"),
    Route::post(Scope::Stock, "/catalogue", "importCatalogue", |admin, asked| {
        Box::pin(catalogue::import(admin, asked))
    }),
    Route::get(Scope::Read, "/catalogue/{item}", "product", |admin, asked| at_once(catalogue::show(admin, &asked)))
        .linked("product"),
    Route::get(Scope::Read, "/plugins", "plugins", |admin, _| at_once(plugins::live(admin))).linked("plugins"),
    Route::post(Scope::Deploy, "/plugins", "deploy", |admin, asked| Box::pin(plugins::deploy(admin, asked))),
    Route::get(Scope::Read, "/plugins/versions", "pluginVersions", |admin, asked| {
        Box::pin(plugins::versions(admin, asked))
    })
    .linked("plugin_versions"),
    Route::get(Scope::Read, "/plugins/versions/{number}", "pluginVersion", |admin, asked| {
        Box::pin(plugins::version(admin, asked))
    }),
    Route::get(Scope::Read, "/plugins/versions/{number}/file", "pluginFile", |admin, asked| {
        Box::pin(plugins::file(admin, asked))
    })
    .linked("plugin_file"),
    Route::get(Scope::Read, "/plugins/history", "pluginHistory", |admin, asked| {
        Box::pin(plugins::history(admin, asked))
    })
    .linked("plugin_history"),
    Route::get(Scope::Read, "/plugins/rollout", "rollout", |admin, _| Box::pin(rollouts::show(admin)))
        .linked("rollout"),
    Route::get(Scope::Read, "/plugins/rollouts", "rollouts", |admin, asked| Box::pin(rollouts::list(admin, asked)))
        .linked("rollouts"),
    Route::get(Scope::Read, "/plugins/rollout/differences", "differences", |admin, _| {
        at_once(rollouts::differences(admin))
    })
    .linked("rollout_differences"),
    Route::post(Scope::Deploy, "/plugins/rollout/{change}", "changeRollout", |admin, asked| {
        Box::pin(rollouts::change(admin, asked))
    })
    .linked("rollout_change"),
    Route::get(Scope::Read, "/plugins/approvals", "approvals", |admin, asked| Box::pin(approvals::list(admin, asked)))
        .linked("plugin_approvals"),
    Route::post(Scope::Deploy, "/plugins/approvals/{number}", "decideApproval", |admin, asked| {
        Box::pin(approvals::decide(admin, asked))
    })
    .linked("plugin_approval"),
    Route::post(Scope::Deploy, "/plugins/{kind}/rollback", "rollBack", |admin, asked| {
        Box::pin(plugins::roll_back(admin, asked))
    })
    .linked("plugin_rollback"),
    Route::post(Scope::Deploy, "/plugins/install", "installPlugin", |admin, asked| {
        Box::pin(installations::install(admin, asked))
    }),
    Route::post(Scope::Deploy, "/plugins/{kind}/uninstall", "uninstallPlugin", |admin, asked| {
        Box::pin(installations::uninstall(admin, asked))
    }),
    Route::post(Scope::Deploy, "/plugins/{kind}/order", "orderPlugins", |admin, asked| {
        Box::pin(installations::order(admin, asked))
    }),
    Route::post(Scope::Deploy, "/plugins/{kind}/settings", "setPlugin", |admin, asked| {
        Box::pin(plugins::set(admin, asked))
    })
    .linked("plugin_settings"),
    Route::get(Scope::Read, "/recent/traces", "recentTraces", |admin, asked| Box::pin(recent::list(admin, asked)))
        .linked("traces"),
    Route::get(Scope::Read, "/recent/traces/{trace_id}", "recentTrace", |admin, asked| {
        at_once(recent::show(admin, &asked.named))
    })
    .linked("trace"),
    Route::get(Scope::Read, "/recent/spans", "recentSpans", |admin, asked| Box::pin(recent::spans::list(admin, asked)))
        .linked("spans"),
    Route::get(Scope::Read, "/recent/statistics", "traceStatistics", |admin, asked| {
        Box::pin(recent::statistics::show(admin, asked))
    })
    .linked("trace_statistics"),
    Route::get(Scope::Read, "/recent/differences", "traceDifferences", |admin, asked| {
        Box::pin(recent::differences::show(admin, asked))
    })
    .linked("trace_differences"),
    Route::get(Scope::Read, "/recent/keys", "queryKeys", |admin, asked| Box::pin(recent::keys::list(admin, asked)))
        .linked("query_keys"),
    Route::get(Scope::Read, "/recent/lines", "recentLines", |admin, asked| Box::pin(lines::list(admin, asked)))
        .linked("lines"),
    Route::get(Scope::Read, "/recordings", "recordings", |admin, asked| Box::pin(recordings::list(admin, asked)))
        .linked("recordings"),
    Route::get(Scope::Read, "/recordings/{id}", "recording", |admin, asked| Box::pin(recordings::show(admin, asked)))
        .linked("recording"),
    Route::post(Scope::Deploy, "/recordings/{id}/replay", "replay", |admin, asked| {
        Box::pin(replays::replay(admin, asked))
    })
    .linked("recording_replay"),
    Route::post(Scope::Deploy, "/recordings/{id}/profile", "profile", |admin, asked| {
        Box::pin(replays::profile(admin, asked))
    })
    .linked("recording_profile"),
    Route::get(Scope::Read, "/recent/charts", "charts", |admin, _| Box::pin(charts::show(admin))).linked("charts"),
    Route::get(Scope::Read, "/api/services", "jaegerServices", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::services)
    }),
    Route::get(Scope::Read, "/api/services/{service}/operations", "jaegerOperationNames", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::operation_names)
    }),
    Route::get(Scope::Read, "/api/operations", "jaegerOperations", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::operations)
    }),
    Route::get(Scope::Read, "/api/traces", "jaegerTraces", |admin, asked| jaeger::answer(admin, asked, jaeger::traces))
        .linked("jaeger"),
    Route::get(Scope::Read, "/api/traces/{trace_id}", "jaegerTrace", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::trace)
    }),
    Route::get(Scope::Read, "/api/dependencies", "jaegerDependencies", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::dependencies)
    }),
    Route::get(Scope::Read, "/api/v3/services", "jaegerV3Services", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::v3::services)
    }),
    Route::get(Scope::Read, "/api/v3/operations", "jaegerV3Operations", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::v3::operations)
    }),
    Route::get(Scope::Read, "/api/v3/trace-summaries", "jaegerV3TraceSummaries", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::v3::summaries)
    })
    .linked("jaeger_v3"),
    Route::get(Scope::Read, "/api/v3/traces/{trace_id}", "jaegerV3Trace", |admin, asked| {
        jaeger::answer(admin, asked, jaeger::v3::trace)
    }),
    Route::get(Scope::Read, "/livez", "live", |admin, _| at_once(admin.watch.live())).for_watch().linked("live"),
    Route::get(Scope::Read, "/readyz", "ready", |admin, _| Box::pin(admin.watch.ready())).for_watch().linked("ready"),
    Route::get(Scope::Read, "/metrics", "metrics", |admin, asked| at_once(admin.watch.metrics(&asked.headers)))
        .for_watch()
        .linked("metrics"),
]);

/// Answers one request, with a problem if it has no route.
pub async fn handle(admin: Arc<Admin>, arrival: Arrival) -> Response<Body> {
    let started = Instant::now();
    let Arrival { request, fit, crowded, .. } = arrival;
    let is_head = request.method() == Method::HEAD;
    let takes_gzip = gzip::is_accepted(request.headers());
    let (method, version) = (names::http_method(request.method().as_str()), version_name(request.version()));
    let target = ROUTES.target(&request);
    let route = target.as_ref().map_or("", Target::template);
    let is_watch = target.as_ref().ok().and_then(Target::route).is_some_and(|route| route.is_watch);
    let answer = match fit {
        Ok(()) if crowded && !is_watch => Err(Problem::shed()),
        Ok(()) => answer(&admin, request, target).await,
        Err(unfit) => Err(unfit),
    };
    let response = match answer {
        Ok(reply) => reply.into_response(),
        Err(problem) => problem.into_response(None),
    };
    let mut response = gzip::packed(response, takes_gzip).await;
    let headers = response.headers_mut();
    // No other user of the browser may see an operator's answers, and the browser may not guess another type.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_head {
        *response.body_mut() = Body::default();
    }
    let (status, duration) = (response.status().as_u16(), started.elapsed());
    admin.metrics.admin_request(HttpRequest { method, route, status, version, duration });
    response
}

async fn answer(
    admin: &Arc<Admin>,
    request: Request<Inbound>,
    target: Result<Target<Admin, Asked, Scope>, Problem>,
) -> Answer {
    let (parts, body) = request.into_parts();
    admin.access.check_host(&parts.headers)?;
    check_origin(&Origins::default(), &parts.method, &parts.headers)?;
    if let Some(page) = page::find(parts.uri.path()) {
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        return if reads { Ok(page) } else { Err(Problem::method_not_allowed("GET, HEAD")) };
    }
    let caller = admin.access.caller(&parts.headers)?;
    let Target::Path(place) = target? else {
        return Ok(Reply::no_content().with_header(ALLOW, &ROUTES.allowed()));
    };
    let operation = place.operation(&parts.method)?;
    check_scope(&caller, operation.needs)?;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    (operation.handler)(admin, Asked { caller, named: place.named, query, headers: parts.headers, body }).await
}

fn home(admin: &Admin) -> Answer {
    let mut home = serde_json::json!({
        "message": "This is Till's admin listener.",
        "version": env!("CARGO_PKG_VERSION"),
        "links": ROUTES.links(),
    });
    // They are pages, not routes of this interface.
    if let Some(members) = home.as_object_mut() {
        members.insert("console".into(), "/console".into());
        if admin.recent.is_some() {
            members.insert("traces".into(), "/traces".into());
        }
    }
    Reply::json(&home)
}

#[cfg(test)]
pub(crate) fn documented() -> Vec<routes::Documented> {
    ROUTES.documented()
}

/// Adds the bodies of these routes to the document.
#[cfg(test)]
pub(crate) fn document(schemas: &mut openapi::Schemas) {
    use crate::telemetry::recent::jaeger::Trace;

    schemas.answer::<orders::Page>();
    schemas.answer::<crate::http::catalogue::PageJson>();
    schemas.answer::<catalogue::ImportedJson>();
    schemas.answer::<InstallationsJson>();
    schemas.answer::<ApprovalsJson>();
    schemas.answer::<stock::ChangedJson>();
    schemas.forms::<stock::Change>(
        "StockChange",
        &[("StockSet", "", &["set"], &["why"]), ("StockAdded", "", &["add"], &["why"])],
    );
    schemas.answer::<stock::MovementsJson>();
    schemas.answer::<stock::SalesJson>();
    schemas.answer::<settings::SettingsJson>();
    schemas.answer::<timeline::TimelineJson>();
    schemas.answer::<LivesJson>();
    schemas.answer::<VersionsJson>();
    schemas.answer::<EventsJson>();
    schemas.answer::<SwappedJson>();
    schemas.request::<plugins::RollBack>();
    schemas.request::<installations::Uninstall>();
    schemas.request::<installations::Order>();
    schemas.request::<approvals::Decide>();
    schemas.request::<rollouts::Change>();
    schemas.change::<rollouts::TryJson>("Try");
    schemas.change::<plugins::Set>("SettingsChange");
    schemas.answer::<RolloutsJson>();
    schemas.answer::<DifferencesJson>();
    schemas.answer::<recent::TracesJson>();
    schemas.answer::<recent::TraceJson<'_>>();
    schemas.answer::<recent::spans::SpansJson>();
    schemas.answer::<crate::telemetry::recent::statistics::Statistics>();
    schemas.answer::<crate::telemetry::recent::differences::Differences>();
    schemas.answer::<recent::keys::KeysJson>();
    schemas.answer::<lines::LinesJson>();
    schemas.answer::<RecordingsJson>();
    schemas.request::<replays::Replay>();
    schemas.answer::<ReplayedJson>();
    schemas.answer::<ProfileJson>();
    schemas.answer::<charts::ChartsJson>();
    schemas.answer_as::<jaeger::Envelope<Vec<String>>>("JaegerNames");
    schemas.answer_as::<jaeger::Envelope<Vec<jaeger::OperationJson>>>("JaegerOperations");
    schemas.answer_as::<jaeger::Envelope<Vec<Trace<'_>>>>("JaegerTraces");
    schemas.answer_as::<jaeger::Envelope<[String; 0]>>("JaegerDependencies");
    schemas.answer_as::<jaeger::Envelope<()>>("JaegerErrors");
    schemas.answer::<jaeger::v3::Services<'_>>();
    schemas.answer::<jaeger::v3::Operations>();
    schemas.answer::<jaeger::v3::Summaries>();
    schemas.answer::<jaeger::v3::Failed>();
}
