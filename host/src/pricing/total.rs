//! The price of a request: everything that a quote shows, its total, and the order's receipt.

use super::{
    Basket,
    delivery::Chosen,
    discounts::Discounts,
    tax::{Taxable, Taxes},
};
use crate::order::{Attribute, BadReceipt, Caps, Cart, Item, MinorUnits, Receipt};

/// Returns what is to be taxed: every line, and every chosen delivery, with what is left of it.
#[must_use]
pub fn taxables(
    basket: &Basket,
    discounts: &Discounts,
    chosen: &[Chosen],
    category: impl Fn(&Item) -> Option<String>,
) -> Vec<Taxable> {
    todo!("{basket:?} {discounts:?} {chosen:?} {:?}", basket.lines().first().map(|line| category(&line.item)))
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
    /// Sums a request up; `None` if a sum is 2^53 minor units or more. `discounts`, `chosen` and `taxes` have to be those of this
    /// basket.
    #[must_use]
    pub fn new(basket: Basket, discounts: Discounts, chosen: Vec<Chosen>, taxes: Taxes) -> Option<Self> {
        todo!("{basket:?} {discounts:?} {chosen:?} {taxes:?}")
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

    /// Returns the order's receipt. `cart` is the basket's ([`Basket::to_cart`]). Beside `attributes` it has those of the chosen
    /// deliveries.
    ///
    /// # Errors
    /// If the shop's caps don't allow it.
    pub fn receipt(&self, cart: &Cart, attributes: Vec<Attribute>, caps: Caps) -> Result<Receipt, BadReceipt> {
        todo!("{cart:?} {attributes:?} {caps:?}")
    }
}
