//! What the shop knows beside the cart. Each call is a call to the host, however many items it asks about.

pub use super::bindings::shared::till::plugin::facts::{
    Address, Customer, Owner, Product, bill_to, buyer, fields, locale, products, ship_to,
};
use super::{AttributeValue, Line};

/// Returns what the catalogue has of each line's item, in the lines' order; none of what it doesn't know.
pub fn products_of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<Option<Product>> {
    let items: Vec<String> = lines.into_iter().map(|line| line.item.clone()).collect();
    if items.is_empty() { Vec::new() } else { products(&items) }
}

/// Returns the shop's field of each line's item, in the lines' order.
pub fn fields_of<'a>(lines: impl IntoIterator<Item = &'a Line>, key: &str) -> Vec<Option<AttributeValue>> {
    let owners: Vec<Owner> = lines.into_iter().map(|line| Owner::Product(line.item.clone())).collect();
    if owners.is_empty() { Vec::new() } else { fields(&owners, key) }
}

/// Returns the shop's field of one owner.
#[must_use]
pub fn field(owner: Owner, key: &str) -> Option<AttributeValue> {
    fields(&[owner], key).pop().flatten()
}
