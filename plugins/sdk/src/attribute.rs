//! What may be the value of an attribute.

use crate::bindings::AttributeValue;

/// Defines what a track's attribute values are made of: the `AttributeValue` is that of the module that asks for it.
macro_rules! attribute_values {
    () => {
        impl From<&str> for AttributeValue {
            fn from(value: &str) -> Self {
                Self::Text(value.to_owned())
            }
        }

        impl From<String> for AttributeValue {
            fn from(value: String) -> Self {
                Self::Text(value)
            }
        }

        #[expect(clippy::cast_precision_loss, reason = "up to 2^53 a float has every whole number")]
        fn whole_attribute(value: Option<i128>, written: &impl ToString) -> AttributeValue {
            match value {
                Some(value) if i32::try_from(value).is_ok() => {
                    AttributeValue::Integer(i32::try_from(value).unwrap_or_default())
                }
                Some(value) if value.unsigned_abs() <= 1 << 53 => AttributeValue::Decimal(value as f64),
                _ => AttributeValue::Text(written.to_string()),
            }
        }

        impl From<f64> for AttributeValue {
            fn from(value: f64) -> Self {
                Self::Decimal(value)
            }
        }

        impl From<f32> for AttributeValue {
            fn from(value: f32) -> Self {
                Self::Decimal(value.into())
            }
        }

        impl From<bool> for AttributeValue {
            fn from(value: bool) -> Self {
                Self::Flag(value)
            }
        }

        crate::attribute::from_whole!(i8, u8, i16, u16, i32, u32, i64, u64, i128, u128, isize, usize);
    };
}

/// What is past an `integer` of the interface is written as a `decimal`, and what no float has exactly as text.
macro_rules! from_whole {
    ($($whole:ty),*) => {
        $(impl From<$whole> for AttributeValue {
            fn from(value: $whole) -> Self {
                whole_attribute(i128::try_from(value).ok(), &value)
            }
        })*
    };
}
#[cfg(feature = "hooks")]
pub(crate) use attribute_values;
pub(crate) use from_whole;

attribute_values!();
