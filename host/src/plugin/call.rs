//! One call into a plugin: its instance and store, its deadlines, its span and its figures.
//!
//! The guest's processor time is counted by [`GuestTime`], without that of its host calls, and compared with the limit at
//! each tick of the epoch and when the guest has answered; the wall deadline around everything counts all that passes. A
//! guest that was cut off is dropped with its store and never entered again. No permit is taken here: it belongs to the
//! request, for a checkout's call holds while its inventory call runs.

pub(super) mod believed;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::{SpanContext, SpanKind};
use tokio::time::{error::Elapsed, timeout};
use wasmtime::{ResourceLimiter as _, ResourceLimiterAsync, Store, Trap, UpdateDeadline};

use super::{
    Cause, Engine, Failure, Fault, Kind, Loaded, MemoryPool, Plugins, Snapshot,
    breaker::{Ended, Likeness, Pass},
    engine::TICK,
    limits::MemoryMeter,
    reuse::{Life, Used, World},
    turns::{BUSY_AFTER, BUSY_MEMORY_BYTES, BUSY_TURN, Turns, has_other_threads},
};
use crate::{
    config::Limits,
    imports::{
        CallState, GuestTime, HasCallState, Seed, Sleep, attribute_to_guest,
        bindings::{CheckoutPluginPre, InventoryPluginPre, checkout_world, inventory_world, types},
        currency_to_guest,
        inventory::{self, Place},
        line_to_guest, stock, stock_line_to_guest,
        telemetry::{CallSpans, End},
    },
    order::{Cart, Currency, Receipt, StockLine},
    store::{self, OrderId, Taker},
    telemetry::{
        metrics::PluginCall,
        names::attribute,
        traces::{Span, Tracer},
    },
};

/// What a store holds for its guest.
#[derive(Debug)]
pub struct GuestCall {
    imports: CallState,
    memory: MemoryMeter,
}

impl GuestCall {
    /// Returns the instance's linear memory, bytes: it never shrinks, so this is its peak too.
    pub(super) fn memory_bytes(&self) -> u64 {
        u64::try_from(self.memory.memory_bytes()).unwrap_or(u64::MAX)
    }
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

/// Returns when an order is placed that is placed now: Unix time in ms.
#[must_use]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// As long as its kind may.
    Whole,
    /// What is left of that; the call before it was at fault. To run out of it is no fault of the plugin's.
    Left(Duration),
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
    time: Time,
) -> (Span, Result<Receipt, Failure>) {
    let plugin = &snapshot.checkout;
    let pass = match plugin.breaker.enter(Likeness::of_cart(order.cart)) {
        Ok(pass) => pass,
        Err(open) => return (span, Err(Failure::breaker(plugin.identity.kind, open))),
    };
    let mut call = Call::start(plugins, plugin, span, time);
    call.imports().inventory = Some(inventory::Door::new(Arc::clone(plugins), Arc::clone(snapshot), place));
    let (result, deducted) = decide_checkout(&mut call, order).await;
    if let Some(shadow) = &plugin.shadow {
        let seed = call.imports().seed();
        shadow.follow_checkout(plugins, call.parent(), order, (seed, deducted), &result);
    }
    (call.end(Some(pass), &result), result)
}

/// Has a candidate decide what the live one has decided, with no effect on anything. Gives the span back.
pub(super) async fn repeat_checkout(
    plugins: &Plugins,
    plugin: &Loaded<CheckoutPluginPre<GuestCall>>,
    span: Span,
    order: &Placed<'_>,
    (seed, deducted): (Seed, Option<inventory::Deducted>),
) -> (Span, Result<Receipt, Failure>, Option<inventory::Deducted>) {
    let mut call = Call::repeating(plugins, plugin, span, seed);
    call.imports().inventory = Some(inventory::Door::repeating(deducted));
    let (result, deducted) = decide_checkout(&mut call, order).await;
    (call.end(None, &result), result, deducted)
}

/// Has a checkout plugin decide what nobody buys, behind that door, and says what it asked of the stock. Gives the span
/// back.
pub(super) async fn rehearse_checkout(
    plugins: &Plugins,
    plugin: &Loaded<CheckoutPluginPre<GuestCall>>,
    span: Span,
    order: &Placed<'_>,
    door: inventory::Door,
) -> (Span, Result<Receipt, Failure>, Vec<StockLine>) {
    let mut call = Call::fresh(plugins, plugin, span, Time::Whole);
    call.imports().inventory = Some(door);
    let answer = ask_checkout(&mut call, order).await;
    let deducted = call.imports().inventory.as_ref().and_then(inventory::Door::deducted);
    let asked = deducted.map(|deducted| deducted.lines.clone()).unwrap_or_default();
    let result = believed::receipt(order.cart, answer, call.imports(), plugins.discount_max_percent);
    (call.end(None, &result), result, asked)
}

async fn decide_checkout(
    call: &mut Call<'_, CheckoutPluginPre<GuestCall>>,
    order: &Placed<'_>,
) -> (Result<Receipt, Failure>, Option<inventory::Deducted>) {
    let answer = ask_checkout(call, order).await;
    let is_compared = call.plugin.is_compared();
    let deducted = call.imports().inventory.as_ref().and_then(inventory::Door::deducted);
    let deducted = deducted.filter(|_| is_compared).and_then(inventory::Deducted::repeated);
    let discount_max_percent = call.plugins.discount_max_percent;
    (believed::receipt(order.cart, answer, call.imports(), discount_max_percent), deducted)
}

async fn ask_checkout(
    call: &mut Call<'_, CheckoutPluginPre<GuestCall>>,
    order: &Placed<'_>,
) -> Result<Result<checkout_world::Receipt, checkout_world::CheckoutError>, Failure> {
    let ctx = call.imports().telemetry.own_context();
    let offered = order_to_guest(order);
    let (time, plugins, deadline) = call.bounds();
    let asked = within_cpu(plugins.engine.turns(), (&time, &plugins.limits), async {
        let instance = call.instance().await?;
        let answer = instance.till_plugin_checkout().call_checkout(&mut call.store, &ctx, &offered).await;
        call.instance = Some(instance);
        answer
    });
    let answered = timeout(deadline, asked).await;
    call.answer(answered)
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
    mut span: Span,
    taker: Taker,
    time: Time,
    lines: &[StockLine],
) -> Result<Vec<store::StockLevel>, Failure> {
    let plugin = &snapshot.inventory;
    let pass = match plugin.breaker.enter(Likeness::of_lines(lines)) {
        Ok(pass) => pass,
        Err(open) => {
            let failure = Failure::breaker(plugin.identity.kind, open);
            failure.mark(&mut span);
            return Err(failure);
        }
    };
    let mut call = Call::start(plugins, plugin, span, time);
    call.imports().stock = Some(stock::Door::new(plugins.store.clone(), taker));
    let (result, seen, asked) = decide_deduct(&mut call, lines).await;
    if let Some(shadow) = &plugin.shadow {
        let seed = call.imports().seed();
        shadow.follow_deduct(plugins, call.parent(), lines, (seed, seen), &asked, &result);
    }
    let mut span = call.end(Some(pass), &result);
    if let Err(failure) = &result {
        failure.mark(&mut span);
    }
    span.end();
    result
}

/// Has a candidate decide what the live one has decided, with no effect on anything. Gives the span back.
pub(super) async fn repeat_deduct(
    plugins: &Plugins,
    plugin: &Loaded<InventoryPluginPre<GuestCall>>,
    span: Span,
    lines: &[StockLine],
    (seed, seen): (Seed, stock::Seen),
) -> (Span, Result<Vec<store::StockLevel>, Failure>, Vec<StockLine>) {
    let mut call = Call::repeating(plugins, plugin, span, seed);
    call.imports().stock = Some(stock::Door::repeating(plugins.store.clone(), seen));
    let (result, _, asked) = decide_deduct(&mut call, lines).await;
    (call.end(None, &result), result, asked)
}

/// Has an inventory plugin decide what nobody buys, behind that door, and says what it asked of the stock. Gives the span
/// back.
pub(super) async fn rehearse_deduct(
    plugins: &Plugins,
    plugin: &Loaded<InventoryPluginPre<GuestCall>>,
    span: Span,
    lines: &[StockLine],
    door: stock::Door,
) -> (Span, Result<Vec<store::StockLevel>, Failure>, Vec<StockLine>) {
    let mut call = Call::fresh(plugins, plugin, span, Time::Whole);
    call.imports().stock = Some(door);
    let answer = ask_deduct(&mut call, lines).await;
    let asked = call.imports().stock.as_ref().map(|door| door.asked().to_vec()).unwrap_or_default();
    let result = believed::levels(lines, answer, call.imports());
    (call.end(None, &result), result, asked)
}

async fn decide_deduct(
    call: &mut Call<'_, InventoryPluginPre<GuestCall>>,
    lines: &[StockLine],
) -> (Result<Vec<store::StockLevel>, Failure>, stock::Seen, Vec<StockLine>) {
    let answer = ask_deduct(call, lines).await;
    let is_compared = call.plugin.is_compared();
    let door = call.imports().stock.as_ref().filter(|_| is_compared);
    let (seen, asked) = door.map(|door| (door.seen(), door.asked().to_vec())).unwrap_or_default();
    (believed::levels(lines, answer, call.imports()), seen, asked)
}

async fn ask_deduct(
    call: &mut Call<'_, InventoryPluginPre<GuestCall>>,
    lines: &[StockLine],
) -> Result<Result<Vec<types::StockLevel>, inventory_world::InventoryError>, Failure> {
    let ctx = call.imports().telemetry.own_context();
    let offered: Vec<_> = lines.iter().map(stock_line_to_guest).collect();
    let (time, plugins, deadline) = call.bounds();
    let asked = within_cpu(plugins.engine.turns(), (&time, &plugins.limits), async {
        let instance = call.instance().await?;
        let answer = instance.till_plugin_inventory().call_deduct(&mut call.store, &ctx, &offered).await;
        call.instance = Some(instance);
        answer
    });
    let answered = timeout(deadline, asked).await;
    call.answer(answered)
}

/// A wall deadline and the name of the limit it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    after_ms: u64,
    setting: &'static str,
    is_whole: bool,
}

impl Deadline {
    pub(super) fn of(kind: Kind, time: Time, limits: &Limits) -> Self {
        let (whole_ms, setting) = match kind {
            Kind::Checkout => (limits.checkout_call_ms, "checkout_call_ms"),
            Kind::Inventory => (limits.inventory_call_ms, "inventory_call_ms"),
        };
        match time {
            Time::Whole => Self { after_ms: whole_ms, setting, is_whole: true },
            Time::Left(left) => {
                let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                Self { after_ms: left_ms.min(whole_ms), setting, is_whole: false }
            }
        }
    }

    pub(super) const fn duration(self) -> Duration {
        Duration::from_millis(self.after_ms)
    }

    /// Returns what a plugin of that kind has come to that was cut off by it.
    pub(super) fn failure(self, kind: Kind) -> Failure {
        Fault { kind, cause: Cause::Deadline { after_ms: self.after_ms, setting: self.setting } }.into()
    }
}

/// A call under way: the store of its guest, and what is said of it at the end.
struct Call<'a, Pre: World> {
    store: Store<GuestCall>,
    /// There before the guest is called if it was called before, and after it has answered.
    instance: Option<Pre::Instance>,
    life: Life,
    plugins: &'a Plugins,
    plugin: &'a Loaded<Pre>,
    deadline: Deadline,
    started: Instant,
    /// What cut the guest off.
    cut_off: Option<CutOff>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutOff {
    ByTrap,
    ByWallDeadline,
}

impl<'a, Pre: World> Call<'a, Pre> {
    fn start(plugins: &'a Plugins, plugin: &'a Loaded<Pre>, span: Span, time: Time) -> Self {
        let Some(Used { mut store, instance, life }) = plugin.resting.wake() else {
            return Self::fresh(plugins, plugin, span, time);
        };
        let imports = state(plugins, plugin, &plugins.tracer, span);
        drop(imports.succeed(store.data_mut().call_state()));
        arm(&mut store, &plugins.engine, &plugins.limits);
        let guest = store.data();
        if guest.memory_bytes() >= BUSY_MEMORY_BYTES {
            guest.imports.guest_time().is_busy_from_now();
        }
        Self::with(store, Some(instance), life, (plugins, plugin, time))
    }

    fn fresh(plugins: &'a Plugins, plugin: &'a Loaded<Pre>, span: Span, time: Time) -> Self {
        let imports = state(plugins, plugin, &plugins.tracer, span);
        let pool = plugin.pre.wasmtime();
        let store = guarded_store((&plugins.engine, pool), imports, &plugins.memory, &plugins.limits);
        Self::with(store, None, Life::new(), (plugins, plugin, time))
    }

    fn with(
        store: Store<GuestCall>,
        instance: Option<Pre::Instance>,
        life: Life,
        (plugins, plugin, time): (&'a Plugins, &'a Loaded<Pre>, Time),
    ) -> Self {
        let deadline = Deadline::of(plugin.identity.kind, time, &plugins.limits);
        Self { store, instance, life, plugins, plugin, deadline, started: Instant::now(), cut_off: None }
    }

    /// Starts a call that meets the chance and the time of another.
    fn repeating(plugins: &'a Plugins, plugin: &'a Loaded<Pre>, span: Span, seed: Seed) -> Self {
        let mut call = Self::fresh(plugins, plugin, span, Time::Whole);
        let Deadline { after_ms, setting, .. } = call.deadline;
        let sleep = Sleep::Skipped { left: call.deadline.duration(), after_ms, setting };
        call.imports().repeat(seed, sleep);
        call
    }

    /// Returns the instance that is called, which is put back once it has answered.
    async fn instance(&mut self) -> wasmtime::Result<Pre::Instance> {
        match self.instance.take() {
            Some(instance) => Ok(instance),
            None => self.plugin.pre.instantiate(&mut self.store).await,
        }
    }

    fn imports(&mut self) -> &mut CallState {
        &mut self.store.data_mut().imports
    }

    /// Returns what bounds the guest's time: what was used of it, whose limits, and the wall deadline.
    fn bounds(&self) -> (GuestTime, &'a Plugins, Duration) {
        (self.store.data().imports.guest_time().clone(), self.plugins, self.deadline.duration())
    }

    /// Returns the span of the call, for what hangs below it.
    fn parent(&self) -> &SpanContext {
        self.store.data().imports.telemetry.span_context()
    }

    /// Returns the guest's answer, or what kept it from giving one.
    fn answer<T>(&mut self, answered: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Failure> {
        let kind = self.plugin.identity.kind;
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.cut_off = Some(CutOff::ByTrap);
                Err(Failure::of_guest(kind, &error, self.plugins.limits.guest_cpu_ms))
            }
            Err(_) => {
                self.cut_off = Some(CutOff::ByWallDeadline);
                Err(self.deadline.failure(kind))
            }
        }
    }

    fn fuel_used(&self) -> Option<u64> {
        if !self.plugins.engine.counts_fuel() {
            return None;
        }
        self.store.get_fuel().ok().map(|left| u64::MAX - left)
    }

    /// Writes the call's span, metric and log lines, counts it, and gives the span back, still open and not marked as
    /// failed.
    fn end<T>(self, pass: Option<Pass>, result: &Result<T, Failure>) -> Span {
        let elapsed = self.started.elapsed();
        let fuel_used = self.fuel_used();
        let own_fault = matches!(result, Err(Failure::Fault(fault)) if fault.kind == self.plugin.identity.kind);
        let ended = Ended::of(self.plugin.identity.kind, result);
        let memory_bytes = self.store.data().memory_bytes();
        let Self { store, instance, life, plugins, plugin, .. } = self;
        let may_rest = plugin.resting.is_on() && self.cut_off.is_none() && !own_fault;
        let imports = match instance.filter(|_| may_rest) {
            Some(instance) => rest(plugins, plugin, Used { store, instance, life: life.called() }),
            None => emptied(store).imports,
        };
        let host_calls = imports.host_calls();
        let (mut span, log_lines_dropped) =
            imports.telemetry.finish(if self.cut_off.is_some() { End::Trapped } else { End::Returned });
        let outcome = result.as_ref().err().map_or("ok", Failure::code);
        if span.is_recording() {
            plugin.describe(&mut span);
            span.set(attribute::PLUGIN_INSTANCE, if life.is_fresh() { "fresh" } else { "reused" });
            span.set(attribute::PLUGIN_OUTCOME, outcome);
            span.set(attribute::PLUGIN_MEMORY_BYTES, i64::try_from(memory_bytes).unwrap_or(i64::MAX));
            span.set(attribute::PLUGIN_HOST_CALLS, i64::from(host_calls));
            if let Some(fuel) = fuel_used {
                span.set(attribute::PLUGIN_FUEL_USED, i64::try_from(fuel).unwrap_or(i64::MAX));
            }
        }
        let (kind, role) = (plugin.identity.kind, plugin.role);
        let call = PluginCall {
            kind: kind.as_str(),
            rollout: role.as_str(),
            outcome,
            duration: elapsed,
            memory_bytes,
            fuel_used,
            log_lines_dropped,
        };
        plugins.metrics.plugin_call(span.context(), call);
        let is_short_of_time = self.cut_off == Some(CutOff::ByWallDeadline) && !self.deadline.is_whole;
        if !is_short_of_time {
            if let Some(tally) = &plugin.tally {
                tally.count(kind, result, elapsed);
            }
            if let Some(pass) = pass {
                plugin.breaker.outcomes.count(result);
                pass.ended(ended);
            }
        }
        span
    }
}

fn state<Pre: World>(plugins: &Plugins, plugin: &Loaded<Pre>, tracer: &Tracer, span: Span) -> CallState {
    let telemetry = CallSpans::new(tracer.clone(), span, Arc::clone(&plugin.log), &plugins.limits);
    CallState::new(telemetry, Arc::clone(&plugin.settings), &plugins.chance, &plugins.limits)
}

/// Gives back what the guest held, which takes milliseconds where that is much.
fn emptied(store: Store<GuestCall>) -> GuestCall {
    let is_large = store.data().memory_bytes() >= BUSY_MEMORY_BYTES;
    if is_large && has_other_threads() { tokio::task::block_in_place(|| store.into_data()) } else { store.into_data() }
}

/// Has an instance rest that has answered, and returns what stood behind its call's imports: at rest nothing does.
fn rest<Pre: World>(plugins: &Plugins, plugin: &Loaded<Pre>, mut used: Used<Pre::Instance>) -> CallState {
    let nowhere = plugins.nowhere.start("rest", SpanKind::Internal, None, Vec::new());
    let at_rest = state(plugins, plugin, &plugins.nowhere, nowhere);
    let imports = at_rest.succeed(used.store.data_mut().call_state());
    plugin.resting.rest(used);
    imports
}

/// Returns a store in which a guest may run: every limit on it is set before any of its code, start functions
/// included. It is of the pool that the plugin was compiled for.
pub(super) fn guarded_store(
    (engine, pool): (&Engine, &wasmtime::Engine),
    imports: CallState,
    memory: &Arc<MemoryPool>,
    limits: &Limits,
) -> Store<GuestCall> {
    let guest = GuestCall { imports, memory: MemoryMeter::new(memory, limits) };
    let mut store = Store::new(pool, guest);
    store.limiter_async(|guest| guest);
    store.set_max_component_handles(limits.component_handles);
    arm(&mut store, engine, limits);
    store
}

/// Sets the limits anew that are a call's.
fn arm(store: &mut Store<GuestCall>, engine: &Engine, limits: &Limits) {
    store.set_hostcall_fuel(limits.hostcall_bytes);
    if engine.counts_fuel() {
        // It can't fail on such an engine, and without fuel the guest traps at once.
        _ = store.set_fuel(u64::MAX);
    }
    store.set_epoch_deadline(1);
    let cpu = cpu_of_call(limits);
    store.epoch_deadline_callback(move |store| {
        let time = store.data().imports.guest_time();
        let spent = time.spent();
        Ok(if spent >= cpu {
            UpdateDeadline::Interrupt
        } else if time.on_thread() < if time.is_busy() { BUSY_TURN } else { TICK } {
            // The tick passed while the guest waited, or its turn isn't over.
            UpdateDeadline::Continue(1)
        } else {
            // Lets other requests run, and lets the wall deadline see a busy guest.
            if spent >= BUSY_AFTER {
                time.is_busy_from_now();
            }
            UpdateDeadline::Yield(1)
        })
    });
}

/// As the meter of the call's memory decides. A guest that has grown large goes on in a turn apart from others.
#[wasmtime_wasi::async_trait]
impl ResourceLimiterAsync for GuestCall {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grows = self.memory.memory_growing(current, desired, maximum)?;
        if self.memory_bytes() >= BUSY_MEMORY_BYTES && self.imports.guest_time().is_busy_from_now() {
            tokio::task::yield_now().await;
        }
        Ok(grows)
    }

    async fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        self.memory.instances()
    }
}

const fn cpu_of_call(limits: &Limits) -> Duration {
    Duration::from_millis(limits.guest_cpu_ms)
}

/// Runs the guest until it has answered, within its processor time.
///
/// # Errors
/// The guest's own. An interrupt when its time is used up, also by the very last operation: one bulk operation isn't looked
/// into, and takes as long as its memory is large.
pub(super) async fn within_cpu<T>(
    turns: &Turns,
    (time, limits): (&GuestTime, &Limits),
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let answer = turns.run(time, guest).await?;
    if time.spent() >= cpu_of_call(limits) { Err(Trap::Interrupt.into()) } else { Ok(answer) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    /// No epoch is looked at within a guest's last operation.
    #[tokio::test]
    async fn an_answer_past_the_processor_time_is_none() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        let cpu = cpu_of_call(&limits);
        let check = async |used: Duration, is_taken: bool| {
            let time = GuestTime::default();
            let guest = async {
                while time.spent() < used {
                    std::hint::spin_loop();
                }
                Ok(())
            };
            let answer = within_cpu(&Turns::new(), (&time, &limits), guest).await;
            let is_interrupt = answer.err().map(|error| error.downcast_ref() == Some(&Trap::Interrupt));
            assert_eq!(is_interrupt, (!is_taken).then_some(true), "{used:?}");
        };
        check(cpu / 4, true).await;
        check(cpu, false).await;
    }
}
