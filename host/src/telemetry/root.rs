//! What the first span of a trace in this process says of the whole trace: how long the host took, and what was asked.
//!
//! What decides about a trace (how long it stays, whether it is sent on) mustn't be in a stranger's hands. A client can send
//! a body as slowly as it likes, and as many wrong requests as it likes, and neither costs it an order.

use std::time::Duration;

use opentelemetry::Value;
use opentelemetry_sdk::trace::SpanData;

use super::names::attribute;

/// The first span of a trace in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalRoot {
    /// How long the host took, without its waiting for the client.
    pub(super) took: Duration,
    pub(super) asked: Asked,
}

/// What was asked of the host, from what anybody may do for nothing to what changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// What a client shouldn't have asked, and was told so: 4xx, and a method that nobody has.
    Wrongly,
    /// To be shown something.
    ToLook,
    /// An order, a deploy, or nothing: the host works by itself, too.
    ToAct,
}

impl LocalRoot {
    /// Returns what the span says; `None` if it has a parent in this process.
    pub(super) fn of(span: &SpanData) -> Option<Self> {
        if !span.parent_span_is_remote && span.parent_span_id != opentelemetry::trace::SpanId::INVALID {
            return None;
        }
        let value = |key: &str| span.attributes.iter().find(|own| own.key.as_str() == key).map(|own| &own.value);
        let whole = |key| match value(key) {
            Some(Value::I64(number)) => Some(*number),
            _ => None,
        };
        let waited = u64::try_from(whole(attribute::CLIENT_WAIT_MS).unwrap_or_default()).unwrap_or_default();
        let lasted = span.end_time.duration_since(span.start_time).unwrap_or_default();
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
