//! Plugin versions: their admission, the live ones, rollouts of new ones, and swaps while requests are served.
//!
//! A request pins one [`Snapshot`] and makes all its plugin calls on that snapshot ([`Plugin::call`]). The code here is
//! the same for every kind of plugin: it is generic over [`crate::hooks::Hook`], or loops over the kinds.

mod admission;
mod catalogue;
mod files;
mod folder;
mod followed;
mod plugin;
mod provenance;
mod registry;
mod release_memory;
pub mod rollout;
mod source;
mod start;
mod supervise;
mod swap;
mod tags;
mod vetting;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{Arc, atomic::AtomicU64},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::sync::Mutex;

pub(crate) use admission::advice_on;
pub use admission::{
    Admitted, BadCases, Cases, Checked, Configured, Interfaces, Reason, Refused, Trial, admit,
    case::{BadCase, Case, Expected, OUTCOMES, Recorded},
    check, compile_only, examine, examine_vetted, interfaces, kind_of, sound_label,
};
pub use catalogue::{Catalogue, CatalogueError};
pub use files::{FileError, PluginFiles};
pub use folder::Watcher;
pub use plugin::Plugin;
pub use provenance::{Package, Producer, Provenance};
pub use registry::{Pinned, Registry, Snapshot};
pub use source::{Candidate, built_in, built_in_bytes, from_folder};
pub use swap::{
    ApprovalError, Author, Became, Changes, Decision, How, InstallError, Placed, RolloutChange, SwapError, Swapped,
    When,
};
pub use tags::{TagWatcher, Tags};

use registry::Published;
use rollout::{BadPlan, Mode, Plan, PlanChanges, Rollout};

use crate::{
    config::{self, Settings},
    hooks::{Kind, Rules},
    imports::Chance,
    recordings::Recordings,
    runtime::{CodeCache, Compiler, Engine, MemoryPool, Role, Runtime, Totals, digest_of},
    store::{Store, VersionText},
    telemetry::{Telemetry, traces::Tracer},
    trust::{Entry, Trust},
};

/// The folder of compiled code, beside the order store.
pub(crate) const COMPILED: &str = "compiled";

/// The two-person rule.
#[derive(Debug, Clone, Copy)]
struct Approval {
    is_on: bool,
    /// The largest share of the requests that a canary may have before a second person has promoted it, in percent.
    canary_percent_max: f64,
}

impl Approval {
    const fn of(settings: &config::Plugins) -> Self {
        Self { is_on: settings.approval, canary_percent_max: settings.approval_canary_percent_max }
    }
}

/// Holds the plugin versions of this process, the live ones among them, and what their calls need. One per process.
#[derive(Debug)]
pub struct Plugins {
    runtime: Runtime,
    registry: Registry,
    catalogue: Catalogue,
    /// The digests of the plugin folder's files at the start, by their names.
    started_with: BTreeMap<OsString, String>,
    /// Held while what is live is changed, so that there is one change at a time.
    changing: Mutex<()>,
    /// The rollout that ended last, for [`Plugins::rollout`].
    ended: ArcSwapOption<Rollout>,
    rollout_rules: config::Rollout,
    approval: Approval,
    /// Whether the previous version becomes live when the live version's breaker opens.
    breaker_rolls_back: bool,
    rules: Rules,
    store: Store,
    /// The recordings of calls; `None` if none are kept.
    recordings: Option<Recordings>,
    /// The epoch of the plugins of a shared store that is live here.
    followed: AtomicU64,
}

impl Plugins {
    /// Admits what was live when the host stopped, or what the settings name. Takes tens of milliseconds for each Rust
    /// plugin, seconds for a large plugin.
    ///
    /// # Errors
    /// Says which plugin is refused, and why.
    pub async fn load(settings: &Settings, store: Store, telemetry: &Telemetry) -> anyhow::Result<Arc<Self>> {
        let engine = Arc::new(Engine::with(&settings.limits, compiler(settings)?)?);
        let trust = Arc::new(Trust::of(&settings.trust)?);
        let catalogue = Catalogue::new(settings, engine, &store, trust);
        let (snapshot, started_with) = start::snapshot(settings, &store, &catalogue).await?;
        let rollout = start::rollout(&settings.limits, &store, &catalogue).await?;
        let published = Published::new(&snapshot, rollout)?;
        let chance = settings.plugins.random_seed.map_or(Chance::Free, Chance::Fixed);
        let recordings = Recordings::of(settings);
        let plugins =
            Self { started_with, recordings, ..Self::of(settings, catalogue, published, chance, store, telemetry) };
        plugins.show_nothing_yet();
        plugins.show_loaded();
        plugins.warn_of_mistyped(settings).await;
        Ok(Arc::new(plugins))
    }

    /// Returns plugins of which this snapshot is live, for a rehearsal, which swaps nothing.
    ///
    /// # Errors
    /// When a plugin's name can't stand in a header; admission lets no such name through.
    pub fn of_snapshot(
        settings: &Settings,
        catalogue: Catalogue,
        snapshot: &Snapshot,
        chance: Chance,
        store: Store,
        telemetry: &Telemetry,
    ) -> anyhow::Result<Arc<Self>> {
        let published = Published::new(snapshot, None)?;
        Ok(Arc::new(Self::of(settings, catalogue, published, chance, store, telemetry)))
    }

    fn of(
        settings: &Settings,
        catalogue: Catalogue,
        published: Published,
        chance: Chance,
        store: Store,
        telemetry: &Telemetry,
    ) -> Self {
        let runtime = Runtime {
            engine: catalogue.engine(),
            memory: catalogue.memory(),
            limits: settings.limits.clone(),
            chance,
            tracer: telemetry.tracer().clone(),
            tracer_off: Tracer::off(),
            metrics: telemetry.metrics().clone(),
        };
        Self {
            runtime,
            registry: Registry::new(published),
            catalogue,
            started_with: BTreeMap::new(),
            changing: Mutex::new(()),
            ended: ArcSwapOption::empty(),
            rollout_rules: settings.rollout.clone(),
            approval: Approval::of(&settings.plugins),
            breaker_rolls_back: settings.breaker.rollback,
            rules: Rules::of(settings),
            store,
            recordings: None,
            followed: AtomicU64::new(0),
        }
    }

    #[must_use]
    pub const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Returns the shop's rules that answers have to keep.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    /// Returns the recordings of calls; `None` if none are kept.
    #[must_use]
    pub const fn recordings(&self) -> Option<&Recordings> {
        self.recordings.as_ref()
    }

    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns what is live now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.registry.live()
    }

    /// Returns the plugins for a request, which pins them once and uses them to its end. The same key gets the same
    /// plugins until something is published.
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

    /// Returns the plan of a rollout: the host's settings with these changes.
    ///
    /// # Errors
    /// Says which value can't be used.
    pub fn plan(&self, mode: Mode, changes: PlanChanges) -> Result<Plan, BadPlan> {
        let mut plan = Plan::new(mode, &self.rollout_rules, changes)?;
        // Gates are nobody's second person.
        plan.gates.promote &= !self.approval.is_on;
        Ok(plan)
    }

    /// Exports the counters that alerts read as 0 at the start: a counter that first appears as 1 shows no increase.
    fn show_nothing_yet(&self) {
        for kind in Kind::ALL.map(Kind::as_str) {
            self.runtime.metrics.breakers_opened(kind, 0);
            self.runtime.metrics.plugin_swaps(kind, Became::Live.as_str(), 0);
        }
    }

    fn show_loaded(&self) {
        let live = self.registry.live();
        let rollout = self.registry.rollout();
        let tried = rollout.as_ref().map(|rollout| rollout.to_metric());
        let loaded = live.identities().map(|identity| identity.to_metric(Role::Live)).chain(tried).collect();
        self.runtime.metrics.set_plugins(loaded);
    }

    /// Returns the bytes of the file of that digest.
    ///
    /// # Errors
    /// When the file is missing or was changed.
    pub async fn file(&self, digest: &str) -> Result<Vec<u8>, FileError> {
        match Kind::ALL.into_iter().map(source::built_in_bytes).find(|bytes| digest_of(bytes) == digest) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => self.catalogue.file(digest).await,
        }
    }

    /// Judges a file that is only called, and becomes no version, by the host's trust file.
    ///
    /// # Errors
    /// Why it isn't trusted.
    pub async fn vet(&self, source: &str, bytes: Bytes, entry: Entry) -> Result<(), Refused> {
        self.catalogue.vet(source, bytes, entry).await.map(drop)
    }

    /// Returns what a version's file says of how it was made; `None` if the file is gone.
    pub async fn provenance(&self, version: &VersionText) -> Option<Provenance> {
        let (bytes, kind) = (self.file(&version.digest).await.ok()?, version.at.kind);
        tokio::task::spawn_blocking(move || Provenance::of(&bytes, kind)).await.ok()
    }

    /// Returns how a version's calls ended since the host started; `None` if it wasn't loaded since, or if many others were.
    #[must_use]
    pub fn totals(&self, text: &VersionText) -> Option<Totals> {
        self.catalogue.totals(text)
    }

    /// Returns whose plugins are taken.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        self.catalogue.trust()
    }

    #[must_use]
    pub const fn tracer(&self) -> &Tracer {
        &self.runtime.tracer
    }

    /// Returns for each kind whether the live plugin's breaker is open.
    #[must_use]
    pub fn breakers_open(&self) -> Vec<(&'static str, bool)> {
        let is_open = |plugin: &Plugin| (plugin.identity().at.kind.as_str(), !plugin.is_let_through());
        self.registry.live().plugins().map(is_open).collect()
    }

    #[must_use]
    pub fn memory(&self) -> Arc<MemoryPool> {
        Arc::clone(&self.runtime.memory)
    }
}

fn compiler(settings: &Settings) -> anyhow::Result<Compiler> {
    let Some(program) = &settings.server.compile_with else { return Ok(Compiler::in_process()) };
    let kept = CodeCache::open(&settings.server.data.join(COMPILED))?;
    Ok(Compiler::with_child(program.clone()).keeping(kept))
}
