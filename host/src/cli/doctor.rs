//! `till doctor`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{
    print, print_json,
    store::{Shared, runtime},
};
use crate::store::{self, Examined, Finding};

/// Checks the file in --data, or the database that store.url names. Ends with 0 if the store is sound, with 1 if it isn't.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    shared: Shared,
    /// The folder of the order store.
    #[arg(long, value_name = "FOLDER", default_value = "till-data")]
    data: PathBuf,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (examined, place) = match self.shared.settings_if_any()? {
            Some(settings) => (runtime()?.block_on(store::examine_shared(&settings))?, "the database".to_owned()),
            None => (store::examine(&self.data)?, self.data.display().to_string()),
        };
        let is_sound = examined.is_sound();
        if self.json {
            let Examined { orders, findings } = &examined;
            let findings: Vec<Value> = findings.iter().map(finding_json).collect();
            print_json(&json!({ "data": place, "sound": is_sound, "orders": orders, "findings": findings }))?;
        } else {
            for Finding { is_fault, what, advice } in &examined.findings {
                print(&format!("{}  {what}\n       to do: {advice}", if *is_fault { "FAULT" } else { "note " }))?;
            }
        }
        anyhow::ensure!(is_sound, "the order store in {place} is not sound");
        if self.json { Ok(()) } else { print(&format!("{place}: {} orders, sound", examined.orders)) }
    }
}

fn finding_json(Finding { is_fault, what, advice }: &Finding) -> Value {
    json!({ "fault": is_fault, "what": what, "advice": advice })
}
