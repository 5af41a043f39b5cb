//! `till stock`.

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{client::Admin, print, print_json, print_table};
use crate::{http::rfc3339, plugin::call::now_ms};

#[derive(Debug, Subcommand)]
pub(super) enum Stock {
    /// Lists what is on hand.
    List {
        #[command(flatten)]
        admin: Admin,
    },
    /// Sets what is on hand of an item; the difference is a movement in the ledger.
    Set {
        #[command(flatten)]
        change: Change,
    },
    /// Adds pieces to an item, or takes some away with a negative number.
    Add {
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
pub(super) struct Change {
    item: String,
    #[arg(allow_negative_numbers = true)]
    pieces: i64,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize, Serialize)]
struct Levels {
    items: Vec<Level>,
}

#[derive(Deserialize, Serialize)]
struct Level {
    item: String,
    on_hand: u32,
}

impl Stock {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { admin } => {
                let listed: Levels = admin.get("/stock")?;
                if admin.json {
                    return print_json(&listed);
                }
                let rows = listed.items.into_iter().map(|level| [level.on_hand.to_string(), level.item]);
                let item = format!("ITEM, as of {}", rfc3339(now_ms()));
                print_table(["ON HAND", &item], rows)
            }
            Self::Set { change } => change.send("set"),
            Self::Add { change } => change.send("add"),
        }
    }
}

impl Change {
    fn send(self, how: &str) -> anyhow::Result<()> {
        let item = utf8_percent_encode(&self.item, NON_ALPHANUMERIC);
        let level: Level = self.admin.post(&format!("/stock/{item}"), &json!({ how: self.pieces }))?;
        if self.admin.json { print_json(&level) } else { level.print() }
    }
}

impl Level {
    fn print(&self) -> anyhow::Result<()> {
        print(&format!("{:>10}  {}", self.on_hand, self.item))
    }
}
