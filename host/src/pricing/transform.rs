//! What becomes of a cart under the operations of a transform.
//!
//! One plugin's operations apply in their order, all of them or none. An operation names lines that the plugin was
//! shown, so none can name what an earlier operation of the same answer has made. How far a chain may move the sum is
//! checked once, after its last plugin.
//!
//! What an operation makes stands in the place of the line that it was made of: components in that of their bundle, a
//! bundle in that of its first part, before what is left of that part. Added lines stand at the end.

mod bundle;

use serde::{Deserialize, Serialize};

use super::{
    BadOutput, Basket, BasketLine, Fault, LineId, Place,
    bad_output::{check_attributes, count},
    basket::{stock_of, sum_of},
    share::ALL_PPM,
};
use crate::order::{Attribute, Item, LINES_MAX, MinorUnits, ORDER_ATTRIBUTES_MAX, Quantity};

/// The most operations of one answer.
pub const OPERATIONS_MAX: usize = 200;
/// The most parts or components of a bundle.
pub const COMPONENTS_MAX: usize = 32;

/// A part of what an `expand` makes of a line, or a line of an `add`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub item: String,
    pub quantity: u32,
    pub unit_price: Option<MinorUnits>,
    pub title: Option<String>,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

/// A bundle that becomes its components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expansion {
    pub line: LineId,
    #[serde(default)]
    pub components: Vec<Component>,
    /// Parts per million.
    pub decrease: Option<u32>,
}

/// Pieces of a line that go into one bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub line: LineId,
    pub quantity: u32,
}

/// Lines that become a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merger {
    #[serde(default)]
    pub parts: Vec<Part>,
    pub quantity: u32,
    pub item: String,
    pub title: Option<String>,
    /// Parts per million.
    pub decrease: Option<u32>,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

/// Another price or name for a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    pub line: LineId,
    pub title: Option<String>,
    pub unit_price: Option<MinorUnits>,
}

/// One change to a cart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Expand(Expansion),
    Merge(Merger),
    Update(Update),
    Add(Component),
}

/// What the shop knows of items.
pub trait Catalogue {
    /// Returns whether the catalogue or the stock knows the item.
    fn known(&self, item: &Item) -> bool;

    /// Returns the list price of one piece.
    fn price(&self, item: &Item) -> Option<MinorUnits>;

    /// Returns the name for people.
    fn title(&self, item: &Item) -> Option<String>;
}

/// How far a chain of transforms may move the lines' sum, of what the lines cost at list prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransformBounds {
    pub decrease_max_percent: u32,
    pub increase_max_percent: u32,
}

impl TransformBounds {
    /// Checks the basket that the last transform of a chain has left.
    ///
    /// # Errors
    /// Names the setting, if the sum is outside it.
    pub fn check(self, basket: &Basket) -> Result<(), BadOutput> {
        let (sum, list) = (basket.sum().amount(), basket.list_sum());
        let (change, direction, percent_max, setting) = if u128::from(sum) < list {
            let setting = "cart_transform.decrease_max_percent";
            (list - u128::from(sum), "lower", self.decrease_max_percent, setting)
        } else {
            let setting = "cart_transform.increase_max_percent";
            (u128::from(sum) - list, "higher", self.increase_max_percent, setting)
        };
        if change * 100 <= list * u128::from(percent_max) {
            return Ok(());
        }
        Err(Place::Answer.has(Fault::PriceChange { sum, list, direction, percent_max, setting }))
    }
}

impl Basket {
    /// Returns the basket after one plugin's operations.
    ///
    /// # Errors
    /// Names the first operation that breaks a rule, and the rule. Then none applies.
    pub fn apply(&self, operations: &[Operation], catalogue: &dyn Catalogue) -> Result<Self, BadOutput> {
        let whole = |fault| Place::Answer.has(fault);
        count("operations", operations.len(), (0, OPERATIONS_MAX)).map_err(whole)?;
        let mut change = Changing { shown: self, left: self.clone(), catalogue };
        for (index, operation) in operations.iter().enumerate() {
            change.operate(operation).map_err(|fault| Place::Operation(index).has(fault))?;
        }
        change.left.checked().map_err(whole)
    }

    /// Returns the basket, if it is small enough to go on.
    fn checked(self) -> Result<Self, Fault> {
        let lines = |what, count: usize| {
            if count > LINES_MAX { Err(Fault::TooManyLines { what, count }) } else { Ok(()) }
        };
        lines("lines", self.lines.len())?;
        // The inventory is asked about at most 100 lines, too. Without merged bundles there are never more.
        lines("lines of stock", stock_of(&self.lines).len())?;
        sum_of(&self.lines).ok_or(Fault::TooMuch("the lines' sum"))?;
        Ok(self)
    }
}

/// A basket while the operations of one answer apply.
struct Changing<'a> {
    /// What the plugin was shown.
    shown: &'a Basket,
    left: Basket,
    catalogue: &'a dyn Catalogue,
}

impl Changing<'_> {
    fn operate(&mut self, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::Expand(expansion) => self.expand(expansion),
            Operation::Merge(merger) => self.merge(merger),
            Operation::Update(update) => self.update(update),
            Operation::Add(component) => self.add(component),
        }
    }

    fn update(&mut self, update: &Update) -> Result<(), Fault> {
        let index = self.find(update.line)?;
        let Some(line) = self.left.lines.get_mut(index) else { return Ok(()) };
        if let Some(title) = &update.title {
            line.title.clone_from(title);
        }
        line.unit_price = update.unit_price.unwrap_or(line.unit_price);
        Ok(())
    }

    fn add(&mut self, component: &Component) -> Result<(), Fault> {
        let (item, quantity) = self.known(component)?;
        let listed = self.listed(&item)?;
        self.count_at_list_price(u128::from(listed.amount()) * u128::from(quantity.pieces()));
        let line = BasketLine {
            id: self.next_id()?,
            title: self.title_of(component.title.as_ref(), &item),
            stock: vec![(item.clone(), 1)],
            item,
            quantity,
            unit_price: component.unit_price.unwrap_or(listed),
            bundle: None,
            attributes: component.attributes.clone(),
            origins: Vec::new(),
        };
        self.left.lines.push(line);
        Ok(())
    }

    /// Returns the catalogue's price of one piece, without which nobody could say how cheap a plugin gives it away.
    fn listed(&self, item: &Item) -> Result<MinorUnits, Fault> {
        self.catalogue.price(item).ok_or_else(|| Fault::NoPrice(item.to_string()))
    }

    fn count_at_list_price(&mut self, amount: u128) {
        self.left.list_sum = self.left.list_sum.saturating_add(amount).min(u64::MAX.into());
    }

    /// Returns the place of a line that the plugin was shown and that no operation has used up.
    fn find(&self, id: LineId) -> Result<usize, Fault> {
        self.shown.index_of(id).ok_or(Fault::NoSuchLine(id))?;
        self.left.index_of(id).ok_or(Fault::UsedUp(id))
    }

    /// Returns a new line's number.
    fn next_id(&mut self) -> Result<LineId, Fault> {
        let id = self.left.next_id;
        self.left.next_id = id.checked_add(1).ok_or(Fault::NoNumber)?;
        Ok(LineId(id))
    }

    /// Checks a component, except for its price.
    fn known(&self, component: &Component) -> Result<(Item, Quantity), Fault> {
        let item = item_of(&component.item)?;
        if !self.catalogue.known(&item) {
            return Err(Fault::UnknownItem(component.item.clone()));
        }
        check_attributes(&component.attributes, ORDER_ATTRIBUTES_MAX)?;
        let pieces = component.quantity.into();
        Ok((item, quantity_of(&component.item, pieces)?))
    }

    /// Returns the name for people: the plugin's, the catalogue's, or the item.
    fn title_of(&self, title: Option<&String>, item: &Item) -> String {
        title.cloned().or_else(|| self.catalogue.title(item)).unwrap_or_else(|| item.as_str().to_owned())
    }
}

fn item_of(text: &str) -> Result<Item, Fault> {
    Item::parse(text).ok_or_else(|| Fault::NoItem(text.to_owned()))
}

fn quantity_of(what: &str, pieces: u64) -> Result<Quantity, Fault> {
    let quantity = u32::try_from(pieces).ok().and_then(Quantity::new);
    quantity.ok_or_else(|| Fault::Pieces { what: what.to_owned(), pieces })
}

/// Returns a decrease, none as 0.
fn decrease_of(ppm: Option<u32>) -> Result<u32, Fault> {
    let ppm = ppm.unwrap_or(0);
    if ppm <= ALL_PPM { Ok(ppm) } else { Err(Fault::TooManyParts { what: "decrease", ppm }) }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
