//! One call into a plugin: a fresh instance and store, its deadlines, its span and its figures.
//!
//! The guest's CPU is counted in epoch ticks, so that time in host calls doesn't count; the wall deadline around
//! everything counts both. A guest that was cut off is dropped with its store and never entered again. No permit
//! is taken here: it belongs to the request, for a checkout's call holds while its inventory call runs.

pub(super) mod believed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{error::Elapsed, timeout};
use wasmtime::{Store, UpdateDeadline};

use super::{Cause, Engine, Failure, Fault, Identity, Loaded, MemoryPool, Plugins, Snapshot, limits::MemoryMeter};
use crate::{
    config::Limits,
    imports::{
        CallState, HasCallState, attribute_to_guest,
        bindings::checkout_world,
        currency_to_guest,
        inventory::{self, Place},
        line_to_guest, stock, stock_line_to_guest,
        telemetry::{CallSpans, End},
    },
    order::{Cart, Currency, Receipt, StockLine},
    store::{self, OrderId, Taker},
    telemetry::{names::attribute, traces::Span},
};

/// Versions roll out one at a time for now, so every call is of the live one.
const ROLLOUT: &str = "live";

/// What a store holds for its guest.
#[derive(Debug)]
pub struct GuestCall {
    imports: CallState,
    memory: MemoryMeter,
}

impl HasCallState for GuestCall {
    fn call_state(&mut self) -> &mut CallState {
        &mut self.imports
    }
}

/// What a checkout plugin decides about.
#[derive(Debug)]
pub struct Placed<'a> {
    pub id: OrderId,
    pub placed_at_ms: u64,
    pub currency: Currency,
    pub cart: &'a Cart,
}

/// Has the checkout plugin decide. Gives the span back for what the host still does under it.
///
/// Cancelling drops the guest and the span; what it has taken stands under the order until the order is failed.
///
/// # Errors
/// The plugin's refusal, its fault, or what it couldn't help. Stock may have been taken in each.
pub async fn checkout(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    span: Span,
    order: &Placed<'_>,
    place: Place,
) -> (Span, Result<Receipt, Failure>) {
    let plugin = &snapshot.checkout;
    let deadline = Deadline { after_ms: plugins.limits.checkout_call_ms, setting: "checkout_call_ms" };
    let mut call = Call::start(plugins, plugin, span, deadline);
    call.imports().inventory = Some(inventory::Door::new(Arc::clone(plugins), Arc::clone(snapshot), place));
    let ctx = call.imports().telemetry.own_context();
    let offered = order_to_guest(order);
    let answered = timeout(deadline.duration(), async {
        let instance = plugin.pre.instantiate_async(&mut call.store).await?;
        instance.till_plugin_checkout().call_checkout(&mut call.store, &ctx, &offered).await
    })
    .await;
    let answer = call.answer(answered);
    let result = believed::receipt(order.cart, answer, call.imports(), plugins.discount_max_percent);
    (call.end(&result), result)
}

/// Has the inventory plugin decide, and ends the span.
///
/// Cancelling drops the guest; what it has taken stands under its reference until that is released.
///
/// # Errors
/// The plugin's refusal, its fault, or what it couldn't help. Stock may have been taken in each.
pub async fn deduct(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    span: Span,
    taker: Taker,
    lines: &[StockLine],
) -> Result<Vec<store::StockLevel>, Failure> {
    let plugin = &snapshot.inventory;
    let deadline = Deadline { after_ms: plugins.limits.inventory_call_ms, setting: "inventory_call_ms" };
    let mut call = Call::start(plugins, plugin, span, deadline);
    call.imports().stock = Some(stock::Door::new(plugins.store.clone(), taker));
    let ctx = call.imports().telemetry.own_context();
    let offered: Vec<_> = lines.iter().map(stock_line_to_guest).collect();
    let answered = timeout(deadline.duration(), async {
        let instance = plugin.pre.instantiate_async(&mut call.store).await?;
        instance.till_plugin_inventory().call_deduct(&mut call.store, &ctx, &offered).await
    })
    .await;
    let answer = call.answer(answered);
    let result = believed::levels(lines, answer, call.imports());
    call.end(&result).end();
    result
}

/// A wall deadline and the name of the limit it comes from.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    after_ms: u64,
    setting: &'static str,
}

impl Deadline {
    const fn duration(self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// A call under way: the store of its guest, and what is said of it at the end.
struct Call<'a> {
    store: Store<GuestCall>,
    plugins: &'a Plugins,
    identity: &'a Identity,
    deadline: Deadline,
    started: Instant,
    trapped: bool,
}

impl<'a> Call<'a> {
    fn start<Pre>(plugins: &'a Plugins, plugin: &'a Loaded<Pre>, span: Span, deadline: Deadline) -> Self {
        let limits = &plugins.limits;
        let telemetry = CallSpans::new(plugins.tracer.clone(), span, Arc::clone(&plugin.label), limits);
        let imports = CallState::new(telemetry, Arc::clone(&plugin.settings), limits);
        let store = guarded_store(&plugins.engine, imports, &plugins.memory, limits);
        Self { store, plugins, identity: &plugin.identity, deadline, started: Instant::now(), trapped: false }
    }

    fn imports(&mut self) -> &mut CallState {
        &mut self.store.data_mut().imports
    }

    /// Returns the guest's answer, or what kept it from giving one.
    fn answer<T>(&mut self, answered: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Failure> {
        let kind = self.identity.kind;
        let answer = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::of_guest(kind, &error, self.plugins.limits.guest_cpu_ms),
            Err(_) => {
                let Deadline { after_ms, setting } = self.deadline;
                Fault { kind, cause: Cause::Deadline { after_ms, setting } }.into()
            }
        };
        self.trapped = true;
        Err(answer)
    }

    /// Writes the call's span, metric and log lines, and gives the span back, still open.
    fn end<T>(self, result: &Result<T, Failure>) -> Span {
        let elapsed = self.started.elapsed();
        let GuestCall { imports, memory } = self.store.into_data();
        let memory_bytes = u64::try_from(memory.memory_bytes()).unwrap_or(u64::MAX);
        let host_calls = imports.host_calls();
        let mut span = imports.telemetry.finish(if self.trapped { End::Trapped } else { End::Returned });
        let outcome = result.as_ref().err().map_or("ok", Failure::code);
        if span.is_recording() {
            self.identity.describe(&mut span);
            span.set(attribute::PLUGIN_OUTCOME, outcome);
            span.set(attribute::PLUGIN_MEMORY_BYTES, i64::try_from(memory_bytes).unwrap_or(i64::MAX));
            span.set(attribute::PLUGIN_HOST_CALLS, i64::from(host_calls));
        }
        if let Err(failure) = result {
            failure.mark(&mut span);
        }
        let kind = self.identity.kind.as_str();
        self.plugins.metrics.plugin_call(kind, ROLLOUT, outcome, elapsed, memory_bytes);
        span
    }
}

/// Returns a store in which a guest may run: every limit on it is set before any of its code, start functions
/// included.
pub(super) fn guarded_store(
    engine: &Engine,
    imports: CallState,
    memory: &Arc<MemoryPool>,
    limits: &Limits,
) -> Store<GuestCall> {
    let guest = GuestCall { imports, memory: MemoryMeter::new(memory, limits) };
    let mut store = Store::new(engine.wasmtime(), guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(limits.hostcall_bytes);
    store.set_epoch_deadline(1);
    let mut ticks_left = limits.guest_cpu_ms;
    store.epoch_deadline_callback(move |_| {
        ticks_left = ticks_left.saturating_sub(1);
        // Yielding at each tick lets other requests run, and lets the wall deadline see a busy guest.
        Ok(if ticks_left == 0 { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    store
}

pub(super) fn order_to_guest(order: &Placed<'_>) -> checkout_world::Order {
    checkout_world::Order {
        id: order.id.number(),
        placed_at_ms: order.placed_at_ms,
        currency: currency_to_guest(order.currency),
        lines: order.cart.lines().iter().map(line_to_guest).collect(),
        attributes: order.cart.attributes().iter().map(attribute_to_guest).collect(),
    }
}
