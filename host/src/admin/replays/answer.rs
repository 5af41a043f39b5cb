//! A repeated call beside the recorded one, and a profile, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::super::RecordingJson;
#[cfg(test)]
use crate::schema;
use crate::{
    recordings::Recording,
    telemetry::{
        names::attribute,
        recent::{KeptTrace, span},
    },
};

/// A recorded call, repeated.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Replayed"))]
pub struct ReplayedJson {
    pub recording: RecordingJson,
    /// What repeated it: the name, the version and the beginning of the file's digest.
    pub plugin: String,
    /// The number of the version that repeated it. Absent of a file that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub number: Option<u64>,
    /// Whether the two can be compared: what the host or another plugin ended can't.
    pub compared: bool,
    /// What the repeated call decides otherwise, the most important part first; none if it decides the same.
    pub differences: Vec<DifferingJson>,
    pub recorded: CallJson,
    pub repeated: CallJson,
    /// The case that repeats the call and expects what the repeated one decided: what `till plugin test` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<Map<String, Value>>"))]
    pub case: Option<Box<RawValue>>,
}

/// A part of two calls that differs, line by line.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DifferingPart"))]
pub struct DifferingJson {
    /// Such as `outcome`, `receipt`, `asked` or `spans`.
    pub part: String,
    pub recorded: Vec<String>,
    pub repeated: Vec<String>,
}

/// One call, recorded or repeated.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ReplayedCall"))]
pub struct CallJson {
    /// `ok`, or the failure's code.
    pub outcome: String,
    /// The failure's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The plugin's own code of a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    /// Absent of a call that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionJson>,
    /// Pieces that it asked the stock for, by item.
    pub asked: BTreeMap<String, u64>,
    pub took_us: u64,
    /// The plugin's own processor time.
    pub cpu_us: u64,
    /// What the plugin executed. Absent where that isn't counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_used: Option<u64>,
    /// Absent of the recorded call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u64>,
    /// The spans that the plugin started; of the recorded call while its trace is kept.
    pub spans: Vec<SpanOfCallJson>,
    /// Absent of the recorded call, whose lines are in its trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogOfCallJson>,
    /// What to change about the plugin, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A plugin's decision, as commands print it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ShownDecision"))]
pub struct DecisionJson {
    /// Its name in a case: `receipt`, `levels`, `candidates` and others.
    pub name: String,
    pub lines: Vec<String>,
    /// What the plugin says of it besides, by key.
    pub attributes: Vec<String>,
}

/// A span within a call.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SpanOfCall"))]
pub struct SpanOfCallJson {
    pub name: String,
    /// Since the call began.
    pub start_us: u64,
    pub duration_us: u64,
    /// Why it failed. Absent if it didn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Those below it.
    pub spans: Vec<Self>,
}

/// A line that a call logged or printed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LineOfCall"))]
pub struct LogOfCallJson {
    pub level: String,
    pub message: String,
}

/// Where a call's time goes: how often each function was at work, or called one that was, when the call was looked at.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Profile"))]
pub struct ProfileJson {
    /// What was looked at.
    pub plugin: String,
    /// How often the call was repeated.
    pub calls: u64,
    /// The plugin's own processor time of all of them.
    pub cpu_us: u64,
    /// Whether the file names its functions. Where it doesn't, they are called by their numbers.
    pub has_names: bool,
    /// All samples, by the stack that each found.
    pub root: SampledJson,
}

/// A function in the place that it was called from.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SampledFunction"))]
pub struct SampledJson {
    pub name: String,
    /// How often it, or what it called, was at work.
    pub samples: u64,
    /// What it called, that of the most samples first.
    pub children: Vec<Self>,
}

/// Returns the spans that the recorded call's plugin started; `None` if the call isn't in the trace.
pub(in super::super) fn spans_of(trace: &KeptTrace, recording: &Recording) -> Option<Vec<SpanOfCallJson>> {
    let spans = trace.spans.in_order();
    let at = recording.version.at;
    let has = |of: &span::Span<'_>, key: &str, wanted: Option<&str>| {
        of.value(key).map(span::Value::text).as_deref() == wanted
    };
    let name = at.name.map(|name| name.to_string());
    let is_call = |of: &&span::Span<'_>| {
        has(of, attribute::PLUGIN_KIND, Some(at.kind.as_str()))
            && has(of, attribute::PLUGIN_INSTALLATION, name.as_deref())
            && has(of, attribute::PLUGIN_ROLLOUT, Some(recording.role))
            && has(of, attribute::PLUGIN_OUTCOME, Some(&recording.outcome.code))
    };
    let call = spans.iter().find(is_call)?;
    Some(below(&spans, call, call.start_ns))
}

/// Returns the plugin's own spans below a span.
fn below(spans: &[span::Span<'_>], parent: &span::Span<'_>, began_ns: u64) -> Vec<SpanOfCallJson> {
    let is_below = |span: &&span::Span<'_>| {
        span.parent_id() == Some(parent.id()) && span.value(attribute::PLUGIN_SPAN) == Some(&span::Value::Flag(true))
    };
    let of = |span: &span::Span<'_>| SpanOfCallJson::of(span, began_ns, below(spans, span, began_ns));
    spans.iter().filter(is_below).map(of).collect()
}

impl SpanOfCallJson {
    /// Returns the span of a call that began then, with those below it.
    #[must_use]
    pub fn of(span: &span::Span<'_>, began_ns: u64, spans: Vec<Self>) -> Self {
        let error =
            if let span::Status::Error { description } = span.status { Some(description.to_owned()) } else { None };
        let shown = span.attributes.iter().filter(|(key, _)| !key.starts_with("plugin."));
        Self {
            name: span.name.to_owned(),
            start_us: span.start_ns.saturating_sub(began_ns) / 1_000,
            duration_us: span.duration_us(),
            error,
            attributes: shown.map(|(key, value)| ((*key).to_owned(), json_of(value))).collect(),
            spans,
        }
    }

    /// Returns the names of the span and of those below it, one per line, indented by two spaces per level.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let below = self.spans.iter().flat_map(Self::names).map(|name| format!("  {name}"));
        std::iter::once(self.name.clone()).chain(below).collect()
    }
}

fn json_of(value: &span::Value<'_>) -> Value {
    match value {
        span::Value::Flag(flag) => Value::from(*flag),
        span::Value::Whole(number) => Value::from(*number),
        span::Value::Decimal(number) => Value::from(*number),
        span::Value::Text(text) => Value::from(text.as_ref()),
    }
}
