//! A catalogue in JSON: an array of items, or an object with `items` and `shop_fields`. `null` says nothing.
//!
//! Values are read from their own text, so that a number stays as it was written and an error knows its line.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    BadFile, ImportedFile, line_after,
    row::{Column, Row, add_field, unknown},
};
use crate::{
    facts::{FieldKey, FieldValue, Fields, Product},
    order::Currency,
};

const ITEMS: &str = "items";
const SHOP_FIELDS: &str = "shop_fields";
/// The member of an item that has its own fields.
const FIELDS: &str = "fields";

/// The members of an object, in their order, with those that stand twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

/// Reads the file, which is UTF-8.
///
/// # Errors
/// Names the line and the member.
pub(super) fn read(bytes: &[u8], currency: Currency) -> Result<ImportedFile, BadFile> {
    let json: &RawValue = serde_json::from_slice(bytes).map_err(|error| BadFile {
        line: error.line().max(1),
        column: None,
        what: format!("is no JSON: {error}"),
    })?;
    let reading = Reading { bytes, currency };
    let mut file = ImportedFile { products: BTreeMap::new(), shop_fields: None };
    if json.get().starts_with('[') {
        reading.items(json, &mut file)?;
        return Ok(file);
    }
    let mut has_items = false;
    for (name, value) in reading.members(json, "the file", "write an array of items, or an object with items")? {
        match name.as_str() {
            ITEMS => {
                reading.items(value, &mut file)?;
                has_items = true;
            }
            SHOP_FIELDS => file.shop_fields = Some(reading.fields(value, SHOP_FIELDS)?),
            other => return Err(reading.at(value, other, unknown("member", other, &[ITEMS, SHOP_FIELDS]))),
        }
    }
    if has_items {
        Ok(file)
    } else {
        Err(reading.at(json, ITEMS, "is missing; write an array of items, if only an empty one"))
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    currency: Currency,
}

impl<'a> Reading<'a> {
    fn items(&self, json: &'a RawValue, file: &mut ImportedFile) -> Result<(), BadFile> {
        let items: Vec<&RawValue> =
            serde_json::from_str(json.get()).map_err(|_| self.at(json, ITEMS, "write an array of items"))?;
        for item in items {
            let product = self.product(item)?;
            file.add(product, self.line(item))?;
        }
        Ok(())
    }

    fn product(&self, json: &'a RawValue) -> Result<Product, BadFile> {
        let mut row = Row::default();
        for (name, value) in
            self.members(json, "item", "an item is an object, such as {\"item\":\"mug\",\"price\":9.90}")?
        {
            if value.get() == "null" {
                continue;
            }
            let set = match Column::of_name(&name) {
                Some(Column::Tags) => tags(value).and_then(|tags| row.set_tags(tags)),
                Some(column) => plain(column, value).and_then(|text| row.set(column, &text, self.currency)),
                None if name == FIELDS => {
                    let mut fields = self.fields(value, FIELDS)?.into_iter();
                    fields.try_for_each(|(key, value)| row.set_field(key, value))
                }
                None => {
                    let known: Vec<&str> = Column::ALL.iter().map(|column| column.as_str()).chain([FIELDS]).collect();
                    Err(unknown("member", &name, &known))
                }
            };
            set.map_err(|what| self.at(value, &name, what))?;
        }
        row.into_product().ok_or_else(|| self.at(json, "item", "is missing; each item has its name"))
    }

    fn fields(&self, json: &'a RawValue, name: &str) -> Result<Fields, BadFile> {
        let mut fields = Fields::new();
        for (key, value) in self.members(json, name, "write an object, such as {\"bundles.components\":[]}")? {
            let field = FieldKey::parse(&key).map_err(|error| format!("{key:.80} {error}")).and_then(|field| {
                let value = FieldValue::of_json(value).map_err(|error| format!("the field {error}"))?;
                value.map_or(Ok(()), |value| add_field(&mut fields, field, value))
            });
            field.map_err(|what| self.at(value, &format!("{name}.{key:.80}"), what))?;
        }
        Ok(fields)
    }

    /// Returns the members of an object.
    fn members(&self, json: &'a RawValue, name: &str, rule: &str) -> Result<Vec<(String, &'a RawValue)>, BadFile> {
        let Members(members) = serde_json::from_str(json.get()).map_err(|_| self.at(json, name, rule))?;
        let mut names = BTreeSet::new();
        let twice = members.iter().find(|(name, _)| !names.insert(name.as_str()));
        if let Some((name, value)) = twice {
            return Err(self.at(value, name, "stands twice; leave one of them"));
        }
        Ok(members)
    }

    fn at(&self, json: &RawValue, name: &str, what: impl Into<String>) -> BadFile {
        BadFile { line: self.line(json), column: Some(format!("{name:.80}")), what: what.into() }
    }

    /// Returns the line that a value of the file begins on.
    fn line(&self, json: &RawValue) -> usize {
        let from = json.get().as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr());
        line_after(self.bytes.get(..from).unwrap_or_default())
    }
}

/// Returns a member's text: a text without its quotes, a number or a truth value as it stands.
fn plain(column: Column, json: &RawValue) -> Result<Cow<'_, str>, String> {
    let is = |allowed: &[u8]| json.get().as_bytes().first().is_some_and(|first| allowed.contains(first));
    match column {
        Column::Price | Column::WeightGrams if is(b"-0123456789") => Ok(json.get().into()),
        Column::Price | Column::WeightGrams => Err("write a number, without quotes".to_owned()),
        Column::NeedsShipping if is(b"tf") => Ok(json.get().into()),
        Column::NeedsShipping => Err("write true or false, without quotes".to_owned()),
        _ if is(b"\"") => serde_json::from_str::<String>(json.get()).map(Cow::Owned).map_err(|error| error.to_string()),
        _ => Err("write a text in quotes".to_owned()),
    }
}

fn tags(json: &RawValue) -> Result<Vec<String>, String> {
    serde_json::from_str(json.get()).map_err(|_| "write an array of texts, such as [\"sale\"]".to_owned())
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reading)
    }
}
