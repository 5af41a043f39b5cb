//! The keys of a query: one table, from which the parser, the suggestions, the groups and the docs are made.

use super::{
    super::summary::{Called, StatusFilter},
    seen::Seen,
};
use crate::telemetry::names::attribute;

/// A key of a query.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// What its values are, for people.
    pub takes: &'static str,
    pub example: &'static str,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Item,
    Outcome,
    Status,
    Route,
    Plugin,
    Role,
    Error,
    Code,
    Took,
    Since,
    Order,
    Span,
    Trace,
}

/// A value of a key that was found in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As it is typed, without quotes.
    pub value: String,
    /// What people read, if that differs.
    pub label: Option<String>,
}

/// A wanted value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Status(StatusFilter),
    /// A plugin's version by its number.
    Number(u64),
    Flag(bool),
    /// Microseconds, both inclusive.
    Between(u64, u64),
}

/// In the order in which they are told.
pub static KEYS: [Key; 13] = [
    Key::new(What::Item, "item", "an item's name, or multiple for a cart of several", "item:laptop"),
    Key::new(What::Outcome, "outcome", "how the plugin's call ended", "outcome:!ok"),
    Key::new(What::Took, "took", "a duration such as >100ms, <2s or 10ms..1s", "took:>1s"),
    Key::new(What::Error, "error", "true or false", "error:true"),
    Key::new(What::Code, "code", "an error.type of one of the spans", "code:deadline"),
    Key::new(What::Status, "status", "a status, or a class such as 5xx", "status:5xx"),
    Key::new(What::Route, "route", "a route", "route:/checkout"),
    Key::new(
        What::Plugin,
        "plugin",
        "a version's number such as #10, or a part of kind/name@version+digest",
        "plugin:#10",
    ),
    Key::new(What::Role, "role", "live, canary or shadow", "role:canary"),
    Key::new(What::Order, "order", "an order's number, its reference or the reference's beginning", "order:4f1c"),
    Key::new(What::Span, "span", "a span's name", "span:db_take_stock"),
    Key::new(What::Trace, "trace", "the beginning of a trace id", "trace:4bf9"),
    Key::new(What::Since, "since", "a time such as 90s, 15m or 2h", "since:15m"),
];

impl Key {
    const fn new(what: What, name: &'static str, takes: &'static str, example: &'static str) -> Self {
        Self { name, takes, example, what }
    }

    /// Returns the key of that name if traces can be grouped by it.
    #[must_use]
    pub fn of_group(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name && key.is_of_few())
    }

    /// Returns whether many traces share a value.
    #[must_use]
    pub const fn is_of_few(&self) -> bool {
        !matches!(self.what, What::Took | What::Since | What::Order | What::Trace)
    }

    /// Returns the value, `None` for a wrong one.
    pub(super) fn parse(&self, text: &str, now_us: u64) -> Option<Value> {
        let text = Some(text).filter(|text| !text.is_empty())?;
        let own = || Value::Text(text.to_owned());
        match self.what {
            What::Item | What::Outcome | What::Route | What::Role | What::Code | What::Span | What::Order => {
                Some(own())
            }
            What::Status => StatusFilter::parse(text).map(Value::Status),
            What::Plugin => match text.strip_prefix('#') {
                Some(number) => number.parse().ok().map(Value::Number),
                None => Some(own()),
            },
            What::Error => text.parse().ok().map(Value::Flag),
            What::Took => between(text),
            What::Since => duration_us(text).map(|since_us| Value::Between(now_us.saturating_sub(since_us), u64::MAX)),
            What::Trace => {
                let is_start = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_start.then(|| Value::Text(text.to_ascii_lowercase()))
            }
        }
    }

    /// Returns whether one of the values is found; `None` if there is none of this key.
    pub(super) fn finds(&self, values: &[Value], seen: &Seen<'_>) -> Option<bool> {
        let any = |takes: &dyn Fn(&Value) -> bool| values.iter().any(takes);
        let is_text = |own: &str| any(&|value| matches!(value, Value::Text(text) if text == own));
        let is_between =
            |own: u64| any(&|value| matches!(value, Value::Between(low, high) if (low..=high).contains(&&own)));
        match self.what {
            What::Item => seen.trace.item.as_deref().map(is_text),
            What::Route => seen.trace.route.as_deref().map(is_text),
            What::Outcome => seen.outcome().as_deref().map(is_text),
            What::Status => {
                seen.trace.status.map(|own| any(&|value| matches!(value, Value::Status(status) if status.takes(own))))
            }
            What::Error => Some(any(&|value| *value == Value::Flag(seen.is_error()))),
            What::Took => Some(is_between(seen.took_us())),
            What::Since => Some(is_between(seen.start_us())),
            What::Trace => {
                Some(any(&|value| matches!(value, Value::Text(start) if seen.trace.trace_id.starts_with(start))))
            }
            What::Plugin => {
                let versions = seen.versions();
                (!versions.is_empty()).then(|| versions.iter().any(|version| any(&|value| is_version(value, version))))
            }
            What::Order => orders(seen, values),
            What::Role | What::Code | What::Span => {
                let known = self.known(seen);
                (!known.is_empty()).then(|| known.iter().any(|known| is_text(&known.value)))
            }
        }
    }

    /// Returns the values of the trace or span, each once; none for a key whose values are seldom shared.
    #[must_use]
    pub fn known(&self, seen: &Seen<'_>) -> Vec<Known> {
        let of_trace = |own: &Option<String>| own.iter().cloned().map(Known::from).collect();
        let mut known: Vec<Known> = match self.what {
            What::Item => of_trace(&seen.trace.item),
            What::Route => of_trace(&seen.trace.route),
            What::Outcome => of_trace(&seen.outcome()),
            What::Status => of_trace(&seen.trace.status.map(|status| status.to_string())),
            What::Error => vec![seen.is_error().to_string().into()],
            What::Plugin => seen.versions().iter().map(Known::of_version).collect(),
            What::Role => {
                let roles = seen.versions().into_iter().map(|version| version.rollout);
                roles.filter(|role| !role.is_empty()).map(Known::from).collect()
            }
            What::Code => {
                let codes = seen.spans().iter().filter_map(|span| span.value(attribute::ERROR_TYPE));
                codes.map(|code| code.text().into_owned().into()).collect()
            }
            What::Span => seen.spans().iter().map(|span| span.name.to_owned().into()).collect(),
            What::Took | What::Since | What::Order | What::Trace => Vec::new(),
        };
        known.sort_by(|one, other| one.value.cmp(&other.value));
        known.dedup_by(|one, other| one.value == other.value);
        known
    }
}

impl From<String> for Known {
    fn from(value: String) -> Self {
        Self { value, label: None }
    }
}

impl Known {
    fn of_version(version: &Called) -> Self {
        let whole = version.whole();
        match version.number {
            Some(number) => Self { value: format!("#{number}"), label: Some(whole) },
            None => whole.into(),
        }
    }
}

fn is_version(value: &Value, version: &Called) -> bool {
    match value {
        Value::Number(number) => version.number == Some(*number),
        Value::Text(part) => version.whole().contains(part.as_str()),
        _ => false,
    }
}

/// Returns whether the trace is of one of the orders, given by number, reference or its beginning.
fn orders(seen: &Seen<'_>, values: &[Value]) -> Option<bool> {
    let reference = seen.trace.reference.as_deref()?;
    let has_number = |wanted: &str| {
        let mut numbers = seen.spans().iter().filter_map(|span| span.value(attribute::DB_ORDER_ID));
        numbers.any(|number| number.text() == wanted)
    };
    let takes =
        |value: &Value| matches!(value, Value::Text(text) if reference.starts_with(text.as_str()) || has_number(text));
    Some(values.iter().any(takes))
}

/// Returns the durations of `>100ms`, `<2s`, `10ms..1s`, `10ms..`, `..1s` or `5ms`, which is that long to the microsecond.
fn between(text: &str) -> Option<Value> {
    let (low, high) = if let Some(low) = text.strip_prefix('>') {
        (duration_us(low)?.saturating_add(1), u64::MAX)
    } else if let Some(high) = text.strip_prefix('<') {
        (0, duration_us(high)?.checked_sub(1)?)
    } else if let Some((low, high)) = text.split_once("..") {
        match (low, high) {
            ("", "") => return None,
            (low, "") => (duration_us(low)?, u64::MAX),
            ("", high) => (0, duration_us(high)?),
            (low, high) => (duration_us(low)?, duration_us(high)?),
        }
    } else {
        let one = duration_us(text)?;
        (one, one)
    };
    (low <= high).then_some(Value::Between(low, high))
}

/// Returns the microseconds of `250us`, `1.5ms`, `2s`, `15m` or `1h`.
fn duration_us(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(char::is_alphabetic);
    let unit_us = match text.get(number.len()..)? {
        "us" | "\u{b5}s" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        "h" => 3600e6,
        _ => return None,
    };
    let us = number.parse::<f64>().ok()? * unit_us;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked to be in the range")]
    (0.0..=1e15).contains(&us).then(|| us.round() as u64)
}
