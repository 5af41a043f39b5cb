//! `till restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{print, print_json};
use crate::store::{self, GoesOnPast, Restored};

/// Refuses while a till uses the folder, and if the file isn't a sound order store.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The folder of the order store.
    #[arg(long, value_name = "FOLDER", default_value = "till-data")]
    data: PathBuf,
    /// Moves an existing store aside, into a folder with the time in its name. The store is never deleted.
    #[arg(long)]
    replace: bool,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let restored = store::restore(&self.file, &self.data, self.replace)?;
        let Restored { orders, bytes, replaced, next_order, goes_on_past } = restored;
        if self.json {
            return print_json(&json!({
                "data": self.data,
                "orders": orders,
                "bytes": bytes,
                "replaced": replaced,
                "next_order": next_order,
                "numbers_may_repeat": goes_on_past != GoesOnPast::AllThere,
            }));
        }
        let numbers = match goes_on_past {
            GoesOnPast::AllThere => "past all numbers that the stores in this folder have given out".to_owned(),
            GoesOnPast::TheBackups => {
                "past those of the backup. No other store is here: numbers that were given out after \
                                       the backup, to orders and to plugin versions, come twice"
                    .to_owned()
            }
            GoesOnPast::AllBut(files) => {
                let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                format!("but the numbers that {} has given out may come twice: it can't be read", files.join(", "))
            }
        };
        let before = replaced.map(|file| format!("\nThe store that was there is {} now.", file.display()));
        print(&format!(
            "{}: {orders} orders, {bytes} bytes, checked{}\nThe next start settles the orders that were open at the time \
             of the backup: they fail, and their stock is given back. What was sold since isn't in it: count the stock, and \
             correct it with `till stock set`. With INVENTORY_URL the stock is another till's, and isn't restored.\nThe \
             next order is number {next_order}, {numbers}. The Idempotency-Keys of orders since the backup are forgotten: a \
             client that repeats one of those buys again.",
            self.data.display(),
            before.unwrap_or_default()
        ))
    }
}
