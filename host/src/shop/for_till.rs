//! Another till's deduct: final when it is answered.
//!
//! ```text
//! POST /inventory/deduct        SERVER
//! └─ inventory_deduct_span      the inventory plugin's call
//!    └─ db_take_stock
//! ```
//!
//! If a canary is at fault, `db_start_over` follows, with the fault, and the live plugin's `inventory_deduct_span`.

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::{SpanContext, SpanKind};

use super::{
    Permit, Refused, Shop,
    deduct::{Place, deduct},
    keys::{Claim, KeyedRequest, Outcome},
    stand_in::{self, Attempt},
};
use crate::{
    clock::now_ms,
    failure::Failure,
    imports::Moment,
    order::{Fingerprint, Reference, StockLine},
    runtime::Time,
    store::{Answered, Durability, StockLevel, StoreError, Taker},
    telemetry::names::span,
    versions::{Pinned, Snapshot},
};

/// What another till asks for.
#[derive(Debug)]
pub struct AskedToDeduct {
    /// The caller's key, under which its stock is taken; without one nobody can give it back.
    pub keyed: Option<KeyedRequest>,
    pub lines: Vec<StockLine>,
    pub pinned: Arc<Pinned>,
    /// The parent of the deduct's spans.
    pub parent: SpanContext,
}

/// Returns what the caller is told of the levels that the deduct left.
type TellLevels = Box<dyn Fn(Vec<StockLevel>) -> Result<Answered, StoreError> + Send + Sync>;

impl Shop {
    /// Takes stock for another till, durably when it returns; or returns what was answered under its key before.
    ///
    /// # Errors
    /// Why it failed. What was taken is given back, later if the store can't now. After [`Refused::Late`] the deduct
    /// may still succeed.
    pub async fn deduct_for_till<Unsound>(
        self: &Arc<Self>,
        asked: AskedToDeduct,
        tell_levels: impl Fn(Vec<StockLevel>) -> Result<Answered, StoreError> + Send + Sync + 'static,
    ) -> Result<Outcome, Refused<Unsound>> {
        let AskedToDeduct { keyed, lines, pinned, parent } = asked;
        let claim = keyed.map(|keyed| self.deduct_keys.claim(keyed)).transpose()?;
        let permit = self.deducts.acquire().await?;
        let reference = match &claim {
            None => Reference::random(),
            Some(claim) => {
                let reference = claim.keyed().key.as_reference();
                if let Some(earlier) = self.store.earlier_deduct(reference).await? {
                    return Ok(claim.replay(earlier)?);
                }
                reference.clone()
            }
        };
        let deduct = ForTill {
            shop: Arc::clone(self),
            claim: claim.map(Arc::new),
            moment: Moment::of(&reference, now_ms()),
            reference,
            trace_id: parent.trace_id().to_string(),
            lines,
            tell_levels: Box::new(tell_levels),
            permit: Arc::new(permit),
        };
        let context = parent.clone();
        self.run_to_completion(&context, deduct.carry_out(pinned, parent)).await.map(Outcome::First)
    }
}

/// One deduct under way.
struct ForTill {
    shop: Arc<Shop>,
    /// The caller's key: claimed until the deduct has ended, even if the caller has gone.
    claim: Option<Arc<Claim>>,
    reference: Reference,
    moment: Moment,
    trace_id: String,
    lines: Vec<StockLine>,
    tell_levels: TellLevels,
    /// Held until the deduct has ended.
    permit: Arc<Permit>,
}

impl ForTill {
    async fn carry_out(self, pinned: Arc<Pinned>, parent: SpanContext) -> Result<Answered, Failure> {
        let deducting = Deducting { of: &self, pinned: &pinned, parent: &parent };
        let (_, deducted) = stand_in::decide(deducting, &pinned, self.shop.limits.inventory_call_ms).await;
        let settled = match deducted {
            Ok(levels) => self.settle(levels).await.map_err(Failure::Store),
            // Used by an earlier deduct, which this one must not undo.
            Err(failure @ Failure::ReferenceUsed(_)) => return Err(failure),
            Err(failure) => Err(failure),
        };
        match settled {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.refuse(failure).await),
        }
    }

    async fn settle(&self, levels: Vec<StockLevel>) -> Result<Answered, StoreError> {
        let answer = (self.tell_levels)(levels)?;
        self.shop.store.settle(&self.reference, self.kept(answer.clone())).await?;
        Ok(answer)
    }

    /// Gives back what was taken. If the store can't write that now, it is retried in the background, and the failure
    /// that is returned is the store's: the caller must not take for refused what is still held.
    async fn refuse(&self, failure: Failure) -> Failure {
        let answer = (self.shop.tell_failed)(&failure, &self.trace_id).and_then(|answer| self.kept(answer));
        let Err(error) = self.shop.store.refuse(&self.reference, answer.clone()).await else { return failure };
        if error.is_passing() {
            tracing::warn!("the stock of deduct {} can't be given back yet: {error}", self.reference);
            let held = (self.claim.clone(), Arc::clone(&self.permit));
            let reference = self.reference.clone();
            self.shop.write_later(held, move |shop| {
                let (reference, answer) = (reference.clone(), answer.clone());
                async move { shop.store.refuse(&reference, answer).await }
            });
        }
        error.into()
    }

    fn kept(&self, answer: Answered) -> Option<(Fingerprint, Answered)> {
        self.claim.as_ref().map(|claim| (claim.keyed().fingerprint, answer))
    }
}

/// The inventory plugin's decision.
struct Deducting<'a> {
    of: &'a ForTill,
    pinned: &'a Pinned,
    parent: &'a SpanContext,
}

impl Attempt for Deducting<'_> {
    type Decided = Vec<StockLevel>;

    async fn decide(self, _: u32, time: Time) -> (Self, Result<Vec<StockLevel>, Failure>) {
        let place = Place::Here(Taker::Deduct(self.of.reference.clone()));
        let (shop, snapshot) = (&self.of.shop, self.pinned.snapshot());
        let deducted =
            deduct(&shop.plugins, snapshot, &place, (self.of.moment, time), self.parent, &self.of.lines).await;
        (self, deducted)
    }

    async fn start_over(&mut self, failure: &Failure, live: &Snapshot, _: Duration) -> Result<(), Failure> {
        let shop = &self.of.shop;
        let mut span = shop.tracer.start(span::START_OVER, SpanKind::Internal, Some(self.parent), Vec::new());
        stand_in::tell(&mut span, self.pinned.snapshot(), failure);
        let taker = Taker::Deduct(self.of.reference.clone());
        Ok(stand_in::start_over(&shop.store, span, taker, live, self.pinned, Durability::Queued).await?)
    }
}
