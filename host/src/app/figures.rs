//! Figures of other modules, which the metrics read when somebody asks for them.

use std::sync::Arc;

use crate::{
    http::Answers,
    store::{self, Store},
    telemetry::{Metrics, Recent, names::metric, recent},
};

/// Adds the store's own figures to the metrics.
pub(super) fn watch(metrics: &Metrics, store: &Store) {
    let reading = |read: fn(&store::Gauges) -> u64| {
        let store = store.clone();
        move || read(&store.gauges())
    };
    metrics.gauge(
        "store.queued",
        "{command}",
        "Commands that wait for the store's writer.",
        reading(|gauges| gauges.queued_commands as u64),
    );
    metrics.gauge(
        "store.orders.unresolved",
        "{order}",
        "Orders that neither completed nor failed.",
        reading(|gauges| gauges.unresolved_orders),
    );
    metrics.gauge(
        "store.orders.awaiting_release",
        "{order}",
        "Orders that wait for a remote inventory to confirm their release.",
        reading(|gauges| gauges.awaiting_release_orders),
    );
    metrics.gauge("store.wal", "By", "The write-ahead log's size.", reading(|gauges| gauges.wal_bytes));
    metrics.gauge(
        "store.hosts",
        "{host}",
        "Hosts that serve the store, this one included.",
        reading(|gauges| gauges.hosts),
    );
    let lease = store.clone();
    metrics.gauge_of_seconds(
        "store.lease_age",
        "For how long a shared database hasn't answered this host; from 10 s on it takes no orders.",
        move || lease.gauges().lease_age.as_secs_f64(),
    );
    metrics.gauge(
        "store.without_standby",
        "{database}",
        "Whether a shared database has no synchronous standby, so that the loss of its machine loses orders.",
        reading(|gauges| u64::from(gauges.without_standby)),
    );
    metrics.counter_from(
        "store.commits",
        "{commit}",
        "Transactions that the store committed.",
        reading(|gauges| gauges.commits),
    );
    metrics.counter_from(
        "store.commands",
        "{command}",
        "Commands in those transactions.",
        reading(|gauges| gauges.committed_commands),
    );
    metrics.counter_from(
        "store.batches.failed",
        "{batch}",
        "Transactions that were rolled back.",
        reading(|gauges| gauges.failed_batches),
    );
}

/// Adds the answers that wait for their clients to the metrics.
pub(super) fn watch_answers(metrics: &Metrics, answers: &Arc<Answers>) {
    let waiting = Arc::clone(answers);
    let bytes = move || waiting.waiting_bytes();
    metrics.gauge(
        metric::ANSWERS_WAITING,
        "By",
        "Requests under way, and answers that wait for their clients to take them.",
        bytes,
    );
    let answers = Arc::clone(answers);
    let given_up = move || answers.given_up();
    metrics.counter_by_reason(
        metric::CONNECTIONS_GIVEN_UP,
        "{connection}",
        "Connections that were ended before their time, by the reason.",
        given_up,
    );
}

/// Adds the figures of the recent traces to the metrics.
pub(super) fn watch_traces(metrics: &Metrics, recent: &Recent) {
    let reading = |read: fn(recent::Figures) -> u64| {
        let recent = recent.clone();
        move || read(recent.figures())
    };
    metrics.gauge(metric::TRACES_KEPT, "{trace}", "Recent traces in memory.", reading(|figures| figures.traces as u64));
    metrics.gauge(
        metric::TRACES_MEMORY,
        "By",
        "Memory of recent traces, about.",
        reading(|figures| figures.bytes as u64),
    );
    metrics.counter_from(
        metric::TRACES_EVICTED,
        "{trace}",
        "Recent traces that went to make room, or never came to an end.",
        reading(|figures| figures.evicted),
    );
}
