//! `/catalogue`: shows the catalogue, and imports a file.

use std::sync::Arc;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::Serialize;

use super::{Admin, Asked, query};
use crate::{
    catalogue::ImportError,
    facts::{Changes, ImportForm},
    http::{Answer, Reply, body, catalogue, problem::Problem, routes::no_route},
    order::Item,
    store::HostChange,
};

/// What an import has changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CatalogueImported"))]
pub(super) struct ImportedJson {
    /// How many items the catalogue has now.
    items: u64,
    added: u64,
    changed: u64,
    removed: u64,
    unchanged: u64,
}

/// # Errors
/// As [`catalogue::page`].
pub(super) fn list(admin: &Admin, asked: &Asked) -> Answer {
    catalogue::page(&admin.catalogue.now(), &asked.query, admin.catalogue.currency())
}

/// # Errors
/// As [`catalogue::product`].
pub(super) fn show(admin: &Admin, asked: &Asked) -> Answer {
    let item = Item::parse(&asked.named).ok_or_else(no_route)?;
    catalogue::product(&admin.catalogue.now(), &item, admin.catalogue.currency())
}

/// # Errors
/// 415 for another form, 413 for a catalogue that is too large, 422 for a file that isn't right.
pub(super) async fn import(admin: &Arc<Admin>, asked: Asked) -> Answer {
    let (is_merged, by) = (is_merged(&asked.query)?, asked.caller.signs(None));
    let form = form(&asked)?;
    let file = body::read_catalogue(asked.body, &admin.limits).await?;
    let Changes { added, changed, removed, unchanged } = admin.catalogue.import(form, file, is_merged).await?;
    let items = admin.catalogue.now().len();
    let told = format!("the catalogue has {items} items: {added} added, {changed} changed, {removed} removed");
    tracing::info!(items, added, changed, removed, by, "{told}");
    // Best effort: the import is done, and in the log.
    _ = admin.store.note_host(&by, HostChange::CatalogueImported, told).await;
    let [items, added, changed, removed, unchanged] =
        [items, added, changed, removed, unchanged].map(|count| count as u64);
    Reply::json(&ImportedJson { items, added, changed, removed, unchanged })
}

fn is_merged(query: &str) -> Result<bool, Problem> {
    let mut is_merged = false;
    for (name, value) in query::parameters(query)? {
        if name != "merge" {
            return Err(Problem::unacceptable(format!("there is no parameter {name}; merge is one")));
        }
        is_merged = query::value(&name, &value, value.parse().ok(), "true or false")?;
    }
    Ok(is_merged)
}

fn form(asked: &Asked) -> Result<ImportForm, Problem> {
    let wanted =
        || Problem::unsupported_media("send content-type: text/csv or application/json, in UTF-8, not encoded");
    if asked.headers.contains_key(CONTENT_ENCODING) {
        return Err(wanted());
    }
    let content_type = asked.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(wanted)?;
    match content_type.split(';').next().map(str::trim) {
        Some("text/csv") => Ok(ImportForm::Csv),
        Some("application/json") => Ok(ImportForm::Json),
        _ => Err(wanted()),
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        let detail = error.to_string();
        match error {
            ImportError::File(_) => Self::unacceptable(detail),
            ImportError::TooLarge(_) => Self::too_large(detail),
            ImportError::Store(error) => error.into(),
            ImportError::Stored(_) | ImportError::CutOff => Self::internal(&detail),
        }
    }
}
