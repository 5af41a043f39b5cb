//! The versions that can become live: their files, and the compiled code of some, which can be live at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Candidate, FileError, Plugin, Refused,
    admission::{self, Admitted, Examined, Trial, admit},
    files::PluginFiles,
    vetting::Arrival,
};
use crate::{
    config::Settings,
    runtime::{Breakers, Engine, IdlePlaces, MemoryPool, Totals, digest_of_settings},
    store::{Store, StoreError, VersionText},
    trust::Trust,
};
use parking_lot::Mutex;

/// How many compiled plugins are kept, the live ones included. Each costs some megabytes of code.
const KEPT_MAX: usize = 8;

/// Why a version that was admitted before can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The files and the compiled plugins.
#[derive(Debug)]
pub struct Catalogue {
    engine: Arc<Engine>,
    /// Where files are that other hosts have admitted.
    pub(super) store: Store,
    files: PluginFiles,
    pub(super) settings: Settings,
    pub(super) trust: Arc<Trust>,
    breakers: Breakers,
    idle_places: Arc<IdlePlaces>,
    memory: Arc<MemoryPool>,
    /// The compiled plugins, one per file, the one that was admitted last at the end.
    compiled: Mutex<Vec<Admitted>>,
}

impl Catalogue {
    #[must_use]
    pub fn new(settings: &Settings, engine: Arc<Engine>, store: &Store, trust: Arc<Trust>) -> Self {
        let memory = MemoryPool::new(&settings.limits);
        Self {
            engine,
            store: store.clone(),
            files: PluginFiles::new(&settings.server.data),
            settings: settings.clone(),
            trust,
            breakers: Breakers::new(settings.breaker.clone()),
            idle_places: IdlePlaces::new(&settings.limits, &memory),
            memory,
            compiled: Mutex::default(),
        }
    }

    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    pub(super) fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.trust)
    }

    /// Returns the memory budget that calls and idle instances share.
    pub(super) fn memory(&self) -> Arc<MemoryPool> {
        Arc::clone(&self.memory)
    }

    /// Admits a candidate with what is `set` for it, and keeps its file and its compiled code. A candidate that is
    /// already compiled is only tried again.
    ///
    /// # Errors
    /// Says what is wrong with the candidate, or that its file can't be kept.
    pub(super) async fn admit(
        &self,
        examined: Examined,
        set: &BTreeMap<String, String>,
        trial: Trial<'_>,
    ) -> Result<Admitted, CatalogueError> {
        let bytes = examined.bytes.clone();
        let admitted = match self.compiled(&examined.identity.digest) {
            Some(compiled) => {
                let admitted = compiled.known_as(examined.identity);
                self.probe(&admitted, set, trial).await?;
                admitted
            }
            None => admit(&self.engine, examined, &self.settings, set, trial).await?,
        };
        let (files, digest) = (self.files.clone(), admitted.identity().digest.clone());
        self.store.keep_plugin_file(&digest, &bytes).await.map_err(FileError::Shared)?;
        let keeping = tokio::task::spawn_blocking(move || files.keep(&digest, &bytes));
        keeping.await.unwrap_or(Err(FileError::CutOff))?;
        self.keep(admitted.clone());
        Ok(admitted)
    }

    /// Tries a plugin with what is `set` for it.
    ///
    /// # Errors
    /// Says how the plugin fails.
    pub(super) async fn probe(
        &self,
        admitted: &Admitted,
        set: &BTreeMap<String, String>,
        trial: Trial<'_>,
    ) -> Result<(), Refused> {
        admission::probe(&self.engine, admitted, &self.settings, set, trial).await
    }

    /// Returns the settings that a plugin asks for in the calls of a trial, with what is `set` for it.
    pub(super) async fn asked_settings(&self, admitted: &Admitted, set: &BTreeMap<String, String>) -> BTreeSet<String> {
        admission::asked_settings(&self.engine, admitted, &self.settings, set).await
    }

    /// Returns the bytes of the file that a plugin was made of.
    ///
    /// # Errors
    /// When the file is missing or was changed.
    pub(super) async fn file(&self, digest: &str) -> Result<Vec<u8>, FileError> {
        let (files, wanted) = (self.files.clone(), digest.to_owned());
        let reading = tokio::task::spawn_blocking(move || files.read(&wanted));
        let missing = match reading.await.unwrap_or(Err(FileError::CutOff)) {
            Ok(bytes) => return Ok(bytes),
            Err(missing) => missing,
        };
        let Some(bytes) = self.store.plugin_file(digest).await.map_err(FileError::Shared)? else { return Err(missing) };
        let (files, wanted) = (self.files.clone(), digest.to_owned());
        let keeping = tokio::task::spawn_blocking(move || {
            files.keep(&wanted, &bytes)?;
            // Checks its digest.
            files.read(&wanted)
        });
        keeping.await.unwrap_or(Err(FileError::CutOff))
    }

    /// Replaces the engine's pool by a fresh one, and drops what was compiled for the old one.
    ///
    /// # Errors
    /// When there is no address space for two pools at the same time.
    pub(super) fn renew_pool(&self) -> anyhow::Result<()> {
        self.engine.renew()?;
        self.compiled.lock().clear();
        Ok(())
    }

    /// Returns the plugin with its code loaded into the engine's current pool.
    ///
    /// # Errors
    /// As [`Catalogue::version`].
    pub(super) async fn moved(&self, plugin: &Plugin) -> Result<Plugin, CatalogueError> {
        let bytes = self.file(&plugin.identity().digest).await?;
        let compiled_mib = self.settings.limits.compiled_mib;
        let admitted = admission::again(&self.engine, &plugin.admitted(), bytes.into(), compiled_mib).await?;
        self.keep(admitted.clone());
        Ok(plugin.moved(admitted))
    }

    /// Returns a version that was admitted before: at once if its compiled code is still kept.
    ///
    /// # Errors
    /// When the file is missing, was changed, or isn't admitted any more.
    pub(super) async fn version(&self, text: &VersionText) -> Result<Plugin, CatalogueError> {
        let admitted = match self.compiled(&text.digest) {
            Some(admitted) => {
                self.check_still_trusted(admitted.identity()).await?;
                admitted.installed_at(text.at)
            }
            None => {
                let bytes = self.file(&text.digest).await?;
                let source = format!("the {} plugin {}@{} that was deployed", text.at, text.name, text.version);
                let candidate = Candidate { source, stem: text.name.clone(), bytes: bytes.into() };
                let examined = self.examine(candidate, Arrival::Kept).await?.installed_at(text.at);
                let admitted = admit(&self.engine, examined, &self.settings, &text.settings, Trial::Again).await?;
                self.keep(admitted.clone());
                admitted
            }
        };
        Ok(self.plugin(admitted, &text.settings))
    }

    /// Returns the plugin with what is `set` for it over the host's settings.
    pub fn plugin(&self, admitted: Admitted, set: &BTreeMap<String, String>) -> Plugin {
        Plugin::new(admitted, set, &self.settings, &self.idle_places, |identity| self.breakers.of(identity))
    }

    /// Returns how a version's calls ended since the host started; `None` if it wasn't loaded since, or if many others were.
    pub(super) fn totals(&self, text: &VersionText) -> Option<Totals> {
        let settings_digest = digest_of_settings(&text.settings);
        self.breakers.known(text.at, &text.digest, settings_digest.as_ref()).map(|breaker| breaker.totals())
    }

    fn compiled(&self, digest: &str) -> Option<Admitted> {
        let compiled = self.compiled.lock();
        compiled.iter().find(|admitted| admitted.identity().digest == digest).cloned()
    }

    fn keep(&self, admitted: Admitted) {
        let mut compiled = self.compiled.lock();
        compiled.retain(|kept| kept.identity().digest != admitted.identity().digest);
        compiled.push(admitted);
        if compiled.len() > KEPT_MAX {
            compiled.remove(0);
        }
    }
}
