//! A guest in its store: instantiated, called, and stopped at its limits.
//!
//! [`cpu_limit`] bounds the guest's own processor time. The wall deadline around the call counts all time that passes.
//! A guest that was cut off is dropped with its store and never called again.

use std::{any::Any, sync::Arc, time::Duration};

use tokio::time::{Instant, error::Elapsed, timeout_at};
use wasmtime::{
    ResourceLimiter as _, ResourceLimiterAsync, Store,
    component::{ComponentType, Instance, Lift, Lower, TypedFunc},
};

use super::{
    Code, Engine, MemoryPool, Time,
    cpu_limit::{self, Bounds},
    fault,
    memory::MemoryMeter,
    turns::{BUSY_MEMORY_BYTES, has_other_threads},
};
use crate::{
    config::Limits,
    failure::{Cause, Failure, Fault},
    hooks::Installation,
    imports::{CallState, GuestTime, HasCallState, bindings::types::TraceContext, telemetry::CallSpans},
    units::millis,
};

/// What a store holds for its guest.
#[derive(Debug)]
pub struct GuestCall {
    pub(super) imports: CallState,
    memory: MemoryMeter,
}

impl GuestCall {
    /// Returns the instance's linear memory, bytes: it never shrinks, so this is its peak too.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.memory_bytes() as u64
    }
}

impl HasCallState for GuestCall {
    fn call_state(&mut self) -> &mut CallState {
        &mut self.imports
    }
}

/// How long a call may take, by the clock and of the processor, and the settings that say so.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    pub wall_ms: u64,
    pub wall_setting: &'static str,
    pub cpu: CpuLimit,
}

/// How much of the processor's time a call may take.
#[derive(Debug, Clone, Copy)]
pub struct CpuLimit {
    pub ms: u64,
    pub setting: &'static str,
}

impl CallLimits {
    /// Returns the limits of a call that has effects.
    #[must_use]
    pub const fn of_call(limits: &Limits, wall_ms: u64, wall_setting: &'static str) -> Self {
        let cpu = CpuLimit { ms: limits.guest_cpu_ms, setting: "guest_cpu_ms" };
        Self { wall_ms, wall_setting, cpu }
    }

    /// Returns the limits of a call that decides and asks nobody.
    #[must_use]
    pub const fn of_hook(limits: &Limits) -> Self {
        let cpu = CpuLimit { ms: limits.hook_cpu_ms, setting: "hook_cpu_ms" };
        Self { wall_ms: limits.hook_call_ms, wall_setting: "hook_call_ms", cpu }
    }

    /// Returns the limits of a call that may ask others.
    #[must_use]
    pub const fn of_http_hook(limits: &Limits) -> Self {
        Self { wall_ms: limits.hook_http_call_ms, wall_setting: "hook_http_call_ms", ..Self::of_hook(limits) }
    }
}

/// When a call has to have answered.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    cpu: CpuLimit,
    pub(super) after_ms: u64,
    pub(super) setting: &'static str,
    ends: Instant,
    /// Whether the call has all the time that its kind may take.
    pub(super) is_whole: bool,
}

impl Deadline {
    /// Returns the deadline of a call that begins now.
    #[must_use]
    pub fn of(limits: CallLimits, time: Time) -> Self {
        let (after_ms, is_whole) = match time {
            Time::Whole => (limits.wall_ms, true),
            Time::Left(left) => (millis(left).min(limits.wall_ms), false),
        };
        let ends = Instant::now() + Duration::from_millis(after_ms);
        Self { cpu: limits.cpu, after_ms, setting: limits.wall_setting, ends, is_whole }
    }
}

/// What cut a guest off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOff {
    ByTrap,
    ByWallDeadline,
}

/// The types of a plugin's function.
type Function<Offered, Returned> = TypedFunc<(TraceContext, Offered), (Returned,)>;

/// An instance, and its function once that has been called: finding it and comparing its types takes longer than a call.
pub(super) struct Instantiated {
    instance: Instance,
    /// A [`Function`].
    function: Option<Box<dyn Any + Send>>,
}

impl Instantiated {
    const fn new(instance: Instance) -> Self {
        Self { instance, function: None }
    }

    fn function<Offered, Returned>(
        &mut self,
        store: &mut Store<GuestCall>,
        code: &Code,
    ) -> wasmtime::Result<Function<Offered, Returned>>
    where
        Offered: ComponentType + Lower + 'static,
        Returned: ComponentType + Lift + 'static,
    {
        if let Some(known) = self.function.as_ref().and_then(|known| known.downcast_ref()) {
            return Ok(*known);
        }
        let function: Function<Offered, Returned> = self.instance.get_typed_func(store, code.function)?;
        self.function = Some(Box::new(function));
        Ok(function)
    }
}

/// A guest under way: its store, its instance once there is one, and its bounds.
pub struct Guest<'a> {
    pub(super) store: Store<GuestCall>,
    /// The instance: there before the call if it answered one before, `None` after the guest was cut off.
    pub(super) instance: Option<Instantiated>,
    at: Installation,
    code: &'a Code,
    engine: &'a Engine,
    pub(super) deadline: Deadline,
    pub(super) cut_off: Option<CutOff>,
    /// How long the instance took to make, if this call made it.
    pub(super) instantiated_in: Option<Duration>,
}

impl std::fmt::Debug for Guest<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Guest").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'a> Guest<'a> {
    /// Returns a guest with a fresh store, in the pool that its code was compiled for. Every limit on it is set before any of
    /// its code runs, start functions included.
    #[must_use]
    pub fn fresh(
        at: Installation,
        code: &'a Code,
        imports: CallState,
        (engine, memory, limits): (&'a Engine, &Arc<MemoryPool>, &'a Limits),
        deadline: Deadline,
    ) -> Self {
        let mut guest = GuestCall { imports, memory: MemoryMeter::new(memory, limits) };
        guest.imports.set_end(deadline.ends);
        let mut store = Store::new(code.wasmtime(), guest);
        store.limiter_async(|guest| guest);
        store.set_max_component_handles(limits.component_handles);
        arm(&mut store, engine, limits, deadline.cpu);
        Self { store, instance: None, at, code, engine, deadline, cut_off: None, instantiated_in: None }
    }

    /// Returns a guest that has answered before, for its next call.
    pub(super) fn used(
        at: Installation,
        code: &'a Code,
        (mut store, instance): (Store<GuestCall>, Instantiated),
        mut imports: CallState,
        (engine, limits): (&'a Engine, &'a Limits),
        deadline: Deadline,
    ) -> Self {
        imports.set_end(deadline.ends);
        drop(imports.succeed(store.data_mut().call_state()));
        arm(&mut store, engine, limits, deadline.cpu);
        let guest = store.data();
        if guest.memory_bytes() >= BUSY_MEMORY_BYTES {
            guest.imports.guest_time().mark_busy();
        }
        Self { store, instance: Some(instance), at, code, engine, deadline, cut_off: None, instantiated_in: None }
    }

    /// Returns the state behind the guest's imports.
    pub fn imports(&mut self) -> &mut CallState {
        &mut self.store.data_mut().imports
    }

    /// Returns what the guest has reported so far.
    #[must_use]
    pub fn telemetry(&self) -> &CallSpans {
        &self.store.data().imports.telemetry
    }

    /// Returns the guest's linear memory, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().memory_bytes()
    }

    /// Instantiates the component, without calling it yet.
    ///
    /// # Errors
    /// What ended the guest.
    pub async fn instantiate(&mut self) -> Result<(), Failure> {
        let (time, bounds, ends) = self.bounds();
        let began = Instant::now();
        let instantiating = self.code.instance_pre.instantiate_async(&mut self.store);
        let answered = timeout_at(ends, cpu_limit::within(bounds, &time, instantiating)).await;
        self.instance = Some(Instantiated::new(self.answered(answered)?));
        self.instantiated_in = Some(began.elapsed());
        Ok(())
    }

    /// Checks that the function of an instance has these types.
    ///
    /// # Errors
    /// How it differs.
    pub fn check_types<Offered, Returned>(&mut self) -> wasmtime::Result<()>
    where
        Offered: ComponentType + Lower + 'static,
        Returned: ComponentType + Lift + 'static,
    {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        instance.function::<Offered, Returned>(&mut self.store, self.code).map(drop)
    }

    /// Calls the function, in a fresh instance if there is none yet. If the future is dropped, the guest must not be
    /// called again.
    ///
    /// # Errors
    /// What ended the guest before it answered.
    pub async fn call<Offered, Returned>(&mut self, offered: Offered) -> Result<Returned, Failure>
    where
        Offered: ComponentType + Lower + Send + Sync + 'static,
        Returned: ComponentType + Lift + Send + Sync + 'static,
    {
        let ctx = self.imports().telemetry.own_context();
        let (time, bounds, ends) = self.bounds();
        let asked = cpu_limit::within(bounds, &time, async {
            let mut instance = match self.instance.take() {
                Some(instance) => instance,
                None => {
                    let began = Instant::now();
                    let instance = Instantiated::new(self.code.instance_pre.instantiate_async(&mut self.store).await?);
                    self.instantiated_in = Some(began.elapsed());
                    instance
                }
            };
            let function = instance.function::<Offered, Returned>(&mut self.store, self.code)?;
            let (returned,) = function.call_async(&mut self.store, (ctx, offered)).await?;
            self.instance = Some(instance);
            Ok(returned)
        });
        let answered = timeout_at(ends, asked).await;
        self.answered(answered)
    }

    /// Returns what bounds the guest's time: its processor time, what that is compared with, and the end of the deadline.
    fn bounds(&self) -> (GuestTime, Bounds<'a>, Instant) {
        let time = self.store.data().imports.guest_time().clone();
        let bounds = Bounds { turns: self.engine.turns(), cpu: self.deadline.cpu, at_work: self.engine.at_work() };
        (time, bounds, self.deadline.ends)
    }

    fn answered<T>(&mut self, answered: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Failure> {
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.cut_off = Some(CutOff::ByTrap);
                Err(fault::failure(self.at, &error, self.deadline.cpu))
            }
            Err(_) => {
                self.cut_off = Some(CutOff::ByWallDeadline);
                let Deadline { after_ms, setting, .. } = self.deadline;
                Err(Fault { at: self.at, cause: Cause::Deadline { after_ms, setting } }.into())
            }
        }
    }
}

/// Drops the store and returns its data. Takes milliseconds if the guest's memory is large.
pub(super) fn emptied(store: Store<GuestCall>) -> GuestCall {
    let is_large = store.data().memory_bytes() >= BUSY_MEMORY_BYTES;
    if is_large && has_other_threads() { tokio::task::block_in_place(|| store.into_data()) } else { store.into_data() }
}

/// Sets the limits that count anew for each call.
fn arm(store: &mut Store<GuestCall>, engine: &Engine, limits: &Limits, cpu: CpuLimit) {
    store.set_hostcall_fuel(limits.hostcall_bytes);
    if engine.counts_fuel() {
        // It can't fail on such an engine, and without fuel the guest traps at once.
        _ = store.set_fuel(u64::MAX);
    }
    cpu_limit::arm(store, cpu, engine.samples());
}

/// Decides as the call's memory meter does. A guest that has grown large goes on as a busy one (`turns.rs`).
#[wasmtime_wasi::async_trait]
impl ResourceLimiterAsync for GuestCall {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grows = self.memory.memory_growing(current, desired, maximum)?;
        if self.memory_bytes() >= BUSY_MEMORY_BYTES && self.imports.guest_time().mark_busy() {
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
