//! What a trace says of a canary whose request the live version has taken over.

use opentelemetry::KeyValue;

use crate::{
    plugin::{Failure, Plugin, Snapshot},
    telemetry::{
        names::{attribute, event},
        traces::Span,
    },
};

/// Notes the canary's fault on the span of the call that goes on without it.
pub(super) fn tell(span: &mut Span, canary: &Snapshot, failure: &Failure) {
    let Some(kind) = failure.at_fault() else { return };
    let plugin: Plugin = canary.plugin(kind);
    let identity = plugin.identity();
    span.event(
        event::CANARY_FAULT,
        vec![
            KeyValue::new(attribute::PLUGIN_KIND, kind.as_str()),
            KeyValue::new(attribute::PLUGIN_VERSION, identity.version.clone()),
            KeyValue::new(attribute::PLUGIN_DIGEST, identity.short_digest()),
            KeyValue::new(attribute::PLUGIN_OUTCOME, failure.code()),
            KeyValue::new(attribute::EXCEPTION_MESSAGE, failure.to_string()),
        ],
    );
}
