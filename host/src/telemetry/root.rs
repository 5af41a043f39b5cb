//! What the first span of a trace in this process says about the whole trace: how long the host took, and what was
//! requested.
//!
//! A stranger mustn't control how long a trace is kept or whether it is sent on. A client can send a body slowly and
//! make wrong requests at no cost, so neither may make a trace important.

use std::time::Duration;

use opentelemetry::Value;

use super::names::attribute;
use super::recorded::Recorded;

/// The first span of a trace in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalRoot {
    /// How long the host took, without waiting for the client.
    pub(super) took: Duration,
    pub(super) asked: Asked,
}

/// What was requested, in ascending order of what it costs a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// A refused request: 4xx, or 501 for an unknown method.
    Wrongly,
    /// A request that only reads.
    ToLook,
    /// An order or a deploy; or the host's own work, without a request.
    ToAct,
}

impl LocalRoot {
    /// Returns what the span says about its trace; `None` if the span has a parent in this process.
    pub(super) fn of(span: &Recorded) -> Option<Self> {
        if !span.is_local_root() {
            return None;
        }
        let value = |key: &str| span.attributes.iter().find(|own| own.key.as_str() == key).map(|own| &own.value);
        let whole = |key| match value(key) {
            Some(Value::I64(number)) => Some(*number),
            _ => None,
        };
        let waited = u64::try_from(whole(attribute::CLIENT_WAIT_MS).unwrap_or_default()).unwrap_or_default();
        let lasted = span.end.duration_since(span.start).unwrap_or_default();
        let looks = value(attribute::HTTP_REQUEST_METHOD)
            .is_some_and(|method| matches!(&*method.as_str(), "GET" | "HEAD" | "OPTIONS"));
        let asked = match whole(attribute::HTTP_RESPONSE_STATUS_CODE) {
            Some(400..=499 | 501) => Asked::Wrongly,
            _ if looks => Asked::ToLook,
            _ => Asked::ToAct,
        };
        Some(Self { took: lasted.saturating_sub(Duration::from_millis(waited)), asked })
    }
}
