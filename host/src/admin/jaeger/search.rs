//! A search of Jaeger's API, and whether a trace matches it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use opentelemetry::trace::TraceId;

use super::LIMIT_MAX;
use crate::{
    admin::query,
    telemetry::recent::{KeptTrace, Process, jaeger, micros},
    units,
};

/// Jaeger's own default.
const LIMIT_DEFAULT: usize = 100;
/// The most traces that are asked for by their ids.
const IDS_MAX: usize = 20;

/// A request to `/api/traces`.
#[derive(Debug)]
pub(super) enum Wanted {
    Traces(Vec<TraceId>),
    Search(Search),
}

/// The conditions of a search, all of which one span has to meet.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) service: String,
    pub(super) limit: usize,
    operation: Option<String>,
    /// Tags by key, of the span, its events or its process.
    tags: BTreeMap<String, String>,
    /// The earliest start, microseconds since 1970.
    start_us: Option<u64>,
    end_us: Option<u64>,
    min: Option<Duration>,
    max: Option<Duration>,
}

impl Wanted {
    /// # Errors
    /// Says which parameter can't be parsed, as Jaeger does.
    pub(super) fn of_query(query: &str) -> Result<Self, String> {
        let mut search = Search { limit: LIMIT_DEFAULT, ..Search::default() };
        let (mut ids, mut lookback) = (Vec::new(), None);
        for (name, value) in query::pairs(query).filter(|(_, value)| !value.is_empty()) {
            let unreadable = || format!("unable to parse param '{name}'");
            match &*name {
                "traceID" if ids.len() == IDS_MAX => return Err(format!("there are {IDS_MAX} traceID at most")),
                "traceID" => ids.push(trace_id(&value).ok_or_else(unreadable)?),
                "service" => search.service = value,
                "operation" => search.operation = Some(value).filter(|value| value != "all"),
                "tags" => search.tags.extend(tags(&value)?),
                "tag" => {
                    let (key, value) = value.split_once(':').ok_or("malformed 'tag' parameter, expecting key:value")?;
                    search.tags.insert(key.to_owned(), value.to_owned());
                }
                "start" => search.start_us = Some(value.parse().map_err(|_| unreadable())?),
                "end" => search.end_us = Some(value.parse().map_err(|_| unreadable())?),
                // May be `custom`, next to a start and an end.
                "lookback" => lookback = duration(&value),
                "minDuration" => search.min = Some(duration(&value).ok_or_else(unreadable)?),
                "maxDuration" => search.max = Some(duration(&value).ok_or_else(unreadable)?),
                "limit" => search.limit = value.parse::<usize>().map_err(|_| unreadable())?.min(LIMIT_MAX),
                _ => {}
            }
        }
        if !ids.is_empty() {
            return Ok(Self::Traces(ids));
        }
        search.check()?;
        search.start_us = search.start_us.or_else(|| Some(search.begin(lookback?)));
        Ok(Self::Search(search))
    }
}

impl Search {
    /// Returns the search of a query of version 3.
    ///
    /// # Errors
    /// Says which parameter can't be parsed.
    pub(super) fn of_v3_query(query: &str) -> Result<Self, String> {
        let mut search = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        for (name, value) in query::pairs(query).filter(|(_, value)| !value.is_empty()) {
            let unreadable = || format!("unable to parse param '{name}'");
            match name.trim_start_matches("query.") {
                "serviceName" | "service_name" => search.service = value,
                "operationName" | "operation_name" => search.operation = Some(value).filter(|value| value != "all"),
                "attributes" => search.tags.extend(tags(&value)?),
                "startTimeMin" | "start_time_min" => search.start_us = Some(moment_us(&value).ok_or_else(unreadable)?),
                "startTimeMax" | "start_time_max" => search.end_us = Some(moment_us(&value).ok_or_else(unreadable)?),
                "durationMin" | "duration_min" => search.min = Some(duration(&value).ok_or_else(unreadable)?),
                "durationMax" | "duration_max" => search.max = Some(duration(&value).ok_or_else(unreadable)?),
                "searchDepth" | "search_depth" | "numTraces" | "num_traces" => {
                    search.limit = value.parse::<usize>().map_err(|_| unreadable())?.min(LIMIT_MAX);
                }
                _ => {}
            }
        }
        search.check()?;
        Ok(search)
    }

    fn check(&self) -> Result<(), String> {
        if self.service.is_empty() {
            return Err("parameter 'service' is required".to_owned());
        }
        if self.min.is_some_and(|min| self.max.is_some_and(|max| max < min)) {
            return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
        }
        Ok(())
    }

    fn begin(&self, lookback: Duration) -> u64 {
        let end_us = self.end_us.unwrap_or_else(|| micros(SystemTime::now()));
        end_us.saturating_sub(units::micros(lookback))
    }

    /// Returns whether a span of the trace meets all conditions.
    pub(super) fn takes(&self, trace: &KeptTrace, process: &Process) -> bool {
        trace.spans.in_order().into_iter().any(|span| {
            let (took, start) = (Duration::from_nanos(span.duration_ns), Duration::from_nanos(span.start_ns));
            self.operation.as_ref().is_none_or(|operation| operation == span.name)
                && self.min.is_none_or(|min| took >= min)
                && self.max.is_none_or(|max| took <= max)
                && self.start_us.is_none_or(|from| start >= Duration::from_micros(from))
                && self.end_us.is_none_or(|to| start <= Duration::from_micros(to))
                && (self.tags.is_empty() || self.has_tags(&jaeger::Span::of(trace.trace_id, span), process))
        })
    }

    fn has_tags(&self, span: &jaeger::Span<'_>, process: &Process) -> bool {
        let process = jaeger::ProcessJson::of(process);
        self.tags.iter().all(|(key, value)| {
            let of_events = span.logs.iter().flat_map(|log| &log.fields);
            let mut tags = span.tags.iter().chain(of_events).chain(&process.tags);
            tags.any(|tag| tag.key == key && tag.is(value))
        })
    }
}

/// Returns the tags of a JSON object. Jaeger accepts only texts; here a number or a flag counts as its text.
fn tags(text: &str) -> Result<BTreeMap<String, String>, String> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}"))?;
    let written = |value| if let serde_json::Value::String(text) = value { text } else { value.to_string() };
    Ok(object.into_iter().map(|(key, value)| (key, written(value))).collect())
}

/// Returns the id; leading zeros may be left out, as in Jaeger.
pub(super) fn trace_id(text: &str) -> Option<TraceId> {
    let is_id = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| TraceId::from_hex(text).ok())?
}

/// Returns a moment in RFC 3339's form as microseconds since 1970.
fn moment_us(text: &str) -> Option<u64> {
    DateTime::parse_from_rfc3339(text).ok().and_then(|moment| u64::try_from(moment.timestamp_micros()).ok())
}

/// Parses a duration in Go's form: `1.2s`, `500us`, `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(end)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            // Go has no days, but the lookback of a Jaeger UI has.
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = next;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, expected_us) in [
            ("100ms", Some(100_000)),
            ("1.2s", Some(1_200_000)),
            ("500us", Some(500)),
            ("500µs", Some(500)),
            ("1h30m", Some(5_400_000_000)),
            ("2d", Some(172_800_000_000)),
            ("0s", Some(0)),
            ("", None),
            ("100", None),
            ("ms", None),
            ("1.2.3s", None),
            ("-1s", None),
            ("1e3s", None),
            ("99999999999999999999s", None),
            ("custom", None),
        ] {
            assert_eq!(duration(text), expected_us.map(Duration::from_micros), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (query, expected) in [
            ("", "parameter 'service' is required"),
            ("service=a&limit=many", "unable to parse param 'limit'"),
            ("service=a&start=now", "unable to parse param 'start'"),
            ("service=a&minDuration=5", "unable to parse param 'minDuration'"),
            ("service=a&minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
            ("service=a&tag=b", "malformed 'tag' parameter, expecting key:value"),
            (&"traceID=4bf92f3577b34da6a3ce929d0e0e4736&".repeat(21), "there are 20 traceID at most"),
            ("traceID=xyz", "unable to parse param 'traceID'"),
        ] {
            assert_eq!(Wanted::of_query(query).map(drop), Err(expected.to_owned()), "{query}");
        }
        assert!(Wanted::of_query("service=a&tags=%7B").unwrap_err().starts_with("malformed 'tags' parameter"));
    }

    #[test]
    fn a_search_of_version_3_is_read_in_either_spelling() {
        let full = |name: fn(&str) -> String| {
            let part = |part: &str, value: &str| format!("query.{}={value}&", name(part));
            let query = part("service_name", "a")
                + &part("operation_name", "GET+%2F")
                + &part("attributes", "%7B%22b%22%3A%22c%22%7D")
                + &part("start_time_min", "1970-01-01T00:00:00.000001Z")
                + &part("start_time_max", "1970-01-01T01:00:00%2B01:00")
                + &part("duration_min", "1.5s")
                + &part("duration_max", "2000ms")
                + &part("search_depth", "7");
            format!("{:?}", Search::of_v3_query(&query).expect("a search"))
        };
        let camel = |name: &str| {
            let mut parts = name.split('_');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
        };
        let expected = Search {
            service: "a".to_owned(),
            limit: 7,
            operation: Some("GET /".to_owned()),
            tags: BTreeMap::from([("b".to_owned(), "c".to_owned())]),
            start_us: Some(1),
            end_us: Some(0),
            min: Some(Duration::from_millis(1_500)),
            max: Some(Duration::from_secs(2)),
        };
        assert_eq!(full(camel), format!("{expected:?}"));
        assert_eq!(full(str::to_owned), format!("{expected:?}"));
        for (query, expected) in [
            ("", "parameter 'service' is required"),
            ("query.serviceName=a&query.startTimeMin=1", "unable to parse param 'query.startTimeMin'"),
            ("query.serviceName=a&query.durationMin=5", "unable to parse param 'query.durationMin'"),
            ("query.serviceName=a&query.searchDepth=x", "unable to parse param 'query.searchDepth'"),
        ] {
            assert_eq!(Search::of_v3_query(query).map(drop), Err(expected.to_owned()), "{query}");
        }
    }

    #[test]
    fn a_lookback_counts_from_the_end_where_there_is_no_start() {
        let start = |query: &str| match Wanted::of_query(query) {
            Ok(Wanted::Search(search)) => search.start_us,
            other => panic!("no search: {other:?}"),
        };
        assert_eq!(start("service=a&end=9000000&lookback=5s"), Some(4_000_000));
        assert_eq!(start("service=a&end=9000000&lookback=custom&start=7"), Some(7));
        assert_eq!(start("service=a"), None);
    }
}
