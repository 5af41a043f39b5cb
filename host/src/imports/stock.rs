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
    order::{self, Item, sum_by_item},
    store::{Store, StoreError, TakeError, Taker},
    telemetry::names::span,
};

/// What there is of everything behind a door that leads nowhere: enough for any order.
const STAND_IN_LEVEL: u32 = 1_000_000;

/// One call's way to the stock, and what it did there.
#[derive(Debug)]
pub struct Door {
    way: Way,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
enum Way {
    Store(Store, Taker),
    StandIn,
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
        Self { way: Way::Store(store, taker), outcome: None }
    }

    /// Returns a door that leads nowhere: there is enough of everything, and nothing is taken.
    #[must_use]
    pub const fn stand_in() -> Self {
        Self { way: Way::StandIn, outcome: None }
    }

    /// Returns what became of the take, `None` if the guest never asked for one.
    #[must_use]
    pub fn into_outcome(self) -> Option<Outcome> {
        self.outcome
    }
}

impl Way {
    async fn level(&self, item: &Item) -> Result<Option<u32>, StoreError> {
        match self {
            Self::Store(store, _) => store.level(item).await,
            Self::StandIn => Ok(Some(STAND_IN_LEVEL)),
        }
    }

    async fn take(&self, lines: &[order::StockLine]) -> Result<Vec<crate::store::StockLevel>, TakeError> {
        match self {
            Self::Store(store, taker) => store.take(taker.clone(), lines).await,
            Self::StandIn => Ok(stand_in_levels(lines)),
        }
    }
}

/// Returns what is answered where nothing is taken.
pub(super) fn stand_in_levels(lines: &[order::StockLine]) -> Vec<crate::store::StockLevel> {
    let level = |item| crate::store::StockLevel { item, on_hand: STAND_IN_LEVEL };
    sum_by_item(lines).into_keys().map(level).collect()
}

impl stock::Host for CallState {
    async fn level(&mut self, ctx: TraceContext, item: String) -> wasmtime::Result<Option<u32>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + item.len())?;
        let door = self.stock.as_mut().ok_or(NoDoor("stock"))?;
        let Some(item) = Item::parse(&item) else { return Ok(None) };
        match door.way.level(&item).await {
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
        let taken = door.way.take(&lines).await;
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
