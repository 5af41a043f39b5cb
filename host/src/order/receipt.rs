//! A checkout plugin's decision, and the sums that the host checks before accepting it.

use super::{Attribute, Cart, MinorUnits};

/// What an adjustment does to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Subtract,
    Add,
    /// Shown but not added: tax that the prices already include.
    Included,
}

impl Effect {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subtract => "subtract",
            Self::Add => "add",
            Self::Included => "included",
        }
    }

    /// Returns the effect of that name; `None` if there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Subtract, Self::Add, Self::Included].into_iter().find(|effect| effect.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    pub effect: Effect,
    /// An open word: "discount", "tax", "shipping".
    pub category: String,
    pub label: String,
    pub amount: MinorUnits,
    /// The index of the adjusted line; `None` for the whole order.
    pub line: Option<u32>,
}

/// A plugin's decision with correct sums; made only by [`Receipt::checked`].
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    adjustments: Vec<Adjustment>,
    total: MinorUnits,
    attributes: Vec<Attribute>,
}

/// Why a receipt isn't accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    #[error("an amount or a sum is 2^53 minor units or more")]
    Overflow,
    #[error("the adjustments bring the total below zero")]
    Negative,
    #[error("the total is {claimed}, the lines and adjustments sum to {summed}")]
    DoesNotAddUp { claimed: u64, summed: u64 },
    #[error(
        "{subtracted} of {subtotal} is subtracted, more than the shop's {percent_max} % (checkout.discount_max_percent)"
    )]
    DiscountTooLarge { subtracted: u64, subtotal: u64, percent_max: u8 },
    #[error("an adjustment names line {line} of {lines}")]
    NoSuchLine { line: u32, lines: usize },
}

impl Receipt {
    /// Returns the receipt if lines − `subtract` + `add` = `total` and no more than `discount_max_percent` of the
    /// lines' sum is subtracted.
    ///
    /// # Errors
    /// Names the first rule that the figures break.
    pub fn checked(
        cart: &Cart,
        adjustments: Vec<Adjustment>,
        total: u64,
        attributes: Vec<Attribute>,
        discount_max_percent: u8,
    ) -> Result<Self, BadReceipt> {
        let sum_of = |effect| {
            let matching = adjustments.iter().filter(|adjustment| adjustment.effect == effect);
            matching.map(|adjustment| adjustment.amount).try_fold(MinorUnits::ZERO, MinorUnits::checked_add)
        };
        let lines = cart.lines().len();
        let beyond = |line: &u32| usize::try_from(*line).map_or(true, |line| line >= lines);
        if let Some(line) = adjustments.iter().filter_map(|adjustment| adjustment.line).find(beyond) {
            return Err(BadReceipt::NoSuchLine { line, lines });
        }
        let total = MinorUnits::new(total).ok_or(BadReceipt::Overflow)?;
        let subtracted = sum_of(Effect::Subtract).ok_or(BadReceipt::Overflow)?;
        let added = sum_of(Effect::Add).ok_or(BadReceipt::Overflow)?;
        sum_of(Effect::Included).ok_or(BadReceipt::Overflow)?;

        let gross = cart.subtotal().checked_add(added).ok_or(BadReceipt::Overflow)?;
        let summed = gross.checked_sub(subtracted).ok_or(BadReceipt::Negative)?;
        if summed != total {
            return Err(BadReceipt::DoesNotAddUp { claimed: total.amount(), summed: summed.amount() });
        }
        let subtotal = cart.subtotal().amount();
        if u128::from(subtracted.amount()) * 100 > u128::from(subtotal) * u128::from(discount_max_percent) {
            return Err(BadReceipt::DiscountTooLarge {
                subtracted: subtracted.amount(),
                subtotal,
                percent_max: discount_max_percent,
            });
        }
        Ok(Self { adjustments, total, attributes })
    }

    #[must_use]
    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }

    #[must_use]
    pub const fn total(&self) -> MinorUnits {
        self.total
    }

    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Item, Line, Quantity};

    fn cart() -> Cart {
        let line = Line {
            item: Item::parse("headphones").expect("a fine name"),
            quantity: Quantity::new(2).expect("a fine quantity"),
            unit_price: MinorUnits::new(5_000).expect("a fine price"),
            attributes: Vec::new(),
        };
        Cart::new(vec![line], Vec::new()).expect("a fine cart")
    }

    fn adjustment(effect: Effect, amount: u64) -> Adjustment {
        let amount = MinorUnits::new(amount).expect("a fine amount");
        Adjustment { effect, category: "discount".into(), label: "test".into(), amount, line: None }
    }

    #[test]
    fn a_receipt_is_believed_only_if_it_adds_up() {
        use Effect::{Add, Included, Subtract};
        let check = |effects: &[(Effect, u64)], total: u64, expected: Result<(), BadReceipt>| {
            let adjustments = effects.iter().map(|(effect, amount)| adjustment(*effect, *amount)).collect();
            let outcome = Receipt::checked(&cart(), adjustments, total, Vec::new(), 50);
            assert_eq!(outcome.map(|_| ()), expected, "{effects:?} = {total}");
        };
        let most = (1 << 53) - 1;
        check(&[], 10_000, Ok(()));
        check(&[(Subtract, 1_000), (Add, 500), (Included, 700)], 9_500, Ok(()));
        check(&[(Subtract, 5_000)], 5_000, Ok(()));
        check(&[], 9_999, Err(BadReceipt::DoesNotAddUp { claimed: 9_999, summed: 10_000 }));
        check(&[], u64::MAX, Err(BadReceipt::Overflow));
        check(&[(Add, most)], 10_000, Err(BadReceipt::Overflow));
        check(&[(Included, most), (Included, 1)], 10_000, Err(BadReceipt::Overflow));
        check(&[(Subtract, 10_001)], 0, Err(BadReceipt::Negative));
        let too_much = BadReceipt::DiscountTooLarge { subtracted: 5_001, subtotal: 10_000, percent_max: 50 };
        check(&[(Subtract, 5_001)], 4_999, Err(too_much));
    }

    #[test]
    fn an_adjustment_has_to_name_a_line_that_is_there() {
        let mut stray = adjustment(Effect::Add, 0);
        stray.line = Some(1);
        let outcome = Receipt::checked(&cart(), vec![stray], 10_000, Vec::new(), 50);
        assert_eq!(outcome.unwrap_err(), BadReceipt::NoSuchLine { line: 1, lines: 1 });
    }
}
