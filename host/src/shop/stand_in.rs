//! Lets the live version take over from a canary that is at fault: while there is time left, what the canary took is
//! given back, and the live version decides.

use std::time::{Duration, Instant};

use opentelemetry::KeyValue;

use crate::{
    failure::Failure,
    runtime::Time,
    store::{Durability, Store, StoreError, Taker},
    telemetry::{
        names::{attribute, event},
        traces::Span,
    },
    versions::{Pinned, Snapshot},
};

/// Something that the pinned plugins decide: once, or once more if a canary among them is at fault.
pub(super) trait Attempt: Sized + Send {
    type Decided;

    /// Calls the plugins that are pinned now, for the `nth` time.
    fn decide(self, nth: u32, time: Time) -> impl Future<Output = (Self, Result<Self::Decided, Failure>)> + Send;

    /// Gives back what the canary took before it failed, and lets the live plugins take over.
    ///
    /// Fails when that can't be done in the time that is left. Nobody takes over then.
    fn start_over(
        &mut self,
        failure: &Failure,
        live: &Snapshot,
        left: Duration,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Returns what is decided within `whole_ms`, by the live plugins if a canary is at fault and time is left.
///
/// # Errors
/// The failure of the last attempt, or why the live plugins couldn't take over.
pub(super) async fn decide<A: Attempt>(attempt: A, pinned: &Pinned, whole_ms: u64) -> (A, Result<A::Decided, Failure>) {
    let ends = Instant::now() + Duration::from_millis(whole_ms);
    let left = || ends.saturating_duration_since(Instant::now());
    let (mut attempt, failure) = match attempt.decide(1, Time::Whole).await {
        (attempt, Err(failure)) => (attempt, failure),
        decided => return decided,
    };
    let live = failure.at_fault().and_then(|at| pinned.stand_in(at));
    let Some(live) = live.filter(|_| !left().is_zero()) else { return (attempt, Err(failure)) };
    match attempt.start_over(&failure, live, left()).await {
        Ok(()) => attempt.decide(2, Time::Left(left())).await,
        Err(failure) => (attempt, Err(failure)),
    }
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
    let Some(canary) = failure.at_fault().and_then(|at| canary.at(at)) else { return };
    let identity = canary.identity();
    span.event(
        event::CANARY_FAULT,
        vec![
            KeyValue::new(attribute::PLUGIN_KIND, identity.at.kind.as_str()),
            KeyValue::new(attribute::PLUGIN_VERSION, identity.version.clone()),
            KeyValue::new(attribute::PLUGIN_DIGEST, identity.short_digest()),
            KeyValue::new(attribute::PLUGIN_OUTCOME, failure.code()),
            KeyValue::new(attribute::EXCEPTION_MESSAGE, failure.to_string()),
        ],
    );
}
