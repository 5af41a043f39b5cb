//! `till catalogue`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    client::{Admin, Paged},
    print, print_json, print_table,
};

#[derive(Debug, Subcommand)]
pub(super) enum Catalogue {
    /// Replaces the catalogue by a file: what isn't in it is gone. All of the file is taken or nothing.
    Import(Import),
    /// Shows what the catalogue has of an item.
    Show {
        item: String,
        #[command(flatten)]
        admin: Admin,
    },
    /// Lists the catalogue.
    List {
        #[command(flatten)]
        admin: Admin,
    },
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file that ends in .csv or .json.
    file: PathBuf,
    /// Keeps the items that aren't in the file.
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    admin: Admin,
}

/// The result of an import.
#[derive(Deserialize, Serialize)]
struct Imported {
    items: u64,
    added: u64,
    changed: u64,
    removed: u64,
    unchanged: u64,
}

/// What the catalogue has of an item, as it was sent: an amount keeps all of its decimals.
type Product = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize, Serialize)]
struct Page {
    items: Vec<Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shop_fields: Option<Product>,
    #[serde(skip_serializing)]
    next_after: Option<String>,
}

impl Paged for Page {
    fn next_after(&self) -> Option<String> {
        self.next_after.clone()
    }

    fn append(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_after = next.next_after;
    }
}

impl Catalogue {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import(import) => import.run(),
            Self::Show { item, admin } => {
                let product: Product =
                    admin.get(&format!("/catalogue/{}", utf8_percent_encode(&item, NON_ALPHANUMERIC)))?;
                print_json(&product)
            }
            Self::List { admin } => {
                let page: Page = admin.all("/catalogue")?;
                if admin.json {
                    return print_json(&page);
                }
                let rows = page.items.iter().map(|product| ["price", "item", "title"].map(|name| cell(product, name)));
                print_table(["PRICE", "ITEM", "TITLE"], rows)
            }
        }
    }
}

/// Returns a member for a table: a text without its quotes, a number as it is written.
fn cell(product: &Product, name: &str) -> String {
    let json = product.get(name).map_or("", |value| value.get());
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

impl Import {
    fn run(self) -> anyhow::Result<()> {
        let Self { file, merge, admin } = self;
        let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
        let content_type = match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("csv") => "text/csv",
            Some("json") => "application/json",
            _ => anyhow::bail!("{} has to end in .csv or .json, which says how it is written", file.display()),
        };
        let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let imported: Imported = admin
            .post_file(&format!("/catalogue?merge={merge}"), bytes, content_type)
            .with_context(|| format!("import {}", file.display()))?;
        if admin.json {
            return print_json(&imported);
        }
        let Imported { items, added, changed, removed, unchanged } = imported;
        print(&format!(
            "{added} added, {changed} changed, {removed} removed, {unchanged} as they were; the catalogue has {items} items"
        ))
    }
}
