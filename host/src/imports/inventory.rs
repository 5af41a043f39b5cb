//! `till:plugin/inventory`: the one effect of a checkout plugin, and the door through which every deduct goes.
//!
//! ```text
//! here:    inventory_deduct_span            the inventory plugin's call
//!          └─ db_take_stock
//! remote:  http_call_inventory_service      CLIENT, the trace context injected inside it
//!          └─ POST /inventory/deduct        SERVER, another process
//! ```
//!
//! This is the one place where a call leads to another call: of the same snapshot of plugins, and never deeper,
//! for the inventory world does not import inventory.

pub mod remote;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use opentelemetry::{
    Value,
    trace::{SpanContext, SpanKind},
};

use super::{
    HostCall, Misuse, NoDoor,
    bindings::{
        inventory_import::{self, InventoryError},
        types::{Rejection, Shortage, StockLevel, StockLine, TraceContext},
    },
    convert::{stock_lines_bytes, stock_lines_from_guest},
};
use crate::{
    order::{self, Form, Item, Reference, fitted_text},
    plugin::{
        Failure, Plugins, Snapshot,
        call::{self, Time},
    },
    store::{self, Taker},
    telemetry::{
        names::{attribute, span},
        propagation::Carried,
        traces::Span,
    },
};
use remote::Remote;

/// Where a request's stock is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In this process's store, behind the inventory plugin.
    Here(Taker),
    /// In another till, asked under the order's reference.
    Remote {
        remote: Arc<Remote>,
        reference: Reference,
        carried: Carried,
        /// Set while the remote may hold stock under the reference: from before it is asked until it refuses.
        holds: Arc<AtomicBool>,
    },
}

/// A checkout call's way to the inventory, and what it did there.
#[derive(Debug)]
pub struct Door {
    way: Way,
    deducted: Option<Deducted>,
}

#[derive(Debug)]
enum Way {
    Call {
        plugins: Arc<Plugins>,
        snapshot: Arc<Snapshot>,
        place: Place,
    },
    /// To nothing but what another call was answered.
    Repeat(Option<Deducted>),
}

/// The one deduct, and what it came to.
#[derive(Debug)]
pub struct Deducted {
    pub lines: Vec<order::StockLine>,
    pub result: Result<Vec<store::StockLevel>, Failure>,
}

impl Deducted {
    /// Returns it for another call to be answered by; `None` if the host failed in it.
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
    pub const fn new(plugins: Arc<Plugins>, snapshot: Arc<Snapshot>, place: Place) -> Self {
        Self { way: Way::Call { plugins, snapshot, place }, deducted: None }
    }

    /// Returns a door behind which nothing happens: whoever knocks is answered as another call was. If that never asked,
    /// everything is said to be there.
    #[must_use]
    pub const fn repeating(deducted: Option<Deducted>) -> Self {
        Self { way: Way::Repeat(deducted), deducted: None }
    }

    /// Returns the deduct, `None` if the guest never asked for one.
    #[must_use]
    pub const fn deducted(&self) -> Option<&Deducted> {
        self.deducted.as_ref()
    }

    /// Returns the deduct, likewise.
    #[must_use]
    pub fn into_deducted(self) -> Option<Deducted> {
        self.deducted
    }
}

impl Way {
    async fn deduct(
        &self,
        parent: &SpanContext,
        lines: &[order::StockLine],
    ) -> Result<Vec<store::StockLevel>, Failure> {
        match self {
            Self::Call { plugins, snapshot, place } => {
                deduct(plugins, snapshot, place, Time::Whole, parent, lines).await
            }
            Self::Repeat(Some(Deducted { result: Err(failure), .. })) => {
                Err(failure.repeated().unwrap_or_else(Failure::interrupted))
            }
            Self::Repeat(deducted) => {
                let levels = deducted.as_ref().and_then(|deducted| deducted.result.as_deref().ok()).unwrap_or_default();
                let on_hand =
                    |item: &Item| levels.iter().find(|level| level.item == *item).map_or(0, |level| level.on_hand);
                let items = order::sum_by_item(lines).into_keys();
                Ok(items.map(|item| store::StockLevel { on_hand: on_hand(&item), item }).collect())
            }
        }
    }
}

/// Takes the lines out of the stock, all of them or none, below the span `parent`.
///
/// # Errors
/// The inventory's refusal, or what kept it from answering. Dropped midway, what it may have taken still stands
/// under the taker's reference; the caller gives it back.
pub async fn deduct(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    place: &Place,
    time: Time,
    parent: &SpanContext,
    lines: &[order::StockLine],
) -> Result<Vec<store::StockLevel>, Failure> {
    match place {
        Place::Here(taker) => {
            let mut span = plugins.tracer().start(span::INVENTORY, SpanKind::Internal, Some(parent), Vec::new());
            describe(&mut span, lines);
            call::deduct(plugins, snapshot, span, taker.clone(), time, lines).await
        }
        Place::Remote { remote, reference, carried, holds } => {
            holds.store(true, Ordering::Relaxed);
            let deducted = remote.deduct(plugins.tracer(), parent, carried, reference, lines).await;
            let refused = matches!(&deducted, Err(failure) if !failure.is_of_host());
            holds.store(!refused, Ordering::Relaxed);
            deducted
        }
    }
}

fn describe(span: &mut Span, lines: &[order::StockLine]) {
    let item = match lines {
        [line] => line.item.to_string(),
        _ => "multiple".to_owned(),
    };
    let pieces: i64 = lines.iter().map(|line| i64::from(line.quantity.pieces())).sum();
    span.set(attribute::INVENTORY_ITEM, Value::from(item));
    span.set(attribute::INVENTORY_DEDUCTION_QUANTITY, pieces);
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
        // Until it is known otherwise: a call that is cancelled here may have taken.
        let deducted = door.deducted.insert(Deducted { lines, result: Err(Failure::interrupted()) });
        deducted.result = door.way.deduct(&parent, &deducted.lines).await;
        Ok(match &deducted.result {
            Ok(levels) => Ok(levels.iter().map(level_to_guest).collect()),
            Err(failure) => Err(failure_to_guest(failure, text_bytes_max)),
        })
    }
}

pub(super) fn level_to_guest(level: &store::StockLevel) -> StockLevel {
    StockLevel { item: level.item.as_str().to_owned(), remaining: level.on_hand }
}

/// Returns what the checkout plugin is told, in texts that it may pass on. What the customer is told follows from the failure
/// itself.
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
