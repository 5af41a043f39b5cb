//! Versions off to the side: their files, and those of them that are compiled and may be live at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Candidate, Engine, FileError, Kind, Plugin, Refused,
    admission::{Admitted, admit, digest_of},
    files::PluginFiles,
};
use crate::{
    config::{Limits, Settings},
    store::VersionText,
};

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
    limits: Limits,
    checkout_settings: BTreeMap<String, String>,
    inventory_settings: BTreeMap<String, String>,
    /// By their file's digest, the one used last at the end.
    compiled: Mutex<Vec<Compiled>>,
}

/// A plugin that is compiled.
#[derive(Debug, Clone)]
struct Compiled {
    admitted: Admitted,
    /// Of the name that its file had. It names the plugin if its metadata doesn't.
    stem: String,
}

impl Shelf {
    pub(super) fn new(settings: &Settings, engine: Arc<Engine>) -> Self {
        Self {
            engine,
            files: PluginFiles::new(&settings.server.data),
            limits: settings.limits.clone(),
            checkout_settings: settings.checkout_plugin.clone(),
            inventory_settings: settings.inventory_plugin.clone(),
            compiled: Mutex::default(),
        }
    }

    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Admits a candidate, keeps its file and what was compiled of it. One that is still compiled was admitted already.
    ///
    /// # Errors
    /// What is wrong with it, or that its file can't be kept.
    pub(super) async fn admit(&self, candidate: Candidate) -> Result<Admitted, ShelfError> {
        let (bytes, stem) = (candidate.bytes.clone(), candidate.stem.clone());
        let hashed = bytes.clone();
        let hashing = tokio::task::spawn_blocking(move || digest_of(&hashed));
        let digest = hashing.await.map_err(|_| FileError::CutOff)?;
        let admitted = match self.compiled(&digest).filter(|compiled| compiled.stem == stem) {
            Some(compiled) => compiled.admitted,
            None => admit(&self.engine, candidate, &self.limits).await?,
        };
        let files = self.files.clone();
        let keeping = tokio::task::spawn_blocking(move || files.keep(&digest, &bytes));
        keeping.await.unwrap_or(Err(FileError::CutOff))?;
        self.keep(admitted.clone(), stem);
        Ok(admitted)
    }

    /// Returns a version that was admitted before: at once if it is still compiled.
    ///
    /// # Errors
    /// When its file is gone or another by now, or isn't admitted any more.
    pub(super) async fn version(&self, text: &VersionText) -> Result<Plugin, ShelfError> {
        let admitted = match self.compiled(&text.digest) {
            Some(compiled) => compiled.admitted,
            None => {
                let (files, digest) = (self.files.clone(), text.digest.clone());
                let reading = tokio::task::spawn_blocking(move || files.read(&digest));
                let bytes = reading.await.unwrap_or(Err(FileError::CutOff))?;
                let source = format!("the {} plugin {}@{} that was deployed", text.kind, text.name, text.version);
                let admitted = admit(
                    &self.engine,
                    Candidate { source, stem: text.name.clone(), bytes: bytes.into() },
                    &self.limits,
                )
                .await?;
                self.keep(admitted.clone(), text.name.clone());
                admitted
            }
        };
        Ok(self.plugin(admitted, &text.settings))
    }

    /// Returns the plugin with what was set for it, over what the host's settings say.
    pub(super) fn plugin(&self, admitted: Admitted, set: &BTreeMap<String, String>) -> Plugin {
        let base = match admitted.identity().kind {
            Kind::Checkout => &self.checkout_settings,
            Kind::Inventory => &self.inventory_settings,
        };
        Plugin::new(admitted, set, base)
    }

    fn compiled(&self, digest: &str) -> Option<Compiled> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().find(|compiled| compiled.admitted.identity().digest == digest).cloned()
    }

    fn keep(&self, admitted: Admitted, stem: String) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|kept| kept.admitted.identity().digest != admitted.identity().digest);
        compiled.push(Compiled { admitted, stem });
        if compiled.len() > KEPT_MAX {
            compiled.remove(0);
        }
    }
}
