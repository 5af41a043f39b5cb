//! Converts between the interface's records and the shop's types.

use super::{Misuse, bindings::types};
use crate::order::{Attribute, AttributeValue, Currency, Item, LINES_MAX, Line, Quantity, StockLine};

#[must_use]
pub fn line_to_guest(line: &Line) -> types::Line {
    types::Line {
        item: line.item.as_str().to_owned(),
        quantity: line.quantity.pieces(),
        unit_price: line.unit_price.amount(),
        attributes: line.attributes.iter().map(attribute_to_guest).collect(),
    }
}

#[must_use]
pub fn currency_to_guest(currency: Currency) -> types::Currency {
    types::Currency { code: currency.code().to_owned(), decimals: currency.decimals() }
}

#[must_use]
pub fn attribute_to_guest(attribute: &Attribute) -> types::Attribute {
    let value = match &attribute.value {
        AttributeValue::Text(text) => types::AttributeValue::Text(text.clone()),
        AttributeValue::Integer(number) => types::AttributeValue::Integer(*number),
        AttributeValue::Decimal(number) => types::AttributeValue::Decimal(*number),
        AttributeValue::Flag(flag) => types::AttributeValue::Flag(*flag),
    };
    types::Attribute { key: attribute.key.clone(), value }
}

/// Returns the attributes, without numbers that aren't finite (NaN, infinity).
#[must_use]
pub fn attributes_from_guest(attributes: Vec<types::Attribute>) -> Vec<Attribute> {
    let of = |attribute: types::Attribute| {
        let value = match attribute.value {
            types::AttributeValue::Text(text) => AttributeValue::Text(text),
            types::AttributeValue::Integer(number) => AttributeValue::Integer(number),
            types::AttributeValue::Decimal(number) if number.is_finite() => AttributeValue::Decimal(number),
            types::AttributeValue::Decimal(_) => return None,
            types::AttributeValue::Flag(flag) => AttributeValue::Flag(flag),
        };
        Some(Attribute { key: attribute.key, value })
    };
    attributes.into_iter().filter_map(of).collect()
}

/// Returns the bytes of a guest's attributes, texts and numbers.
#[must_use]
pub fn attribute_bytes(attributes: &[types::Attribute]) -> usize {
    let of = |attribute: &types::Attribute| {
        let value = match &attribute.value {
            types::AttributeValue::Text(text) => text.len(),
            _ => size_of::<f64>(),
        };
        attribute.key.len() + value
    };
    attributes.iter().map(of).sum()
}

pub(super) fn stock_lines_bytes(lines: &[types::StockLine]) -> usize {
    lines.iter().map(|line| line.item.len() + size_of::<u32>()).sum()
}

#[must_use]
pub fn stock_line_to_guest(line: &StockLine) -> types::StockLine {
    types::StockLine { item: line.item.as_str().to_owned(), quantity: line.quantity.pieces() }
}

/// Returns a guest's stock lines.
///
/// # Errors
/// A line that no shop could have. The guest made it up, because its input was valid.
pub(super) fn stock_lines_from_guest(lines: &[types::StockLine]) -> Result<Vec<StockLine>, Misuse> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Misuse::Lines { lines: lines.len(), max: LINES_MAX });
    }
    let of = |(index, line): (usize, &types::StockLine)| {
        let misuse = |reason| Misuse::StockLine { line: index, reason };
        let item =
            Item::parse(&line.item).ok_or_else(|| misuse("its item is empty, too long or holds control characters"))?;
        let quantity = Quantity::new(line.quantity).ok_or_else(|| misuse("its quantity is 0 or over 10,000"))?;
        Ok(StockLine { item, quantity })
    };
    lines.iter().enumerate().map(of).collect()
}
