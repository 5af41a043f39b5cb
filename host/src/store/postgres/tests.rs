//! Two hosts on one database: what happens to each statement when another session is in the middle of its own.
//!
//! Each race is played in both orders with two real sessions: the first one's transaction is held open, the second one's
//! statement waits for it or goes past it.

mod hosts;
mod races;
mod reads;

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::Postgres;
use crate::store::{
    Engine, PostgresSettings, Store,
    tests::{On, Place, Shop, postgres_settings},
};

impl Store {
    fn postgres(&self) -> &Postgres {
        match &*self.0 {
            Engine::Postgres(postgres) => postgres,
            Engine::Sqlite(_) => unreachable!("these tests share a database"),
        }
    }
}

impl Shop {
    async fn shared(stock: &[(&str, u32)]) -> Self {
        Self::new(On::Postgres, stock).await
    }

    fn url(&self) -> &str {
        match &self.place {
            Place::Database(url, _) => url,
            Place::Folder(_) => unreachable!("these tests share a database"),
        }
    }

    /// Opens the same store as another host.
    async fn other_host(&self) -> Store {
        let folder = tempfile::tempdir().expect("a folder");
        Store::connect(&self.settings(&folder)).await.expect("connects").0
    }

    fn settings(&self, folder: &TempDir) -> PostgresSettings {
        postgres_settings(self.url(), folder.path())
    }

    /// Returns a session of somebody else.
    async fn session(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(self.url(), NoTls).await.expect("connects");
        tokio::spawn(connection);
        client
    }
}
