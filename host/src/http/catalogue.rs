//! `GET /catalogue/{item}`, and the JSON form of what the catalogue has.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Edge,
    answer::{Answer, Reply, money},
    problem::Problem,
    query,
    received::Received,
    routes::no_route,
};
#[cfg(test)]
use crate::schema;
use crate::{
    facts::{Catalogue, Fields, Product},
    order::{Currency, Item},
    units::MIB,
};

/// The most bytes of one page, about.
const PAGE_BYTES_MAX: usize = MIB;
/// The most products of one page.
const PAGE_PRODUCTS_MAX: usize = 1_000;

/// What the catalogue has of an item.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Product"))]
pub(super) struct ProductJson {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: String,
    /// The name for people.
    title: String,
    /// The list price of one piece. Absent if the catalogue has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Amount>"))]
    price: Option<Box<RawValue>>,
    /// ISO 4217.
    #[cfg_attr(test, schemars(regex(pattern = "^[A-Z]{3}$")))]
    currency: &'static str,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_grams: Option<u32>,
    needs_shipping: bool,
    /// The shop's word for how the item is taxed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_category: Option<String>,
    /// The shop's own fields of the item, by `NAMESPACE.KEY`: any JSON.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, serde_json::Value>"))]
    fields: BTreeMap<String, Box<RawValue>>,
}

/// A page of the catalogue.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CataloguePage"))]
pub(crate) struct PageJson {
    items: Vec<ProductJson>,
    /// The shop's own fields, by `NAMESPACE.KEY`: any JSON. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<BTreeMap<String, serde_json::Value>>"))]
    shop_fields: Option<BTreeMap<String, Box<RawValue>>>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Item>"))]
    next_after: Option<String>,
}

impl ProductJson {
    fn new(product: &Product, currency: Currency) -> Self {
        let Product { item, title, price, tags, weight_grams, needs_shipping, tax_category, fields } = product;
        Self {
            item: item.to_string(),
            title: title.clone(),
            price: price.map(|price| money(currency, price)),
            currency: currency.code(),
            tags: tags.clone(),
            weight_grams: *weight_grams,
            needs_shipping: *needs_shipping,
            tax_category: tax_category.clone(),
            fields: json_of(fields),
        }
    }
}

fn json_of(fields: &Fields) -> BTreeMap<String, Box<RawValue>> {
    fields.iter().map(|(key, value)| (key.to_string(), value.to_json())).collect()
}

/// # Errors
/// 404 for an item that the catalogue doesn't have.
pub(super) fn show(edge: &Arc<Edge>, received: &Received) -> Answer {
    let item = Item::parse(&received.named).ok_or_else(no_route)?;
    product(&edge.catalogue.now(), &item, edge.catalogue.currency())
}

/// Answers with a product. For both listeners.
///
/// # Errors
/// 404 for an item that the catalogue doesn't have.
pub(crate) fn product(catalogue: &Catalogue, item: &Item, currency: Currency) -> Answer {
    let unknown = || Problem::not_found(format!("the catalogue has no item {item}"));
    let product = catalogue.product(item).ok_or_else(unknown)?;
    Reply::json(&ProductJson::new(product, currency))
}

/// Answers with a page of the catalogue, according to the query.
///
/// # Errors
/// 422 for an unknown or invalid parameter.
pub(crate) fn page(catalogue: &Catalogue, query: &str, currency: Currency) -> Answer {
    let mut after = None;
    for (name, value) in query::parameters(query)? {
        if name != "after" {
            return Err(Problem::unacceptable(format!("there is no parameter {name}; after is one")));
        }
        after = Some(query::value(&name, &value, Item::parse(&value), "an item's name")?);
    }
    let shop_fields = after.is_none().then(|| json_of(catalogue.shop_fields()));
    let mut products = catalogue.after(after.as_ref()).peekable();
    let (mut items, mut bytes) = (Vec::new(), 0);
    let mut last = None;
    while let Some(product) = products.next_if(|_| items.len() < PAGE_PRODUCTS_MAX && bytes < PAGE_BYTES_MAX) {
        bytes += product.bytes();
        items.push(ProductJson::new(product, currency));
        last = Some(product.item.to_string());
    }
    let next_after = last.filter(|_| products.peek().is_some());
    Reply::json(&PageJson { items, shop_fields, next_after })
}
