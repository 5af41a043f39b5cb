//! The tracing backend fails in every way: customers notice nothing, losses are counted, the log says so once, spans
//! flow again without a restart, and a shutdown is on time.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Host, Plan, Protocol, Stopped, built_in_and,
    collector::{Collector, Fault},
    eventually,
};

/// Spans of a checkout of one item.
const SPANS: usize = 6;
/// Spans that may wait for their export; fewer than `rush` makes.
const QUEUE_MAX: usize = 64;
const BUYERS: usize = 4;
const CHECKOUTS_EACH: usize = 10;

#[test]
fn a_backend_that_refuses_connections() {
    outage(Fault::Refuses);
}

#[test]
fn a_backend_that_cant_be_reached() {
    outage(Fault::Unreachable);
}

#[test]
fn a_backend_that_never_answers() {
    outage(Fault::Silent);
}

#[test]
fn a_slow_backend() {
    outage(Fault::Slow);
}

#[test]
fn a_backend_that_has_an_error() {
    outage(Fault::Answers(500));
}

#[test]
fn a_backend_that_is_overloaded() {
    outage(Fault::Answers(503));
}

#[test]
fn a_backend_that_hangs_up() {
    outage(Fault::HangsUp);
}

#[test]
fn a_backend_that_answers_garbage() {
    outage(Fault::Garbage);
}

#[test]
fn nobody_waits_for_a_backend_that_never_answers() {
    over_both(|protocol| {
        // An export that has begun outlasts the test: a request that waited for it would get no answer.
        let mut shop = Shop::open(protocol, |plan| plan.env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"));
        shop.collector.fail(Fault::Silent);
        shop.rush(BUYERS, CHECKOUTS_EACH);
        assert_eq!((shop.collector.received(), shop.lost_by("export_failed")), (0, 0));
        shop.assert_memory_is_bounded();
        let stopped = shop.stop("Silent, and no timeout");
        assert_eq!(said(&stopped.log, "traces were not all sent"), 1, "{:#?}", warnings(&stopped.log));
    });
}

/// Issue 15.6: the queue counted spans, each of which a plugin can make a thousand times as large.
#[test]
fn what_waits_for_a_backend_that_never_answers_has_a_bound_in_memory() {
    /// Twice `traces.queued_mib`, for what is sent is there once more as it is written, and what the work itself takes.
    const GROWN_MAX: u64 = 128 << 20;
    over_both(|protocol| {
        let adapt = |plan: Plan| {
            let plan = plan.plugins(built_in_and("checkout_telemetry_heavy")).set("traces.kept_mib=0");
            plan.env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000").env("OTEL_BSP_MAX_QUEUE_SIZE", "2048")
        };
        let mut shop = Shop::open(protocol, adapt);
        shop.rush(BUYERS, CHECKOUTS_EACH);
        shop.collector.fail(Fault::Silent);
        let before = shop.host.memory_bytes();
        // Some 200 MB of spans.
        shop.rush(BUYERS, 64);
        let grown = shop.host.memory_bytes().saturating_sub(before);
        println!("over {}: {} MiB, and {} MiB more", protocol.name(), before >> 20, grown >> 20);
        assert!(grown < GROWN_MAX, "{} MiB more", grown >> 20);
        assert!(shop.lost_by("queue_full") > 0);
        shop.stop("Silent, and heavy spans");
    });
}

#[test]
fn metrics_that_cant_be_sent_are_said_once() {
    over_both(|protocol| {
        let metrics = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
        let shop = Shop::open(protocol, |plan| metrics.iter().fold(plan, |plan, (name, value)| plan.env(name, *value)));
        shop.collector.fail(Fault::Answers(500));
        let before = shop.collector.requests();
        eventually("metrics that are refused", || (shop.collector.requests() > before + 5).then_some(()));
        shop.collector.repair();
        shop.wait_for_log("metrics arrive again");
        let log = shop.host.log();
        assert_eq!((said(&log, "metrics are being lost"), warnings(&log).len()), (1, 1), "{:#?}", warnings(&log));
        shop.stop("metrics");
    });
}

fn outage(fault: Fault) {
    over_both(|protocol| outage_of(fault, protocol));
}

fn over_both(test: impl Fn(Protocol) + Copy + Send) {
    std::thread::scope(|tests| {
        for protocol in [Protocol::Grpc, Protocol::Http] {
            tests.spawn(move || test(protocol));
        }
    });
}

/// A till, the collector that it sends to, and what it has sold.
struct Shop {
    host: Host,
    collector: Collector,
    protocol: Protocol,
    checkouts: usize,
}

/// The backend works, fails, works again, and fails once more; the host is stopped during that second fault.
fn outage_of(fault: Fault, protocol: Protocol) {
    // Spans that arrive after the host's timeout would count as lost although they arrived.
    let timeout_ms = if fault == Fault::Slow { "60000" } else { "5000" };
    let mut shop = Shop::open(protocol, |plan| plan.env("OTEL_EXPORTER_OTLP_TIMEOUT", timeout_ms));
    shop.rush(1, 1);
    shop.settle();
    assert_eq!((shop.collector.received(), shop.lost()), (SPANS, 0));

    shop.collector.fail(fault);
    shop.rush(BUYERS, CHECKOUTS_EACH);
    shop.assert_memory_is_bounded();
    shop.settle();
    let log = shop.host.log();
    let outages = said(&log, "spans are being lost");
    assert_eq!(warnings(&log).len(), outages, "{:#?}", warnings(&log));
    if fault == Fault::Slow {
        // How many are too many for it depends on how fast the machine makes them.
        assert!(shop.collector.received() > SPANS, "what is slow arrives");
        assert_eq!(shop.lost_by("export_failed"), 0);
    } else {
        assert_eq!(shop.collector.received(), SPANS, "nothing arrives");
        assert_eq!(outages, 1, "of an outage with several batches: {log:#?}");
    }
    let lost = (shop.lost_by("export_failed"), shop.lost_by("queue_full"));

    shop.collector.repair();
    let before = shop.collector.received();
    eventually("spans that arrive again", || {
        shop.rush(1, 1);
        (shop.collector.received() > before).then_some(())
    });
    shop.settle();
    if outages > 0 {
        shop.wait_for_log("spans arrive again");
    }

    shop.collector.fail(fault);
    shop.rush(BUYERS, CHECKOUTS_EACH);
    let stopped = shop.stop(&format!("{fault:?}, {lost:?} of {} spans lost", SPANS * BUYERS * CHECKOUTS_EACH));
    let (outages, unsent) =
        (said(&stopped.log, "spans are being lost"), said(&stopped.log, "traces were not all sent"));
    assert!(unsent <= 1 && warnings(&stopped.log).len() == outages + unsent, "{:#?}", warnings(&stopped.log));
}

impl Shop {
    /// Opens one whose collector works.
    fn open(protocol: Protocol, adapt: impl FnOnce(Plan) -> Plan) -> Self {
        let collector = Collector::start(protocol);
        let plan = Host::plan()
            .set("stock.espresso=100000")
            .exporting_to(collector.endpoint(), protocol)
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .env("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_MAX.to_string());
        Self { host: adapt(plan).start(), collector, protocol, checkouts: 0 }
    }

    /// Stops it, whatever the collector does, and says how long that took.
    fn stop(self, what: &str) -> Stopped {
        let started = Instant::now();
        self.host.signal(Signal::TERM);
        let stopped = self.host.wait();
        let seconds = started.elapsed().as_secs_f64();
        println!("{what}, over {}: stopped within {seconds:.2} s", self.protocol.name());
        assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
        stopped.check_store();
        stopped
    }

    /// Has buyers buy at the same time, each so often; every one of them gets what it came for.
    fn rush(&mut self, buyers: usize, checkouts_each: usize) {
        let shop = &self.host.shop;
        std::thread::scope(|rush| {
            for _ in 0..buyers {
                rush.spawn(|| {
                    for _ in 0..checkouts_each {
                        let answer = shop.buy("espresso", 1);
                        assert_eq!(answer.status, 200, "{}", answer.text());
                    }
                });
            }
        });
        self.checkouts += buyers * checkouts_each;
    }

    fn made(&self) -> usize {
        SPANS * self.checkouts
    }

    /// Returns what `telemetry_spans_lost_total` says, whatever the reason.
    fn lost(&self) -> usize {
        self.lost_by("queue_full") + self.lost_by("export_failed")
    }

    fn lost_by(&self, reason: &str) -> usize {
        let page = self.host.shop.get("/metrics").text();
        let series = format!("telemetry_spans_lost_total{{reason=\"{reason}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&series)).expect("the counter is always there");
        count.parse().expect("a count")
    }

    fn assert_memory_is_bounded(&self) {
        let held = self.made() - self.lost() - self.collector.received();
        assert!(held <= 2 * QUEUE_MAX, "{held} spans are held; a full queue and a batch of that size are less");
    }

    fn wait_for_log(&self, message: &str) {
        eventually(message, || self.host.log().iter().any(|line| line["message"] == message).then_some(()));
    }

    /// Waits until every span made has arrived or is counted as lost.
    fn settle(&self) {
        eventually("an end for every span", || {
            let (received, lost) = (self.collector.received(), self.lost());
            assert!(received + lost <= self.made(), "{received} received and {lost} lost of {}", self.made());
            (received + lost == self.made()).then_some(())
        });
    }
}

fn warnings(log: &[Value]) -> Vec<&Value> {
    log.iter().filter(|line| !matches!(line["level"].as_str(), Some("INFO" | "DEBUG"))).collect()
}

/// Returns how often the log warns of that.
fn said(log: &[Value], message: &str) -> usize {
    let texts = warnings(log).into_iter().filter_map(|line| line["message"].as_str());
    texts.filter(|text| text.contains(message)).count()
}
