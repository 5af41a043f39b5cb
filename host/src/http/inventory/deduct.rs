//! `POST /inventory/deduct`: another till's take, final when it is answered.
//!
//! ```text
//! POST /inventory/deduct        SERVER
//! └─ inventory_deduct_span      the inventory plugin's call
//!    └─ db_take_stock
//! ```
//!
//! If a canary is at fault, `db_start_over` follows, with the fault, and the live plugin's `inventory_deduct_span`.

use std::{sync::Arc, time::Instant};

use opentelemetry::trace::{SpanContext, SpanKind};
use serde::Serialize;

use super::super::{
    Shop,
    answer::{Answer, Reply},
    body, canary,
    cart::{Form, deduct_fingerprint, parse_deduct},
    idempotency::{self, Claim},
    permits::Permit,
    problem::Problem,
    received::Received,
};
use crate::{
    imports::inventory::{self, Place},
    order::{Fingerprint, Keyed, Reference, StockLine},
    plugin::{Failure, Pinned, call::Time},
    store::{Answered, Durability, StockLevel, Taker},
    telemetry::names::span,
};

#[derive(Serialize)]
#[serde(untagged)]
enum Deducted {
    Single { status: &'static str, remaining_stock: u32 },
    Lines { status: &'static str, levels: Vec<Remaining> },
}

#[derive(Serialize)]
struct Remaining {
    item: String,
    remaining: u32,
}

/// Takes stock for another till, durably when it returns; or gives the first answer again.
///
/// # Errors
/// A [`Problem`]; nothing stays taken.
pub(in super::super) async fn deduct(shop: &Arc<Shop>, received: Received) -> Answer {
    let key = idempotency::key(&received.headers)?;
    let bytes = body::read_json(&received.headers, received.body, &shop.limits).await?;
    let (lines, form) = parse_deduct(&bytes)?;
    let keyed = key.map(|key| Keyed { key, fingerprint: deduct_fingerprint(&lines) });
    let claim = keyed.map(|keyed| shop.deduct_keys.claim(keyed)).transpose()?;
    let permit = shop.deducts.acquire().await?;
    let reference = match &claim {
        None => Reference::random(),
        Some(claim) => {
            let reference = claim.keyed().key.as_reference();
            if let Some(earlier) = shop.store.earlier_deduct(reference).await? {
                return claim.replay(earlier, &bytes);
            }
            reference.clone()
        }
    };
    let deduct = Deduct {
        shop: Arc::clone(shop),
        claim: claim.map(Arc::new),
        reference,
        trace_id: received.parent.trace_id().to_string(),
        lines,
        form,
        permit: Arc::new(permit),
    };
    let late = || "not done yet; release its reference to be sure".to_owned();
    let context = received.parent.clone();
    shop.see_through(&context, deduct.carry_out(received.pinned, received.parent), late).await
}

/// One deduct under way.
struct Deduct {
    shop: Arc<Shop>,
    /// The caller's key: taken to the end, also when the caller has gone.
    claim: Option<Arc<Claim>>,
    reference: Reference,
    trace_id: String,
    lines: Vec<StockLine>,
    form: Form,
    /// Held to the end, likewise.
    permit: Arc<Permit>,
}

impl Deduct {
    async fn carry_out(self, pinned: Arc<Pinned>, parent: SpanContext) -> Answer {
        let began = Instant::now();
        let mut deducted = self.deduct(&pinned, Time::Whole, &parent).await;
        if let Err(failure) = &deducted
            && let Some((live, left)) = canary::stand_in(&pinned, failure, began, self.shop.limits.inventory_call_ms)
        {
            let mut span = self.shop.tracer.start(span::START_OVER, SpanKind::Internal, Some(&parent), Vec::new());
            canary::tell(&mut span, pinned.snapshot(), failure);
            let taker = Taker::Deduct(self.reference.clone());
            deducted = match canary::start_over(&self.shop.store, span, taker, live, &pinned, Durability::Queued).await
            {
                Ok(()) => self.deduct(&pinned, Time::Left(left), &parent).await,
                Err(error) => Err(error.into()),
            };
        }
        let settled = match deducted {
            Ok(levels) => self.settle(levels).await,
            // Used by an earlier deduct, which this one must not undo.
            Err(failure @ Failure::ReferenceUsed(_)) => return Err(failure.into()),
            Err(failure) => Err(failure.into()),
        };
        match settled {
            Ok(reply) => Ok(reply),
            Err(problem) => Err(self.refuse(problem).await),
        }
    }

    async fn deduct(&self, pinned: &Pinned, time: Time, parent: &SpanContext) -> Result<Vec<StockLevel>, Failure> {
        let place = Place::Here(Taker::Deduct(self.reference.clone()));
        inventory::deduct(&self.shop.plugins, pinned.snapshot(), &place, time, parent, &self.lines).await
    }

    async fn settle(&self, levels: Vec<StockLevel>) -> Answer {
        let reply = Reply::json(&self.reply(levels))?;
        self.shop.store.settle(&self.reference, self.kept(reply.answered())).await?;
        Ok(reply)
    }

    /// Gives back what was taken. If the store can't do that now, it is tried until it can, beside the answer, which
    /// then is that the store can't: the caller mustn't take for refused what is still held.
    async fn refuse(&self, problem: Problem) -> Problem {
        let answer = problem.answered(&self.trace_id).and_then(|answer| self.kept(answer));
        let Err(error) = self.shop.store.refuse(&self.reference, answer.clone()).await else { return problem };
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

    fn reply(&self, levels: Vec<StockLevel>) -> Deducted {
        let status = "SUCCESS";
        let only = self.lines.first().and_then(|line| levels.iter().find(|level| level.item == line.item));
        match (self.form, only) {
            (Form::Single, Some(level)) => Deducted::Single { status, remaining_stock: level.on_hand },
            _ => {
                let of = |level: StockLevel| Remaining { item: level.item.to_string(), remaining: level.on_hand };
                Deducted::Lines { status, levels: levels.into_iter().map(of).collect() }
            }
        }
    }
}
