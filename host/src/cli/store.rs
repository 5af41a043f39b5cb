//! `till store`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{print, print_json, print_table};
use crate::{
    app::postgres_settings,
    config::{Settings, Sources},
    store::{self, Copied, PostgresSettings},
    versions::PluginFiles,
};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Brings the tables of the database at store.url to what this till needs. May be run again, and beside hosts that serve.
    Migrate {
        #[command(flatten)]
        shared: Shared,
    },
    /// Copies a stopped shop from a data folder into the database at store.url, or back. Changes nothing where it copies from.
    Copy(Copy),
}

/// Orders, stock and its ledger, answers to idempotency keys, plugins with their settings, history and files. The target has to be
/// empty. Each table is read back, counted and summed before the copy counts.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, args = ["from", "to"])]
pub(super) struct Copy {
    #[command(flatten)]
    shared: Shared,
    /// The data folder to copy from, into the database. It has to have till's tables (`till store migrate`).
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// The data folder to copy to, from the database.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
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
        let shared = match self {
            Self::Migrate { shared } => shared,
            Self::Copy(copy) => return copy.run(),
        };
        let settings = shared.settings()?;
        let statements = runtime()?.block_on(store::migrate(&settings))?;
        match statements {
            0 => print("the database is as this till needs it"),
            1 => print("the database is as this till needs it, after 1 statement"),
            many => print(&format!("the database is as this till needs it, after {many} statements")),
        }
    }
}

impl Copy {
    fn run(self) -> anyhow::Result<()> {
        let settings = self.shared.settings()?;
        let copied = runtime()?.block_on(async {
            match (&self.from, &self.to) {
                (Some(from), _) => {
                    let files = PluginFiles::new(from);
                    store::copy_to_postgres(from, &settings, |digest| files.read_if_any(digest)).await
                }
                (None, to) => {
                    let to = to.as_deref().unwrap_or(Path::new(""));
                    let files = PluginFiles::new(to);
                    let keep = |digest: &str, bytes: &[u8]| files.keep(digest, bytes);
                    store::copy_to_sqlite(&settings, to, keep).await
                }
            }
        })?;
        let Copied { tables, plugin_files } = copied;
        if self.json {
            let tables: serde_json::Map<_, _> =
                tables.into_iter().map(|(table, rows)| (table.to_owned(), rows.into())).collect();
            return print_json(&json!({ "tables": tables, "plugin_files": plugin_files }));
        }
        let files = ("plugin files", plugin_files);
        let lines = tables.into_iter().chain([files]).map(|(table, rows)| [table.replace('_', " "), rows.to_string()]);
        print_table(["COPIED", "ROWS"], lines)?;
        print("each row was read back and compared; `till doctor` checks them by the shop's rules")
    }
}

/// Returns what a command's few requests run on.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
