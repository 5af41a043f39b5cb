//! Plugins: loading, admitting and calling them.
//!
//! A request pins one [`Snapshot`] and makes all its calls on it. Every call runs in a fresh instance and store
//! (`call.rs`), under the limits of `config.rs`; what a call may reach is in [`crate::imports`].

mod admission;
pub mod call;
mod engine;
mod failure;
mod limits;
mod load;
mod registry;

use std::sync::Arc;

pub use admission::{Admitted, Compiler, Job as CompileJob, Kept, Reason, Refused, admit};
pub use engine::Engine;
pub use failure::{Cause, Failure, Fault};
pub use limits::MemoryPool;
pub use load::{Candidate, embedded, embedded_bytes, from_folder};
pub use registry::{Identity, Kind, Loaded, Registry, Snapshot};

use crate::{
    config::{Limits, Settings},
    store::Store,
    telemetry::{Telemetry, metrics::Metrics, traces::Tracer},
};

/// The folder of compiled code, beside the order store.
const COMPILED: &str = "compiled";

/// What a call needs besides its snapshot. One a process.
#[derive(Debug)]
pub struct Plugins {
    engine: Arc<Engine>,
    registry: Registry,
    memory: Arc<MemoryPool>,
    limits: Limits,
    discount_max_percent: u8,
    store: Store,
    tracer: Tracer,
    metrics: Metrics,
}

impl Plugins {
    /// Admits the plugins of the settings, or the built-in ones. Takes tens of milliseconds a Rust plugin, seconds for
    /// large ones.
    ///
    /// # Errors
    /// Says which plugin is refused, and why.
    pub async fn load(settings: &Settings, store: Store, telemetry: &Telemetry) -> anyhow::Result<Arc<Self>> {
        let engine = Arc::new(Engine::with(&settings.limits, compiler(settings)?)?);
        let candidates = match &settings.server.plugins {
            Some(folder) => from_folder(folder, &settings.limits)?,
            None => embedded(),
        };
        let snapshot = Snapshot::of_candidates(&engine, candidates, settings).await?;
        let metrics = telemetry.metrics().clone();
        metrics.set_plugins(snapshot.identities().map(Identity::to_metric).collect());
        Ok(Arc::new(Self {
            engine,
            registry: Registry::new(snapshot),
            memory: MemoryPool::new(&settings.limits),
            limits: settings.limits.clone(),
            discount_max_percent: settings.checkout.discount_max_percent,
            store,
            tracer: telemetry.tracer().clone(),
            metrics,
        }))
    }

    /// Returns what is live now; a request takes it once and keeps it.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.registry.live()
    }

    #[must_use]
    pub const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    #[must_use]
    pub fn memory(&self) -> Arc<MemoryPool> {
        Arc::clone(&self.memory)
    }
}

fn compiler(settings: &Settings) -> anyhow::Result<Compiler> {
    let Some(program) = &settings.server.compile_with else { return Ok(Compiler::in_process()) };
    let kept = Kept::open(&settings.server.data.join(COMPILED))?;
    Ok(Compiler::with_child(program.clone()).keeping(kept))
}
