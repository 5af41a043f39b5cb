//! What a search of Jaeger's asks for, and whether a trace has it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::TraceId;

use super::LIMIT_MAX;
use crate::{
    admin::query,
    telemetry::recent::{Kept, Process, jaeger, micros},
};

/// Jaeger's own.
const LIMIT_DEFAULT: usize = 100;

/// What `/api/traces` is asked for.
#[derive(Debug)]
pub(super) enum Wanted {
    Traces(Vec<TraceId>),
    Search(Search),
}

/// All of it has to be so of one span.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) service: String,
    pub(super) limit: usize,
    operation: Option<String>,
    /// By key; of the span, its events or its process.
    tags: BTreeMap<String, String>,
    /// Microseconds since 1970, of the start.
    start_us: Option<u64>,
    end_us: Option<u64>,
    min: Option<Duration>,
    max: Option<Duration>,
}

impl Wanted {
    /// # Errors
    /// Says what can't be read, as Jaeger does.
    pub(super) fn of_query(query: &str) -> Result<Self, String> {
        let mut search = Search { limit: LIMIT_DEFAULT, ..Search::default() };
        let (mut ids, mut lookback) = (Vec::new(), None);
        for (name, value) in query::pairs(query).filter(|(_, value)| !value.is_empty()) {
            let unreadable = || format!("unable to parse param '{name}'");
            match &*name {
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
                // `custom` beside a start and an end.
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
        if search.service.is_empty() {
            return Err("parameter 'service' is required".to_owned());
        }
        if search.min.is_some_and(|min| search.max.is_some_and(|max| max < min)) {
            return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
        }
        search.start_us = search.start_us.or_else(|| Some(search.begin(lookback?)));
        Ok(Self::Search(search))
    }
}

impl Search {
    fn begin(&self, lookback: Duration) -> u64 {
        let end_us = self.end_us.unwrap_or_else(|| micros(SystemTime::now()));
        end_us.saturating_sub(u64::try_from(lookback.as_micros()).unwrap_or(u64::MAX))
    }

    /// Returns whether a span of the trace has all of it.
    pub(super) fn takes(&self, trace: &Kept, process: &Process) -> bool {
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

/// Returns the tags of a JSON object. Jaeger takes texts only; a number or a flag is taken as it is written.
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

/// Returns a duration as Go writes it: `1.2s`, `500us`, `1h30m`.
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
            // Not Go's, but a Jaeger UI's lookback.
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
            ("traceID=xyz", "unable to parse param 'traceID'"),
        ] {
            assert_eq!(Wanted::of_query(query).map(drop), Err(expected.to_owned()), "{query}");
        }
        assert!(Wanted::of_query("service=a&tags=%7B").unwrap_err().starts_with("malformed 'tags' parameter"));
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
