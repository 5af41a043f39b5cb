//! The shop's catalogue: what is known of each item, as one immutable snapshot in memory.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use super::{FieldKey, FieldValue, Fields};
use crate::order::{Item, MinorUnits};

/// The longest title, bytes.
pub(super) const TITLE_BYTES_MAX: usize = 256;
/// The longest tag or tax category, bytes.
pub(super) const WORD_BYTES_MAX: usize = 64;
/// The most tags of a product.
pub(super) const TAGS_MAX: usize = 64;
/// The most own fields of one owner.
pub(super) const FIELDS_MAX: usize = 64;
/// What a product costs in memory beside its texts, bytes: the struct, its place in the tree and what the allocator adds.
const PRODUCT_BYTES: usize = size_of::<Product>() + 96;
/// What a text or a field costs beside its characters, bytes.
const TEXT_BYTES: usize = 40;
const FIELD_BYTES: usize = size_of::<(FieldKey, FieldValue)>() + 64;

/// What the catalogue has of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    pub item: Item,
    /// The name for people, a line.
    pub title: String,
    /// The list price of one piece, in the shop's currency.
    pub price: Option<MinorUnits>,
    pub tags: Vec<String>,
    pub weight_grams: Option<u32>,
    pub needs_shipping: bool,
    pub tax_category: Option<String>,
    /// The shop's own fields of the item.
    pub fields: Fields,
}

impl Product {
    /// Returns what is assumed of an item of which only the name is known: it needs shipping and has no price.
    #[must_use]
    pub fn of_name(item: Item) -> Self {
        Self {
            title: item.to_string(),
            item,
            price: None,
            tags: Vec::new(),
            weight_grams: None,
            needs_shipping: true,
            tax_category: None,
            fields: Fields::new(),
        }
    }

    /// Returns about how much memory the product takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = self.tags.iter().map(String::len).chain([self.title.len(), self.item.as_str().len()]);
        let tax_category = self.tax_category.as_ref().map_or(0, String::len);
        PRODUCT_BYTES + tax_category + texts.map(|length| length + TEXT_BYTES).sum::<usize>() + bytes_of(&self.fields)
    }
}

fn bytes_of(fields: &Fields) -> usize {
    fields.iter().map(|(key, value)| FIELD_BYTES + key.as_str().len() + value.text_bytes()).sum()
}

/// The catalogue would take more memory than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the catalogue would take {bytes} bytes of memory, and limits.catalogue_mib allows {bytes_max}; raise that limit"
)]
pub struct CatalogueTooLarge {
    pub bytes: usize,
    pub bytes_max: usize,
}

/// The catalogue at one moment. A request keeps the one that it began with.
#[derive(Debug, Default, PartialEq)]
pub struct Catalogue {
    products: BTreeMap<Item, Arc<Product>>,
    shop_fields: Fields,
}

impl Catalogue {
    /// Returns the catalogue of these products. Of two with one item the last counts.
    #[must_use]
    pub fn new(products: impl IntoIterator<Item = Product>, shop_fields: Fields) -> Self {
        let products = products.into_iter().map(|product| (product.item.clone(), Arc::new(product))).collect();
        Self { products, shop_fields }
    }

    #[must_use]
    pub fn product(&self, item: &Item) -> Option<&Arc<Product>> {
        self.products.get(item)
    }

    /// Returns the products after `after`, by item.
    pub fn after(&self, after: Option<&Item>) -> impl Iterator<Item = &Arc<Product>> {
        let from = after.map_or(Unbounded, Excluded);
        self.products.range::<Item, _>((from, Unbounded)).map(|(_, product)| product)
    }

    #[must_use]
    pub const fn shop_fields(&self) -> &Fields {
        &self.shop_fields
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.products.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// Returns about how much memory the catalogue takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.products.values().map(|product| product.bytes()).sum::<usize>() + bytes_of(&self.shop_fields)
    }

    /// # Errors
    /// If the catalogue takes more memory than that.
    pub fn check_size(&self, bytes_max: usize) -> Result<(), CatalogueTooLarge> {
        let bytes = self.bytes();
        if bytes > bytes_max { Err(CatalogueTooLarge { bytes, bytes_max }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(item: &str) -> Product {
        Product::of_name(Item::parse(item).expect("an item"))
    }

    #[test]
    fn products_are_listed_by_item() {
        let catalogue = Catalogue::new(["tea", "cup", "mug"].map(product), Fields::new());
        let items = |after: Option<&str>| -> Vec<String> {
            let after = after.map(|item| Item::parse(item).expect("an item"));
            catalogue.after(after.as_ref()).map(|product| product.item.to_string()).collect()
        };
        assert_eq!(items(None), ["cup", "mug", "tea"]);
        assert_eq!(items(Some("cup")), ["mug", "tea"]);
        assert_eq!(items(Some("d")), ["mug", "tea"]);
        assert_eq!(items(Some("tea")), Vec::<String>::new());
    }

    #[test]
    fn a_catalogue_is_as_large_as_its_texts_at_least() {
        let text = "x".repeat(1_000);
        let mut large = product("large");
        large.title.clone_from(&text);
        large.tags = vec![text.clone(); 2];
        large.tax_category = Some(text.clone());
        large.fields = [(FieldKey::parse("a.b").expect("a key"), FieldValue::Text(text.as_str().into()))].into();
        let catalogue =
            Catalogue::new([large], [(FieldKey::parse("a.c").expect("a key"), FieldValue::Json(text.into()))].into());
        assert!(catalogue.bytes() > 6_000, "{}", catalogue.bytes());
        let bytes_max = catalogue.bytes();
        assert_eq!(catalogue.check_size(bytes_max), Ok(()));
        let refused = catalogue.check_size(bytes_max - 1);
        assert_eq!(refused, Err(CatalogueTooLarge { bytes: bytes_max, bytes_max: bytes_max - 1 }));
    }
}
