//! Reads a catalogue from a file: CSV or JSON, the whole file or nothing of it.
//!
//! Both forms have the same members, each of which is checked in `row`. An error names the line and the member, and says what to
//! write there.

mod of_csv;
mod of_json;
mod row;

use std::{collections::BTreeMap, fmt};

use super::{Catalogue, Fields, Product};
use crate::order::{Currency, Item};

/// The byte order mark, which spreadsheets write.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportForm {
    Csv,
    Json,
}

/// What a file says.
#[derive(Debug, PartialEq)]
pub struct ImportedFile {
    products: BTreeMap<Item, Product>,
    /// `None` if the file says nothing of the shop's own fields.
    shop_fields: Option<Fields>,
}

/// Why a file isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadFile {
    line: usize,
    /// The column or member, if it is about one.
    column: Option<String>,
    what: String,
}

impl fmt::Display for BadFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, what } = self;
        match column {
            Some(column) => write!(out, "line {line}, {column}: {what}"),
            None => write!(out, "line {line}: {what}"),
        }
    }
}

/// How many products an import has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub unchanged: usize,
}

impl ImportedFile {
    /// Reads a file with amounts in the shop's currency.
    ///
    /// # Errors
    /// Says where the file is wrong, and what to write there.
    pub fn read(form: ImportForm, bytes: &[u8], currency: Currency) -> Result<Self, BadFile> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        if let Err(error) = std::str::from_utf8(bytes) {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let what = "has bytes that aren't UTF-8; save the file as UTF-8";
            return Err(BadFile { line: line_after(before), column: None, what: what.to_owned() });
        }
        match form {
            ImportForm::Csv => of_csv::read(bytes, currency),
            ImportForm::Json => of_json::read(bytes, currency),
        }
    }

    /// Returns the catalogue with what the file says, and what that changes. An item that isn't in the file is gone, unless the file
    /// is merged. A file that says nothing of the shop's own fields leaves them as they are.
    #[must_use]
    pub fn over(&self, now: &Catalogue, is_merged: bool) -> (Catalogue, Changes) {
        let mut changes = Changes::default();
        for (item, product) in &self.products {
            match now.product(item) {
                None => changes.added += 1,
                Some(before) if **before == *product => changes.unchanged += 1,
                Some(_) => changes.changed += 1,
            }
        }
        let others = now.after(None).filter(|product| !self.products.contains_key(&product.item));
        let kept: Vec<Product> = if is_merged {
            others.map(|product| Product::clone(product)).collect()
        } else {
            changes.removed = others.count();
            Vec::new()
        };
        let shop_fields = match &self.shop_fields {
            None => now.shop_fields().clone(),
            Some(fields) if is_merged => now.shop_fields().clone().into_iter().chain(fields.clone()).collect(),
            Some(fields) => fields.clone(),
        };
        (Catalogue::new(kept.into_iter().chain(self.products.values().cloned()), shop_fields), changes)
    }

    /// Adds a product.
    ///
    /// # Errors
    /// If the file has the item already.
    fn add(&mut self, product: Product, line: usize) -> Result<(), BadFile> {
        let twice = |item: &Item| BadFile {
            line,
            column: Some("item".to_owned()),
            what: format!("{item} stands in the file twice; leave one of them"),
        };
        if self.products.contains_key(&product.item) {
            return Err(twice(&product.item));
        }
        self.products.insert(product.item.clone(), product);
        Ok(())
    }
}

/// Returns the number of the line that the byte after these is on.
fn line_after(bytes: &[u8]) -> usize {
    1 + bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
