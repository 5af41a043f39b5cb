//! A deduct: here, by the inventory plugin, or at another till.
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

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry::{
    Value,
    trace::{SpanContext, SpanKind},
};

use super::remote::Remote;
use crate::{
    failure::Failure,
    hooks::{Hook, Inventory},
    imports::{Moment, inventory::Deduct, stock},
    order::{Reference, StockLine},
    recordings::impersonal_item,
    runtime::Time,
    store::{StockLevel, Taker},
    telemetry::{
        names::{attribute, span},
        propagation::Carried,
        traces::Span,
    },
    versions::{Plugins, Snapshot},
};

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

/// What a checkout plugin's deduct does: a call on the same snapshot.
#[derive(Debug)]
pub struct OfSnapshot {
    pub plugins: Arc<Plugins>,
    pub snapshot: Arc<Snapshot>,
    pub place: Place,
    /// The order's.
    pub moment: Moment,
}

impl Deduct for OfSnapshot {
    fn deduct<'a>(
        &'a self,
        parent: &'a SpanContext,
        lines: &'a [StockLine],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<StockLevel>, Failure>> + Send + 'a>> {
        Box::pin(deduct(&self.plugins, &self.snapshot, &self.place, (self.moment, Time::Whole), parent, lines))
    }
}

/// Takes the lines out of the stock, all of them or none, below the span `parent`.
///
/// # Errors
/// The inventory's refusal, or the reason for no answer. If the future is dropped midway, stock that was taken stays
/// taken under its reference; the caller gives it back.
pub async fn deduct(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    place: &Place,
    (moment, time): (Moment, Time),
    parent: &SpanContext,
    lines: &[StockLine],
) -> Result<Vec<StockLevel>, Failure> {
    match place {
        Place::Here(taker) => {
            let mut span = plugins.tracer().start(span::INVENTORY, SpanKind::Internal, Some(parent), Vec::new());
            describe(&mut span, lines);
            let door = stock::Door::new(plugins.store().clone(), taker.clone());
            let plugin = snapshot.required(Inventory::KIND);
            let (mut span, result) = plugin.call::<Inventory>(plugins, span, lines, door, moment, time).await;
            if let Err(failure) = &result {
                failure.mark(&mut span);
            }
            span.end();
            result
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

fn describe(span: &mut Span, lines: &[StockLine]) {
    let item = match lines {
        [line] => impersonal_item(line.item.as_str()).into_owned(),
        _ => "multiple".to_owned(),
    };
    let pieces: i64 = lines.iter().map(|line| i64::from(line.quantity.pieces())).sum();
    span.set(attribute::INVENTORY_ITEM, Value::from(item));
    span.set(attribute::INVENTORY_DEDUCTION_QUANTITY, pieces);
}
