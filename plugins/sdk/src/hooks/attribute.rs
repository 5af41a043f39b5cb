//! Attributes by their keys, and what their values are read as.

use super::{
    Attribute, AttributeValue, Cart, Json, Line,
    setting::{is_off, is_on},
};

crate::attribute::attribute_values!();

impl AttributeValue {
    /// Returns the text; `None` for any other value.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number, also of a text that is one: forms send texts.
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns whether the value is yes: a flag, or a text that is `on`, `true`, `yes` or `1`, `off`, `false`, `no` or `0`.
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) if is_on(text) => Some(true),
            Self::Text(text) if is_off(text) => Some(false),
            _ => None,
        }
    }

    /// Returns the value that is JSON, also of a text that is.
    #[must_use]
    pub fn json(&self) -> Option<Json> {
        match self {
            Self::Json(text) | Self::Text(text) => Json::parse(text),
            _ => None,
        }
    }
}

/// Defines the lookups of what has attributes. What a client sent is a claim, not a fact.
macro_rules! lookups {
    ($($owner:ty),*) => {
        $(impl $owner {
            /// Returns the attribute of that key, the first if there are several.
            #[must_use]
            pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
                self.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
            }

            /// Returns the attribute of that key if it is a text.
            #[must_use]
            pub fn text(&self, key: &str) -> Option<&str> {
                self.attribute(key).and_then(AttributeValue::text)
            }

            /// Returns the attribute of that key if it is a whole number, or a text that is one.
            #[must_use]
            pub fn number(&self, key: &str) -> Option<i32> {
                self.attribute(key).and_then(AttributeValue::number)
            }

            /// Returns whether the attribute of that key says yes; without one it doesn't.
            #[must_use]
            pub fn flag(&self, key: &str) -> bool {
                self.attribute(key).and_then(AttributeValue::flag).unwrap_or(false)
            }
        })*
    };
}

lookups!(Cart, Line);

impl Attribute {
    /// Returns an attribute.
    #[must_use]
    pub fn new(key: &str, value: impl Into<AttributeValue>) -> Self {
        Self { key: key.to_owned(), value: value.into() }
    }
}
