//! Plugins: loading, admitting and calling them.
//!
//! A request pins one [`Snapshot`] and makes all its calls on it. Every call runs in a fresh instance and store
//! (`call.rs`), or in one that was used before (`reuse.rs`), under the limits of `config.rs`; what a call may reach is in
//! [`crate::imports`].

mod admission;
pub mod bindings;
mod breaker;
pub mod call;
mod engine;
mod failure;
mod files;
mod folder;
mod limits;
mod load;
mod loaded;
mod outcomes;
pub mod pack;
mod registry;
pub mod rehearsal;
mod rest;
mod reuse;
pub mod rollout;
mod room;
mod shadow;
mod shelf;
mod start;
mod supervise;
mod swap;
pub mod template;
mod turns;
mod watch;
pub mod wit;

use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

pub(crate) use admission::digest_of;
pub use admission::{
    Admitted, BadCases, Cases, Checked, Compiler, Job as CompileJob, Kept, Live, PACKAGE, Reason, Refused, Trial,
    VERSION, admit, check, examine, sound_label,
};
pub use engine::{CodeLimits, Engine};
pub use failure::{Cause, Failure, Fault, Undecided};
pub use files::FileError;
pub use limits::MemoryPool;
pub use load::{Candidate, embedded, embedded_bytes, from_folder};
pub use loaded::{Identity, Loaded, Numbered, Plugin, Role};
pub use outcomes::{Counts, MINUTES as OUTCOME_MINUTES};
pub use registry::{Pinned, Registry, Snapshot};
pub use room::{Room, Shrunk, fitted};
pub use shelf::ShelfError;
pub use swap::{Became, Changes, How, RolloutChange, SwapError, Swapped, When};
pub use watch::Watcher;

use registry::Published;
use rollout::{BadPlan, Mode, Plan, PlanChanges, Rollout};
use shelf::Shelf;

pub use crate::store::PluginKind as Kind;
use crate::{
    config::{self, Limits, Settings},
    imports::Chance,
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
    /// The rollout that ended last, to be looked at.
    ended: ArcSwapOption<Rollout>,
    rollout_rules: config::Rollout,
    /// Whether the version before becomes live when the live one's breaker opens.
    breaker_rolls_back: bool,
    memory: Arc<MemoryPool>,
    limits: Limits,
    discount_max_percent: u8,
    chance: Chance,
    store: Store,
    tracer: Tracer,
    /// Of instances at rest.
    nowhere: Tracer,
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
        let rollout = start::rollout(&settings.limits, &store, &shelf).await?;
        let published = Published::new(&snapshot, rollout)?;
        let chance = settings.plugins.random_seed.map_or(Chance::Free, Chance::Fixed);
        let plugins = Self { started_with, ..Self::of(settings, shelf, published, chance, store, telemetry) };
        plugins.show_nothing_yet();
        plugins.show_loaded();
        Ok(Arc::new(plugins))
    }

    fn of(
        settings: &Settings,
        shelf: Shelf,
        published: Published,
        chance: Chance,
        store: Store,
        telemetry: &Telemetry,
    ) -> Self {
        Self {
            engine: shelf.engine(),
            memory: shelf.memory(),
            registry: Registry::new(published),
            shelf,
            started_with: BTreeMap::new(),
            changing: Mutex::new(()),
            ended: ArcSwapOption::empty(),
            rollout_rules: settings.rollout.clone(),
            breaker_rolls_back: settings.breaker.rollback,
            limits: settings.limits.clone(),
            discount_max_percent: settings.checkout.discount_max_percent,
            chance,
            store,
            tracer: telemetry.tracer().clone(),
            nowhere: Tracer::off(),
            metrics: telemetry.metrics().clone(),
        }
    }

    /// Returns what is live now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.registry.live()
    }

    /// Returns the plugins of a request, which takes them once and keeps them. The same key gets the same ones, as long
    /// as nothing changes.
    #[must_use]
    pub fn pin(&self, key: &[u8]) -> Pinned {
        self.registry.pin(key)
    }

    /// Returns the live plugins, for a request that calls none.
    #[must_use]
    pub fn pin_live(&self) -> Pinned {
        self.registry.pin_live()
    }

    /// Returns the rollout that isn't over, else the one that ended last since the host started.
    #[must_use]
    pub fn rollout(&self) -> Option<Arc<Rollout>> {
        self.registry.rollout().or_else(|| self.ended.load_full())
    }

    /// Returns the plan of a rollout with the host's settings, but for the changes.
    ///
    /// # Errors
    /// What of it makes no sense.
    pub fn plan(&self, mode: Mode, changes: PlanChanges) -> Result<Plan, BadPlan> {
        Plan::new(mode, &self.rollout_rules, changes)
    }

    /// Shows the counters that an alert asks for before there is anything to count: what appears with 1 never grew.
    fn show_nothing_yet(&self) {
        for kind in [Kind::Checkout, Kind::Inventory].map(Kind::as_str) {
            self.metrics.breakers_opened(kind, 0);
            self.metrics.plugin_swaps(kind, Became::Live.as_str(), 0);
        }
    }

    fn show_loaded(&self) {
        let live = self.registry.live();
        let rollout = self.registry.rollout();
        let tried = rollout.as_ref().map(|rollout| rollout.to_metric());
        let loaded = live.identities().map(|identity| identity.to_metric(Role::Live)).chain(tried).collect();
        self.metrics.set_plugins(loaded);
    }

    #[must_use]
    pub const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Returns for each kind whether the live plugin isn't called for a while.
    #[must_use]
    pub fn breakers_open(&self) -> [(&'static str, bool); 2] {
        let live = self.registry.live();
        let (checkout, inventory) = (live.checkout.breaker.is_open(), live.inventory.breaker.is_open());
        [(Kind::Checkout.as_str(), checkout.is_some()), (Kind::Inventory.as_str(), inventory.is_some())]
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
