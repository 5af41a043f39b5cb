//! `till stock`.

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    client::{Admin, Paged},
    print, print_json, print_table,
    text::day_and_clock,
};
use crate::clock::now_ms;

#[derive(Debug, Subcommand)]
pub(super) enum Stock {
    /// Lists the stock on hand.
    List {
        #[command(flatten)]
        admin: Admin,
    },
    /// Sets an item's stock on hand; the ledger records the difference as a movement.
    Set {
        #[command(flatten)]
        change: Change,
    },
    /// Adds pieces to an item's stock, or subtracts some with a negative number.
    Add {
        #[command(flatten)]
        change: Change,
    },
    /// Lists the changes by hand, the newest first, with their reasons.
    History {
        /// Only changes of this item.
        item: Option<String>,
        #[command(flatten)]
        admin: Admin,
    },
    /// Removes an item from the shop, with its stock on hand. Its past stays in the ledger.
    Remove {
        item: String,
        #[command(flatten)]
        admin: Admin,
    },
}

#[derive(Debug, Args)]
pub(super) struct Change {
    item: String,
    #[arg(allow_negative_numbers = true)]
    pieces: i64,
    /// Why, for `till stock history` and the console, such as "delivery 4711".
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize, Serialize)]
struct Movements {
    movements: Vec<Movement>,
}

/// A change by hand.
#[derive(Deserialize, Serialize)]
struct Movement {
    id: u64,
    at_ms: u64,
    item: String,
    delta: i64,
    kind: String,
    why: String,
}

#[derive(Deserialize, Serialize)]
struct Levels {
    items: Vec<Level>,
    #[serde(skip_serializing)]
    next_after: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Level {
    item: String,
    on_hand: u32,
}

/// The result of a change.
#[derive(Deserialize, Serialize)]
struct Changed {
    item: String,
    on_hand: u32,
    /// Whether the shop didn't have the item before.
    new: bool,
}

impl Stock {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { admin } => {
                let listed: Levels = admin.all("/stock")?;
                if admin.json {
                    return print_json(&listed);
                }
                let rows = listed.items.into_iter().map(|level| [level.on_hand.to_string(), level.item]);
                let item = format!("ITEM, as of {}", day_and_clock(now_ms() * 1000));
                print_table(["ON HAND", &item], rows)
            }
            Self::Set { change } => change.send("set"),
            Self::Add { change } => change.send("add"),
            Self::History { item, admin } => {
                let of_item = item.map(|item| format!("?item={}", utf8_percent_encode(&item, NON_ALPHANUMERIC)));
                let listed: Movements = admin.get(&format!("/movements{}", of_item.unwrap_or_default()))?;
                if admin.json {
                    return print_json(&listed);
                }
                let rows = listed.movements.into_iter().map(|Movement { at_ms, item, delta, kind, why, .. }| {
                    [day_and_clock(at_ms * 1000), format!("{delta:+}"), kind, item, why]
                });
                print_table(["WHEN", "PIECES", "HOW", "ITEM", "WHY"], rows)
            }
            Self::Remove { item, admin } => {
                let removed: Level =
                    admin.delete(&format!("/stock/{}", utf8_percent_encode(&item, NON_ALPHANUMERIC)))?;
                if admin.json {
                    print_json(&removed)
                } else {
                    print(&format!("{} is no longer in the shop", removed.item))
                }
            }
        }
    }
}

impl Paged for Levels {
    fn next_after(&self) -> Option<String> {
        self.next_after.clone()
    }

    fn append(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_after = next.next_after;
    }
}

impl Change {
    fn send(self, how: &str) -> anyhow::Result<()> {
        let item = utf8_percent_encode(&self.item, NON_ALPHANUMERIC);
        let changed: Changed =
            self.admin.post(&format!("/stock/{item}"), &json!({ how: self.pieces, "why": self.why }))?;
        if self.admin.json { print_json(&changed) } else { changed.print() }
    }
}

impl Changed {
    fn print(&self) -> anyhow::Result<()> {
        let Self { item, on_hand, new } = self;
        print(&format!("{on_hand:>10}  {item}"))?;
        if !new {
            return Ok(());
        }
        print(&format!("{item:?} is a new item; if that is a slip: till stock remove {item:?}"))
    }
}
