//! The shop's own fields: a key with a namespace, and a value.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::value::RawValue;

use crate::order::{Form, exact_number, is_control};

/// The longest key, bytes.
const KEY_BYTES_MAX: usize = 64;
/// The longest text or JSON, bytes, as in the plugins' interface.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The most levels of a field's JSON, as in the plugins' interface.
const LEVELS_MAX: usize = 16;

/// The fields of one owner.
pub type Fields = BTreeMap<FieldKey, FieldValue>;

/// A field's name, such as `bundles.components`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldKey(Arc<str>);

/// A field's value. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    Text(Arc<str>),
    Integer(i32),
    /// Always finite.
    Decimal(f64),
    Flag(bool),
    /// Text that is JSON, as it was written.
    Json(Arc<str>),
}

/// Why a field isn't one. The messages follow the field's name in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    #[error(
        "is no key of a field: write NAMESPACE.KEY, each of letters, digits, `_` and `-`, with at most 64 bytes together, such as \
         bundles.components"
    )]
    Key,
    #[error("is longer than 16 KiB")]
    TooLong,
    #[error("has a control character other than a line break or a tab")]
    Control,
    #[error("is no JSON")]
    NotJson,
    #[error("has more than 16 levels of arrays and objects")]
    TooDeep,
    #[error("is no number, such as 0.5, that would be kept exactly; write it as a text")]
    NotDecimal,
    #[error("is no whole number from -2147483648 to 2147483647")]
    NotInteger,
    #[error("is neither true nor false")]
    NotFlag,
}

impl FieldKey {
    /// # Errors
    /// `BadField::Key`.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        let fits = text.split_once('.').is_some_and(|(namespace, key)| is_part(namespace) && is_part(key));
        (fits && text.len() <= KEY_BYTES_MAX).then(|| Self(text.into())).ok_or(BadField::Key)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FieldValue {
    /// # Errors
    /// For a text that is too long or has control characters.
    pub fn text(text: &str) -> Result<Self, BadField> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(BadField::TooLong);
        }
        let has_control = text.chars().any(|character| is_control(character, Form::Lines));
        if has_control { Err(BadField::Control) } else { Ok(Self::Text(text.into())) }
    }

    /// # Errors
    /// For a text that is no number, or none that a float has exactly.
    pub fn decimal(text: &str) -> Result<Self, BadField> {
        exact_number(text).map(Self::Decimal).ok_or(BadField::NotDecimal)
    }

    /// Returns the field of a text that is JSON.
    ///
    /// # Errors
    /// For a text that isn't JSON, is too long or too deep.
    pub fn json(text: &str) -> Result<Self, BadField> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(BadField::TooLong);
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            if error.to_string().starts_with("recursion limit") { BadField::TooDeep } else { BadField::NotJson }
        })?;
        if levels(&value) > LEVELS_MAX { Err(BadField::TooDeep) } else { Ok(Self::Json(text.into())) }
    }

    /// Returns the field that a JSON value stands for: a text, a whole number, another number, a truth value, or JSON for an array or an
    /// object. `None` for null.
    ///
    /// # Errors
    /// For a value that is too long or too deep, or a number that would be rounded.
    pub fn of_json(value: &RawValue) -> Result<Option<Self>, BadField> {
        let json = value.get();
        let field = match json.as_bytes().first() {
            Some(b'"') => Self::text(&serde_json::from_str::<String>(json).map_err(|_| BadField::NotJson)?)?,
            Some(b't') => Self::Flag(true),
            Some(b'f') => Self::Flag(false),
            Some(b'n') => return Ok(None),
            Some(b'-' | b'0'..=b'9') => {
                json.parse().map_or_else(|_| Self::decimal(json), |whole| Ok(Self::Integer(whole)))?
            }
            _ => Self::json(json)?,
        };
        Ok(Some(field))
    }

    /// Returns the value as JSON, in the form that [`of_json`](Self::of_json) reads.
    #[must_use]
    pub fn to_json(&self) -> Box<RawValue> {
        let json = match self {
            Self::Text(text) => serde_json::to_string(&**text),
            Self::Integer(number) => Ok(number.to_string()),
            Self::Decimal(number) => Ok(number.to_string()),
            Self::Flag(flag) => Ok(flag.to_string()),
            Self::Json(json) => Ok(json.to_string()),
        };
        json.and_then(RawValue::from_string).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    /// Returns how many bytes of text the value has.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(_) | Self::Decimal(_) | Self::Flag(_) => 0,
        }
    }
}

/// Returns how many arrays and objects are in each other.
fn levels(value: &serde_json::Value) -> usize {
    let deepest = match value {
        serde_json::Value::Array(values) => values.iter().map(levels).max(),
        serde_json::Value::Object(members) => members.values().map(levels).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_namespace() {
        for key in ["a.b", "bundles.components", "A-1.b_2", &format!("a.{}", "b".repeat(62))] {
            assert_eq!(FieldKey::parse(key).as_ref().map(FieldKey::as_str), Ok(key));
        }
        for other in ["", "a", ".", "a.", ".b", "a.b.c", "a b.c", "ä.b", "a.b\n", &format!("a.{}", "b".repeat(63))] {
            assert_eq!(FieldKey::parse(other), Err(BadField::Key), "{other}");
        }
    }

    #[test]
    fn a_value_is_bounded() {
        let check = |value: Result<FieldValue, BadField>, expected: Result<(), BadField>| {
            assert_eq!(value.map(drop), expected);
        };
        check(FieldValue::text(&"x".repeat(TEXT_BYTES_MAX)), Ok(()));
        check(FieldValue::text(&"x".repeat(TEXT_BYTES_MAX + 1)), Err(BadField::TooLong));
        check(FieldValue::text("two\nlines"), Ok(()));
        check(FieldValue::text("\u{1b}"), Err(BadField::Control));
        check(FieldValue::decimal("0.5"), Ok(()));
        for number in ["inf", "NaN", "0.1000000000000000055", "9007199254740993", "1,5", ""] {
            check(FieldValue::decimal(number), Err(BadField::NotDecimal));
        }
        check(FieldValue::json(&format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))), Err(BadField::TooDeep));
        check(FieldValue::json(&format!("{}1{}", "[".repeat(16), "]".repeat(16))), Ok(()));
        check(FieldValue::json(&format!("{}1{}", "[".repeat(17), "]".repeat(17))), Err(BadField::TooDeep));
        check(FieldValue::json("{"), Err(BadField::NotJson));
        check(FieldValue::json(&format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX))), Err(BadField::TooLong));
        let exact = "[ 99999999999999999.99, {} ]";
        assert_eq!(FieldValue::json(&format!(" {exact}\n")), Ok(FieldValue::Json(exact.into())));
    }

    #[test]
    fn a_value_is_read_from_json_and_written_as_it_was() {
        let check = |json: &str, expected: Option<FieldValue>| {
            let raw = RawValue::from_string(json.to_owned()).expect("JSON");
            let value = FieldValue::of_json(&raw).unwrap_or_else(|error| panic!("{json} {error}"));
            assert_eq!(value, expected, "{json}");
            assert_eq!(value.map_or_else(|| "null".into(), |value| value.to_json().get().to_owned()), json);
        };
        check(r#""a\nb""#, Some(FieldValue::Text("a\nb".into())));
        check("-7", Some(FieldValue::Integer(-7)));
        check("3000000000", Some(FieldValue::Decimal(3e9)));
        check("0.1", Some(FieldValue::Decimal(0.1)));
        check("true", Some(FieldValue::Flag(true)));
        check(r#"[{"a":null}]"#, Some(FieldValue::Json(r#"[{"a":null}]"#.into())));
        check("null", None);
    }
}
