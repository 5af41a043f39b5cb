//! `till:plugin/stock`: the one effect of an inventory plugin.
//!
//! The guest names no order: the door knows whose call it is, and takes under that order's reference.

use opentelemetry::trace::SpanKind;

use super::{
    CallState, Misuse, NoDoor,
    bindings::{
        stock,
        types::{Shortage, StockLevel, StockLine, TraceContext},
    },
    convert::{stock_lines_bytes, stock_lines_from_guest},
};
use crate::{
    order::{self, Item},
    store::{Store, StoreError, TakeError, Taker},
    telemetry::names::span,
};

/// One call's way to the stock, and what it did there.
#[derive(Debug)]
pub struct Door {
    store: Store,
    taker: Taker,
    outcome: Option<Outcome>,
}

/// What the one take came to.
#[derive(Debug)]
pub enum Outcome {
    Taken {
        lines: Vec<order::StockLine>,
        levels: Vec<crate::store::StockLevel>,
    },
    Short,
    /// The reference has taken already, or was released before it could.
    Refused(&'static str),
    Store(StoreError),
}

impl Door {
    #[must_use]
    pub const fn new(store: Store, taker: Taker) -> Self {
        Self { store, taker, outcome: None }
    }

    /// Returns what became of the take, `None` if the guest never asked for one.
    #[must_use]
    pub fn into_outcome(self) -> Option<Outcome> {
        self.outcome
    }
}

impl stock::Host for CallState {
    async fn level(&mut self, ctx: TraceContext, item: String) -> wasmtime::Result<Option<u32>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + item.len())?;
        let door = self.stock.as_mut().ok_or(NoDoor("stock"))?;
        let Some(item) = Item::parse(&item) else { return Ok(None) };
        match door.store.level(&item).await {
            Ok(level) => Ok(level),
            Err(error) => {
                let text = error.to_string();
                door.outcome = Some(Outcome::Store(error));
                Err(wasmtime::Error::msg(text))
            }
        }
    }

    async fn take(
        &mut self,
        ctx: TraceContext,
        lines: Vec<StockLine>,
    ) -> wasmtime::Result<Result<Vec<StockLevel>, Shortage>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + stock_lines_bytes(&lines))?;
        let lines = stock_lines_from_guest(&lines)?;
        let parent = self.telemetry.parent(&ctx);
        let door = self.stock.as_mut().ok_or(NoDoor("stock"))?;
        if door.outcome.is_some() {
            return Err(Misuse::SecondTake.into());
        }
        let mut span = self.telemetry.tracer().start(span::TAKE_STOCK, SpanKind::Internal, Some(&parent), Vec::new());
        let taken = door.store.take(door.taker.clone(), &lines).await;
        let (outcome, answer) = match taken {
            Ok(levels) => {
                let answer = levels.iter().map(super::inventory::level_to_guest).collect();
                (Outcome::Taken { lines, levels }, Ok(Ok(answer)))
            }
            Err(TakeError::Shortage { item, requested, available }) => {
                let shortage = Shortage { item: item.as_str().to_owned(), requested, available };
                (Outcome::Short, Ok(Err(shortage)))
            }
            Err(refused @ (TakeError::AlreadyTaken | TakeError::Released)) => {
                let reason = if matches!(refused, TakeError::Released) { "released" } else { "already_taken" };
                span.fail(reason, refused.to_string());
                (Outcome::Refused(reason), Err(wasmtime::Error::msg(reason)))
            }
            Err(TakeError::Store(error)) => {
                let text = error.to_string();
                span.fail("store", text.clone());
                (Outcome::Store(error), Err(wasmtime::Error::msg(text)))
            }
        };
        span.end();
        door.outcome = Some(outcome);
        answer
    }
}
