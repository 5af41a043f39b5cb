//! Plugins: loading, admitting and calling them.
//!
//! A request pins one [`Snapshot`] and makes all its calls on it. Every call runs in a fresh instance and store
//! (`call.rs`), under the limits of `config.rs`; what a call may reach is in [`crate::imports`].

mod admission;
pub mod call;
mod engine;
mod failure;
mod files;
mod folder;
mod limits;
mod load;
mod registry;
mod shelf;
mod start;
mod swap;
mod watch;

use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

use tokio::sync::Mutex;

pub use admission::{Admitted, Compiler, Job as CompileJob, Kept, Reason, Refused, admit};
pub use engine::Engine;
pub use failure::{Cause, Failure, Fault};
pub use files::FileError;
pub use limits::MemoryPool;
pub use load::{Candidate, embedded, embedded_bytes, from_folder};
pub use registry::{Identity, Loaded, Plugin, Registry, Snapshot};
pub use shelf::ShelfError;
pub use swap::{Changes, SwapError, Swapped};
pub use watch::Watcher;

use shelf::Shelf;

pub use crate::store::PluginKind as Kind;
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
    shelf: Shelf,
    /// The digests of the plugin folder's files at the start, by their names.
    started_with: BTreeMap<OsString, String>,
    /// Whoever has it may change what is live.
    changing: Mutex<()>,
    memory: Arc<MemoryPool>,
    limits: Limits,
    discount_max_percent: u8,
    store: Store,
    tracer: Tracer,
    metrics: Metrics,
}

impl Plugins {
    /// Admits what was live when the host stopped, or what the settings name. Takes tens of milliseconds a Rust plugin,
    /// seconds for large ones.
    ///
    /// # Errors
    /// Says which plugin is refused, and why.
    pub async fn load(settings: &Settings, store: Store, telemetry: &Telemetry) -> anyhow::Result<Arc<Self>> {
        let engine = Arc::new(Engine::with(&settings.limits, compiler(settings)?)?);
        let shelf = Shelf::new(settings, engine);
        let (snapshot, started_with) = start::snapshot(settings, &store, &shelf).await?;
        let metrics = telemetry.metrics().clone();
        metrics.set_plugins(snapshot.identities().map(Identity::to_metric).collect());
        Ok(Arc::new(Self {
            engine: shelf.engine(),
            registry: Registry::new(snapshot),
            shelf,
            started_with,
            changing: Mutex::new(()),
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
