//! A product of a file, member by member.

use crate::{
    config::did_you_mean,
    facts::{
        FieldKey, FieldValue, Fields, Product,
        catalogue::{FIELDS_MAX, TAGS_MAX, TITLE_BYTES_MAX, WORD_BYTES_MAX},
    },
    order::{Currency, Form, Item, MinorUnits, is_control},
};

/// A member of a product that isn't an own field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Item,
    Title,
    Price,
    WeightGrams,
    Tags,
    TaxCategory,
    NeedsShipping,
}

impl Column {
    pub(super) const ALL: [Self; 7] =
        [Self::Item, Self::Title, Self::Price, Self::WeightGrams, Self::Tags, Self::TaxCategory, Self::NeedsShipping];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Title => "title",
            Self::Price => "price",
            Self::WeightGrams => "weight_grams",
            Self::Tags => "tags",
            Self::TaxCategory => "tax_category",
            Self::NeedsShipping => "needs_shipping",
        }
    }

    /// Returns the column of that name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str() == name)
    }
}

/// Returns what to say of a name that nothing has: the nearest of the known ones, and all of them.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let hint = did_you_mean(name, known.iter().copied());
    format!("there is no {what} {name:.40}{hint}; there are {}", known.join(", "))
}

/// A product as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Row {
    item: Option<Item>,
    title: Option<String>,
    price: Option<MinorUnits>,
    weight_grams: Option<u32>,
    tags: Vec<String>,
    tax_category: Option<String>,
    needs_shipping: Option<bool>,
    fields: Fields,
}

impl Row {
    /// Takes a member's text. Tags have semicolons between them.
    ///
    /// # Errors
    /// Says what to write.
    pub(super) fn set(&mut self, column: Column, text: &str, currency: Currency) -> Result<(), String> {
        match column {
            Column::Item => self.item = Some(Item::parse(text).ok_or(Item::RULE)?),
            Column::Title => self.title = Some(line("a title", text, TITLE_BYTES_MAX)?),
            Column::Price => {
                let price = currency.parse(text).map_err(|error| format!("the price {text:.40} {error}"))?;
                self.price = Some(price);
            }
            Column::WeightGrams => {
                let rule =
                    || format!("{text:.40} is no weight: write whole grams from 0 to {}, without a unit", u32::MAX);
                self.weight_grams = Some(text.parse().map_err(|_| rule())?);
            }
            Column::Tags => {
                let tags = text.split(';').map(str::trim).filter(|tag| !tag.is_empty());
                self.set_tags(tags.map(str::to_owned).collect())?;
            }
            Column::TaxCategory => self.tax_category = Some(line("a tax category", text, WORD_BYTES_MAX)?),
            Column::NeedsShipping => self.needs_shipping = Some(flag(text).ok_or("write true or false")?),
        }
        Ok(())
    }

    /// # Errors
    /// Says what to write.
    pub(super) fn set_tags(&mut self, tags: Vec<String>) -> Result<(), String> {
        if tags.len() > TAGS_MAX {
            return Err(format!("an item has {TAGS_MAX} tags at most; these are {}", tags.len()));
        }
        for tag in &tags {
            if tag.is_empty() {
                return Err("a tag is empty; leave it out".to_owned());
            }
            line("a tag", tag, WORD_BYTES_MAX)?;
        }
        self.tags = tags;
        Ok(())
    }

    /// # Errors
    /// If there are too many fields.
    pub(super) fn set_field(&mut self, key: FieldKey, value: FieldValue) -> Result<(), String> {
        add_field(&mut self.fields, key, value)
    }

    /// Returns the product; `None` if it has no item.
    pub(super) fn into_product(self) -> Option<Product> {
        let Self { item, title, price, weight_grams, tags, tax_category, needs_shipping, fields } = self;
        let assumed = Product::of_name(item?);
        Some(Product {
            title: title.unwrap_or(assumed.title),
            needs_shipping: needs_shipping.unwrap_or(assumed.needs_shipping),
            item: assumed.item,
            price,
            tags,
            weight_grams,
            tax_category,
            fields,
        })
    }
}

/// # Errors
/// If there are too many fields, or one stands twice.
pub(super) fn add_field(fields: &mut Fields, key: FieldKey, value: FieldValue) -> Result<(), String> {
    if fields.contains_key(&key) {
        return Err(format!("the field {key} stands twice"));
    }
    if fields.len() == FIELDS_MAX {
        return Err(format!("there are {FIELDS_MAX} own fields at most"));
    }
    fields.insert(key, value);
    Ok(())
}

/// Returns the truth value that a spreadsheet may have written.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn line(what: &str, text: &str, bytes_max: usize) -> Result<String, String> {
    if text.len() > bytes_max {
        return Err(format!("{what} has {bytes_max} bytes at most; this one has {}", text.len()));
    }
    if text.chars().any(|character| is_control(character, Form::Line)) {
        return Err(format!("{what} is one line without control characters"));
    }
    Ok(text.to_owned())
}
