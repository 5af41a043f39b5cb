//! The host's own metrics over the last minutes, for those who look at it without a Prometheus.
//!
//! Counters are read every [`EVERY`], and what they have grown by is kept for a quarter of an hour. Memory is bounded whatever
//! the labels are: routes, kinds and outcomes are few, and of the items only the best sellers are kept.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::proto::{Histogram, Metric, MetricFamily};

use super::names::label;

/// How often the metrics are read.
pub const EVERY: Duration = Duration::from_secs(5);
/// How many readings are kept: those of 15 minutes.
const SAMPLES_MAX: usize = 180;
/// The items whose stock is watched: those that sold most.
const ITEMS_MAX: usize = 8;

const REQUESTS: &str = "http_server_request_duration_seconds";
const CALLS: &str = "plugin_call_duration_seconds";
const CHECKOUTS: &str = "order_checkouts_total";
/// How Prometheus writes the attributes' dots.
const ROUTE: &str = "http_route";
const ERROR: &str = "error_type";
/// Labels of [`CHECKOUTS`] that are no items.
const NO_ITEMS: [&str; 2] = ["other", "multiple"];

/// What happened between two readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// When it ended, Unix time in seconds.
    pub at_s: u64,
    pub routes: BTreeMap<String, Route>,
    /// Calls of plugins, by their kind and outcome.
    pub calls: BTreeMap<(String, String), u64>,
    /// Checkouts that were asked for, by item, of those that were asked for most.
    pub asked: BTreeMap<String, u64>,
    /// Pieces on hand, as [`Charts::add_stock`] was told.
    pub on_hand: BTreeMap<String, u32>,
}

/// The requests of one route.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Route {
    pub requests: u64,
    /// Those of them that were answered with 5xx.
    pub errors: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// The last minutes.
#[derive(Debug, Default)]
pub struct Charts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// What the counters said last.
    totals: Totals,
    samples: VecDeque<Sample>,
}

/// What counters have counted since the host started.
#[derive(Debug, Default)]
struct Totals {
    routes: BTreeMap<String, RouteTotal>,
    calls: BTreeMap<(String, String), u64>,
    checkouts: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct RouteTotal {
    requests: u64,
    errors: u64,
    /// Requests by how long they took: the bucket's upper bound in seconds, and how many are in it.
    buckets: Vec<(f64, u64)>,
}

impl Charts {
    /// Takes in what the counters say at a moment, Unix time in seconds, and returns the items that sold most lately.
    pub(super) fn add(&self, at_s: u64, families: &[MetricFamily]) -> Vec<String> {
        let totals = Totals::of(families);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = totals.since(&kept.totals, at_s);
        kept.totals = totals;
        kept.samples.push_back(sample);
        while kept.samples.len() > SAMPLES_MAX {
            kept.samples.pop_front();
        }
        let mut asked: BTreeMap<&str, u64> = BTreeMap::new();
        for (item, count) in kept.samples.iter().flat_map(|sample| &sample.asked) {
            *asked.entry(item).or_default() += count;
        }
        most(asked).into_iter().map(|(item, _)| item.to_owned()).collect()
    }

    /// Adds how much is on hand to the last sample.
    pub fn add_stock(&self, on_hand: BTreeMap<String, u32>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sample) = kept.samples.back_mut() {
            sample.on_hand = on_hand;
        }
    }

    /// Returns the samples, oldest first.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).samples.iter().cloned().collect()
    }
}

impl Totals {
    fn of(families: &[MetricFamily]) -> Self {
        let mut totals = Self::default();
        for family in families {
            for metric in family.get_metric() {
                match family.name() {
                    REQUESTS => totals.add_requests(metric),
                    CALLS => {
                        let key = (label_of(metric, label::KIND), label_of(metric, label::OUTCOME));
                        *totals.calls.entry(key).or_default() += metric.get_histogram().get_sample_count();
                    }
                    CHECKOUTS => {
                        let item = label_of(metric, label::ITEM);
                        *totals.checkouts.entry(item).or_default() += whole(metric.get_counter().get_value());
                    }
                    _ => {}
                }
            }
        }
        totals
    }

    fn add_requests(&mut self, metric: &Metric) {
        let route = self.routes.entry(label_of(metric, ROUTE)).or_default();
        let histogram = metric.get_histogram();
        route.requests += histogram.get_sample_count();
        if metric.get_label().iter().any(|label| label.name() == ERROR) {
            route.errors += histogram.get_sample_count();
        }
        route.add_buckets(histogram);
    }

    /// Returns what was counted since then.
    fn since(&self, before: &Self, at_s: u64) -> Sample {
        let calls = self.calls.iter().map(|(key, count)| (key.clone(), grown(*count, before.calls.get(key))));
        let asked = self.checkouts.iter().filter(|(item, _)| !NO_ITEMS.contains(&item.as_str()));
        let asked = asked.map(|(item, count)| (item.clone(), grown(*count, before.checkouts.get(item))));
        let routes = self.routes.iter().map(|(name, route)| (name.clone(), route.since(before.routes.get(name))));
        Sample {
            at_s,
            routes: routes.filter(|(_, route)| route.requests > 0).collect(),
            calls: calls.filter(|(_, count)| *count > 0).collect(),
            asked: most(asked.filter(|(_, count)| *count > 0).collect()).into_iter().collect(),
            on_hand: BTreeMap::new(),
        }
    }
}

impl RouteTotal {
    fn add_buckets(&mut self, histogram: &Histogram) {
        let mut below = 0;
        for (index, bucket) in histogram.get_bucket().iter().enumerate() {
            let count = bucket.cumulative_count().saturating_sub(below);
            below = bucket.cumulative_count();
            match self.buckets.get_mut(index) {
                Some((_, counted)) => *counted += count,
                None => self.buckets.push((bucket.upper_bound(), count)),
            }
        }
    }

    fn since(&self, before: Option<&Self>) -> Route {
        let counted = |index: usize| before.and_then(|before| before.buckets.get(index)).map(|(_, count)| count);
        let buckets = self.buckets.iter().enumerate();
        let buckets: Vec<_> = buckets.map(|(index, (bound, count))| (*bound, grown(*count, counted(index)))).collect();
        let requests = grown(self.requests, before.map(|before| &before.requests));
        Route {
            requests,
            errors: grown(self.errors, before.map(|before| &before.errors)),
            p50_ms: quantile_ms(&buckets, requests, 0.5),
            p99_ms: quantile_ms(&buckets, requests, 0.99),
        }
    }
}

/// Returns the quantile of what is in the buckets, between whose bounds it is taken to be evenly spread, as Prometheus
/// does. Past the last bound it is that.
#[expect(clippy::cast_precision_loss, reason = "a count of requests in seconds")]
fn quantile_ms(buckets: &[(f64, u64)], count: u64, quantile: f64) -> f64 {
    let rank = quantile * count as f64;
    let (mut below, mut lower) = (0.0, 0.0);
    for (upper, count) in buckets.iter().filter(|(upper, _)| upper.is_finite()) {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            return 1e3 * (lower + (upper - lower) * ((rank - below) / count));
        }
        below += count;
        lower = *upper;
    }
    1e3 * lower
}

/// Returns those with the highest counts.
fn most<K: Ord>(counts: BTreeMap<K, u64>) -> Vec<(K, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(ITEMS_MAX);
    counts
}

fn grown(count: u64, before: Option<&u64>) -> u64 {
    count.saturating_sub(before.copied().unwrap_or(0))
}

fn label_of(metric: &Metric, name: &str) -> String {
    let label = metric.get_label().iter().find(|label| label.name() == name);
    label.map(|label| label.value().to_owned()).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of whole things")]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanContext;

    use opentelemetry_sdk::Resource;

    use super::*;
    use crate::telemetry::{
        Metrics, Settings,
        metrics::{HttpRequest, PluginCall, Traces},
        settings::LogFormat,
    };

    fn metrics() -> (Metrics, opentelemetry_sdk::metrics::SdkMeterProvider) {
        let settings = Settings::from_environment(|_| None, LogFormat::Json, "off", "USD").unwrap();
        Metrics::start(
            &settings,
            Resource::builder_empty().build(),
            Default::default(),
            Default::default(),
            Traces::Unkept,
        )
        .unwrap()
    }

    fn request(status: u16, duration_ms: u64) -> HttpRequest {
        let duration = Duration::from_millis(duration_ms);
        HttpRequest { method: "POST", route: "/checkout", status, version: "1.1", duration }
    }

    #[test]
    fn a_sample_has_what_was_counted_since_the_one_before() {
        let (metrics, _provider) = metrics();
        let charts = Charts::default();
        metrics.http_request(&SpanContext::NONE, request(200, 1));
        metrics.sample(&charts, 5);
        for _ in 0..98 {
            metrics.http_request(&SpanContext::NONE, request(200, 30));
        }
        metrics.http_request(&SpanContext::NONE, request(502, 30));
        metrics.http_request(&SpanContext::NONE, request(503, 2_000));
        let call = PluginCall {
            kind: "checkout",
            rollout: "live",
            outcome: "trap",
            duration: Duration::from_millis(1),
            memory_bytes: 0,
            fuel_used: None,
        };
        metrics.plugin_call(&SpanContext::NONE, call);
        metrics.checkout("laptop");
        metrics.checkout("other");
        assert_eq!(metrics.sample(&charts, 10), ["laptop"]);
        charts.add_stock(BTreeMap::from([("laptop".to_owned(), 7)]));
        metrics.sample(&charts, 15);

        let samples = charts.samples();
        let [first, second, third] = &samples[..] else { panic!("{samples:?}") };
        assert_eq!((first.at_s, first.routes["/checkout"].requests), (5, 1));
        let route = second.routes["/checkout"];
        assert_eq!((route.requests, route.errors), (100, 2));
        assert!(route.p50_ms > 25.0 && route.p50_ms < 50.0 && route.p99_ms <= 50.0, "{route:?}");
        assert_eq!(second.calls, BTreeMap::from([(("checkout".to_owned(), "trap".to_owned()), 1)]));
        assert_eq!((&second.asked, second.on_hand["laptop"]), (&BTreeMap::from([("laptop".to_owned(), 1)]), 7));
        assert_eq!(*third, Sample { at_s: 15, ..Sample::default() });
    }

    #[test]
    fn it_is_bounded_whatever_is_sold() {
        let (metrics, _provider) = metrics();
        let charts = Charts::default();
        for round in 0..u64::try_from(SAMPLES_MAX).unwrap() + 10 {
            for item in 0..20 {
                metrics.checkout(&format!("item-{round}-{item}"));
            }
            if round % 50 == 0 {
                assert_eq!(metrics.sample(&charts, round).len(), ITEMS_MAX);
            } else {
                metrics.sample(&charts, round);
            }
        }
        let samples = charts.samples();
        assert_eq!((samples.len(), samples[0].at_s), (SAMPLES_MAX, 10));
        assert!(samples.iter().all(|sample| sample.asked.len() <= ITEMS_MAX));
    }

    #[test]
    fn a_quantile_lies_where_its_bucket_does() {
        let check = |buckets: &[(f64, u64)], quantile: f64, expected_ms: f64| {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let found = quantile_ms(buckets, count, quantile);
            assert!((found - expected_ms).abs() < 1e-6, "{found} of {buckets:?}");
        };
        check(&[(0.1, 10), (0.2, 0)], 0.5, 50.0);
        check(&[(0.1, 5), (0.2, 5)], 0.99, 198.0);
        check(&[(0.1, 0), (f64::INFINITY, 5)], 0.99, 100.0);
        check(&[], 0.5, 0.0);
    }
}
