//! The digest of what was asked and answered, for traces.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Address, Customer, FieldKey, FieldValue, Known, Owner, Product};

type Hasher = Hmac<Sha256>;

/// How many bytes of a digest a trace has.
const SHOWN_BYTES: usize = 16;

/// The key of a host's digests. Without it nobody can find out by trying whose address a digest is of.
#[derive(Clone)]
pub struct DigestKey(Hasher);

impl DigestKey {
    /// Draws a key. Digests of two keys can't be compared.
    #[must_use]
    pub fn drawn() -> Self {
        Self::of(&rand::random::<[u8; 32]>())
    }

    /// Returns the key of trials, which know no personal details: their digests are equal everywhere.
    #[must_use]
    pub fn of_trials() -> Self {
        Self::of(&[0; 32])
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn of(key: &[u8; 32]) -> Self {
        Self(Hasher::new_from_slice(key).expect("HMAC takes a key of any length"))
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("DigestKey(…)")
    }
}

/// A digest of answers: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactsDigest(String);

impl FactsDigest {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was asked. The answers follow from it, because they are the same for the whole request.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Buyer,
    ShipTo,
    BillTo,
    Locale,
    Product(String),
    Field(Owner, FieldKey),
}

/// Returns the digest of these questions, in ascending order, and their answers.
pub(super) fn of_answers<'a>(key: &DigestKey, asked: impl Iterator<Item = &'a Question>, known: &Known) -> FactsDigest {
    let mut digest = Writer(key.0.clone());
    for question in asked {
        digest.answer(question, known);
    }
    let bytes = digest.0.finalize().into_bytes();
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN_BYTES) {
        // Writing to a text can't fail.
        _ = write!(text, "{byte:02x}");
    }
    FactsDigest(text)
}

/// Writes values so that no two answers are written alike: each text after its length, each option after whether it is there.
struct Writer(Hasher);

impl Writer {
    fn answer(&mut self, question: &Question, known: &Known) {
        match question {
            Question::Buyer => {
                self.text("buyer");
                self.option(known.buyer.as_deref(), Self::customer);
            }
            Question::ShipTo => {
                self.text("ship-to");
                self.option(known.ship_to.as_deref(), Self::address);
            }
            Question::BillTo => {
                self.text("bill-to");
                self.option(known.bill_to.as_deref(), Self::address);
            }
            Question::Locale => {
                self.text("locale");
                self.option(known.locale.as_ref(), |digest, locale| digest.text(locale.as_str()));
            }
            Question::Product(item) => {
                self.text("product");
                self.text(item);
                self.option(known.product(item).as_deref(), Self::product);
            }
            Question::Field(owner, key) => {
                self.text("field");
                self.owner(owner);
                self.text(key.as_str());
                self.option(known.field(owner, key).as_ref(), Self::field);
            }
        }
    }

    fn owner(&mut self, owner: &Owner) {
        match owner {
            Owner::Shop => self.text("shop"),
            Owner::Customer => self.text("customer"),
            Owner::Product(item) => {
                self.text("product");
                self.text(item);
            }
        }
    }

    /// A buyer's fields aren't part of it: they are asked for one by one.
    fn customer(&mut self, customer: &Customer) {
        let Customer { id, email, tags, orders, company, fields: _ } = customer;
        self.text(id);
        self.optional_text(email.as_deref());
        self.texts(tags);
        self.option(orders.as_ref(), |digest, orders| digest.number(u64::from(*orders)));
        self.optional_text(company.as_deref());
    }

    fn address(&mut self, address: &Address) {
        let Address { name, company, lines, city, province_code, postal_code, country_code, phone } = address;
        self.texts(lines);
        self.text(country_code);
        for part in [name, company, city, province_code, postal_code, phone] {
            self.optional_text(part.as_deref());
        }
    }

    /// A product's fields aren't part of it: they are asked for one by one.
    fn product(&mut self, product: &Product) {
        let Product { item, title, price, tags, weight_grams, needs_shipping, tax_category, fields: _ } = product;
        self.text(item.as_str());
        self.text(title);
        self.option(price.as_ref(), |digest, price| digest.number(price.amount()));
        self.texts(tags);
        self.option(weight_grams.as_ref(), |digest, grams| digest.number(u64::from(*grams)));
        self.number(u64::from(*needs_shipping));
        self.optional_text(tax_category.as_deref());
    }

    fn field(&mut self, value: &FieldValue) {
        let (kind, text) = match value {
            FieldValue::Text(text) => ("text", text.to_string()),
            FieldValue::Integer(number) => ("integer", number.to_string()),
            FieldValue::Decimal(number) => ("decimal", number.to_string()),
            FieldValue::Flag(flag) => ("flag", flag.to_string()),
            FieldValue::Json(json) => ("json", json.to_string()),
        };
        self.text(kind);
        self.text(&text);
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.number(u64::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    fn texts(&mut self, texts: &[String]) {
        self.number(texts.len() as u64);
        for text in texts {
            self.text(text);
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }
}
