//! The shop's catalogue, for whoever asks the store: kept whole, in parts whose content is the caller's.
//!
//! An import replaces the few rows of it at once, however many items there are, so that it delays no order for long. The epoch says how
//! often that was done, and keeps two imports from mixing.

use super::{Engine, Store, StoreError, command::CatalogueCommand, sqlite};

/// The catalogue as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCatalogue {
    /// How often the catalogue was replaced.
    pub epoch: u64,
    /// Bytes of the caller's, in their order.
    pub parts: Vec<Vec<u8>>,
}

impl Store {
    /// Returns the catalogue as of the last commit.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn catalogue(&self) -> Result<StoredCatalogue, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.read(sqlite::catalogue::read).await,
            Engine::Postgres(postgres) => postgres.catalogue().await,
        }
    }

    /// Replaces the catalogue of the epoch `over`, and returns the next epoch. Durable when it returns.
    ///
    /// # Errors
    /// `CatalogueChanged` when it has another epoch by now; nothing was changed.
    pub async fn replace_catalogue(&self, over: u64, parts: Vec<Vec<u8>>) -> Result<u64, StoreError> {
        self.submit(|reply| CatalogueCommand { over, parts, reply }).await
    }

    /// Returns how often the catalogue was replaced in a store that hosts share, as of the last beat; `None` for a store of one's own,
    /// which nobody else changes.
    #[must_use]
    pub fn catalogue_epoch(&self) -> Option<u64> {
        match &*self.0 {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => postgres.catalogue_epoch(),
        }
    }
}
