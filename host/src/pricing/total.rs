//! The price of a request: everything that a quote shows, its total, and the order's receipt.

use std::iter::zip;

use super::{
    Basket,
    delivery::Chosen,
    discounts::Discounts,
    offers::Applied,
    tax::{Subject, TaxLine, Taxable, Taxes},
};
use crate::order::{Adjustment, Attribute, BadReceipt, Caps, Cart, Effect, Item, MinorUnits, Receipt};

/// Returns what is to be taxed: every line, and every chosen delivery, with what is left of it.
#[must_use]
pub fn taxables(
    basket: &Basket,
    discounts: &Discounts,
    chosen: &[Chosen],
    category: impl Fn(&Item) -> Option<String>,
) -> Vec<Taxable> {
    let lines = zip(basket.lines(), &discounts.lines).map(|(line, discounts)| Taxable {
        subject: Subject::Line(line.id),
        amount: discounts.left,
        category: category(&line.item),
    });
    let deliveries = chosen.iter().map(|chosen| Taxable {
        subject: Subject::Delivery(chosen.group),
        amount: chosen.option.left(),
        category: None,
    });
    lines.chain(deliveries).collect()
}

/// A basket with its discounts, delivery and tax.
#[derive(Debug, Clone, PartialEq)]
pub struct Priced {
    basket: Basket,
    discounts: Discounts,
    chosen: Vec<Chosen>,
    taxes: Taxes,
    sums: Sums,
}

/// What a quote shows below its lines. The total is subtotal − discount + delivery − delivery discount + tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// The lines before discounts.
    pub subtotal: MinorUnits,
    /// All discounts on lines and order.
    pub discount: MinorUnits,
    /// The chosen deliveries before discounts.
    pub delivery: MinorUnits,
    pub delivery_discount: MinorUnits,
    /// Tax that is added.
    pub tax: MinorUnits,
    /// Tax that is shown only, because the amounts hold it.
    pub tax_included: MinorUnits,
    pub total: MinorUnits,
}

impl Priced {
    /// Sums a request up; `None` if a sum is 2^53 minor units or more. `discounts`, `chosen` and `taxes` have to be
    /// those of this basket.
    #[must_use]
    pub fn new(basket: Basket, discounts: Discounts, chosen: Vec<Chosen>, taxes: Taxes) -> Option<Self> {
        let sums = Sums::of(&basket, &discounts, &chosen, &taxes)?;
        Some(Self { basket, discounts, chosen, taxes, sums })
    }

    #[must_use]
    pub const fn basket(&self) -> &Basket {
        &self.basket
    }

    #[must_use]
    pub const fn discounts(&self) -> &Discounts {
        &self.discounts
    }

    #[must_use]
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    #[must_use]
    pub const fn taxes(&self) -> &Taxes {
        &self.taxes
    }

    #[must_use]
    pub const fn sums(&self) -> Sums {
        self.sums
    }

    /// Returns the order's receipt. `cart` is the basket's ([`Basket::to_cart`]). The receipt has the attributes of the
    /// chosen deliveries, and of the given ones those with other keys.
    ///
    /// # Errors
    /// If the shop's caps don't allow it.
    pub fn receipt(&self, cart: &Cart, attributes: Vec<Attribute>, caps: Caps) -> Result<Receipt, BadReceipt> {
        let adjustments = self.adjustments();
        let of_delivery = self.chosen.iter().flat_map(|chosen| &chosen.option.option.attributes);
        let mut all: Vec<Attribute> = Vec::new();
        for attribute in of_delivery.chain(&attributes) {
            if !all.iter().any(|known| known.key == attribute.key) {
                all.push(attribute.clone());
            }
        }
        Receipt::checked(cart, adjustments, self.sums.total.amount(), all, caps)
    }

    /// Returns what the receipt shows: discounts on lines, discounts on the order, deliveries each with its discounts,
    /// tax.
    fn adjustments(&self) -> Vec<Adjustment> {
        let mut adjustments = Vec::new();
        let discount =
            |line, applied: &Applied, amount| adjustment(Effect::Subtract, "discount", &applied.title, amount, line);
        for (line, discounts) in zip(0.., &self.discounts.lines) {
            adjustments.extend(discounts.applied.iter().map(|applied| discount(Some(line), applied, applied.amount)));
        }
        for order in &self.discounts.order {
            let shares = zip(0.., &order.shares).filter(|(_, share)| **share > MinorUnits::ZERO);
            adjustments.extend(shares.map(|(line, share)| discount(Some(line), &order.applied, *share)));
        }
        for Chosen { option, .. } in &self.chosen {
            adjustments.push(adjustment(Effect::Add, "shipping", &option.option.title, option.option.cost, None));
            let off =
                |applied: &Applied| adjustment(Effect::Subtract, "shipping", &applied.title, applied.amount, None);
            adjustments.extend(option.discounts.iter().map(off));
        }
        adjustments.extend(self.taxes.lines().iter().map(|tax| self.tax_adjustment(tax)));
        adjustments
    }

    fn tax_adjustment(&self, tax: &TaxLine) -> Adjustment {
        let line = match tax.subject {
            Subject::Line(id) => self.basket.index_of(id).and_then(|index| u32::try_from(index).ok()),
            Subject::Delivery(_) => None,
        };
        let effect = if tax.included { Effect::Included } else { Effect::Add };
        adjustment(effect, "tax", &tax.title, tax.amount, line)
    }
}

fn adjustment(effect: Effect, category: &str, label: &str, amount: MinorUnits, line: Option<u32>) -> Adjustment {
    Adjustment { effect, category: category.to_owned(), label: label.to_owned(), amount, line }
}

impl Sums {
    fn of(basket: &Basket, discounts: &Discounts, chosen: &[Chosen], taxes: &Taxes) -> Option<Self> {
        let subtotal = basket.sum();
        let delivery = sum(chosen.iter().map(|chosen| chosen.option.option.cost))?;
        let delivery_left = sum(chosen.iter().map(|chosen| chosen.option.left()))?;
        let tax_of = |included| sum(taxes.lines().iter().filter(|tax| tax.included == included).map(|tax| tax.amount));
        let tax = tax_of(false)?;
        // What the receipt adds up is below 2^53, too: all that is added, before anything comes off.
        subtotal.checked_add(delivery)?.checked_add(tax)?;
        Some(Self {
            subtotal,
            discount: subtotal.checked_sub(discounts.left())?,
            delivery,
            delivery_discount: delivery.checked_sub(delivery_left)?,
            tax,
            tax_included: tax_of(true)?,
            total: discounts.left().checked_add(delivery_left)?.checked_add(tax)?,
        })
    }
}

fn sum(mut amounts: impl Iterator<Item = MinorUnits>) -> Option<MinorUnits> {
    amounts.try_fold(MinorUnits::ZERO, MinorUnits::checked_add)
}

#[cfg(test)]
mod tests;
