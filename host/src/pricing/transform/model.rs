//! Transforms by single pieces, for comparison: every piece of a line has a price and a stock of its own, a bundle is
//! made by taking pieces, and minor units are handed out one by one.

use super::{Component, Expansion, Merger, Operation};
use crate::{
    order::MinorUnits,
    pricing::{
        Basket,
        samples::{Shop, rounded_part, shared_unit_by_unit},
    },
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) price: u64,
    pub(super) stock: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlainLine {
    pub(super) id: u32,
    pub(super) item: String,
    pub(super) bundle: Option<u32>,
    pub(super) pieces: Vec<Piece>,
    pub(super) origins: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) lines: Vec<PlainLine>,
    next_id: u32,
    pub(super) list: u64,
}

/// Returns the catalogue's price.
fn listed(item: &str) -> Option<u64> {
    Shop::PRICES.iter().find(|(name, _)| *name == item).map(|(_, price)| *price)
}

fn piece(item: &str, price: u64) -> Piece {
    Piece { price, stock: vec![item.to_owned()] }
}

/// Returns the decrease; `None` if it isn't allowed.
fn decrease(ppm: Option<u32>) -> Option<u64> {
    ppm.or(Some(0)).filter(|ppm| *ppm <= 1_000_000).map(u64::from)
}

impl Plain {
    pub(super) fn of(basket: &Basket) -> Self {
        let lines = basket.lines().iter().map(|line| PlainLine {
            id: line.id.0,
            item: line.item.as_str().to_owned(),
            bundle: line.bundle.map(|id| id.0),
            pieces: (0..line.quantity.pieces()).map(|_| piece(line.item.as_str(), line.unit_price.amount())).collect(),
            origins: line.origins.clone(),
        });
        let lines: Vec<_> = lines.collect();
        let list = lines.iter().flat_map(|line| &line.pieces).map(|piece| piece.price).sum();
        Self { next_id: u32::try_from(lines.len()).expect("few lines") + 1, list, lines }
    }

    pub(super) fn sum(&self) -> u64 {
        self.lines.iter().flat_map(|line| &line.pieces).map(|piece| piece.price).sum()
    }

    /// Returns the cart after the operations; `None` if one isn't allowed.
    pub(super) fn apply(&self, operations: &[Operation]) -> Option<Self> {
        let shown: Vec<u32> = self.lines.iter().map(|line| line.id).collect();
        let mut left = self.clone();
        for operation in operations {
            match operation {
                Operation::Expand(expansion) => left.expand(expansion, &shown)?,
                Operation::Merge(merger) => left.merge(merger, &shown)?,
                Operation::Update(update) => {
                    let place = left.find(update.line.0, &shown)?;
                    let price = update.unit_price.map(MinorUnits::amount);
                    left.lines[place].pieces.iter_mut().for_each(|piece| piece.price = price.unwrap_or(piece.price));
                }
                Operation::Add(component) => left.add(component)?,
            }
        }
        (left.lines.len() <= 100 && left.lines.iter().all(|line| line.pieces.len() <= 10_000)).then_some(left)
    }

    fn find(&self, id: u32, shown: &[u32]) -> Option<usize> {
        self.lines.iter().position(|line| line.id == id && shown.contains(&id))
    }

    fn push(&mut self, place: usize, mut line: PlainLine) {
        line.id = self.next_id;
        self.next_id += 1;
        self.lines.insert(place, line);
    }

    fn add(&mut self, Component { item, quantity, unit_price, .. }: &Component) -> Option<()> {
        let listed = listed(item)?;
        let price = unit_price.map_or(listed, MinorUnits::amount);
        if *quantity == 0 {
            return None;
        }
        self.list += listed * u64::from(*quantity);
        let pieces = (0..*quantity).map(|_| piece(item, price)).collect();
        let line = PlainLine { id: 0, item: item.clone(), bundle: None, pieces, origins: Vec::new() };
        self.push(self.lines.len(), line);
        Some(())
    }

    fn expand(&mut self, expansion: &Expansion, shown: &[u32]) -> Option<()> {
        let decrease = decrease(expansion.decrease)?;
        let mut place = self.find(expansion.line.0, shown)?;
        let components = &expansion.components;
        let own: Vec<_> = components.iter().filter_map(|component| component.unit_price).collect();
        if components.is_empty() || !(own.is_empty() || own.len() == components.len()) {
            return None;
        }
        let bundle = self.lines.remove(place);
        let mut made: Vec<Vec<Piece>> = vec![Vec::new(); components.len()];
        let mut at_list_price = 0;
        for component in components {
            at_list_price += listed(&component.item)? * u64::from(component.quantity);
        }
        for one in &bundle.pieces {
            let own = listed(&bundle.item).unwrap_or(one.price);
            let dearer = at_list_price.saturating_sub(own);
            self.list += if own == 0 { dearer } else { (dearer * one.price).div_ceil(own) };
            for (made, pieces) in made.iter_mut().zip(unpacked(one.price, components, decrease)?) {
                made.extend(pieces);
            }
        }
        for (component, pieces) in components.iter().zip(made) {
            let mut prices: Vec<_> = pieces.iter().map(|piece| piece.price).collect();
            prices.sort_unstable();
            prices.dedup();
            for price in prices.into_iter().rev() {
                let pieces = pieces.iter().filter(|piece| piece.price == price).cloned().collect();
                let (item, origins) = (component.item.clone(), bundle.origins.clone());
                self.push(place, PlainLine { id: 0, item, bundle: Some(bundle.id), pieces, origins });
                place += 1;
            }
        }
        Some(())
    }

    fn merge(&mut self, merger: &Merger, shown: &[u32]) -> Option<()> {
        let decrease = decrease(merger.decrease)?;
        let mut ids: Vec<_> = merger.parts.iter().map(|part| part.line).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != merger.parts.len() || merger.quantity == 0 {
            return None;
        }
        let place = self.find(merger.parts.first()?.line.0, shown)?;
        let (mut bundles, mut origins) = (Vec::new(), Vec::new());
        for _ in 0..merger.quantity {
            let mut bundle = Piece { price: 0, stock: Vec::new() };
            for part in &merger.parts {
                let line = self.find(part.line.0, shown)?;
                let line = &mut self.lines[line];
                for origin in &line.origins {
                    if !origins.contains(origin) {
                        origins.push(*origin);
                    }
                }
                if part.quantity == 0 {
                    return None;
                }
                for _ in 0..part.quantity {
                    let piece = line.pieces.pop()?;
                    bundle.price += piece.price;
                    bundle.stock.extend(piece.stock);
                }
            }
            bundle.price -= rounded_part(bundle.price, decrease);
            bundle.stock.sort();
            bundles.push(bundle);
        }
        self.push(place, PlainLine { id: 0, item: merger.item.clone(), bundle: None, pieces: bundles, origins });
        self.lines.retain(|line| !line.pieces.is_empty());
        Some(())
    }
}

/// Returns the pieces of each component of one bundle.
fn unpacked(price: u64, components: &[Component], decrease: u64) -> Option<Vec<Vec<Piece>>> {
    let mut costs = Vec::new();
    for Component { item, quantity, unit_price, .. } in components {
        let listed = listed(item)?;
        costs.push(unit_price.map_or(listed, MinorUnits::amount) * u64::from(*quantity));
    }
    if components.iter().any(|component| component.quantity == 0) {
        return None;
    }
    if components.iter().all(|component| component.unit_price.is_none()) {
        if costs.iter().all(|cost| *cost == 0) {
            costs = components.iter().map(|component| component.quantity.into()).collect();
        }
        costs = shared_unit_by_unit(price, &costs);
    }
    let off = shared_unit_by_unit(rounded_part(costs.iter().sum(), decrease), &costs);
    let of = |(component, (cost, off)): (&Component, (u64, u64))| {
        let pieces = usize::try_from(component.quantity).expect("few pieces");
        let mut made = vec![piece(&component.item, 0); pieces];
        (0..cost - off).zip((0..pieces).cycle()).for_each(|(_, place)| made[place].price += 1);
        made
    };
    Some(components.iter().zip(costs.into_iter().zip(off)).map(of).collect())
}
