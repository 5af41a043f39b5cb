//! An inventory plugin on the host's engine, its stock a number in memory: no order, no metric, nothing on disk.

use std::sync::Arc;

use crate::shop::OPENING_STOCK;
use opentelemetry::trace::SpanKind;
use till::{
    config::Limits,
    hooks::{Installation, Kind},
    imports::{
        self, CallState, Chance, HasCallState, Moment,
        bindings::{
            InventoryPluginPre, stock,
            types::{Shortage, StockLevel, StockLine, TraceContext},
        },
        telemetry::{CallSpans, End, GuestLog},
    },
    runtime::Engine,
    telemetry::{Tracer, names::span},
};
use wasmtime::{
    ResourceLimiter, Store,
    component::{Component, HasSelf, Linker},
};

/// Where guests run.
pub(crate) struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    limits: Limits,
    tracer: Tracer,
}

impl Sandbox {
    /// # Errors
    /// When the machine doesn't allow the engine's settings.
    pub(crate) fn new(limits: Limits, tracer: Tracer) -> anyhow::Result<Self> {
        let engine = Engine::new(&limits)?;
        let mut linker = Linker::new(&engine.wasmtime());
        imports::add_to_linker(&mut linker)?;
        linker.allow_shadowing(true);
        stock::add_to_linker::<Guest, HasSelf<Shelf>>(&mut linker, |guest| &mut guest.shelf)?;
        Ok(Self { engine, linker, limits, tracer })
    }

    /// Compiles a plugin.
    ///
    /// # Errors
    /// When it is no inventory plugin.
    pub(crate) fn load(&self, component: &[u8]) -> anyhow::Result<InventoryPluginPre<Guest>> {
        let component = Component::from_binary(&self.engine.wasmtime(), component)?;
        Ok(InventoryPluginPre::new(self.linker.instantiate_pre(&component)?)?)
    }

    /// Returns a store for a fresh instance, and the context of its first call.
    pub(crate) fn store(&self) -> (Store<Guest>, TraceContext) {
        let imports = self.imports();
        let ctx = imports.telemetry.own_context();
        let mut store = Store::new(&self.engine.wasmtime(), Guest { imports, shelf: Shelf, memory_bytes: 0 });
        store.limiter(|guest| guest);
        store.epoch_deadline_async_yield_and_update(1);
        self.arm(&mut store);
        (store, ctx)
    }

    /// Returns the context of one more call of the store's instance.
    #[allow(dead_code, clippy::allow_attributes, reason = "not every bench calls one again")]
    pub(crate) fn again(&self, store: &mut Store<Guest>) -> TraceContext {
        let imports = self.imports();
        let ctx = imports.telemetry.own_context();
        drop(imports.succeed(&mut store.data_mut().imports).telemetry.finish(End::Returned).0);
        self.arm(store);
        ctx
    }

    fn imports(&self) -> CallState {
        let span = self.tracer.start(span::INVENTORY, SpanKind::Internal, None, Vec::new());
        let spans = CallSpans::new(self.tracer.clone(), span, GuestLog::new("bench", &self.limits), &self.limits);
        CallState::new(
            Installation::of(Kind::Inventory),
            spans,
            Arc::default(),
            &Chance::Free,
            Moment::NONE,
            &self.limits,
        )
    }

    fn arm(&self, store: &mut Store<Guest>) {
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_epoch_deadline(1);
    }
}

/// What a store holds.
pub(crate) struct Guest {
    imports: CallState,
    shelf: Shelf,
    /// Linear memory.
    pub(crate) memory_bytes: usize,
}

impl Guest {
    /// Ends the call.
    pub(crate) fn end(self) {
        drop(self.imports.telemetry.finish(End::Returned).0);
    }
}

impl HasCallState for Guest {
    fn call_state(&mut self) -> &mut CallState {
        &mut self.imports
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.memory_bytes += desired - current;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

struct Shelf;

impl stock::Host for Shelf {
    async fn level(&mut self, _ctx: TraceContext, _item: String) -> wasmtime::Result<Option<u32>> {
        Ok(Some(OPENING_STOCK))
    }

    async fn take(
        &mut self,
        _ctx: TraceContext,
        lines: Vec<StockLine>,
    ) -> wasmtime::Result<Result<Vec<StockLevel>, Shortage>> {
        Ok(Ok(lines.into_iter().map(|line| StockLevel { item: line.item, remaining: OPENING_STOCK }).collect()))
    }
}
