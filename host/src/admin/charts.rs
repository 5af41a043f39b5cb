//! `/recent/charts`: the last minutes of the host's own metrics, with the changes of plugins in that time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Admin, same_file_text};
#[cfg(test)]
use crate::schema;
use crate::{
    clock::now_ms,
    failure::Cause,
    http::{Answer, Reply},
    order::Item,
    store::{PluginEvent, PluginVersion, Store, VersionId},
    telemetry::{
        Metrics,
        charts::{Charts, EVERY, Sample},
    },
};

/// The most changes of plugins that are shown.
const CHANGES_MAX: u32 = 100;
/// How many versions, the last changed ones, are searched for those of the changes.
const VERSIONS_MAX: u32 = 1_000;

const WITHOUT_STANDBY: &str = "The database has no synchronous standby: if its machine is lost, so are the orders that were \
                               acknowledged last.";

/// The charts, one value a sample in each list.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Charts"))]
pub(super) struct ChartsJson {
    /// The time between samples, seconds.
    every_s: u64,
    /// The ends of the samples, Unix time in seconds, oldest first.
    #[cfg_attr(test, schemars(length(max = 180)))]
    times: Vec<u64>,
    routes: Vec<RouteJson>,
    plugin_calls: Vec<CallsJson>,
    /// The stock of the items that were requested most.
    #[cfg_attr(test, schemars(length(max = 8)))]
    stock: Vec<StockJson>,
    /// What somebody should mend, for people.
    #[cfg_attr(test, schemars(length(max = 1)))]
    warnings: Vec<&'static str>,
    /// Changes of plugins, and samples in which plugins were at fault.
    marks: Vec<MarkJson>,
}

/// A route's requests and errors per second, and their durations; `null` where there were no requests.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChartedRoute"))]
struct RouteJson {
    /// The route; empty if none matched.
    route: String,
    #[cfg_attr(test, schemars(with = "schema::PerSecond"))]
    requests: Vec<f64>,
    #[cfg_attr(test, schemars(with = "schema::PerSecond"))]
    errors: Vec<f64>,
    #[cfg_attr(test, schemars(with = "schema::Quantiles"))]
    p50_ms: Vec<Option<f64>>,
    #[cfg_attr(test, schemars(with = "schema::Quantiles"))]
    p99_ms: Vec<Option<f64>>,
}

/// A plugin kind's calls with one outcome, per second.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChartedCalls"))]
struct CallsJson {
    kind: String,
    outcome: String,
    #[cfg_attr(test, schemars(with = "schema::PerSecond"))]
    calls: Vec<f64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChartedStock"))]
struct StockJson {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    on_hand: Vec<Option<u32>>,
}

/// An event at a moment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChartMark"))]
struct MarkJson {
    /// Unix time in seconds.
    time: u64,
    /// `swap` or `fault`.
    #[cfg_attr(test, schemars(with = "schema::MarkKind"))]
    kind: &'static str,
    text: String,
    /// The version that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<VersionMark>,
}

/// A version that was changed or in a rollout.
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "MarkedVersion"))]
struct VersionMark {
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    kind: String,
    /// The name under which it is installed. Absent at a hook with exactly one plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    installation: Option<String>,
    name: String,
    version: String,
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    digest: String,
    #[cfg_attr(test, schemars(with = "schema::VersionId"))]
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    same_file_as: Option<u64>,
}

impl VersionMark {
    fn of(version: PluginVersion) -> Self {
        let PluginVersion { id, text, same_file_as, .. } = version;
        Self {
            kind: text.at.kind.to_string(),
            installation: text.at.name.map(|name| name.to_string()),
            name: text.name,
            version: text.version,
            digest: text.digest,
            number: id.number(),
            same_file_as: same_file_as.map(VersionId::number),
        }
    }
}

impl fmt::Display for VersionMark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, installation, name, version, number, same_file_as, .. } = self;
        let installed = installation.as_ref().map(|installed| format!("/{installed}")).unwrap_or_default();
        write!(out, "{kind}{installed} {name}@{version}, number {number}{}", same_file_text(*same_file_as))
    }
}

/// Keeps the charts up to date until the host stops.
pub async fn keep(charts: Arc<Charts>, metrics: Metrics, store: Store, stopping: CancellationToken) {
    loop {
        let items = metrics.sample(&charts, now_s());
        let mut on_hand = BTreeMap::new();
        for item in items {
            let parsed = Item::parse(&item);
            // A level that can't be read now is missing from the chart.
            if let Some(parsed) = parsed
                && let Ok(Some(pieces)) = store.level(&parsed).await
            {
                on_hand.insert(item, pieces);
            }
        }
        charts.add_stock(on_hand);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// # Errors
/// 503 if the store can't be read.
pub(super) async fn show(admin: &Admin) -> Answer {
    let samples = admin.charts.samples();
    let changes = admin.store.plugin_events(None, CHANGES_MAX).await?.rows;
    let versions = admin.store.plugin_versions(None, VERSIONS_MAX).await?.rows;
    let versions = versions.into_iter().map(|version| (version.id, VersionMark::of(version))).collect();
    Reply::json(&ChartsJson {
        every_s: EVERY.as_secs(),
        times: samples.iter().map(|sample| sample.at_s).collect(),
        routes: routes(&samples),
        plugin_calls: calls(&samples),
        stock: stock(&samples),
        warnings: admin.store.gauges().without_standby.then_some(WITHOUT_STANDBY).into_iter().collect(),
        marks: marks(&samples, &changes, &versions),
    })
}

fn routes(samples: &[Sample]) -> Vec<RouteJson> {
    let names: BTreeSet<_> = samples.iter().flat_map(|sample| sample.routes.keys()).collect();
    let of_route = |name: &&String| {
        let each = || samples.iter().map(|sample| sample.routes.get(*name));
        RouteJson {
            route: (*name).clone(),
            requests: each().map(|route| per_second(route.map_or(0, |route| route.requests))).collect(),
            errors: each().map(|route| per_second(route.map_or(0, |route| route.errors))).collect(),
            p50_ms: each().map(|route| route.map(|route| route.p50_ms)).collect(),
            p99_ms: each().map(|route| route.map(|route| route.p99_ms)).collect(),
        }
    };
    names.iter().map(of_route).collect()
}

fn calls(samples: &[Sample]) -> Vec<CallsJson> {
    let keys: BTreeSet<_> = samples.iter().flat_map(|sample| sample.calls.keys()).collect();
    let of_key = |key: &&(String, String)| {
        let (kind, outcome) = (*key).clone();
        let count = |sample: &Sample| per_second(sample.calls.get(*key).copied().unwrap_or(0));
        CallsJson { kind, outcome, calls: samples.iter().map(count).collect() }
    };
    keys.iter().map(of_key).collect()
}

fn stock(samples: &[Sample]) -> Vec<StockJson> {
    // The stock of the current best sellers, as far as it was read yet.
    let last = samples.iter().rev().find(|sample| !sample.on_hand.is_empty());
    let items = last.map(|sample| sample.on_hand.keys()).into_iter().flatten();
    let of_item = |item: &String| StockJson {
        item: item.clone(),
        on_hand: samples.iter().map(|sample| sample.on_hand.get(item).copied()).collect(),
    };
    items.map(of_item).collect()
}

/// Returns the changes of plugins, and when plugins were at fault, within the samples' time.
fn marks(samples: &[Sample], changes: &[PluginEvent], versions: &BTreeMap<VersionId, VersionMark>) -> Vec<MarkJson> {
    let from_s = samples.first().map_or(u64::MAX, |sample| sample.at_s.saturating_sub(EVERY.as_secs()));
    let changed = changes.iter().filter(|change| change.at_ms / 1000 >= from_s);
    let mut marks: Vec<_> = changed
        .map(|change| {
            let version = change.version.and_then(|id| versions.get(&id)).cloned();
            let what = version.as_ref().map(VersionMark::to_string);
            let what = what.or_else(|| change.at.clone()).unwrap_or_else(|| "plugin".to_owned());
            let text = format!("{} {what} by {}: {}", change.action, change.changed_by, change.detail);
            MarkJson { time: change.at_ms / 1000, kind: "swap", text, version }
        })
        .collect();
    for sample in samples {
        let faults = sample.calls.iter().filter(|((_, outcome), _)| Cause::CODES.contains(&outcome.as_str()));
        let faults: Vec<_> = faults.map(|((kind, outcome), count)| format!("{count} x {kind} {outcome}")).collect();
        if !faults.is_empty() {
            marks.push(MarkJson { time: sample.at_s, kind: "fault", text: faults.join(", "), version: None });
        }
    }
    marks.sort_by_key(|mark| mark.time);
    marks
}

#[expect(clippy::cast_precision_loss, reason = "a count of what happened in seconds")]
fn per_second(count: u64) -> f64 {
    count as f64 / EVERY.as_secs_f64()
}

fn now_s() -> u64 {
    now_ms() / 1000
}
