//! A catalogue as the store keeps it: lines of JSON, packed, in parts of a bounded size.
//!
//! The first line says the form, the currency of the prices and the shop's own fields; each other line is a product.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use super::{BadField, Catalogue, FieldKey, FieldValue, Fields, Product};
use crate::order::{Currency, Item, MinorUnits, exact_number};

/// The form that this build writes.
const FORM: u32 = 1;
/// How many bytes of lines a part has before it is packed. A longer line is a part of its own.
const PART_BYTES: usize = 1024 * 1024;

/// A catalogue that was stored.
#[derive(Debug)]
pub struct Restored {
    pub catalogue: Catalogue,
    /// The currency of the stored prices if it isn't the shop's any more: the products have no prices then.
    pub foreign_currency: Option<String>,
}

/// Why a stored catalogue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadStored {
    #[error("the stored catalogue can't be unpacked")]
    Packed(#[from] std::io::Error),
    #[error("the stored catalogue isn't the JSON that a till writes")]
    Json(#[from] serde_json::Error),
    #[error("the stored catalogue was written by a newer till (form {0}, this one knows {FORM})")]
    NewerForm(u32),
    #[error("the stored catalogue has a value that no till writes: {0}")]
    Value(&'static str),
    #[error(transparent)]
    Field(#[from] BadField),
}

#[derive(Serialize, Deserialize)]
struct HeadText {
    form: u32,
    currency: String,
    shop_fields: FieldTexts,
}

type FieldTexts = BTreeMap<String, ValueText>;

#[derive(Serialize, Deserialize)]
struct ProductText {
    item: String,
    title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight_grams: Option<u32>,
    needs_shipping: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax_category: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: FieldTexts,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValueText {
    Text(String),
    Integer(i32),
    /// As text, because serde_json reads floats to the last bit only with a feature that slows all other reading.
    Decimal(String),
    Flag(bool),
    Json(String),
}

impl Catalogue {
    /// Returns the parts to be stored.
    ///
    /// # Errors
    /// Only those of writing JSON and packing it, which no catalogue causes.
    pub fn to_parts(&self, currency: Currency) -> Result<Vec<Vec<u8>>, BadStored> {
        let head =
            HeadText { form: FORM, currency: currency.code().to_owned(), shop_fields: field_texts(self.shop_fields()) };
        let mut lines = serde_json::to_vec(&head)?;
        lines.push(b'\n');
        let mut parts = Vec::new();
        for product in self.after(None) {
            if lines.len() >= PART_BYTES {
                parts.push(packed(&lines)?);
                lines.clear();
            }
            serde_json::to_writer(&mut lines, &product_text(product))?;
            lines.push(b'\n');
        }
        parts.push(packed(&lines)?);
        Ok(parts)
    }

    /// Returns the catalogue of these parts; an empty one if there are none.
    ///
    /// # Errors
    /// When a till didn't write them, or a newer one did.
    pub fn of_parts(parts: &[Vec<u8>], currency: Currency) -> Result<Restored, BadStored> {
        let mut lines = parts.iter().flat_map(|part| BufReader::new(GzDecoder::new(part.as_slice())).split(b'\n'));
        let Some(head) = lines.next() else {
            return Ok(Restored { catalogue: Self::default(), foreign_currency: None });
        };
        let head: HeadText = serde_json::from_slice(&head?)?;
        if head.form > FORM {
            return Err(BadStored::NewerForm(head.form));
        }
        let is_foreign = head.currency != currency.code();
        let mut products = Vec::new();
        for line in lines {
            let mut product = product_of(serde_json::from_slice(&line?)?)?;
            product.price = product.price.filter(|_| !is_foreign);
            products.push(product);
        }
        let catalogue = Self::new(products, fields_of(head.shop_fields)?);
        Ok(Restored { catalogue, foreign_currency: is_foreign.then_some(head.currency) })
    }
}

fn packed(lines: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::fast());
    packing.write_all(lines)?;
    packing.finish()
}

fn product_text(product: &Product) -> ProductText {
    let Product { item, title, price, tags, weight_grams, needs_shipping, tax_category, fields } = product.clone();
    ProductText {
        item: item.to_string(),
        title,
        price: price.map(MinorUnits::amount),
        tags,
        weight_grams,
        needs_shipping,
        tax_category,
        fields: field_texts(&fields),
    }
}

fn product_of(text: ProductText) -> Result<Product, BadStored> {
    let ProductText { item, title, price, tags, weight_grams, needs_shipping, tax_category, fields } = text;
    let amount = |amount| MinorUnits::new(amount).ok_or(BadStored::Value("price"));
    Ok(Product {
        item: Item::parse(&item).ok_or(BadStored::Value("item"))?,
        title,
        price: price.map(amount).transpose()?,
        tags,
        weight_grams,
        needs_shipping,
        tax_category,
        fields: fields_of(fields)?,
    })
}

fn field_texts(fields: &Fields) -> FieldTexts {
    let text = |value: &FieldValue| match value {
        FieldValue::Text(text) => ValueText::Text(text.to_string()),
        FieldValue::Integer(number) => ValueText::Integer(*number),
        FieldValue::Decimal(number) => ValueText::Decimal(number.to_string()),
        FieldValue::Flag(flag) => ValueText::Flag(*flag),
        FieldValue::Json(json) => ValueText::Json(json.to_string()),
    };
    fields.iter().map(|(key, value)| (key.to_string(), text(value))).collect()
}

fn fields_of(texts: FieldTexts) -> Result<Fields, BadStored> {
    let value = |text: ValueText| {
        Ok::<_, BadStored>(match text {
            ValueText::Text(text) => FieldValue::Text(text.into()),
            ValueText::Integer(number) => FieldValue::Integer(number),
            ValueText::Decimal(text) => FieldValue::Decimal(exact_number(&text).ok_or(BadStored::Value("decimal"))?),
            ValueText::Flag(flag) => FieldValue::Flag(flag),
            ValueText::Json(json) => FieldValue::Json(json.into()),
        })
    };
    texts.into_iter().map(|(key, text)| Ok((FieldKey::parse(&key)?, value(text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::of_code(code).expect("a code")
    }

    fn product(number: usize) -> Product {
        let key = |text: &str| FieldKey::parse(text).expect("a key");
        Product {
            title: format!("Item {number}, \"blue\"\u{e9}"),
            price: MinorUnits::new(number as u64),
            tags: vec!["sale".into(), "new".into()],
            weight_grams: Some(300),
            needs_shipping: number.is_multiple_of(2),
            tax_category: Some("standard".into()),
            fields: [
                (key("a.text"), FieldValue::Text("two\nlines".into())),
                (key("a.integer"), FieldValue::Integer(-7)),
                (key("a.decimal"), FieldValue::Decimal(0.1 + 0.2)),
                (key("a.flag"), FieldValue::Flag(true)),
                (key("a.json"), FieldValue::Json(r#"[ 1.10, {"a":"b"} ]"#.into())),
            ]
            .into(),
            ..Product::of_name(Item::parse(&format!("item {number}")).expect("an item"))
        }
    }

    #[test]
    fn a_catalogue_comes_back_as_it_was_in_parts_of_a_bounded_size() {
        let shop = [(FieldKey::parse("shop.open").expect("a key"), FieldValue::Flag(true))];
        for count in [0, 1, 20_000] {
            let catalogue = Catalogue::new((0..count).map(product), shop.clone().into());
            let parts = catalogue.to_parts(currency("USD")).expect("is packed");
            assert_eq!(parts.len() > 3, count > 1, "{count} products in {} parts", parts.len());
            let restored = Catalogue::of_parts(&parts, currency("USD")).expect("is unpacked");
            assert!(restored.catalogue == catalogue, "{count}");
            assert_eq!(restored.foreign_currency, None);
        }
        assert!(Catalogue::of_parts(&[], currency("USD")).expect("nothing").catalogue.is_empty());
    }

    #[test]
    fn prices_of_another_currency_are_no_prices() {
        let parts = Catalogue::new([product(1)], Fields::new()).to_parts(currency("USD")).expect("is packed");
        let restored = Catalogue::of_parts(&parts, currency("JPY")).expect("is unpacked");
        assert_eq!(restored.foreign_currency.as_deref(), Some("USD"));
        let expected = Product { price: None, ..product(1) };
        assert!(restored.catalogue == Catalogue::new([expected], Fields::new()));
    }

    #[test]
    fn what_no_till_wrote_is_refused() {
        let check = |line: &str, expected: &str| {
            let parts = [packed(line.as_bytes()).expect("is packed")];
            let refused = Catalogue::of_parts(&parts, currency("USD")).expect_err(line).to_string();
            assert!(refused.contains(expected), "{line}: {refused}");
        };
        let head = |form: u32| format!("{{\"form\":{form},\"currency\":\"USD\",\"shop_fields\":{{}}}}\n");
        check(&head(2), "a newer till");
        check("{}", "isn't the JSON");
        check(&(head(1) + "{\"item\":\" \",\"title\":\"\",\"needs_shipping\":true}"), "item");
        assert!(matches!(Catalogue::of_parts(&[vec![1, 2, 3]], currency("USD")), Err(BadStored::Packed(_))));
    }
}
