//! `/recent/lines`: the last lines of the host's log.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Admin, Asked, query, searched};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, problem::Problem},
    telemetry::{
        Recent,
        recent::{FieldValue, NumberedLine, micros},
    },
};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// From the worst to the least.
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
const FILTERS: [&str; 6] = ["level", "plugin", "text", "trace_id", "after", "limit"];
/// The field of guests' lines that names the plugin.
const PLUGIN: &str = "plugin";

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentLines"))]
pub(super) struct LinesJson {
    /// In the order they were written.
    #[cfg_attr(test, schemars(length(max = LIMIT_MAX)))]
    lines: Vec<LineJson>,
    /// The number of the oldest line that is kept. If it is more than 1 past the `after` of a request, lines were dropped
    /// in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    oldest: Option<u64>,
    /// What to send as `after` for the lines that follow. Less than the request's `after` if the host has started anew.
    last: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentLine"))]
struct LineJson {
    /// The line's place in the log since the host's start.
    #[cfg_attr(test, schemars(range(min = 1)))]
    number: u64,
    /// Microseconds since 1970.
    time_us: u64,
    #[cfg_attr(test, schemars(with = "schema::Level"))]
    level: &'static str,
    message: String,
    target: &'static str,
    /// The trace of the request that wrote the line. Absent on the host's own lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::TraceId>"))]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::SpanId>"))]
    span_id: Option<String>,
    #[cfg_attr(test, schemars(with = "BTreeMap<String, schema::FieldValue>"))]
    fields: BTreeMap<&'static str, FieldValue>,
}

#[derive(Debug)]
struct Wanted {
    /// The least level, as its place in [`LEVELS`].
    level: usize,
    plugin: Option<String>,
    /// In lower case.
    text: Option<String>,
    trace_id: Option<String>,
    after: Option<u64>,
    limit: usize,
}

/// # Errors
/// 404 if none are kept, 422 for an unknown or invalid filter.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    let wanted = Wanted::of_query(&asked.query)?;
    searched(move || Reply::json(&listed(&recent, &wanted))).await
}

fn listed(recent: &Recent, wanted: &Wanted) -> LinesJson {
    let read = recent.last_lines(wanted.after, wanted.limit, |line| wanted.takes(line));
    let (oldest, last) = (read.oldest, read.last);
    LinesJson { lines: read.lines.into_iter().map(LineJson::of).collect(), oldest, last }
}

impl LineJson {
    fn of(NumberedLine { number, trace_id, line }: NumberedLine) -> Self {
        Self {
            number,
            time_us: micros(line.time),
            level: line.level,
            message: line.message.clone(),
            target: line.target,
            span_id: trace_id.map(|_| line.span_id.to_string()),
            trace_id: trace_id.map(|id| id.to_string()),
            fields: line.fields.iter().cloned().collect(),
        }
    }
}

impl Wanted {
    fn of_query(query: &str) -> Result<Self, Problem> {
        let mut wanted =
            Self { level: LEVELS.len(), plugin: None, text: None, trace_id: None, after: None, limit: LIMIT_DEFAULT };
        for (name, value) in query::parameters(query)? {
            wanted.take(&name, &value)?;
        }
        Ok(wanted)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let text = || query::value(name, value, Some(value).filter(|text| !text.is_empty()), "some text");
        match name {
            "level" => {
                let level = LEVELS.iter().position(|level| level.eq_ignore_ascii_case(value));
                self.level = query::value(name, value, level, "error, warn, info, debug or trace")?;
            }
            "plugin" => self.plugin = Some(text()?.to_owned()),
            "text" => self.text = Some(text()?.to_lowercase()),
            "trace_id" => {
                let is_id = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                let id = is_id.then(|| value.to_ascii_lowercase());
                self.trace_id = Some(query::value(name, value, id, "a trace id of 32 digits")?);
            }
            "after" => self.after = Some(query::value(name, value, value.parse().ok(), "a whole number")?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                self.limit = query::value(name, value, limit, "1 to 1000")?;
            }
            _ => return Err(query::unknown("filter", name, FILTERS)),
        }
        Ok(())
    }

    fn takes(&self, NumberedLine { trace_id, line, .. }: &NumberedLine) -> bool {
        let text_of = |value: &FieldValue| value.to_string();
        let plugin = || line.fields.iter().find(|(name, _)| *name == PLUGIN).map(|(_, value)| text_of(value));
        let has = |text: &str| text.to_lowercase().contains(self.text.as_deref().unwrap_or_default());
        LEVELS.iter().take(self.level + 1).any(|level| *level == line.level)
            && self.plugin.as_ref().is_none_or(|part| plugin().is_some_and(|plugin| plugin.contains(part)))
            && self.trace_id.as_ref().is_none_or(|id| trace_id.is_some_and(|own| own.to_string() == *id))
            && (self.text.is_none() || has(&line.message) || line.fields.iter().any(|(_, value)| has(&text_of(value))))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use opentelemetry::trace::{SpanId, TraceId};

    use super::*;
    use crate::telemetry::recent::Line;

    fn check(query: &str, taken: bool) {
        let line = NumberedLine {
            number: 1,
            trace_id: Some(TraceId::from(10)),
            line: Arc::new(Line {
                time: SystemTime::UNIX_EPOCH,
                level: "WARN",
                message: "a Slow one".to_owned(),
                target: "guest",
                span_id: SpanId::from(1),
                fields: vec![
                    (PLUGIN, FieldValue::Text("checkout/offers@1".to_owned())),
                    ("count", FieldValue::Large(17)),
                ],
            }),
        };
        assert_eq!(Wanted::of_query(query).expect("a query").takes(&line), taken, "{query}");
    }

    #[test]
    fn lines_are_found_by_level_plugin_text_and_trace() {
        check("", true);
        for (level, taken) in [("error", false), ("Warn", true), ("INFO", true), ("trace", true)] {
            check(&format!("level={level}"), taken);
        }
        check("plugin=offers", true);
        check("plugin=inventory", false);
        check("text=sLOW", true);
        check("text=17", true);
        check("text=fast", false);
        check(&format!("trace_id={:032X}", 10), true);
        check(&format!("trace_id={:032x}", 11), false);
        check("text=slow&level=error", false);
    }

    #[test]
    fn a_filter_that_cant_be_used_says_what_would_do() {
        for (query, detail) in [
            ("level=loud", "level=loud: wanted error, warn, info, debug or trace"),
            ("limit=0", "limit=0: wanted 1 to 1000"),
            ("levle=info", "there is no filter levle; did you mean level?"),
            ("after=x", "after=x: wanted a whole number"),
            ("trace_id=12", "trace_id=12: wanted a trace id of 32 digits"),
            ("text=", "text=: wanted some text"),
        ] {
            let problem = Wanted::of_query(query).expect_err("refused");
            assert!(format!("{problem:?}").contains(detail), "{query}: {problem:?}");
        }
    }
}
