//! `till:plugin/stock`: the only effect of an inventory plugin.
//!
//! The guest names no order: the door knows the call's order, and takes stock under its reference.

use std::collections::BTreeMap;

use opentelemetry::trace::SpanKind;

use super::{
    HostCall, Misuse, NoDoor,
    bindings::{
        stock,
        types::{self, Shortage, StockLine, TraceContext},
    },
    convert::{stock_lines_bytes, stock_lines_from_guest},
};
use crate::{
    order::{self, Item, sum_by_item},
    store::{StockLevel, Store, StoreError, TakeError, Taker},
    telemetry::names::span,
};

/// The level of every item in a stand-in stock: enough for any order.
const STAND_IN_LEVEL: u32 = 1_000_000;

/// One call's access to the stock, and what it did there.
#[derive(Debug)]
pub struct Door {
    source: Source,
    /// The levels that the guest got, in order.
    levels: Vec<(Item, Option<u32>)>,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
enum Source {
    /// Takes from the store under the taker's reference.
    Take(Store, Taker),
    /// Takes nothing, and answers with the levels that another call saw.
    Repeat(Store, Seen),
    /// Takes nothing, and answers as if there were enough of everything.
    StandIn,
}

/// What a call saw of the stock.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The levels that the call got, in order.
    levels: Vec<(Item, Option<u32>)>,
    /// The level before its take, of each item that it took or was short of.
    levels_before: BTreeMap<Item, u32>,
}

/// The result of the call's one take.
#[derive(Debug)]
pub enum Outcome {
    Taken {
        lines: Vec<order::StockLine>,
        levels: Vec<StockLevel>,
    },
    Short {
        lines: Vec<order::StockLine>,
        item: Item,
        available: u32,
    },
    /// The reference took stock before, or was released.
    Refused(&'static str),
    Store(StoreError),
}

impl Door {
    #[must_use]
    pub fn new(store: Store, taker: Taker) -> Self {
        Self::to(Source::Take(store, taker))
    }

    /// Returns a door that takes nothing. Levels that the other call didn't see are read from the store.
    #[must_use]
    pub fn repeating(store: Store, seen: Seen) -> Self {
        Self::to(Source::Repeat(store, seen))
    }

    /// Returns a door with enough of everything, which takes nothing.
    #[must_use]
    pub fn stand_in() -> Self {
        Self::to(Source::StandIn)
    }

    fn to(source: Source) -> Self {
        Self { source, levels: Vec::new(), outcome: None }
    }

    /// Returns what the guest saw of the stock, for repeating it to another call.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let levels_before = match &self.outcome {
            Some(Outcome::Taken { lines, levels }) => {
                let pieces = sum_by_item(lines);
                let before = |level: &StockLevel| {
                    let taken = pieces.get(&level.item).copied().unwrap_or(0);
                    (level.item.clone(), level.on_hand.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX)))
                };
                levels.iter().map(before).collect()
            }
            Some(Outcome::Short { item, available, .. }) => BTreeMap::from([(item.clone(), *available)]),
            _ => BTreeMap::new(),
        };
        Seen { levels: self.levels.clone(), levels_before }
    }

    /// Returns the lines that the guest took or was short of; empty if there were none.
    #[must_use]
    pub fn asked(&self) -> &[order::StockLine] {
        match &self.outcome {
            Some(Outcome::Taken { lines, .. } | Outcome::Short { lines, .. }) => lines,
            _ => &[],
        }
    }

    /// Returns the result of the take; `None` if the guest made none.
    #[must_use]
    pub fn into_outcome(self) -> Option<Outcome> {
        self.outcome
    }

    async fn level(&mut self, item: &Item) -> Result<Option<u32>, StoreError> {
        let level = match &mut self.source {
            Source::Take(store, _) => store.level(item).await?,
            Source::Repeat(store, seen) => match seen.level(item) {
                Some(level) => level,
                None => store.level(item).await?,
            },
            Source::StandIn => Some(STAND_IN_LEVEL),
        };
        self.levels.push((item.clone(), level));
        Ok(level)
    }

    async fn take(&self, lines: &[order::StockLine]) -> Result<Vec<StockLevel>, TakeError> {
        match &self.source {
            Source::Take(store, taker) => store.take(taker.clone(), lines).await,
            Source::Repeat(store, seen) => {
                let mut levels = Vec::new();
                for (item, pieces) in sum_by_item(lines) {
                    let there = match seen.levels_before.get(&item) {
                        Some(there) => *there,
                        None => store.level(&item).await?.unwrap_or(0),
                    };
                    let requested = u32::try_from(pieces).unwrap_or(u32::MAX);
                    let Some(on_hand) = there.checked_sub(requested) else {
                        return Err(TakeError::Shortage { item, requested, available: there });
                    };
                    levels.push(StockLevel { item, on_hand });
                }
                Ok(levels)
            }
            Source::StandIn => {
                let level = |item| StockLevel { item, on_hand: STAND_IN_LEVEL };
                Ok(sum_by_item(lines).into_keys().map(level).collect())
            }
        }
    }
}

impl Seen {
    /// Returns what a call saw: the levels that it got, in order, and those before its take.
    #[must_use]
    pub const fn new(levels: Vec<(Item, Option<u32>)>, levels_before: BTreeMap<Item, u32>) -> Self {
        Self { levels, levels_before }
    }

    /// Returns the levels that the call got, in order.
    #[must_use]
    pub fn levels(&self) -> &[(Item, Option<u32>)] {
        &self.levels
    }

    /// Returns the level before its take, of each item that it took or was short of.
    #[must_use]
    pub const fn levels_before(&self) -> &BTreeMap<Item, u32> {
        &self.levels_before
    }

    /// Returns the item's next recorded level, each one once.
    fn level(&mut self, item: &Item) -> Option<Option<u32>> {
        match self.levels.iter().position(|(told, _)| told == item) {
            Some(at) => Some(self.levels.remove(at).1),
            None => self.levels_before.get(item).map(|there| Some(*there)),
        }
    }
}

impl stock::Host for HostCall<'_> {
    async fn level(&mut self, ctx: TraceContext, item: String) -> wasmtime::Result<Option<u32>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + item.len())?;
        let door = self.stock.as_mut().ok_or(NoDoor("stock"))?;
        let Some(item) = Item::parse(&item) else { return Ok(None) };
        match door.level(&item).await {
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
    ) -> wasmtime::Result<Result<Vec<types::StockLevel>, Shortage>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + stock_lines_bytes(&lines))?;
        let lines = stock_lines_from_guest(&lines)?;
        let state = &mut **self;
        let parent = state.telemetry.parent(&ctx);
        let door = state.stock.as_mut().ok_or(NoDoor("stock"))?;
        if door.outcome.is_some() {
            return Err(Misuse::SecondTake.into());
        }
        let mut span = state.telemetry.tracer().start(span::TAKE_STOCK, SpanKind::Internal, Some(&parent), Vec::new());
        let taken = door.take(&lines).await;
        let (outcome, answer) = match taken {
            Ok(levels) => {
                let answer = levels.iter().map(super::inventory::level_to_guest).collect();
                (Outcome::Taken { lines, levels }, Ok(Ok(answer)))
            }
            Err(TakeError::Shortage { item, requested, available }) => {
                let shortage = Shortage { item: item.as_str().to_owned(), requested, available };
                (Outcome::Short { lines, item, available }, Ok(Err(shortage)))
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
