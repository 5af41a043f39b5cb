//! Spans as they were received, and a trace as a tree to read.
//!
//! ```text
//! POST /checkout SERVER
//!     http.route = /checkout
//!   checkout_transaction INTERNAL error: the message
//! ```

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

/// The bits of OTLP's span flags that say whether the parent is of another process, and that the first one says so.
const PARENT_IS_REMOTE: u64 = 1 << 9;
const PARENT_IS_KNOWN: u64 = 1 << 8;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent_id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) service: String,
    pub(crate) trace_state: String,
    pub(crate) parent_is_remote: Option<bool>,
    /// `None` unless it failed.
    pub(crate) error: Option<String>,
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) events: Vec<(String, BTreeMap<String, Value>)>,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Span {
    /// Reads a span out of protobuf's JSON: ids in base64, numbers of 64 bits as texts, defaults left out.
    pub(crate) fn received(span: &Value, resource: &Value) -> Self {
        let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
        let nanos = |key: &str| text(key).parse().unwrap_or_default();
        let status = &span["status"];
        let code = status["code"].as_str().unwrap_or("STATUS_CODE_UNSET");
        let message = status["message"].as_str().unwrap_or_default().to_owned();
        assert!(matches!(code, "STATUS_CODE_UNSET" | "STATUS_CODE_ERROR"), "nothing of ours says {code}");
        let flags = span["flags"].as_u64().unwrap_or_default();
        let service = attributes(resource).remove("service.name").unwrap_or_default();
        let events = span["events"].as_array().cloned().unwrap_or_default();
        Self {
            trace_id: hex(&text("trace_id")),
            id: hex(&text("span_id")),
            parent_id: hex(&text("parent_span_id")),
            name: text("name"),
            kind: text("kind").trim_start_matches("SPAN_KIND_").to_owned(),
            service: service.as_str().unwrap_or_default().to_owned(),
            trace_state: text("trace_state"),
            parent_is_remote: (flags & PARENT_IS_KNOWN != 0).then_some(flags & PARENT_IS_REMOTE != 0),
            error: (code == "STATUS_CODE_ERROR").then_some(message),
            attributes: attributes(span),
            events: events
                .iter()
                .map(|event| (event["name"].as_str().unwrap_or_default().to_owned(), attributes(event)))
                .collect(),
            start_ns: nanos("start_time_unix_nano"),
            end_ns: nanos("end_time_unix_nano"),
        }
    }

    pub(crate) fn attribute(&self, key: &str) -> &Value {
        self.attributes.get(key).unwrap_or(&Value::Null)
    }
}

/// Returns the spans of one trace.
pub(crate) fn of_trace(spans: &[Span], trace_id: &str) -> Vec<Span> {
    spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
}

/// Returns the only span of that name.
pub(crate) fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found.as_slice() else { panic!("{} spans {name}:\n{}", found.len(), drawn(spans)) };
    span
}

/// Draws the trace; what differs from run to run stands there as a word in angle brackets.
pub(crate) fn drawn(spans: &[Span]) -> String {
    let mut text = String::new();
    let known = |id: &str| spans.iter().any(|span| span.id == id);
    let mut roots: Vec<&Span> = spans.iter().filter(|span| !known(&span.parent_id)).collect();
    roots.sort_by_key(|span| span.start_ns);
    for root in roots {
        draw(&mut text, spans, root, None, 0);
    }
    text
}

fn draw(text: &mut String, spans: &[Span], span: &Span, parent: Option<&Span>, depth: usize) {
    let indent = "  ".repeat(depth);
    let error = span.error.as_ref().map(|message| format!(" error: {}", steady(message))).unwrap_or_default();
    let other_service = parent.is_none_or(|parent| parent.service != span.service);
    let service = if other_service { format!(" of {}", span.service) } else { String::new() };
    let remote = match (span.parent_is_remote, span.parent_id.is_empty()) {
        (Some(true), false) => ", parent remote",
        (None, false) => ", parent unknown",
        _ => "",
    };
    let orphan = if parent.is_none() && !span.parent_id.is_empty() { ", parent elsewhere" } else { "" };
    let line = |text: &mut String, content: &str| writeln!(text, "{indent}{content}").expect("a String takes all");
    line(text, &format!("{} {}{service}{remote}{orphan}{error}", span.name, span.kind));
    for (key, value) in &span.attributes {
        line(text, &format!("    {key} = {}", placeholder(key, value)));
    }
    for (name, attributes) in &span.events {
        line(text, &format!("    event {name}"));
        for (key, value) in attributes {
            line(text, &format!("        {key} = {}", placeholder(key, value)));
        }
    }
    let mut children: Vec<&Span> = spans.iter().filter(|child| child.parent_id == span.id).collect();
    children.sort_by_key(|child| child.start_ns);
    for child in children {
        assert!(child.start_ns >= span.start_ns, "{} starts before its parent {}", child.name, span.name);
        let within = child.end_ns <= span.end_ns;
        assert!(within, "{} ends after its parent {}", child.name, span.name);
        draw(text, spans, child, Some(span), depth + 1);
    }
}

fn placeholder(key: &str, value: &Value) -> String {
    match key {
        "server.port" | "network.peer.port" => "<port>".to_owned(),
        "order.reference" => "<reference>".to_owned(),
        "plugin.version" => "<version>".to_owned(),
        "plugin.digest" => "<digest>".to_owned(),
        "plugin.memory_bytes" => "<bytes>".to_owned(),
        "plugin.guest_us" | "plugin.instantiate_us" => "<us>".to_owned(),
        "simulation.latency_added" => "<seconds>".to_owned(),
        "db.order_id" => "<order>".to_owned(),
        "facts.digest" => "<facts>".to_owned(),
        _ => steady(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
    }
}

/// Puts `<port>` for what stands behind an address of this machine.
fn steady(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        steady += "127.0.0.1:<port>";
        steady += part.trim_start_matches(|letter: char| letter.is_ascii_digit());
    }
    steady
}

fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let list = of["attributes"].as_array().cloned().unwrap_or_default();
    let count = list.len();
    let attributes: BTreeMap<String, Value> = list
        .iter()
        .map(|attribute| (attribute["key"].as_str().unwrap_or_default().to_owned(), value(&attribute["value"])))
        .collect();
    assert_eq!(attributes.len(), count, "a key stands there twice: {list:?}");
    attributes
}

fn value(value: &Value) -> Value {
    let typed = value.as_object().and_then(|object| object.iter().next()).expect("a value has a type");
    match typed {
        (kind, Value::String(number)) if kind == "int_value" => number.parse::<i64>().expect("a number").into(),
        (_, other) => other.clone(),
    }
}

/// Returns base64 as hex.
fn hex(base64: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut hex) = (0_u32, 0, String::new());
    for letter in base64.bytes().filter(|letter| *letter != b'=') {
        let digit = LETTERS.iter().position(|known| *known == letter).expect("base64");
        bits = (bits << 6 | u32::try_from(digit).expect("below 64")) & 0xfff;
        count += 6;
        if count >= 8 {
            count -= 8;
            write!(hex, "{:02x}", bits >> count & 0xff).expect("a String takes all");
        }
    }
    hex
}
