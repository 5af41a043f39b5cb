//! The cart of a request as the hooks of track 0.2 see it and change it.
//!
//! Every line knows which of the client's lines it came from, for messages to the client, and which stock leaves for
//! one of its pieces. Both follow a transform's operations, so no plugin names stock. The stock of one piece is the
//! same for all pieces of a line.

use std::iter::once;

use serde::{Deserialize, Serialize};

use crate::order::{Attribute, Cart, Item, LINES_MAX, Line, MinorUnits, QUANTITY_MAX, Quantity, StockLine};

/// The host's number of a line in one request, from 1. A number is never used for a second line of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub u32);

/// A line of a request, priced at the shop's list price.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientLine {
    pub item: Item,
    pub title: String,
    pub quantity: Quantity,
    pub unit_price: MinorUnits,
    pub attributes: Vec<Attribute>,
}

/// A line between two hooks.
#[derive(Debug, Clone, PartialEq)]
pub struct BasketLine {
    pub id: LineId,
    pub item: Item,
    pub title: String,
    pub quantity: Quantity,
    pub unit_price: MinorUnits,
    /// The line of which this one is a component. That line is no longer in the basket.
    pub bundle: Option<LineId>,
    pub attributes: Vec<Attribute>,
    /// The indices of the client's lines that this line came from, those of a bundle's first part first. Empty for a
    /// line that a plugin added.
    pub origins: Vec<usize>,
    /// The stock that leaves for one piece, each item once.
    pub(super) stock: Vec<(Item, u64)>,
}

impl BasketLine {
    /// Returns quantity × unit price.
    #[must_use]
    pub fn sum(&self) -> MinorUnits {
        MinorUnits::saturated(u128::from(self.unit_price.amount()) * u128::from(self.quantity.pieces()))
    }
}

/// A cart between two hooks: 1 to 100 lines, and a sum below 2^53 minor units.
#[derive(Debug, Clone, PartialEq)]
pub struct Basket {
    pub(super) lines: Vec<BasketLine>,
    /// The number of the next line that a transform makes.
    pub(super) next_id: u32,
    /// What the client's lines and all added ones cost at list prices. Added lines may bring it above 2^53.
    pub(super) list_sum: u128,
}

impl Basket {
    /// Returns the basket of a request's lines, numbered from 1; `None` if there are none, more than 100, or their sum
    /// is 2^53 minor units or more.
    #[must_use]
    pub fn new(lines: Vec<ClientLine>) -> Option<Self> {
        let (ids, next_id) = (1.., u32::try_from(lines.len()).ok()?.checked_add(1)?);
        let of = |((index, line), id): ((usize, ClientLine), u32)| BasketLine {
            id: LineId(id),
            stock: once((line.item.clone(), 1)).collect(),
            item: line.item,
            title: line.title,
            quantity: line.quantity,
            unit_price: line.unit_price,
            bundle: None,
            attributes: line.attributes,
            origins: vec![index],
        };
        let lines: Vec<_> = lines.into_iter().enumerate().zip(ids).map(of).collect();
        let sum = sum_of(&lines)?;
        let fits = (1..=LINES_MAX).contains(&lines.len());
        fits.then(|| Self { lines, next_id, list_sum: sum.amount().into() })
    }

    /// Returns the basket of a request that has no lines to point into.
    #[must_use]
    pub fn without_origins(mut self) -> Self {
        self.lines.iter_mut().for_each(|line| line.origins.clear());
        self
    }

    /// Returns the basket of lines with these numbers, some of them components of others; `None` as [`Basket::new`], and for a number
    /// that stands twice.
    #[must_use]
    pub fn of_lines(lines: Vec<(LineId, Option<LineId>, ClientLine)>) -> Option<Self> {
        let numbers: Vec<_> = lines.iter().map(|(id, bundle, _)| (*id, *bundle)).collect();
        let mut basket = Self::new(lines.into_iter().map(|(_, _, line)| line).collect())?;
        for (line, (id, bundle)) in basket.lines.iter_mut().zip(&numbers) {
            (line.id, line.bundle) = (*id, *bundle);
        }
        let mut ids: Vec<_> = numbers.iter().map(|(id, _)| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        basket.next_id = ids.last()?.checked_add(1)?;
        (ids.len() == basket.lines.len()).then_some(basket)
    }

    #[must_use]
    pub fn lines(&self) -> &[BasketLine] {
        &self.lines
    }

    /// Returns the place of a line; `None` if the basket doesn't have it.
    #[must_use]
    pub fn index_of(&self, id: LineId) -> Option<usize> {
        self.lines.iter().position(|line| line.id == id)
    }

    /// Returns the lines' sum, before any discount.
    #[must_use]
    pub fn sum(&self) -> MinorUnits {
        MinorUnits::saturated(self.lines.iter().map(|line| u128::from(line.sum().amount())).sum())
    }

    /// Returns what the client's lines and all added ones cost at list prices.
    #[must_use]
    pub const fn list_sum(&self) -> u128 {
        self.list_sum
    }

    /// Returns the order's cart: the same lines in the same order.
    #[must_use]
    pub fn to_cart(&self, attributes: Vec<Attribute>) -> Option<Cart> {
        let of = |line: &BasketLine| Line {
            item: line.item.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            attributes: line.attributes.clone(),
        };
        Cart::new(self.lines.iter().map(of).collect(), attributes)
    }

    /// Returns the stock that leaves for the basket: each item once, in the order of the lines, or in several lines if
    /// there are more than 10,000 pieces.
    #[must_use]
    pub fn stock_lines(&self) -> Vec<StockLine> {
        stock_of(&self.lines)
    }
}

/// Returns the lines' sum; `None` from 2^53 minor units on.
pub(super) fn sum_of(lines: &[BasketLine]) -> Option<MinorUnits> {
    lines
        .iter()
        .try_fold(MinorUnits::ZERO, |sum, line| sum.checked_add(line.unit_price.checked_mul(line.quantity.pieces())?))
}

pub(super) fn stock_of(lines: &[BasketLine]) -> Vec<StockLine> {
    let mut sums: Vec<(Item, u64)> = Vec::new();
    for line in lines {
        for (item, pieces) in &line.stock {
            add_stock(&mut sums, item, pieces.saturating_mul(line.quantity.pieces().into()));
        }
    }
    sums.into_iter().flat_map(|(item, pieces)| in_stock_lines(item, pieces)).collect()
}

/// Adds pieces to those of the same item.
pub(super) fn add_stock(stock: &mut Vec<(Item, u64)>, item: &Item, pieces: u64) {
    match stock.iter_mut().find(|(known, _)| known == item) {
        Some((_, sum)) => *sum = sum.saturating_add(pieces),
        None => stock.push((item.clone(), pieces)),
    }
}

/// Returns the pieces of one item as lines of at most 10,000.
fn in_stock_lines(item: Item, mut pieces: u64) -> impl Iterator<Item = StockLine> {
    std::iter::from_fn(move || {
        let quantity = Quantity::new(u32::try_from(pieces.min(QUANTITY_MAX.into())).ok()?)?;
        pieces -= u64::from(quantity.pieces());
        Some(StockLine { item: item.clone(), quantity })
    })
}
