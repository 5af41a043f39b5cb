//! `till backup`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{print, print_json};
use crate::store::{self, BackedUp};

/// The file appears only once it is complete, checked and durable. An existing file is never overwritten.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write.
    file: PathBuf,
    /// The folder of the order store.
    #[arg(long, value_name = "FOLDER", default_value = "till-data")]
    data: PathBuf,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let BackedUp { orders, bytes } = store::backup(&self.data, &self.file)?;
        if self.json {
            return print_json(&json!({ "file": self.file, "orders": orders, "bytes": bytes }));
        }
        print(&format!("{}: {orders} orders, {bytes} bytes, checked", self.file.display()))
    }
}
