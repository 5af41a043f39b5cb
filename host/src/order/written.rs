//! Parts of an order in JSON, parsed into the shop's types: for clients' requests and authors' cases.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use super::{
    Attribute, AttributeValue, Currency, Form, Item, MinorUnits, ORDER_ATTRIBUTE_KEY_BYTES_MAX,
    ORDER_ATTRIBUTE_TEXT_BYTES_MAX, ORDER_ATTRIBUTES_MAX, Quantity,
    decimal::{Decimal, exact_number},
    is_control,
};

/// An item by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WrittenItem(pub(crate) Item);

impl<'de> Deserialize<'de> for WrittenItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Item::parse(&text).map(Self).ok_or_else(|| D::Error::custom(Item::RULE))
    }
}

/// A number as it was written; the currency decides its amount.
#[derive(Debug)]
pub(crate) struct WrittenPrice(pub(crate) String);

impl<'de> Deserialize<'de> for WrittenPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = <Box<RawValue>>::deserialize(deserializer)?;
        let number = written.get().starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let rule = "a price is a number, without quotes, with a decimal point";
        number.then(|| Self(written.get().to_owned())).ok_or_else(|| D::Error::custom(rule))
    }
}

impl WrittenPrice {
    /// Returns the price in a canonical form, the same for equal numbers, independent of the currency.
    pub(crate) fn canonical(&self) -> String {
        Decimal::parse(&self.0).map_or_else(|| self.0.clone(), |decimal| decimal.to_string())
    }

    /// Returns the amount in the currency.
    ///
    /// # Errors
    /// Says why it isn't an amount, for the author of a case.
    pub(crate) fn amount(&self, currency: Currency) -> Result<MinorUnits, String> {
        let Self(written) = self;
        currency.parse(written).map_err(|error| format!("the amount {written:.40} {error} ({currency})"))
    }
}

/// A whole number of pieces.
#[derive(Debug)]
pub(crate) struct WrittenQuantity(pub(crate) Quantity);

impl<'de> Deserialize<'de> for WrittenQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Parsed from the text, as a price is: 1.0 and 1e0 are a quantity of one, while 1.00000000000000001 isn't,
        // although it is the float 1.
        let number = <Box<RawValue>>::deserialize(deserializer)?;
        let pieces = Decimal::parse(number.get()).filter(|pieces| !pieces.is_negative());
        let pieces = pieces.and_then(|pieces| pieces.shifted(0).ok()).and_then(|pieces| u32::try_from(pieces).ok());
        let quantity = pieces.and_then(Quantity::new);
        quantity.map(Self).ok_or_else(|| D::Error::custom("a quantity is a whole number from 1 to 10000"))
    }
}

/// A bounded object of plain values.
#[derive(Debug, Default)]
pub(crate) struct WrittenAttributes(pub(crate) Vec<Attribute>);

impl<'de> Deserialize<'de> for WrittenAttributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<Attribute>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of texts, numbers and booleans")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut attributes: Vec<Attribute> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if attributes.iter().any(|known| known.key == key) {
                        return Err(A::Error::custom(format_args!("duplicate attribute {key:?}")));
                    }
                    if !(1..=ORDER_ATTRIBUTE_KEY_BYTES_MAX).contains(&key.len()) || key.chars().any(char::is_control) {
                        return Err(A::Error::custom("an attribute's key has 1 to 64 bytes, no control characters"));
                    }
                    if attributes.len() == ORDER_ATTRIBUTES_MAX {
                        return Err(A::Error::custom(format_args!("at most {ORDER_ATTRIBUTES_MAX} attributes")));
                    }
                    let value = attribute_value(&map.next_value::<Box<RawValue>>()?).map_err(A::Error::custom)?;
                    attributes.push(Attribute { key, value });
                }
                Ok(attributes)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

impl WrittenAttributes {
    /// Returns the attributes by key in a canonical form, the same whatever their order and however a number was
    /// written.
    pub(crate) fn canonical(&self) -> BTreeMap<&str, serde_json::Value> {
        let value = |value: &AttributeValue| match value {
            AttributeValue::Text(text) => serde_json::json!(["text", text]),
            AttributeValue::Integer(number) => serde_json::json!(["number", number.to_string()]),
            // Zero has one sign here.
            AttributeValue::Decimal(number) => serde_json::json!(["number", (number + 0.0).to_string()]),
            AttributeValue::Flag(flag) => serde_json::json!(["flag", flag]),
        };
        self.0.iter().map(|attribute| (attribute.key.as_str(), value(&attribute.value))).collect()
    }
}

fn attribute_value(written: &RawValue) -> Result<AttributeValue, String> {
    let json = written.get();
    match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(json) {
            // A plugin may pass the text on, so the rules for the plugin's own texts apply.
            Ok(text) if text.chars().any(|character| is_control(character, Form::Lines)) => {
                Err("an attribute's text has no control characters but line breaks and tabs".to_owned())
            }
            Ok(text) if text.len() <= ORDER_ATTRIBUTE_TEXT_BYTES_MAX => Ok(AttributeValue::Text(text)),
            Ok(_) => Err(format!("an attribute's text has at most {ORDER_ATTRIBUTE_TEXT_BYTES_MAX} bytes")),
            Err(error) => Err(error.to_string()),
        },
        Some(b't' | b'f') => Ok(AttributeValue::Flag(json == "true")),
        Some(b'-' | b'0'..=b'9') => {
            attribute_number(json).ok_or_else(|| format!("the number {json:.40} would be rounded; send it as text"))
        }
        _ => Err("an attribute is a text, a number or a boolean".to_owned()),
    }
}

/// Returns the number if a plugin can get exactly this one: the interface has whole numbers of 32 bits, and floats.
fn attribute_number(json: &str) -> Option<AttributeValue> {
    let whole = json.parse().ok().map(AttributeValue::Integer);
    whole.or_else(|| exact_number(json).map(AttributeValue::Decimal))
}

/// A JSON object and nothing else. serde by itself also accepts an array for a struct: the fields' values in order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reading<T> {
            type Value = T;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Reading(PhantomData)).map(Self)
    }
}
