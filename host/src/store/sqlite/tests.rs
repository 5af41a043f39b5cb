//! The store against real SQLite files: what the tests of all areas share.

mod ahead;
mod answers;
mod batches;
mod held;
mod opening;
mod orders;
mod shelves;

use std::{any::Any, path::Path, sync::mpsc};

use rusqlite::Connection;
use tokio::task::JoinHandle;

use super::{
    Engine, Settings, Sqlite, Store, StoreError,
    command::Lane,
    execution::{Refusal, TestCommand},
    writer::WriteContext,
};
use crate::store::tests::{On, Place, Shop, cart, elsewhere, item, new_order, receipt, settings, within_seconds};

impl Store {
    fn sqlite(&self) -> &Sqlite {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite,
            Engine::Postgres(_) => unreachable!("these tests open files"),
        }
    }
}

impl Shop {
    async fn sqlite(stock: &[(&str, u32)]) -> Self {
        Self::new(On::Sqlite, stock).await
    }

    async fn with(stock: &[(&str, u32)], change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        change(&mut settings);
        let (store, _opened) = Store::open(&settings).expect("opens");
        let shop = Self { store, place: Place::Folder(folder) };
        shop.seed(stock).await;
        shop
    }

    fn folder(&self) -> &Path {
        match &self.place {
            Place::Folder(folder) => folder.path(),
            Place::Database(..) => unreachable!("these tests open files"),
        }
    }

    /// Runs work on the writer's own connection, as one command.
    async fn in_writer<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut WriteContext) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        in_writer(&self.store, lane, move |context| work(context).map_err(Refusal::Failed)).await
    }

    /// Stops the writer in a command of its own until the gate is opened; commands sent meanwhile are queued.
    async fn gate(&self) -> Gate {
        let (entered, entering) = tokio::sync::oneshot::channel();
        let (open, opening) = mpsc::channel::<()>();
        let store = self.store.clone();
        let passed = tokio::spawn(async move {
            let wait = move |_context: &mut WriteContext| {
                entered.send(()).expect("the test waits");
                opening.recv().ok();
                Ok::<_, Refusal<StoreError>>(())
            };
            in_writer(&store, Lane::Step, wait).await
        });
        entering.await.expect("the writer comes by");
        Gate { open, passed }
    }

    async fn until_queued(&self, commands: usize) {
        within_seconds(async {
            while self.store.gauges().queued_commands != commands {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// A connection of someone else to the live file.
    fn intruder(&self) -> Connection {
        Connection::open(self.folder().join("till.db")).expect("opens")
    }
}

struct Gate {
    open: mpsc::Sender<()>,
    passed: JoinHandle<Result<(), StoreError>>,
}

impl Gate {
    async fn open(self) {
        self.open.send(()).expect("the writer waits");
        self.passed.await.expect("no panic").expect("passes");
    }
}

/// Runs work on the writer's own connection, as one command that may refuse.
async fn in_writer<T: Send + 'static>(
    store: &Store,
    lane: Lane,
    work: impl FnOnce(&mut WriteContext) -> Result<T, Refusal<StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let work = move |context: &mut WriteContext| work(context).map(|value| Box::new(value) as Box<dyn Any + Send>);
    let value = store.sqlite().queue.submit(|reply| TestCommand { lane, work: Box::new(work), reply }).await?;
    Ok(*value.downcast().expect("the work's own"))
}
