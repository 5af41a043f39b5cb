//! Bundles: a line that becomes its components, and lines that become one.

use super::{COMPONENTS_MAX, Changing, Component, Expansion, Merger, Part, decrease_of, item_of, quantity_of};
use crate::{
    order::{Item, MinorUnits, ORDER_ATTRIBUTES_MAX, Quantity},
    pricing::{
        BasketLine, Fault,
        bad_output::{check_attributes, count},
        basket::add_stock,
        share::{Spread, part_of, share},
    },
};

impl Changing<'_> {
    pub(super) fn expand(&mut self, expansion: &Expansion) -> Result<(), Fault> {
        count("components", expansion.components.len(), (1, COMPONENTS_MAX))?;
        let decrease = decrease_of(expansion.decrease)?;
        let index = self.find(expansion.line)?;
        let Some(bundle) = self.left.lines.get(index).cloned() else { return Ok(()) };
        let known: Vec<_> =
            expansion.components.iter().map(|component| self.known(component)).collect::<Result<_, _>>()?;
        let listed: Vec<_> = known.iter().map(|(item, _)| self.listed(item)).collect::<Result<_, _>>()?;
        self.count_expanded(&bundle, &known, &listed);
        let prices = component_prices(&bundle, &expansion.components, &known, &listed)?;
        let mut lines = Vec::new();
        for ((component, (item, quantity)), price) in
            expansion.components.iter().zip(known).zip(decreased(prices, decrease)?)
        {
            self.push_component(&mut lines, &bundle, component, (item, quantity), price)?;
        }
        self.left.lines.splice(index..=index, lines);
        Ok(())
    }

    /// Counts what a bundle's components cost at list prices beyond the bundle itself, in proportion to what the bundle is sold for.
    fn count_expanded(&mut self, bundle: &BasketLine, components: &[(Item, Quantity)], listed: &[MinorUnits]) {
        let at_list_price = |(price, (_, quantity)): (&MinorUnits, &(Item, Quantity))| {
            u128::from(price.amount()) * u128::from(quantity.pieces())
        };
        let parts: u128 = listed.iter().zip(components).map(at_list_price).sum();
        let sold_for = u128::from(bundle.unit_price.amount());
        let own = self.catalogue.price(&bundle.item).map_or(sold_for, |price| price.amount().into());
        let dearer = parts.saturating_sub(own);
        let of_one = if own == 0 { dearer } else { (dearer * sold_for).div_ceil(own) };
        self.count_at_list_price(of_one.saturating_mul(bundle.quantity.pieces().into()));
    }

    /// Adds a component's pieces in all bundles: as two lines, if its price doesn't divide by its pieces.
    fn push_component(
        &mut self,
        lines: &mut Vec<BasketLine>,
        bundle: &BasketLine,
        component: &Component,
        (item, quantity): (Item, Quantity),
        price: MinorUnits,
    ) -> Result<(), Fault> {
        let spread = Spread::over(price, quantity.pieces());
        let dearer = (spread.dearer, spread.each.saturating_add(1));
        for (pieces, unit_price) in [dearer, (quantity.pieces() - spread.dearer, spread.each)] {
            if pieces == 0 {
                continue;
            }
            let all = u64::from(pieces) * u64::from(bundle.quantity.pieces());
            lines.push(BasketLine {
                id: self.next_id()?,
                title: self.title_of(component.title.as_ref(), &item),
                item: item.clone(),
                quantity: quantity_of(&component.item, all)?,
                unit_price: MinorUnits::saturated(unit_price.into()),
                bundle: Some(bundle.id),
                attributes: component.attributes.clone(),
                origins: bundle.origins.clone(),
                stock: vec![(item.clone(), 1)],
            });
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, merger: &Merger) -> Result<(), Fault> {
        count("parts", merger.parts.len(), (1, COMPONENTS_MAX))?;
        check_attributes(&merger.attributes, ORDER_ATTRIBUTES_MAX)?;
        let decrease = decrease_of(merger.decrease)?;
        let item = item_of(&merger.item)?;
        let quantity = quantity_of(&merger.item, merger.quantity.into())?;
        let mut bundle = BasketLine {
            id: self.next_id()?,
            title: self.title_of(merger.title.as_ref(), &item),
            item,
            quantity,
            unit_price: MinorUnits::ZERO,
            bundle: None,
            attributes: merger.attributes.clone(),
            origins: Vec::new(),
            stock: Vec::new(),
        };
        let mut place = None;
        for (index, part) in merger.parts.iter().enumerate() {
            if merger.parts.iter().take(index).any(|earlier| earlier.line == part.line) {
                return Err(Fault::LineTwice(part.line));
            }
            let line = self.put_into(&mut bundle, part)?;
            place.get_or_insert(line);
        }
        bundle.unit_price = bundle.unit_price.saturating_sub(part_of(bundle.unit_price, decrease));
        self.left.lines.insert(place.unwrap_or(0), bundle);
        for part in &merger.parts {
            self.take(part, quantity);
        }
        Ok(())
    }

    /// Puts the pieces of one part into one bundle, and returns the place of their line.
    fn put_into(&self, bundle: &mut BasketLine, part: &Part) -> Result<usize, Fault> {
        let index = self.find(part.line)?;
        let line = self.left.lines.get(index).ok_or(Fault::NoSuchLine(part.line))?;
        let (wanted, has) = (u64::from(part.quantity) * u64::from(bundle.quantity.pieces()), line.quantity.pieces());
        if part.quantity == 0 {
            return Err(Fault::NoPieces(part.line));
        }
        if wanted > has.into() {
            return Err(Fault::TooManyPieces { line: part.line, wanted, has });
        }
        let price = line.unit_price.checked_mul(part.quantity).and_then(|price| price.checked_add(bundle.unit_price));
        bundle.unit_price = price.ok_or(Fault::TooMuch("the price of a bundle's parts"))?;
        for (item, pieces) in &line.stock {
            add_stock(&mut bundle.stock, item, pieces.saturating_mul(part.quantity.into()));
        }
        let known = bundle.origins.clone();
        bundle.origins.extend(line.origins.iter().filter(|origin| !known.contains(origin)));
        Ok(index)
    }

    /// Takes the pieces of one part from their line, which vanishes if it has no more.
    fn take(&mut self, part: &Part, bundles: Quantity) {
        let Some(index) = self.left.index_of(part.line) else { return };
        let Some(line) = self.left.lines.get_mut(index) else { return };
        let taken = part.quantity.saturating_mul(bundles.pieces());
        match Quantity::new(line.quantity.pieces().saturating_sub(taken)) {
            Some(rest) => line.quantity = rest,
            None => drop(self.left.lines.remove(index)),
        }
    }
}

/// Returns what the components of one bundle cost before the decrease, for each all its pieces together.
fn component_prices(
    bundle: &BasketLine,
    components: &[Component],
    known: &[(Item, Quantity)],
    listed: &[MinorUnits],
) -> Result<Vec<MinorUnits>, Fault> {
    let own = components.iter().filter(|component| component.unit_price.is_some()).count();
    if own != 0 && own != components.len() {
        return Err(Fault::SomePrices);
    }
    let price_of = |((component, (_, quantity)), listed): ((&Component, &(Item, Quantity)), &MinorUnits)| {
        let price = component.unit_price.unwrap_or(*listed);
        price.checked_mul(quantity.pieces()).ok_or(Fault::TooMuch("the price of a component's pieces"))
    };
    let prices: Vec<_> = components.iter().zip(known).zip(listed).map(price_of).collect::<Result<_, _>>()?;
    if own != 0 {
        return Ok(prices);
    }
    let is_free = prices.iter().all(|price| *price == MinorUnits::ZERO);
    let pieces = |(_, quantity): &(Item, Quantity)| MinorUnits::saturated(quantity.pieces().into());
    let weights = if is_free { known.iter().map(pieces).collect() } else { prices };
    Ok(share(bundle.unit_price, &weights))
}

/// Takes the decrease of the sum off the components' prices.
fn decreased(prices: Vec<MinorUnits>, decrease: u32) -> Result<Vec<MinorUnits>, Fault> {
    let sum = prices.iter().try_fold(MinorUnits::ZERO, |sum, price| sum.checked_add(*price));
    let off = part_of(sum.ok_or(Fault::TooMuch("the price of a bundle"))?, decrease);
    let shares = share(off, &prices);
    Ok(prices.into_iter().zip(shares).map(|(price, share)| price.saturating_sub(share)).collect())
}
