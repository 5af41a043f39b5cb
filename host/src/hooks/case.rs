//! The question of a case for a hook of track 0.2: the cart and what the hook adds, what the shop knows, what others answer.
//!
//! Its JSON is the interface's records: field names in snake case, cases in kebab case, amounts in minor units. What is optional may be
//! left out; attributes and headers are objects.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Question, Request, question::Purpose};
use crate::{
    facts::{Address, Catalogue, Customer, DigestKey, Facts, FieldKey, FieldValue, Fields, Locale, Product, Said},
    imports::v0_2::http,
    order::{
        Cart, Currency, Item, MinorUnits, Quantity,
        written::{WrittenAttributes, WrittenItem},
    },
    outbound::{HttpError, Response},
    pricing::{Basket, ClientLine, LineId},
};

/// The parts of a case by name, each of them once.
pub type Parts = BTreeMap<String, Box<RawValue>>;

/// The question of a case, before the hook has read what it adds to the cart.
#[derive(Debug)]
pub struct CaseQuestion {
    pub(super) question: Question<()>,
    pub(super) rest: Parts,
    pub facts: Facts,
    /// What others answer, in turn.
    pub http: Vec<http::Answer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCart {
    #[serde(default)]
    purpose: WrittenPurpose,
    #[serde(default)]
    at_ms: u64,
    currency: Option<WrittenCurrency>,
    lines: Vec<WrittenLine>,
    #[serde(default)]
    attributes: WrittenAttributes,
    #[serde(default)]
    codes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenPurpose {
    Quote,
    #[default]
    Checkout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCurrency {
    code: String,
    /// As ISO 4217 has it; there for being read.
    #[serde(rename = "decimals")]
    _decimals: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    id: Option<LineId>,
    item: WrittenItem,
    title: Option<String>,
    quantity: u32,
    unit_price: MinorUnits,
    bundle: Option<LineId>,
    #[serde(default)]
    attributes: WrittenAttributes,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenFacts {
    products: BTreeMap<WrittenItem, WrittenProduct>,
    shop_fields: WrittenFields,
    buyer: Option<WrittenCustomer>,
    ship_to: Option<WrittenAddress>,
    bill_to: Option<WrittenAddress>,
    locale: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProduct {
    title: Option<String>,
    price: Option<MinorUnits>,
    #[serde(default)]
    tags: Vec<String>,
    weight_grams: Option<u32>,
    needs_shipping: Option<bool>,
    tax_category: Option<String>,
    #[serde(default)]
    fields: WrittenFields,
}

type WrittenFields = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCustomer {
    id: String,
    email: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    orders: Option<u32>,
    company: Option<String>,
    #[serde(default)]
    fields: WrittenFields,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAddress {
    name: Option<String>,
    company: Option<String>,
    #[serde(default)]
    lines: Vec<String>,
    city: Option<String>,
    province_code: Option<String>,
    postal_code: Option<String>,
    country_code: String,
    phone: Option<String>,
}

/// What a request to others is answered. Requests and answers go by their order; a request's URL and method are for people.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    #[serde(rename = "method")]
    _method: Option<String>,
    #[serde(rename = "url")]
    _url: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    headers: WrittenHeaders,
    body: Option<String>,
    error: Option<WrittenError>,
}

/// Headers by their names, or one after the other, as a recording has them: a name may stand twice.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenHeaders {
    ByName(BTreeMap<String, String>),
    InTurn(Vec<WrittenHeader>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHeader {
    name: String,
    value: String,
}

impl Default for WrittenHeaders {
    fn default() -> Self {
        Self::InTurn(Vec::new())
    }
}

impl WrittenHeaders {
    fn into_list(self) -> Vec<(String, String)> {
        match self {
            Self::ByName(headers) => headers.into_iter().collect(),
            Self::InTurn(headers) => headers.into_iter().map(|of| (of.name, of.value)).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenError {
    NotGranted,
    NotSent,
    Unknown,
    TooLarge,
}

impl CaseQuestion {
    /// Reads the question of the parts that are left of a case. Returns its cart as well.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn read(mut parts: Parts, currency: Currency) -> Result<(Self, Cart), String> {
        let cart: WrittenCart = take(&mut parts, "cart")?.ok_or("missing field `cart`")?;
        let facts = take::<WrittenFacts>(&mut parts, "facts")?.unwrap_or_default().into_facts()?;
        let answers: Vec<WrittenAnswer> = take(&mut parts, "http")?.unwrap_or_default();
        let answers = answers.into_iter().map(WrittenAnswer::into_answer).collect();
        let WrittenCart { purpose, at_ms, currency: of_case, lines, attributes, codes } = cart;
        let currency = match of_case {
            Some(WrittenCurrency { code, .. }) => {
                Currency::of_code(&code).ok_or_else(|| format!("cart.currency.code is {code:?}; wanted is ISO 4217"))?
            }
            None => currency,
        };
        let numbers = 1..;
        let lines = lines.into_iter().zip(numbers).map(|(line, number)| line.into_line(number, &facts));
        let basket = Basket::of_lines(lines.collect::<Result<_, String>>()?);
        let basket = basket.ok_or("cart.lines are 1 to 100, each id once, with a sum below 2^53")?;
        let WrittenAttributes(attributes) = attributes;
        let cart = basket.to_cart(attributes.clone()).ok_or("the lines' sum is 2^53 minor units or more")?;
        let purpose = match purpose {
            WrittenPurpose::Quote => Purpose::Quote,
            WrittenPurpose::Checkout => Purpose::Checkout,
        };
        let catalogue = Arc::new(facts.of_call());
        let request = Request { purpose, at_ms, currency, attributes, codes, catalogue };
        let question = Question { request: Arc::new(request), basket: Arc::new(basket), rest: () };
        Ok((Self { question, rest: parts, facts, http: answers }, cart))
    }

    /// Returns the time of the request, Unix milliseconds.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.question.request.at_ms
    }

    /// Returns a part of the question that the hook adds to the cart.
    pub(super) fn part<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let written = self.rest.get(name).ok_or_else(|| format!("missing field `{name}`"))?;
        serde_json::from_str(written.get()).map_err(|error| format!("{name}: {error}"))
    }

    /// Checks that the case has no other parts than these.
    pub(super) fn has_only(&self, names: &[&str]) -> Result<(), String> {
        let known = ["shop", "set", "seed", "cart", "facts", "http", "expect"];
        match self.rest.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(other) => {
                let wanted = known.iter().chain(names).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                Err(format!("unknown field `{other}`, expected one of {wanted}"))
            }
        }
    }
}

fn take<T: DeserializeOwned>(parts: &mut Parts, name: &str) -> Result<Option<T>, String> {
    let Some(written) = parts.remove(name) else { return Ok(None) };
    serde_json::from_str(written.get()).map_err(|error| format!("{name}: {error}"))
}

impl WrittenLine {
    fn into_line(self, number: u32, facts: &Facts) -> Result<(LineId, Option<LineId>, ClientLine), String> {
        let Self { id, item: WrittenItem(item), title, quantity, unit_price, bundle, attributes } = self;
        let WrittenAttributes(attributes) = attributes;
        let of_catalogue = facts.product(&item).map(|product| product.title.clone());
        let title = title.or(of_catalogue).unwrap_or_else(|| item.to_string());
        let quantity = Quantity::new(quantity);
        let quantity = quantity.ok_or_else(|| format!("the quantity of {item} isn't from 1 to 10,000"))?;
        Ok((id.unwrap_or(LineId(number)), bundle, ClientLine { item, title, quantity, unit_price, attributes }))
    }
}

impl WrittenFacts {
    fn into_facts(self) -> Result<Facts, String> {
        let Self { products, shop_fields, buyer, ship_to, bill_to, locale } = self;
        let product = |(WrittenItem(item), of): (WrittenItem, WrittenProduct)| of.into_product(item);
        let products = products.into_iter().map(product).collect::<Result<Vec<_>, String>>()?;
        let locale = locale.map(|tag| Locale::parse(&tag).ok_or_else(|| format!("facts.locale: {}", Locale::RULE)));
        let said = Said {
            buyer: buyer.map(WrittenCustomer::into_customer).transpose()?,
            ship_to: ship_to.map(WrittenAddress::into_address),
            bill_to: bill_to.map(WrittenAddress::into_address),
            locale: locale.transpose()?,
        };
        let catalogue = Catalogue::new(products, fields(shop_fields)?);
        Ok(Facts::new(Arc::new(catalogue), said, DigestKey::of_trials()))
    }
}

impl WrittenProduct {
    fn into_product(self, item: Item) -> Result<Product, String> {
        let Self { title, price, tags, weight_grams, needs_shipping, tax_category, fields: own } = self;
        let plain = Product::of_name(item);
        Ok(Product {
            title: title.unwrap_or_else(|| plain.title.clone()),
            price,
            tags,
            weight_grams,
            needs_shipping: needs_shipping.unwrap_or(true),
            tax_category,
            fields: fields(own)?,
            ..plain
        })
    }
}

impl WrittenCustomer {
    fn into_customer(self) -> Result<Customer, String> {
        let Self { id, email, tags, orders, company, fields: own } = self;
        Ok(Customer { id, email, tags, orders, company, fields: fields(own)? })
    }
}

impl WrittenAddress {
    fn into_address(self) -> Address {
        let Self { name, company, lines, city, province_code, postal_code, country_code, phone } = self;
        Address { name, company, lines, city, province_code, postal_code, country_code, phone }
    }
}

impl WrittenAnswer {
    fn into_answer(self) -> http::Answer {
        let Self { status, headers, body, error, .. } = self;
        let text = || "as the case says".to_owned();
        match error {
            None => Ok(Response {
                status: status.unwrap_or(200),
                headers: headers.into_list(),
                body: body.unwrap_or_default().into(),
            }),
            Some(WrittenError::NotGranted) => Err(HttpError::NotGranted(text())),
            Some(WrittenError::NotSent) => Err(HttpError::NotSent(text())),
            Some(WrittenError::Unknown) => Err(HttpError::Unknown(text())),
            Some(WrittenError::TooLarge) => Err(HttpError::TooLarge),
        }
    }
}

/// Returns fields of plain JSON: what is neither text, number nor truth is JSON, null included.
fn fields(written: WrittenFields) -> Result<Fields, String> {
    let field = |(key, value): (String, Box<RawValue>)| {
        let said = |bad: &dyn std::fmt::Display| format!("the field {key:?} {bad}");
        let parsed = FieldKey::parse(&key).map_err(|bad| said(&bad))?;
        let value = FieldValue::of_json(&value).map_err(|bad| said(&bad))?;
        Ok((parsed, value.unwrap_or_else(|| FieldValue::Json("null".into()))))
    };
    written.into_iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Attribute;

    fn keys(attributes: &[Attribute]) -> Vec<&str> {
        attributes.iter().map(|attribute| attribute.key.as_str()).collect()
    }

    fn read(text: &str) -> Result<CaseQuestion, String> {
        let parts: Parts = serde_json::from_str(text).expect("an object");
        CaseQuestion::read(parts, Currency::of_code("USD").expect("a code")).map(|(question, _)| question)
    }

    #[test]
    fn a_case_says_what_the_shop_knows() {
        let case = read(
            r#"{"cart":{"at_ms":7,"lines":[{"item":"mug","quantity":2,"unit_price":990,"attributes":{"gift":true}}],"codes":["X"]},
                "facts":{"products":{"mug":{"title":"Mug","fields":{"a.b":[1],"a.c":"text"}}},"locale":"en-CA"},
                "http":[{"status":200,"body":"{}"},{"error":"unknown"}],"due":5}"#,
        )
        .expect("a case");
        let request = &case.question.request;
        assert_eq!((request.at_ms, request.codes.as_slice()), (7, ["X".to_owned()].as_slice()));
        let line = case.question.basket.lines().first().expect("a line");
        assert_eq!((line.id, line.title.as_str(), keys(&line.attributes)), (LineId(1), "Mug", vec!["gift"]));
        assert_eq!((case.http.len(), case.part::<u64>("due")), (2, Ok(5)));
        assert!(case.has_only(&["due"]).is_ok());
        assert!(case.has_only(&[]).expect_err("a field more").starts_with("unknown field `due`"));
    }

    #[test]
    fn what_is_no_case_is_refused_with_its_place() {
        let check = |text: &str, expected: &str| {
            let refused = read(text).map(|_| ()).expect_err(text);
            assert!(refused.starts_with(expected), "{text}: {refused}");
        };
        check("{}", "missing field `cart`");
        check(r#"{"cart":{"lines":[]}}"#, "cart.lines are 1 to 100");
        check(r#"{"cart":{"lines":[{"item":"a","quantity":0,"unit_price":1}]}}"#, "the quantity of a");
        check(r#"{"cart":{"lines":[{"item":"a","quantity":1,"price":1}]}}"#, "cart: unknown field `price`");
        check(r#"{"cart":{"lines":[{"item":"a","quantity":1,"unit_price":1.5}]}}"#, "cart: invalid type");
        let facts = |facts: &str| {
            format!(r#"{{"cart":{{"lines":[{{"item":"a","quantity":1,"unit_price":1}}]}},"facts":{facts}}}"#)
        };
        check(&facts(r#"{"products":{"a":{"colour":1}}}"#), "facts: unknown field `colour`");
        check(&facts(r#"{"products":{"a":{"fields":{"b":1}}}}"#), "the field \"b\" is no key");
        check(&facts(r#"{"locale":"!"}"#), "facts.locale: ");
    }
}
