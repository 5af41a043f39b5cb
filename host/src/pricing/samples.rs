//! Baskets and a catalogue for the tests of prices, and shares worked out one minor unit after the other.

use std::sync::Arc;

use super::{Basket, ClientLine, LineId, transform::Catalogue};
use crate::order::{Item, MinorUnits, Quantity};

/// The largest amount.
pub(super) const LARGEST: u64 = (1 << 53) - 1;

pub(super) fn minor(amount: u64) -> MinorUnits {
    MinorUnits::new(amount).expect("a fine amount")
}

pub(super) fn item(name: &str) -> Item {
    Item::parse(name).expect("a fine name")
}

pub(super) fn by(name: &str) -> Arc<str> {
    name.into()
}

pub(super) fn client_line(name: &str, pieces: u32, price: u64) -> ClientLine {
    ClientLine {
        item: item(name),
        title: name.to_uppercase(),
        quantity: Quantity::new(pieces).expect("a fine quantity"),
        unit_price: minor(price),
        attributes: Vec::new(),
    }
}

/// Lines from 1 on: item, pieces, unit price.
pub(super) fn basket(lines: &[(&str, u32, u64)]) -> Basket {
    let lines = lines.iter().map(|(name, pieces, price)| client_line(name, *pieces, *price)).collect();
    Basket::new(lines).expect("a fine basket")
}

/// What a test looks at: number, item, pieces, unit price.
pub(super) fn lines_of(basket: &Basket) -> Vec<(u32, &str, u32, u64)> {
    let of = |line: &super::BasketLine| (line.id.0, line.quantity.pieces(), line.unit_price.amount());
    let names = basket.lines().iter().map(|line| line.item.as_str());
    basket.lines().iter().map(of).zip(names).map(|((id, pieces, price), name)| (id, name, pieces, price)).collect()
}

/// The pieces that leave the stock, by item in the alphabet's order.
pub(super) fn stock_of(basket: &Basket) -> Vec<(String, u64)> {
    let sums = crate::order::sum_by_item(&basket.stock_lines());
    sums.into_iter().map(|(item, pieces)| (item.as_str().to_owned(), pieces)).collect()
}

pub(super) fn ids(lines: &[u32]) -> Vec<LineId> {
    lines.iter().map(|id| LineId(*id)).collect()
}

/// A catalogue of items by name and price. The stock knows `loose`, and nobody `unknown`.
#[derive(Debug)]
pub(super) struct Shop;

impl Shop {
    pub(super) const PRICES: [(&str, u64); 5] =
        [("case", 1_000), ("cable", 300), ("gift", 500), ("free", 0), ("dear", LARGEST)];
}

impl Catalogue for Shop {
    fn known(&self, item: &Item) -> bool {
        item.as_str() == "loose" || self.price(item).is_some()
    }

    fn price(&self, item: &Item) -> Option<MinorUnits> {
        Self::PRICES.iter().find(|(name, _)| *name == item.as_str()).map(|(_, price)| minor(*price))
    }

    fn title(&self, item: &Item) -> Option<String> {
        self.price(item).filter(|_| item.as_str() != "free").map(|_| format!("The {item}"))
    }
}

/// Shares an amount by handing out one minor unit after the other, each to the weight that is owed most so far.
pub(super) fn shared_unit_by_unit(amount: u64, weights: &[u64]) -> Vec<u64> {
    let equal = vec![1; weights.len()];
    let weights = if weights.iter().all(|weight| *weight == 0) { &equal[..] } else { weights };
    let all: u64 = weights.iter().sum();
    let mut shares = vec![0_u64; weights.len()];
    for _ in 0..amount {
        let owed = |place: usize| i128::from(amount * weights[place]) - i128::from(shares[place] * all);
        let mut most = 0;
        for place in 1..weights.len() {
            if owed(place) > owed(most) {
                most = place;
            }
        }
        shares[most] += 1;
    }
    shares
}

/// Rounds half up by comparing twice the remainder.
pub(super) fn rounded_part(amount: u64, ppm: u64) -> u64 {
    let (whole, rest) = (amount * ppm / 1_000_000, amount * ppm % 1_000_000);
    if 2 * rest >= 1_000_000 { whole + 1 } else { whole }
}
