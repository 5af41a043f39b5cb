//! `till:plugin/inventory`: the only effect of a checkout plugin, through which every deduct goes.
//!
//! The caller passes in what a deduct does, as a [`Deduct`]: a call of the inventory plugin, a request to another till,
//! or another call's answer.

use std::pin::Pin;

use opentelemetry::trace::SpanContext;

use super::{
    HostCall, Misuse, NoDoor,
    bindings::{
        inventory_import::{self, InventoryError},
        types::{Rejection, Shortage, StockLevel, StockLine, TraceContext},
    },
    convert::{stock_lines_bytes, stock_lines_from_guest},
};
use crate::{
    failure::Failure,
    order::{self, Form, Item, fitted_text},
    store,
};

/// Carries out a deduct.
pub trait Deduct: std::fmt::Debug + Send + Sync {
    /// Takes the lines out of the stock, all of them or none, below the span `parent`.
    ///
    /// Fails with the inventory's refusal, or with the reason for no answer. If it is dropped midway, stock that it
    /// took stays taken under its reference.
    fn deduct<'a>(
        &'a self,
        parent: &'a SpanContext,
        lines: &'a [order::StockLine],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<store::StockLevel>, Failure>> + Send + 'a>>;
}

/// A deduct that takes nothing and repeats another call's answer. If that call made no deduct, this one succeeds, with
/// 0 pieces left of each item.
#[derive(Debug)]
pub struct Repeat(pub Option<Deducted>);

impl Deduct for Repeat {
    fn deduct<'a>(
        &'a self,
        _: &'a SpanContext,
        lines: &'a [order::StockLine],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<store::StockLevel>, Failure>> + Send + 'a>> {
        Box::pin(std::future::ready(self.answer(lines)))
    }
}

impl Repeat {
    fn answer(&self, lines: &[order::StockLine]) -> Result<Vec<store::StockLevel>, Failure> {
        let levels = match &self.0 {
            Some(Deducted { result: Err(failure), .. }) => {
                return Err(failure.repeated().unwrap_or_else(Failure::interrupted));
            }
            Some(Deducted { result: Ok(levels), .. }) => levels.as_slice(),
            None => &[],
        };
        let on_hand = |item: &Item| levels.iter().find(|level| level.item == *item).map_or(0, |level| level.on_hand);
        let items = order::sum_by_item(lines).into_keys();
        Ok(items.map(|item| store::StockLevel { on_hand: on_hand(&item), item }).collect())
    }
}

/// A checkout call's access to the inventory, and its deduct.
#[derive(Debug)]
pub struct Door {
    deduct: Box<dyn Deduct>,
    deducted: Option<Deducted>,
}

/// The call's one deduct, with its result.
#[derive(Debug)]
pub struct Deducted {
    pub lines: Vec<order::StockLine>,
    pub result: Result<Vec<store::StockLevel>, Failure>,
}

impl Deducted {
    /// Returns a copy for answering another call; `None` if the deduct failed because of the host.
    #[must_use]
    pub fn repeated(&self) -> Option<Self> {
        let result = match &self.result {
            Ok(levels) => Ok(levels.clone()),
            Err(failure) => Err(failure.repeated()?),
        };
        Some(Self { lines: self.lines.clone(), result })
    }
}

impl Door {
    #[must_use]
    pub const fn new(deduct: Box<dyn Deduct>) -> Self {
        Self { deduct, deducted: None }
    }

    /// Returns the deduct; `None` if the guest made none.
    #[must_use]
    pub const fn deducted(&self) -> Option<&Deducted> {
        self.deducted.as_ref()
    }

    /// Returns the deduct; `None` if the guest made none.
    #[must_use]
    pub fn into_deducted(self) -> Option<Deducted> {
        self.deducted
    }
}

impl inventory_import::Host for HostCall<'_> {
    async fn deduct(
        &mut self,
        ctx: TraceContext,
        lines: Vec<StockLine>,
    ) -> wasmtime::Result<Result<Vec<StockLevel>, InventoryError>> {
        self.budget.host_call(ctx.traceparent.len() + ctx.tracestate.len() + stock_lines_bytes(&lines))?;
        let lines = stock_lines_from_guest(&lines)?;
        let parent = self.telemetry.parent(&ctx);
        let text_bytes_max = self.budget.text_bytes_max();
        let door = self.inventory.as_mut().ok_or(NoDoor("inventory"))?;
        if door.deducted.is_some() {
            return Err(Misuse::SecondDeduct.into());
        }
        // The result until the answer is there: a deduct that is cancelled here may have taken stock.
        let deducted = door.deducted.insert(Deducted { lines, result: Err(Failure::interrupted()) });
        deducted.result = door.deduct.deduct(&parent, &deducted.lines).await;
        Ok(match &deducted.result {
            Ok(levels) => Ok(levels.iter().map(level_to_guest).collect()),
            Err(failure) => Err(failure_to_guest(failure, text_bytes_max)),
        })
    }
}

pub(super) fn level_to_guest(level: &store::StockLevel) -> StockLevel {
    StockLevel { item: level.item.as_str().to_owned(), remaining: level.on_hand }
}

/// Returns the error for the checkout plugin, with texts that it may pass on. The customer's answer follows from the
/// failure itself.
fn failure_to_guest(failure: &Failure, text_bytes_max: usize) -> InventoryError {
    let text = |text: &str| fitted_text(text, Form::Lines, text_bytes_max);
    match failure {
        Failure::OutOfStock { item, requested, available } => InventoryError::OutOfStock(Shortage {
            item: Item::as_str(item).to_owned(),
            requested: *requested,
            available: *available,
        }),
        Failure::Rejected { code, message } => InventoryError::Rejected(Rejection {
            code: fitted_text(code, Form::Word, text_bytes_max),
            message: text(message),
        }),
        Failure::Conflict(undecided) => InventoryError::Conflict(text(&undecided.message)),
        Failure::Other(undecided) => InventoryError::Other(text(&undecided.message)),
        unavailable => InventoryError::Unavailable(text(&unavailable.to_string())),
    }
}
