//! Versions off to the side: their files, and those of them that are compiled and may be live at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Candidate, Engine, FileError, Plugin, Refused,
    admission::{Admitted, Examined, admit, examine, probe},
    files::PluginFiles,
};
use crate::{config::Settings, store::VersionText};

/// Compiled plugins that are kept beside the live ones. Each costs some megabytes of code.
const KEPT_MAX: usize = 8;

/// Why a version that was there can't be had again.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The files and the compiled plugins.
#[derive(Debug)]
pub(super) struct Shelf {
    engine: Arc<Engine>,
    files: PluginFiles,
    settings: Settings,
    /// By their file's digest, the one used last at the end.
    compiled: Mutex<Vec<Admitted>>,
}

impl Shelf {
    pub(super) fn new(settings: &Settings, engine: Arc<Engine>) -> Self {
        Self {
            engine,
            files: PluginFiles::new(&settings.server.data),
            settings: settings.clone(),
            compiled: Mutex::default(),
        }
    }

    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Admits a candidate with what is set for it, keeps its file and what was compiled of it.
    ///
    /// # Errors
    /// What is wrong with it, or that its file can't be kept.
    pub(super) async fn admit(&self, examined: Examined, set: &BTreeMap<String, String>) -> Result<Plugin, ShelfError> {
        let bytes = examined.bytes.clone();
        let plugin = admit(&self.engine, examined, &self.settings, set).await?;
        let (files, digest) = (self.files.clone(), plugin.identity().digest.clone());
        let keeping = tokio::task::spawn_blocking(move || files.keep(&digest, &bytes));
        keeping.await.unwrap_or(Err(FileError::CutOff))?;
        self.keep(plugin.admitted());
        Ok(plugin)
    }

    /// Returns a version that was admitted before: at once if it is still compiled.
    ///
    /// # Errors
    /// When its file is gone or another by now, or isn't admitted any more.
    pub(super) async fn version(&self, text: &VersionText) -> Result<Plugin, ShelfError> {
        if let Some(admitted) = self.compiled(&text.digest) {
            // It was live with these settings, or it would be no version.
            return Ok(Plugin::new(admitted, &text.settings, &self.settings));
        }
        let (files, digest) = (self.files.clone(), text.digest.clone());
        let reading = tokio::task::spawn_blocking(move || files.read(&digest));
        let bytes = reading.await.unwrap_or(Err(FileError::CutOff))?;
        let source = format!("the {} plugin {}@{} that was deployed", text.kind, text.name, text.version);
        let candidate = Candidate { source, stem: text.name.clone(), bytes: bytes.into() };
        let examined = examine(candidate, &self.settings.limits).await?;
        let plugin = admit(&self.engine, examined, &self.settings, &text.settings).await?;
        self.keep(plugin.admitted());
        Ok(plugin)
    }

    /// Returns the plugin with other settings, if it can be called with them.
    ///
    /// # Errors
    /// How it fails with them.
    pub(super) async fn with_settings(
        &self,
        plugin: &Plugin,
        set: &BTreeMap<String, String>,
    ) -> Result<Plugin, Refused> {
        let plugin = Plugin::new(plugin.admitted(), set, &self.settings);
        probe(&self.engine, &plugin, &self.settings).await?;
        Ok(plugin)
    }

    fn compiled(&self, digest: &str) -> Option<Admitted> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().find(|admitted| admitted.identity().digest == digest).cloned()
    }

    fn keep(&self, admitted: Admitted) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|kept| kept.identity().digest != admitted.identity().digest);
        compiled.push(admitted);
        if compiled.len() > KEPT_MAX {
            compiled.remove(0);
        }
    }
}
