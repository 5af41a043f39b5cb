//! A cart: items, quantities and lines.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::MinorUnits;
use super::{ITEM_BYTES_MAX, QUANTITY_MAX};

/// The name of something the shop may sell: 1 to 64 bytes of visible text. Cheap to clone.
///
/// A name is in Unicode's normal form C: "é" typed as one character, and as an "e" followed by an accent, are the same
/// item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Item(Arc<str>);

impl Item {
    /// The rule for item names, for error messages.
    pub const RULE: &'static str = "an item is a text of 1 to 64 bytes, all visible, without white space around it";

    /// The longest text that is composed at all. No text that composes to an item is longer: composing shortens a text
    /// to no less than an eighth or so.
    const LOOSE_BYTES_MAX: usize = 16 * ITEM_BYTES_MAX;

    /// Returns the item of that name; `None` if the name is empty, too long, begins or ends with white space, or has a
    /// character that a list or a log doesn't show: a control character, a line separator, a change of direction.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::LOOSE_BYTES_MAX {
            return None;
        }
        let composed = composed(text);
        let fits = (1..=ITEM_BYTES_MAX).contains(&composed.len());
        (fits && composed.trim() == composed && !composed.chars().any(is_unseen)).then(|| Self(composed.into()))
    }

    /// Returns the item that the store has under that name. A stored name stays valid even if composing has made it
    /// longer than the limit.
    #[must_use]
    pub(crate) fn kept(text: &str) -> Option<Self> {
        let composed = composed(text);
        (!composed.is_empty()).then(|| Self(composed.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Item {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Returns the text in Unicode's normal form C.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { text.into() } else { text.nfc().collect::<String>().into() }
}

/// Returns whether the character is invisible or hides others. The joiners U+200C and U+200D are allowed, because
/// scripts need them.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{2028}' | '\u{2029}'                             // line and paragraph separators
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // bidi
            | '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}') // nothing to see at all
}

/// How many pieces a line asks for: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(u32);

impl Quantity {
    /// Returns the quantity, `None` when it is zero or over the limit.
    #[must_use]
    pub fn new(pieces: u32) -> Option<Self> {
        (1..=QUANTITY_MAX).contains(&pieces).then_some(Self(pieces))
    }

    #[must_use]
    pub const fn pieces(self) -> u32 {
        self.0
    }
}

/// A value beside an order that the host passes on without reading it: a coupon, a customer group.
///
/// By serde it is the variant of the plugins' interface, `{"text": "M"}`. Clients send a plain value instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeValue {
    Text(String),
    Integer(i32),
    /// Always finite.
    Decimal(f64),
    Flag(bool),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    pub key: String,
    pub value: AttributeValue,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub item: Item,
    pub quantity: Quantity,
    pub unit_price: MinorUnits,
    pub attributes: Vec<Attribute>,
}

/// The stock that one line of an order needs. Several lines may name one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLine {
    pub item: Item,
    pub quantity: Quantity,
}

/// A checkout's content: at least one line, and a sum below 2^53 minor units.
#[derive(Debug, Clone, PartialEq)]
pub struct Cart {
    lines: Vec<Line>,
    attributes: Vec<Attribute>,
    subtotal: MinorUnits,
    /// The stock that leaves for it, where that isn't what its lines name: of bundles.
    stock: Option<Vec<StockLine>>,
}

impl Cart {
    /// Returns the cart; `None` if it has no lines or their sum is 2^53 minor units or more.
    #[must_use]
    pub fn new(lines: Vec<Line>, attributes: Vec<Attribute>) -> Option<Self> {
        let subtotal = lines.iter().try_fold(MinorUnits::ZERO, |sum, line| {
            sum.checked_add(line.unit_price.checked_mul(line.quantity.pieces())?)
        })?;
        (!lines.is_empty()).then_some(Self { lines, attributes, subtotal, stock: None })
    }

    /// Returns the cart with other stock than its lines name.
    #[must_use]
    pub fn with_stock(self, stock: Vec<StockLine>) -> Self {
        Self { stock: Some(stock), ..self }
    }

    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Returns the sum of quantity × unit price over the lines, before any adjustment.
    #[must_use]
    pub const fn subtotal(&self) -> MinorUnits {
        self.subtotal
    }

    /// Returns the line of a cart with exactly one.
    #[must_use]
    pub fn single(&self) -> Option<&Line> {
        match self.lines.as_slice() {
            [line] => Some(line),
            _ => None,
        }
    }

    /// Returns the pieces of all lines together.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity.pieces())).sum()
    }

    /// Returns the stock that leaves for it, where that isn't what its lines name.
    #[must_use]
    pub fn other_stock(&self) -> Option<&[StockLine]> {
        self.stock.as_deref()
    }

    /// Returns the stock that the cart needs, line by line.
    #[must_use]
    pub fn stock_lines(&self) -> Vec<StockLine> {
        let of = |line: &Line| StockLine { item: line.item.clone(), quantity: line.quantity };
        self.stock.clone().unwrap_or_else(|| self.lines.iter().map(of).collect())
    }
}

/// Returns the pieces by item. Taking line by line instead would let two lines of one item oversell it.
#[must_use]
pub fn sum_by_item(lines: &[StockLine]) -> BTreeMap<Item, u64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        *sums.entry(line.item.clone()).or_default() += u64::from(line.quantity.pieces());
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_the_same_in_whichever_form_it_was_typed() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Item::parse(text).as_ref().map(Item::as_str), expected, "{text:?}");
        };
        check("caf\u{e9}", Some("caf\u{e9}"));
        check("cafe\u{301}", Some("caf\u{e9}"));
        check("\u{1112}\u{1161}\u{11ab}", Some("\u{d55c}"));
        check("\u{212b}", Some("\u{c5}"));
        // A half-width and a full-width letter are different letters.
        check("\u{ff21}", Some("\u{ff21}"));
        // The limit is that of the composed name: 64 bytes, typed as 96, and 65.
        check(&"e\u{301}".repeat(32), Some(&"\u{e9}".repeat(32)));
        check(&format!("{}x", "e\u{301}".repeat(32)), None);
        check(&"\u{1fb7}".repeat(21), Some(&"\u{1fb7}".repeat(21)));
        check(&"\u{3b1}\u{342}\u{345}".repeat(21), Some(&"\u{1fb7}".repeat(21)));
        // Composing makes two characters of each, and the name too long.
        check(&"\u{958}".repeat(21), None);
        assert_eq!(Item::kept(&"\u{958}".repeat(21)).map(|item| item.as_str().len()), Some(126));
        check("e\u{301}\u{200b}", None);
        check(&"e\u{301}".repeat(100_000), None);
    }
}
