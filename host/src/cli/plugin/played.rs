//! The result of a plugin's call, for people and for programs.

use std::{fmt::Write, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    author::rehearsal::{Node, Played, notes, tree},
    failure::Failure,
    hooks::Shown,
    runtime::Identity,
    telemetry::{
        names::attribute,
        recent::{FieldValue, Line, span},
    },
    units::micros,
};

/// The column of the durations in a tree of spans.
const TREE_WIDTH: usize = 44;

/// The figures of a call, from its span.
struct Figures {
    duration: Duration,
    fuel_used: i64,
    memory_bytes: i64,
    host_calls: i64,
}

impl Figures {
    fn of(root: Option<&Node<'_>>) -> Self {
        let figure = |key: &str| {
            let value = root.and_then(|root| root.span.value(key));
            if let Some(span::Value::Whole(figure)) = value { *figure } else { 0 }
        };
        Self {
            duration: root.map(duration).unwrap_or_default(),
            fuel_used: figure(attribute::PLUGIN_FUEL_USED),
            memory_bytes: figure(attribute::PLUGIN_MEMORY_BYTES),
            host_calls: figure(attribute::PLUGIN_HOST_CALLS),
        }
    }
}

/// Returns the complete result as text.
pub(super) fn text_of(plugin: Option<&Identity>, played: &Played) -> String {
    let spans = tree(&played.trace);
    let mut text = format!("{}  {}", played.outcome(), plugin.map(ToString::to_string).unwrap_or_default());
    let mut block = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("\n{title}");
            lines.iter().for_each(|line| text += &format!("\n  {line}"));
        }
    };
    match &played.decided {
        Ok(shown) => {
            block(shown.title, shown.lines.clone());
            block("attributes", shown.attributes.clone());
        }
        Err(failure) => block("because", vec![failure.to_string()]),
    }
    block("asked of the stock", played.asked.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect());
    block("log", played.trace.lines.iter().map(|line| log_line(line)).collect());
    block("spans", spans.iter().flat_map(|root| span_lines(root, 0)).collect());
    block("to change", plugin.map(|plugin| notes(plugin, played)).unwrap_or_default());
    let Figures { duration, fuel_used, memory_bytes, host_calls } = Figures::of(spans.first());
    let figures =
        format!("{}, {fuel_used} fuel, {memory_bytes} bytes of memory, {host_calls} host calls", millis(duration));
    block("took", vec![figures]);
    text
}

/// Returns a log line as text; a traceback in it is split into lines.
pub(super) fn log_line(line: &Line) -> String {
    let mut text = format!("{:<5} {}", line.level, line.message);
    for (key, value) in shown(line) {
        _ = write!(text, "  {key}={value}");
    }
    text
}

/// Returns a line's own attributes, which the log has as one JSON text, and the stream that it was printed to.
fn shown(line: &Line) -> Map<String, Value> {
    let mut shown = Map::new();
    for (key, value) in &line.fields {
        match (*key, value) {
            ("plugin", _) => {}
            ("attributes", FieldValue::Text(text)) => {
                shown.extend(serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default());
            }
            (key, value) => _ = shown.insert(key.to_owned(), json!(value)),
        }
    }
    shown
}

fn span_lines(node: &Node<'_>, depth: usize) -> Vec<String> {
    let name = format!("{}{}", "  ".repeat(depth), node.span.name);
    let mut line = format!("{name:<TREE_WIDTH$} {:>9}", millis(duration(node)));
    for (key, value) in node.span.attributes.iter().filter(|(key, _)| is_plugins_own(key)) {
        _ = write!(line, "  {key}={}", value.text());
    }
    if let span::Status::Error { description } = &node.span.status {
        _ = write!(line, "  failed: {description}");
    }
    let events = node.span.events.iter().map(|event| format!("{}* {}", "  ".repeat(depth + 1), event.name));
    let below = node.children.iter().flat_map(|child| span_lines(child, depth + 1));
    std::iter::once(line).chain(events).chain(below).collect()
}

/// Returns whether an attribute belongs in the tree. The host's own attributes of a call's span are shown elsewhere.
fn is_plugins_own(key: &str) -> bool {
    !["plugin.", "error.", "inventory."].iter().any(|prefix| key.starts_with(prefix))
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

const fn duration(node: &Node<'_>) -> Duration {
    Duration::from_nanos(node.span.duration_ns)
}

/// Returns the complete result as JSON.
pub(super) fn json_of(source: &str, plugin: Option<&Identity>, played: &Played) -> Value {
    let spans = tree(&played.trace);
    let Figures { duration, fuel_used, memory_bytes, host_calls } = Figures::of(spans.first());
    let mut json = json!({
        "file": source,
        "plugin": plugin.map(ToString::to_string),
        "outcome": played.outcome(),
        "asked": played.asked.iter().map(|(item, pieces)| (item.to_string(), json!(pieces))).collect::<Map<_, _>>(),
        "log": played.trace.lines.iter().map(|line| line_json(line)).collect::<Vec<_>>(),
        "spans": spans.iter().map(|root| span_json(root, root)).collect::<Vec<_>>(),
        "notes": plugin.map(|plugin| notes(plugin, played)),
        "duration_us": micros(duration),
        "fuel_used": fuel_used,
        "memory_bytes": memory_bytes,
        "host_calls": host_calls,
    });
    if let Some(object) = json.as_object_mut() {
        object.extend(decided_json(&played.decided));
    }
    json
}

fn decided_json(decided: &Result<Shown, Failure>) -> Map<String, Value> {
    let mut json = Map::new();
    match decided {
        Ok(shown) => _ = json.insert(shown.name.into(), shown.json.clone()),
        Err(failure) => {
            json.insert("detail".into(), failure.to_string().into());
            // A rejection is a valid answer; a fault is for the author to mend.
            json.insert("is_fault".into(), failure.is_of_host().into());
            if let Failure::Rejected { code, .. } = failure {
                json.insert("rejection".into(), code.clone().into());
            }
        }
    }
    json
}

fn line_json(line: &Line) -> Value {
    json!({ "level": line.level, "message": line.message, "attributes": shown(line) })
}

fn span_json(node: &Node<'_>, root: &Node<'_>) -> Value {
    let span = &node.span;
    let error = if let span::Status::Error { description } = span.status { Some(description) } else { None };
    let event =
        |event: &span::Event<'_>| json!({ "name": event.name, "attributes": attributes_json(&event.attributes) });
    json!({
        "name": span.name,
        "start_us": span.start_ns.saturating_sub(root.span.start_ns) / 1_000,
        "duration_us": span.duration_us(),
        "error": error,
        "attributes": attributes_json(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "spans": node.children.iter().map(|child| span_json(child, root)).collect::<Vec<_>>(),
    })
}

fn attributes_json(attributes: &[span::Attribute<'_>]) -> Map<String, Value> {
    let value = |value: &span::Value<'_>| match value {
        span::Value::Flag(flag) => json!(flag),
        span::Value::Whole(number) => json!(number),
        span::Value::Decimal(number) => json!(number),
        span::Value::Text(text) => json!(text),
    };
    attributes.iter().map(|(key, of)| ((*key).to_owned(), value(of))).collect()
}
