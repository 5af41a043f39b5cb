//! The host's own metrics over the last minutes, for those who look at it without a Prometheus.
//!
//! Counters are read every [`EVERY`], and their growth is kept for 15 minutes. Memory is bounded whatever the labels
//! are: routes, kinds and outcomes are few, and only the best-selling items are kept.
//!
//! `Requests` measures durations a second time, more finely: a p99 computed from Prometheus's buckets is a guess, which
//! may lie far past the slowest request.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use prometheus::proto::{Metric, MetricFamily};

use super::{latency::Latencies, names::label};

/// How often the metrics are read.
pub const EVERY: Duration = Duration::from_secs(5);
/// How many readings are kept: 15 minutes.
const SAMPLES_MAX: usize = 180;
/// The items whose stock is watched: those that sold most.
const ITEMS_MAX: usize = 8;

const CALLS: &str = "plugin_call_duration_seconds";
const CHECKOUTS: &str = "order_checkouts_total";
/// Labels of [`CHECKOUTS`] that aren't items.
const NO_ITEMS: [&str; 2] = ["other", "multiple"];

/// What happened between two readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// The end of the interval, Unix time in seconds.
    pub at_s: u64,
    pub routes: BTreeMap<String, Route>,
    /// Calls of plugins, by their kind and outcome.
    pub calls: BTreeMap<(String, String), u64>,
    /// Checkouts requested, by item; only the most requested items.
    pub asked: BTreeMap<String, u64>,
    /// Pieces on hand, from [`Charts::add_stock`].
    pub on_hand: BTreeMap<String, u32>,
}

/// The requests of one route.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Route {
    pub requests: u64,
    /// The requests answered with 5xx other than 501.
    pub errors: u64,
    pub p50_ms: f64,
    /// Never more than the duration of the slowest request.
    pub p99_ms: f64,
}

/// The requests since the last reading, by route template, of which there are few.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<&'static str, RouteRequests>>);

#[derive(Debug, Default)]
struct RouteRequests {
    errors: u64,
    latencies: Latencies,
}

impl Requests {
    pub(super) fn record(&self, route: &'static str, is_error: bool, duration: Duration) {
        let mut routes = self.0.lock();
        let route = routes.entry(route).or_default();
        route.errors += u64::from(is_error);
        route.latencies.record(duration);
    }

    /// Returns the requests since the last call.
    fn take(&self) -> BTreeMap<String, Route> {
        let mut routes = self.0.lock();
        let used = routes.iter_mut().filter(|(_, requests)| requests.latencies.count() > 0);
        used.map(|(name, requests)| ((*name).to_owned(), requests.take())).collect()
    }
}

impl RouteRequests {
    fn take(&mut self) -> Route {
        let route = Route {
            requests: self.latencies.count(),
            errors: std::mem::take(&mut self.errors),
            p50_ms: self.latencies.percentile_ms(50.0),
            p99_ms: self.latencies.percentile_ms(99.0),
        };
        self.latencies.clear();
        route
    }
}

/// The samples of the last 15 minutes.
#[derive(Debug, Default)]
pub struct Charts(Mutex<Minutes>);

#[derive(Debug, Default)]
struct Minutes {
    /// The counters' values at the last reading.
    totals: Totals,
    samples: VecDeque<Sample>,
}

/// The counters' values since the host started.
#[derive(Debug, Default)]
struct Totals {
    calls: BTreeMap<(String, String), u64>,
    checkouts: BTreeMap<String, u64>,
}

impl Charts {
    /// Adds a sample of the counters and requests at `at_s`, Unix time in seconds. Returns the items that sold most
    /// lately.
    pub(super) fn add(&self, at_s: u64, families: &[MetricFamily], requests: &Requests) -> Vec<String> {
        let totals = Totals::of(families);
        let mut kept = self.0.lock();
        let sample = Sample { routes: requests.take(), ..totals.since(&kept.totals, at_s) };
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

    /// Adds the pieces on hand to the last sample.
    pub fn add_stock(&self, on_hand: BTreeMap<String, u32>) {
        let mut kept = self.0.lock();
        if let Some(sample) = kept.samples.back_mut() {
            sample.on_hand = on_hand;
        }
    }

    /// Returns the samples, oldest first.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.0.lock().samples.iter().cloned().collect()
    }
}

impl Totals {
    fn of(families: &[MetricFamily]) -> Self {
        let mut totals = Self::default();
        for family in families {
            for metric in family.get_metric() {
                match family.name() {
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

    /// Returns what was counted since `before`.
    fn since(&self, before: &Self, at_s: u64) -> Sample {
        let calls = self.calls.iter().map(|(key, count)| (key.clone(), grown(*count, before.calls.get(key))));
        let asked = self.checkouts.iter().filter(|(item, _)| !NO_ITEMS.contains(&item.as_str()));
        let asked = asked.map(|(item, count)| (item.clone(), grown(*count, before.checkouts.get(item))));
        Sample {
            at_s,
            routes: BTreeMap::new(),
            calls: calls.filter(|(_, count)| *count > 0).collect(),
            asked: most(asked.filter(|(_, count)| *count > 0).collect()).into_iter().collect(),
            on_hand: BTreeMap::new(),
        }
    }
}

/// Returns the entries with the highest counts, at most [`ITEMS_MAX`].
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
            log_lines_dropped: 0,
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
        assert!((29.9..=30.1).contains(&route.p50_ms) && (29.9..=30.1).contains(&route.p99_ms), "{route:?}");
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
    fn a_quantile_is_what_a_request_took() {
        let check = |durations_ms: &[u64], p50_ms: f64, p99_ms: f64| {
            let requests = Requests::default();
            durations_ms.iter().for_each(|ms| requests.record("/checkout", false, Duration::from_millis(*ms)));
            let route = requests.take()["/checkout"];
            let slowest_ms = durations_ms.iter().max().map_or(0.0, |ms| f64::from(u32::try_from(*ms).unwrap()));
            assert!(route.p99_ms <= slowest_ms && route.p50_ms <= route.p99_ms, "{route:?} of {durations_ms:?}");
            for (found, expected) in [(route.p50_ms, p50_ms), (route.p99_ms, p99_ms)] {
                assert!((found - expected).abs() <= expected / 500.0, "{route:?} of {durations_ms:?}");
            }
            assert_eq!(requests.take(), BTreeMap::new());
        };
        // The demo's slow smartphones: the bucket of Prometheus ends at 5 s.
        check(&[1_200, 1_800, 2_599], 1_800.0, 2_599.0);
        check(&[2_599], 2_599.0, 2_599.0);
        check(&[&[1; 100][..], &[900]].concat(), 1.0, 1.0);
        check(&[&[1; 98][..], &[900, 900]].concat(), 1.0, 900.0);
        check(&[20_000], 20_000.0, 20_000.0);
    }
}
