//! What a host does now, put together from the routes of its admin listener.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    admin::{LiveJson, LivesJson, RolloutJson, RolloutsJson},
    cli::{
        client::{Admin, with_query},
        plugin::place,
        text::iso,
    },
    clock::now_ms,
    versions::rollout::Mode,
};

/// The samples of the charts that a rate is made of, 5 s each.
const SAMPLES: usize = 3;
/// How long ago the slowest requests began at most.
const SLOWEST_WITHIN_US: u64 = 5 * 60 * 1_000_000;
const CHECKOUT_ROUTE: &str = "/checkout";

/// A picture for programs.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot {
    at: String,
    /// The seconds that rates are of.
    pub(super) window_s: u64,
    /// Absent if there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkouts_per_s: Option<f64>,
    /// The share of the checkouts that got 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed_percent: Option<f64>,
    /// The rollout under way, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollout: Option<String>,
    pub(super) routes: Vec<Route>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) versions: Vec<Version>,
    pub(super) slowest: Vec<Slow>,
    pub(super) stock: Vec<Level>,
    pub(super) warnings: Vec<String>,
    #[serde(skip)]
    pub(super) at_us: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Route {
    pub(super) route: String,
    pub(super) requests_per_s: f64,
    pub(super) errors_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p99_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) kind: String,
    pub(super) outcome: String,
    pub(super) calls_per_s: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Version {
    /// `checkout`, or `discounts/spring`.
    pub(super) at: String,
    pub(super) name: String,
    /// `live`, `breaker open`, `canary` or `shadow`.
    pub(super) state: String,
    /// The minutes that the outcomes are of; absent of a candidate, whose outcomes are of its rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<u64>,
    pub(super) sold: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Slow {
    pub(super) trace_id: String,
    pub(super) url: String,
    pub(super) started_at: String,
    pub(super) duration_us: u64,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<String>,
    pub(super) is_error: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Level {
    pub(super) item: String,
    pub(super) on_hand: u32,
}

#[derive(Deserialize)]
struct Charts {
    every_s: u64,
    times: Vec<u64>,
    routes: Vec<ChartedRoute>,
    plugin_calls: Vec<ChartedCalls>,
    stock: Vec<ChartedStock>,
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct ChartedRoute {
    route: String,
    requests: Vec<f64>,
    errors: Vec<f64>,
    p50_ms: Vec<Option<f64>>,
    p99_ms: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct ChartedCalls {
    kind: String,
    outcome: String,
    calls: Vec<f64>,
}

#[derive(Deserialize)]
struct ChartedStock {
    item: String,
    on_hand: Vec<Option<u32>>,
}

#[derive(Deserialize)]
struct Listed {
    traces: Vec<Value>,
}

#[derive(Deserialize)]
struct ListedTrace {
    trace_id: String,
    start_us: u64,
    duration_us: u64,
    name: String,
    status: Option<u16>,
    item: Option<String>,
    is_error: bool,
}

impl Snapshot {
    /// Asks the host.
    ///
    /// # Errors
    /// If it can't be reached, or refuses.
    pub(super) fn take(admin: &Admin) -> anyhow::Result<Self> {
        let charts: Charts = admin.get("/recent/charts")?;
        let lives: LivesJson = admin.get("/plugins")?;
        let rollouts: RolloutsJson = admin.get("/plugins/rollouts?limit=1")?;
        let open =
            rollouts.rollouts.into_iter().next().filter(|rollout| matches!(&*rollout.state, "running" | "paused"));
        let at_us = now_ms() * 1000;
        let routes = routes(&charts);
        let checkouts =
            routes.iter().find(|route| route.route == CHECKOUT_ROUTE).filter(|route| route.requests_per_s > 0.0);
        let mut versions: Vec<_> = lives.plugins.iter().map(Version::live).collect();
        versions.extend(open.as_ref().map(Version::candidate));
        Ok(Self {
            at: iso(at_us),
            window_s: charts.every_s * u64::try_from(SAMPLES.min(charts.times.len()))?,
            checkouts_per_s: checkouts.map(|route| route.requests_per_s),
            failed_percent: checkouts.map(|route| 100.0 * route.errors_per_s / route.requests_per_s),
            rollout: open.as_ref().map(sentence),
            outcomes: outcomes(&charts),
            stock: stock(&charts),
            routes,
            versions,
            slowest: slowest(admin, at_us)?,
            warnings: charts.warnings,
            at_us,
        })
    }
}

/// Returns the last samples.
fn last<T>(samples: &[T]) -> &[T] {
    samples.get(samples.len().saturating_sub(SAMPLES)..).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a handful of samples")]
fn mean(samples: &[f64]) -> f64 {
    let last = last(samples);
    if last.is_empty() { 0.0 } else { last.iter().sum::<f64>() / last.len() as f64 }
}

/// Returns the routes with requests in the window, the busiest first.
fn routes(charts: &Charts) -> Vec<Route> {
    let worst = |quantiles: &[Option<f64>]| last(quantiles).iter().flatten().copied().reduce(f64::max);
    let rates = charts.routes.iter().map(|route| Route {
        route: route.route.clone(),
        requests_per_s: mean(&route.requests),
        errors_per_s: mean(&route.errors),
        p50_ms: worst(&route.p50_ms),
        p99_ms: worst(&route.p99_ms),
    });
    let mut routes: Vec<_> = rates.filter(|route| route.requests_per_s > 0.0).collect();
    routes.sort_by(|one, other| other.requests_per_s.total_cmp(&one.requests_per_s));
    routes
}

fn outcomes(charts: &Charts) -> Vec<Outcome> {
    let rates = charts.plugin_calls.iter().map(|calls| Outcome {
        kind: calls.kind.clone(),
        outcome: calls.outcome.clone(),
        calls_per_s: mean(&calls.calls),
    });
    rates.filter(|outcome| outcome.calls_per_s > 0.0).collect()
}

fn stock(charts: &Charts) -> Vec<Level> {
    let newest = |level: &ChartedStock| level.on_hand.iter().rev().flatten().next().copied();
    let levels = charts.stock.iter();
    levels.filter_map(|level| Some(Level { item: level.item.clone(), on_hand: newest(level)? })).collect()
}

/// Returns the slowest recent requests; none where no traces are kept.
fn slowest(admin: &Admin, at_us: u64) -> anyhow::Result<Vec<Slow>> {
    let query = [
        ("sort", Some("slowest".to_owned())),
        ("limit", Some("5".to_owned())),
        ("after_us", Some(at_us.saturating_sub(SLOWEST_WITHIN_US).to_string())),
    ];
    let listed: Option<Listed> = admin.find(&with_query("/recent/traces", query))?;
    let slow = |trace: Value| {
        let ListedTrace { trace_id, start_us, duration_us, name, status, item, is_error } =
            serde_json::from_value(trace)?;
        let url = admin.url(&format!("/traces/{trace_id}"));
        anyhow::Ok(Slow { trace_id, url, started_at: iso(start_us), duration_us, name, status, item, is_error })
    };
    listed.map(|listed| listed.traces).unwrap_or_default().into_iter().map(slow).collect()
}

impl Version {
    fn live(live: &LiveJson) -> Self {
        let LiveJson { kind, installation, name, version, number, breaker, last_minutes, .. } = live;
        Self {
            at: place(kind, installation.as_deref()),
            name: named(name, version, *number),
            state: if breaker == "closed" { "live" } else { "breaker open" }.to_owned(),
            minutes: Some(last_minutes.minutes),
            sold: last_minutes.sold,
            refused: last_minutes.refused,
            failed: last_minutes.failed,
        }
    }

    fn candidate(rollout: &RolloutJson) -> Self {
        let version = &rollout.version;
        let calls = rollout.figures.as_ref().map(|figures| &figures.candidate);
        let sold = calls.map_or(0, |calls| calls.outcomes.get("ok").copied().unwrap_or_default());
        let failed = calls.map_or(0, |calls| calls.traps + calls.deadlines + calls.undecided);
        Self {
            at: place(&version.kind, version.installation.as_deref()),
            name: named(&version.name, &version.version, Some(version.id)),
            state: match rollout.plan.mode {
                Mode::Canary { .. } => "canary".to_owned(),
                Mode::Shadow => "shadow".to_owned(),
            },
            minutes: None,
            sold,
            refused: calls.map_or(0, |calls| calls.calls.saturating_sub(sold + failed)),
            failed,
        }
    }
}

fn named(name: &str, version: &str, number: Option<u64>) -> String {
    number.map_or_else(|| format!("{name}@{version}"), |number| format!("{name}@{version} #{number}"))
}

/// `inventory default@0.1.0 #3 is a canary at 10 %, 41 of 100 calls`
fn sentence(rollout: &RolloutJson) -> String {
    let RolloutJson { state, plan, version, figures, .. } = rollout;
    let how = match plan.mode {
        Mode::Canary { percent } => format!("a canary at {percent} %"),
        Mode::Shadow => "a shadow".to_owned(),
    };
    let at = place(&version.kind, version.installation.as_deref());
    let calls = figures.as_ref().map_or(0, |figures| figures.candidate.calls);
    let paused = if state == "paused" { ", paused" } else { "" };
    let name = named(&version.name, &version.version, Some(version.id));
    format!("{at} {name} is {how}{paused}, {calls} of {} calls", plan.gates.calls_min)
}

/// Returns milliseconds as whole microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration; casts of floats saturate")]
pub(super) fn micros(ms: f64) -> u64 {
    (ms * 1e3).round() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_of_the_last_samples_and_latencies_the_worst_of_them() {
        let charts: Charts = serde_json::from_value(json!({
            "every_s": 5, "times": [1, 6, 11, 16],
            "routes": [
                { "route": "/quiet", "requests": [9.0, 0.0, 0.0, 0.0], "errors": [0.0, 0.0, 0.0, 0.0],
                  "p50_ms": [1.0, null, null, null], "p99_ms": [1.0, null, null, null] },
                { "route": "/checkout", "requests": [100.0, 1.0, 2.0, 3.0], "errors": [100.0, 0.0, 0.0, 1.5],
                  "p50_ms": [90.0, 1.0, null, 2.0], "p99_ms": [99.0, 3.0, null, 4.0] },
            ],
            "plugin_calls": [{ "kind": "checkout", "outcome": "ok", "calls": [9.0, 1.0, 2.0, 3.0] }],
            "stock": [{ "item": "laptop", "on_hand": [3, 2, null] }, { "item": "pen", "on_hand": [null, null, null] }],
            "warnings": [],
        }))
        .expect("charts");
        let routes = routes(&charts);
        let [route] = &routes[..] else { panic!("{routes:?}") };
        assert_eq!((&*route.route, route.requests_per_s, route.errors_per_s), ("/checkout", 2.0, 0.5));
        assert_eq!((route.p50_ms, route.p99_ms), (Some(2.0), Some(4.0)));
        assert_eq!(outcomes(&charts)[0].calls_per_s, 2.0);
        let stock = stock(&charts);
        let [level] = &stock[..] else { panic!("{stock:?}") };
        assert_eq!((&*level.item, level.on_hand), ("laptop", 2));
    }
}
