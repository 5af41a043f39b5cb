//! The catalogue that requests see: read from the store at the start, replaced by an import, followed when another host has imported.
//!
//! Invariant: what is seen is whole, and is in the store. A request keeps the catalogue that it began with.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Settings,
    facts::{BadFile, BadStored, Catalogue, CatalogueTooLarge, Changes, ImportForm, ImportedFile, Restored},
    order::Currency,
    store::{Store, StoreError, StoredCatalogue},
    units::MIB,
};

/// How often the host looks whether another one has imported.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// How often an import is tried over what other hosts have imported meanwhile.
const TRIES: usize = 3;

/// Why a file wasn't imported. The catalogue is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    File(#[from] BadFile),
    #[error(transparent)]
    TooLarge(#[from] CatalogueTooLarge),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stored(#[from] BadStored),
    #[error("the import was cut off; import again")]
    CutOff,
}

/// The live catalogue. One for each host.
#[derive(Debug)]
pub struct LiveCatalogue {
    store: Store,
    currency: Currency,
    bytes_max: usize,
    now: ArcSwap<Published>,
    /// Held by whoever publishes, so that a newer catalogue isn't replaced by an older one.
    publishing: Mutex<()>,
}

/// A catalogue with its epoch in the store.
#[derive(Debug)]
struct Published {
    epoch: u64,
    catalogue: Arc<Catalogue>,
}

impl LiveCatalogue {
    /// Reads the catalogue from the store.
    ///
    /// # Errors
    /// If it can't be read, or takes more memory than it may.
    pub async fn open(settings: &Settings, store: Store) -> anyhow::Result<Arc<Self>> {
        let (currency, bytes_max) = (settings.shop.currency, settings.limits.catalogue_mib * MIB);
        let stored = store.catalogue().await.context("read the catalogue from the store")?;
        let now = published(stored, currency, bytes_max).await?;
        Ok(Arc::new(Self { store, currency, bytes_max, now: ArcSwap::from_pointee(now), publishing: Mutex::default() }))
    }

    /// Returns the currency of the prices.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Returns the catalogue as it is now.
    #[must_use]
    pub fn now(&self) -> Arc<Catalogue> {
        Arc::clone(&self.now.load().catalogue)
    }

    /// Replaces the catalogue by what a file says, or merges the file into it. Durable when it returns. If the future is dropped, the
    /// import goes on.
    ///
    /// # Errors
    /// Says what is wrong with the file, or why it couldn't be stored.
    pub async fn import(
        self: &Arc<Self>,
        form: ImportForm,
        file: Bytes,
        is_merged: bool,
    ) -> Result<Changes, ImportError> {
        let live = Arc::clone(self);
        let importing = tokio::spawn(async move { live.import_to_its_end(form, file, is_merged).await });
        importing.await.unwrap_or(Err(ImportError::CutOff))
    }

    async fn import_to_its_end(&self, form: ImportForm, file: Bytes, is_merged: bool) -> Result<Changes, ImportError> {
        let currency = self.currency;
        let file = off_the_runtime(move || Ok(Arc::new(ImportedFile::read(form, &file, currency)?))).await?;
        let _turn = self.publishing.lock().await;
        for _ in 1..TRIES {
            match self.import_over_now(&file, is_merged).await {
                Err(ImportError::Store(StoreError::CatalogueChanged)) => self.read_again().await?,
                outcome => return outcome,
            }
        }
        self.import_over_now(&file, is_merged).await
    }

    /// Imports a file over the catalogue that this host sees.
    async fn import_over_now(&self, file: &Arc<ImportedFile>, is_merged: bool) -> Result<Changes, ImportError> {
        let (file, before) = (Arc::clone(file), self.now.load_full());
        let (over, currency, bytes_max) = (before.epoch, self.currency, self.bytes_max);
        let (catalogue, changes, parts) = off_the_runtime(move || {
            let (catalogue, changes) = file.over(&before.catalogue, is_merged);
            catalogue.check_size(bytes_max)?;
            let parts = catalogue.to_parts(currency)?;
            Ok((catalogue, changes, parts))
        })
        .await?;
        let epoch = self.store.replace_catalogue(over, parts).await?;
        self.now.store(Arc::new(Published { epoch, catalogue: Arc::new(catalogue) }));
        Ok(changes)
    }

    /// Makes visible here what other hosts import.
    pub async fn follow(self: Arc<Self>, stopping: CancellationToken) {
        let mut said = None;
        while stopping.run_until_cancelled(tokio::time::sleep(LOOKED_AT)).await.is_some() {
            self.look(&mut said).await;
        }
    }

    /// Reads the catalogue if another host has imported. `said` is the epoch of which it was said last that it can't be followed.
    async fn look(&self, said: &mut Option<u64>) {
        let Some(epoch) = self.store.catalogue_epoch().filter(|epoch| *epoch > self.now.load().epoch) else { return };
        let _turn = self.publishing.lock().await;
        match self.read_again().await {
            Ok(()) => {
                let items = self.now().len();
                tracing::info!(items, "the catalogue has {items} items now: another host imported it");
            }
            Err(error) if *said != Some(epoch) => {
                *said = Some(epoch);
                let error = format!("{error:#}");
                tracing::error!(
                    "the catalogue that another host imported can't be used here, so the one from before stays: {error}"
                );
            }
            Err(_) => {}
        }
    }

    async fn read_again(&self) -> Result<(), ImportError> {
        let stored = self.store.catalogue().await?;
        if stored.epoch != self.now.load().epoch {
            self.now.store(Arc::new(published(stored, self.currency, self.bytes_max).await?));
        }
        Ok(())
    }
}

/// Returns a stored catalogue as requests see it.
async fn published(stored: StoredCatalogue, currency: Currency, bytes_max: usize) -> Result<Published, ImportError> {
    let StoredCatalogue { epoch, parts } = stored;
    let restored = off_the_runtime(move || {
        let restored = Catalogue::of_parts(&parts, currency)?;
        restored.catalogue.check_size(bytes_max)?;
        Ok(restored)
    });
    let Restored { catalogue, foreign_currency } = restored.await?;
    if let Some(foreign) = foreign_currency {
        tracing::warn!(
            "the catalogue's prices are in {foreign}, and shop.currency is {currency}, so no item has a price: import it again"
        );
    }
    Ok(Published { epoch, catalogue: Arc::new(catalogue) })
}

/// Does work that takes a while with a large catalogue on a thread of its own.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, ImportError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ImportError::CutOff))
}

#[cfg(test)]
mod tests;
