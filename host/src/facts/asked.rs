//! What a call asked of the facts and was answered, in the form of a case (`hooks/case.rs`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Address, Customer, FieldKey, FieldValue, Known, Owner, Product, digest::Question};

/// Answers by what they are about. What wasn't asked for is absent, and so is what isn't there.
#[derive(Default, Serialize)]
pub struct Asked {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    products: BTreeMap<String, AskedProduct>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    shop_fields: AskedFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer: Option<AskedCustomer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship_to: Option<AskedAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bill_to: Option<AskedAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
}

type AskedFields = BTreeMap<String, Box<RawValue>>;

#[derive(Serialize)]
struct AskedProduct {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_grams: Option<u32>,
    needs_shipping: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_category: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: AskedFields,
}

#[derive(Serialize)]
struct AskedCustomer {
    id: String,
    email: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    orders: Option<u32>,
    company: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: AskedFields,
}

struct AskedAddress(Address);

impl Serialize for AskedAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let Address { name, company, lines, city, province_code, postal_code, country_code, phone } = &self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("country_code", country_code)?;
        if !lines.is_empty() {
            map.serialize_entry("lines", lines)?;
        }
        for (key, value) in [
            ("name", name),
            ("company", company),
            ("city", city),
            ("province_code", province_code),
            ("postal_code", postal_code),
            ("phone", phone),
        ] {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// Holds personal details, so it prints nothing.
impl std::fmt::Debug for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Asked(…)")
    }
}

impl Asked {
    /// Returns the answers to the questions, and what is known of the items besides; `None` if that is nothing.
    pub(super) fn of(questions: &BTreeSet<Question>, items: &[String], known: &Known) -> Option<Self> {
        if questions.is_empty() && items.is_empty() {
            return None;
        }
        let mut asked = Self::default();
        for item in items {
            asked.product(item, known);
        }
        for question in questions {
            asked.answer(question, known);
        }
        Some(asked)
    }

    fn answer(&mut self, question: &Question, known: &Known) {
        match question {
            Question::Buyer => _ = self.buyer(known),
            Question::ShipTo => self.ship_to = known.ship_to.as_deref().cloned().map(AskedAddress),
            Question::BillTo => self.bill_to = known.bill_to.as_deref().cloned().map(AskedAddress),
            Question::Locale => self.locale = known.locale.as_ref().map(|locale| locale.as_str().to_owned()),
            Question::Product(item) => _ = self.product(item, known),
            Question::Field(owner, key) => {
                let Some(value) = known.field(owner, key) else { return };
                let fields = match owner {
                    Owner::Shop => Some(&mut self.shop_fields),
                    Owner::Customer => self.buyer(known).map(|buyer| &mut buyer.fields),
                    Owner::Product(item) => self.product(item, known).map(|product| &mut product.fields),
                };
                fields.into_iter().for_each(|fields| insert(fields, key, &value));
            }
        }
    }

    fn buyer(&mut self, known: &Known) -> Option<&mut AskedCustomer> {
        let Customer { id, email, tags, orders, company, fields: _ } = known.buyer.as_deref()?;
        Some(self.buyer.get_or_insert_with(|| AskedCustomer {
            id: id.clone(),
            email: email.clone(),
            tags: tags.clone(),
            orders: *orders,
            company: company.clone(),
            fields: AskedFields::new(),
        }))
    }

    fn product(&mut self, item: &str, known: &Known) -> Option<&mut AskedProduct> {
        let product = known.product(item);
        let Product { item, title, price, tags, weight_grams, needs_shipping, tax_category, fields: _ } =
            product.as_deref()?;
        Some(self.products.entry(item.to_string()).or_insert_with(|| AskedProduct {
            title: title.clone(),
            price: price.map(|price| price.amount()),
            tags: tags.clone(),
            weight_grams: *weight_grams,
            needs_shipping: *needs_shipping,
            tax_category: tax_category.clone(),
            fields: AskedFields::new(),
        }))
    }
}

fn insert(fields: &mut AskedFields, key: &FieldKey, value: &FieldValue) {
    let json = match value {
        // With its point, so that it is read as a decimal again.
        FieldValue::Decimal(number) => serde_json::value::to_raw_value(number),
        other => Ok(other.to_json()),
    };
    json.into_iter().for_each(|json| _ = fields.insert(key.to_string(), json));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::*;
    use crate::order::MinorUnits;

    #[test]
    fn only_what_was_asked_for_is_in_the_answers() {
        let key = |text: &str| FieldKey::parse(text).expect("a key");
        let item = |text: &str| Item::parse(text).expect("an item");
        let fields = [(key("a.b"), FieldValue::Decimal(5.0)), (key("a.c"), FieldValue::Flag(true))].into();
        let mug = Product { price: MinorUnits::new(990), fields, ..Product::of_name(item("mug")) };
        let catalogue = Catalogue::new([mug, Product::of_name(item("tea"))], Fields::new());
        let address = Address { phone: Some("555".into()), ..Address::in_country("GB") };
        let said = Said { ship_to: Some(address), ..Said::default() };
        let facts = Facts::new(Arc::new(catalogue), said, DigestKey::of_trials());
        let json = |items: &[String]| {
            facts.asked(items).map(|asked| serde_json::to_string(&asked).expect("JSON")).unwrap_or_default()
        };
        assert_eq!(json(&[]), "");
        assert_eq!(json(&["tea".into()]), r#"{"products":{"tea":{"title":"tea","needs_shipping":true}}}"#);
        _ = (facts.ship_to(), facts.buyer(), facts.products(&["none".into()]));
        _ = facts.fields(&[Owner::Product("mug".into()), Owner::Shop], "a.b");
        let expected = r#"{"products":{"mug":{"title":"mug","price":990,"needs_shipping":true,"fields":{"a.b":5.0}}},"ship_to":{"country_code":"GB","phone":"555"}}"#;
        assert_eq!(json(&[]), expected);
    }
}
