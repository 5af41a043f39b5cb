//! A canary at fault: whether the live version can still take its request over, and what the trace then says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::KeyValue;

use crate::{
    plugin::{Failure, Pinned, Snapshot},
    store::{Durability, Store, StoreError, Taker},
    telemetry::{
        names::{attribute, event},
        traces::Span,
    },
};

/// Returns who takes over from the canary that failed so, and what it has left of the call's time, which began then;
/// `None` if it was no canary's fault, or no time is left.
pub(super) fn stand_in<'a>(
    pinned: &'a Pinned,
    failure: &Failure,
    began: Instant,
    whole_ms: u64,
) -> Option<(&'a Arc<Snapshot>, Duration)> {
    let live = pinned.stand_in(failure.at_fault()?)?;
    let left = Duration::from_millis(whole_ms).checked_sub(began.elapsed())?;
    (!left.is_zero()).then_some((live, left))
}

/// Gives back what the canary took, and lets the live plugins take over. The span ends with it.
///
/// # Errors
/// When the store can't; nobody takes over then.
pub(super) async fn start_over(
    store: &Store,
    mut span: Span,
    taker: Taker,
    live: &Snapshot,
    pinned: &Pinned,
    durability: Durability,
) -> Result<(), StoreError> {
    let started = store.start_over(taker, live.header().to_owned(), durability).await;
    match &started {
        Ok(()) => pinned.take_over(),
        Err(error) => span.fail("store_unavailable", error.to_string()),
    }
    started
}

/// Notes the canary's fault on the span of the call that goes on without it.
pub(super) fn tell(span: &mut Span, canary: &Snapshot, failure: &Failure) {
    let Some(kind) = failure.at_fault() else { return };
    let plugin = canary.plugin(kind);
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
