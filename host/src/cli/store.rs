//! `till store`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::print;
use crate::{
    app::postgres_settings,
    config::{Settings, Sources},
    store::{self, PostgresSettings},
};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Brings the tables of the database at store.url to what this till needs. May be run again, and beside hosts that serve.
    Migrate {
        #[command(flatten)]
        shared: Shared,
    },
}

/// Where the shared store is: as `till serve` would have it.
#[derive(Debug, Args)]
pub(super) struct Shared {
    /// A settings file [default: till.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides one setting, e.g. --set store.url=postgres://till@db/shop.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<OsString>,
}

impl Shared {
    /// Returns the shared store's settings.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn settings(&self) -> anyhow::Result<PostgresSettings> {
        self.settings_if_any()?.context(
            "no shared store is set: give store.url in till.toml, TILL_STORE_URL, or --set store.url=postgres://user@host/database",
        )
    }

    /// Returns the shared store's settings; `None` if the store is in a file.
    pub(super) fn settings_if_any(&self) -> anyhow::Result<Option<PostgresSettings>> {
        let mut sources = Sources::defaults();
        sources.add_file_if_any(self.config.as_deref())?;
        sources.add_environment(std::env::vars_os())?;
        sources.add_flags(self.set.iter())?;
        Ok(postgres_settings(&Settings::load(&sources)?))
    }
}

impl StoreCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::Migrate { shared } = self;
        let settings = shared.settings()?;
        let statements = runtime()?.block_on(store::migrate(&settings))?;
        match statements {
            0 => print("the database is as this till needs it"),
            1 => print("the database is as this till needs it, after 1 statement"),
            many => print(&format!("the database is as this till needs it, after {many} statements")),
        }
    }
}

/// Returns what a command's few requests run on.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
