//! Changes of what is bought, before anything is priced.

pub use super::bindings::cart_transform::exports::till::plugin::cart_transform::{
    Component, Expansion, Merger, Operation, Part, Update,
};

impl Component {
    /// Returns pieces of an item, under the catalogue's name and price.
    #[must_use]
    pub fn new(item: &str, quantity: u32) -> Self {
        Self { item: item.to_owned(), quantity, unit_price: None, title: None, attributes: Vec::new() }
    }
}
