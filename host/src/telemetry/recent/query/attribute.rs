//! The term for a span's attribute: `@inventory.item:laptop`, `@plugin.fuel_used:>1000`, `@order.quote:*`.

use super::{super::span::Value as SpanValue, seen::Seen, words::Value};

/// An attribute's key and the values that are wanted.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    key: String,
    wanted: Vec<Wanted>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Any,
    Text(String),
    /// Both inclusive.
    Between(f64, f64),
}

impl Attribute {
    /// # Errors
    /// If a value is wrong.
    pub(super) fn parse(key: &str, values: &[Value]) -> Result<Self, String> {
        if key.is_empty() {
            return Err("@ wants an attribute's name: @inventory.item:laptop".to_owned());
        }
        let wanted = |value: &Value| {
            Wanted::parse(value).ok_or_else(|| format!("@{key}:{}: wanted a text, >100, <5, 1..9 or *", value.text))
        };
        Ok(Self { key: key.to_owned(), wanted: values.iter().map(wanted).collect::<Result<_, _>>()? })
    }

    /// Returns whether a span has such a value; `None` if no span has the attribute, unless it may be absent.
    pub(super) fn finds(&self, seen: &Seen<'_>) -> Option<bool> {
        let mut is_there = false;
        for value in seen.spans().iter().filter_map(|span| span.value(&self.key)) {
            is_there = true;
            if self.wanted.iter().any(|wanted| wanted.takes(value)) {
                return Some(true);
            }
        }
        (is_there || self.wanted.iter().any(|wanted| matches!(wanted, Wanted::Any))).then_some(false)
    }
}

impl Wanted {
    fn parse(value: &Value) -> Option<Self> {
        let text = value.text.as_str();
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        if value.is_quoted {
            return Some(Self::Text(text.to_owned()));
        }
        Some(match text {
            "" | "*" => Self::Any,
            _ if text.starts_with('>') => Self::Between(number(text.get(1..)?)?.next_up(), f64::INFINITY),
            _ if text.starts_with('<') => Self::Between(f64::NEG_INFINITY, number(text.get(1..)?)?.next_down()),
            _ => match text.split_once("..") {
                Some((low, high)) => match (number(low), number(high)) {
                    (Some(low), Some(high)) => Self::Between(low, high),
                    _ => Self::Text(text.to_owned()),
                },
                None => Self::Text(text.to_owned()),
            },
        })
    }

    fn takes(&self, value: &SpanValue<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Text(text) => value.text() == *text,
            Self::Between(low, high) => {
                let number = match value {
                    #[expect(clippy::cast_precision_loss, reason = "a count past 2^53 may be off by one")]
                    SpanValue::Whole(number) => Some(*number as f64),
                    SpanValue::Decimal(number) => Some(*number),
                    SpanValue::Flag(_) | SpanValue::Text(_) => None,
                };
                number.is_some_and(|number| (*low..=*high).contains(&number))
            }
        }
    }
}
