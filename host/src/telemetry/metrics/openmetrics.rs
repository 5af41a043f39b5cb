//! OpenMetrics 1.0, the text format that can carry exemplars. The `prometheus` crate writes only the older one.
//!
//! Source: the specification at <https://prometheus.io/docs/specs/om/open_metrics_spec/>. This file writes only what
//! the host has: counters, gauges and histograms, without timestamps.

use std::{fmt::Write as _, time::UNIX_EPOCH};

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars, Series};

/// The content type of what [`write`] returns.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes all families, each with its exemplars.
pub(super) fn write(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut page = String::new();
    for family in families {
        write_family(&mut page, family, exemplars);
    }
    page.push_str("# EOF\n");
    page
}

fn write_family(page: &mut String, family: &MetricFamily, exemplars: &Exemplars) {
    let (kind, name) = match family.get_field_type() {
        MetricType::COUNTER => ("counter", family.name().trim_end_matches("_total")),
        MetricType::GAUGE => ("gauge", family.name()),
        MetricType::HISTOGRAM => ("histogram", family.name()),
        // The exporter makes no metrics of these types.
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    line(page, format_args!("# TYPE {name} {kind}"));
    if !family.help().is_empty() {
        line(page, format_args!("# HELP {name} {}", escaped(family.help())));
    }
    for metric in family.get_metric() {
        let labels = labels(metric.get_label());
        match family.get_field_type() {
            MetricType::COUNTER => {
                line(page, format_args!("{name}_total{} {}", braced(&labels), metric.get_counter().get_value()));
            }
            MetricType::GAUGE => {
                line(page, format_args!("{name}{} {}", braced(&labels), metric.get_gauge().get_value()));
            }
            _ => write_histogram(page, name, &labels, metric, exemplars),
        }
    }
}

fn write_histogram(page: &mut String, name: &str, labels: &str, metric: &Metric, exemplars: &Exemplars) {
    let histogram = metric.get_histogram();
    let pairs = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
    let exemplars = exemplars.of(Series::of(name, pairs));
    for (at, (bound, count)) in buckets(histogram).enumerate() {
        let separator = if labels.is_empty() { "" } else { "," };
        let exemplar = exemplars.get(&at).map(shown).unwrap_or_default();
        line(page, format_args!("{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {count}{exemplar}"));
    }
    let labels = braced(labels);
    line(page, format_args!("{name}_sum{labels} {}", histogram.get_sample_sum()));
    line(page, format_args!("{name}_count{labels} {}", histogram.get_sample_count()));
}

/// Returns the buckets' bounds and counts; the last bucket has no bound.
fn buckets(histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    let bounded = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let bounded = bounded.map(|bucket| (bound(bucket.upper_bound()), bucket.cumulative_count()));
    bounded.chain(std::iter::once(("+Inf".to_owned(), histogram.get_sample_count())))
}

/// Writes a bound as the specification wants it: "1.0", not "1".
fn bound(bound: f64) -> String {
    if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() }
}

fn shown(exemplar: &Exemplar) -> String {
    let Exemplar { trace_id, span_id, value, at } = exemplar;
    let at_s = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    format!(" # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {at_s:.3}")
}

fn labels(pairs: &[LabelPair]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|pair| format!("{}=\"{}\"", pair.name(), escaped(pair.value()))).collect();
    pairs.join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(page, "{text}");
}
