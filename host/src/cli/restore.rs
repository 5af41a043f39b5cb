//! `till restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{print, print_json};
use crate::store::{self, Restored};

/// Refused while a till uses the folder, and for a file that isn't a sound order store.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The folder of the order store.
    #[arg(long, value_name = "FOLDER", default_value = "till-data")]
    data: PathBuf,
    /// Moves a store that is there aside, into a folder with the time in its name; it is never deleted.
    #[arg(long)]
    replace: bool,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Restored { orders, bytes, replaced } = store::restore(&self.file, &self.data, self.replace)?;
        if self.json {
            return print_json(&json!({ "data": self.data, "orders": orders, "bytes": bytes, "replaced": replaced }));
        }
        let before = replaced.map(|file| format!("\nThe store that was there is {} now.", file.display()));
        print(&format!(
            "{}: {orders} orders, {bytes} bytes, checked{}\nThe next start settles the orders that were open at the time \
             of the backup: they fail, and their stock is given back. What was sold since isn't in it: count the stock, and \
             correct it with `till stock set`. With INVENTORY_URL the stock is another till's, and isn't restored.",
            self.data.display(),
            before.unwrap_or_default()
        ))
    }
}
