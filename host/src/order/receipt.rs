//! A checkout plugin's decision, and the sums that the host checks before accepting it.
//!
//! What a receipt subtracts under a category is first set off against what it adds under the same category: free
//! delivery is a delivery cost and a discount on it. Only the rest comes off the lines or is added to them, and the
//! shop's caps are on that rest. The set-off is never more than what was added, so the total is never less than what
//! the cap leaves of the lines.

use std::collections::BTreeMap;

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

/// The most that a plugin may take off an order's lines, and add to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Of the lines' sum.
    pub discount_max_percent: u8,
    /// Of the lines' sum.
    pub added_max_percent: u32,
    /// What may be added to any order, however small its lines' sum is: a delivery costs the same for cheap goods.
    pub added_max_floor: MinorUnits,
}

impl Caps {
    /// What no receipt that adds up can break.
    pub const NONE: Self =
        Self { discount_max_percent: 100, added_max_percent: u32::MAX, added_max_floor: MinorUnits::LARGEST };

    /// Checks what is taken off the lines or added to them, beside their sum.
    fn check(self, SetOff { taken_off, added }: SetOff, subtotal: MinorUnits) -> Result<(), BadReceipt> {
        let Self { discount_max_percent, added_max_percent, added_max_floor } = self;
        let subtotal = subtotal.amount();
        let is_within =
            |amount: u64, percent: u32| u128::from(amount) * 100 <= u128::from(subtotal) * u128::from(percent);
        if !is_within(taken_off, discount_max_percent.into()) {
            return Err(BadReceipt::DiscountTooLarge { taken_off, subtotal, percent_max: discount_max_percent });
        }
        let floor = added_max_floor.amount();
        if added > floor && !is_within(added, added_max_percent) {
            return Err(BadReceipt::AddedTooMuch { added, subtotal, percent_max: added_max_percent, floor });
        }
        Ok(())
    }
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
        "{taken_off} of {subtotal} is taken off the lines, more than the shop's {percent_max} % \
         (checkout.discount_max_percent); only what is added under the same category is set off"
    )]
    DiscountTooLarge { taken_off: u64, subtotal: u64, percent_max: u8 },
    #[error(
        "{added} is added to lines of {subtotal} minor units, more than the shop's {percent_max} % \
         (checkout.added_max_percent) and more than {floor} (checkout.added_max_floor); if an amount among the plugin's \
         settings has slipped, correct that, otherwise raise one of the two"
    )]
    AddedTooMuch { added: u64, subtotal: u64, percent_max: u32, floor: u64 },
    #[error("an adjustment names line {line} of {lines}")]
    NoSuchLine { line: u32, lines: usize },
}

impl Receipt {
    /// Returns the receipt if lines − `subtract` + `add` = `total`, and what is taken off the lines or added to them is
    /// within the caps.
    ///
    /// # Errors
    /// Names the first rule that the figures break.
    pub fn checked(
        cart: &Cart,
        adjustments: Vec<Adjustment>,
        total: u64,
        attributes: Vec<Attribute>,
        caps: Caps,
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
        caps.check(SetOff::of(&adjustments), cart.subtotal())?;
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

/// What is left of a receipt's adjustments after the set-off within each category. Categories are compared letter by
/// letter, and the lines that adjustments name play no part.
struct SetOff {
    /// What is subtracted beyond what is added of the same category, minor units.
    taken_off: u64,
    /// What is added beyond what is subtracted of the same category, minor units.
    added: u64,
}

impl SetOff {
    /// Sums the adjustments, which have to add up without an overflow.
    fn of(adjustments: &[Adjustment]) -> Self {
        let mut added_and_subtracted = BTreeMap::<&str, (u64, u64)>::new();
        for Adjustment { effect, category, amount, .. } in adjustments {
            let (added, subtracted) = added_and_subtracted.entry(category).or_default();
            match effect {
                Effect::Add => *added += amount.amount(),
                Effect::Subtract => *subtracted += amount.amount(),
                Effect::Included => {}
            }
        }
        added_and_subtracted.into_values().fold(Self { taken_off: 0, added: 0 }, |sum, (added, subtracted)| Self {
            taken_off: sum.taken_off + subtracted.saturating_sub(added),
            added: sum.added + added.saturating_sub(subtracted),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::vec,
        prop_assert, prop_assert_eq, proptest,
        sample::select,
        strategy::{Just, Strategy},
    };

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

    fn discounts_of(percent: u8) -> Caps {
        Caps { discount_max_percent: percent, ..Caps::NONE }
    }

    fn adjustment(effect: Effect, category: &str, amount: u64) -> Adjustment {
        let amount = MinorUnits::new(amount).expect("a fine amount");
        Adjustment { effect, category: category.into(), label: "test".into(), amount, line: None }
    }

    #[test]
    fn a_receipt_is_believed_only_if_it_adds_up() {
        use Effect::{Add, Included, Subtract};
        let check = |effects: &[(Effect, u64)], total: u64, expected: Result<(), BadReceipt>| {
            let of = |(effect, amount): &(Effect, u64)| adjustment(*effect, effect.as_str(), *amount);
            let adjustments = effects.iter().map(of).collect();
            let outcome = Receipt::checked(&cart(), adjustments, total, Vec::new(), discounts_of(50));
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
        let too_much = BadReceipt::DiscountTooLarge { taken_off: 5_001, subtotal: 10_000, percent_max: 50 };
        check(&[(Subtract, 5_001)], 4_999, Err(too_much));
    }

    #[test]
    fn an_adjustment_has_to_name_a_line_that_is_there() {
        let mut stray = adjustment(Effect::Add, "shipping", 0);
        stray.line = Some(1);
        let outcome = Receipt::checked(&cart(), vec![stray], 10_000, Vec::new(), discounts_of(50));
        assert_eq!(outcome.unwrap_err(), BadReceipt::NoSuchLine { line: 1, lines: 1 });
    }

    #[test]
    fn a_discount_on_what_was_added_takes_nothing_off_the_lines() {
        use Effect::{Add, Included, Subtract};
        // At most 5,000 of the lines' 10,000 may be taken off.
        let check = |adjustments: &[(Effect, &str, u64)], taken_off: u64| {
            let sum = |wanted: Effect| -> u64 {
                adjustments.iter().filter(|(effect, ..)| *effect == wanted).map(|(.., amount)| amount).sum()
            };
            let total = 10_000 + sum(Add) - sum(Subtract);
            let adjustments: Vec<_> =
                adjustments.iter().map(|(effect, category, amount)| adjustment(*effect, category, *amount)).collect();
            let outcome =
                Receipt::checked(&cart(), adjustments.clone(), total, Vec::new(), discounts_of(50)).map(|_| ());
            let too_much = BadReceipt::DiscountTooLarge { taken_off, subtotal: 10_000, percent_max: 50 };
            assert_eq!(outcome, if taken_off > 5_000 { Err(too_much) } else { Ok(()) }, "{adjustments:?}");
        };
        check(&[(Add, "shipping", 9_000), (Subtract, "shipping", 9_000)], 0);
        check(&[(Subtract, "shipping", 9_000), (Add, "shipping", 9_000)], 0);
        check(&[(Add, "shipping", 9_000), (Subtract, "shipping", 9_000), (Subtract, "discount", 5_000)], 5_000);
        check(&[(Add, "shipping", 9_000), (Subtract, "shipping", 9_000), (Subtract, "discount", 5_001)], 5_001);
        // Sums of a category count, however many parts they have.
        check(&[(Add, "shipping", 499), (Add, "shipping", 5_000), (Subtract, "shipping", 5_499)], 0);
        check(&[(Add, "shipping", 4_000), (Subtract, "shipping", 4_000), (Subtract, "shipping", 5_001)], 5_001);
        // No more is set off than was added, and a surplus serves no other category.
        check(&[(Add, "shipping", 499), (Subtract, "shipping", 5_500)], 5_001);
        check(&[(Add, "shipping", 9_000), (Subtract, "discount", 5_001)], 5_001);
        check(&[(Add, "Shipping", 499), (Subtract, "shipping", 5_001)], 5_001);
        check(&[(Add, "shipping ", 499), (Subtract, "shipping", 5_001)], 5_001);
        // What is only shown wasn't added.
        check(&[(Included, "tax", 5_001), (Subtract, "tax", 5_001)], 5_001);
    }

    #[test]
    fn an_adjustment_of_a_line_is_set_off_like_any_other() {
        let of_line = Adjustment { line: Some(0), ..adjustment(Effect::Add, "shipping", 9_000) };
        let waived = adjustment(Effect::Subtract, "shipping", 9_000);
        assert!(Receipt::checked(&cart(), vec![of_line, waived], 10_000, Vec::new(), discounts_of(0)).is_ok());
    }

    #[test]
    fn what_is_added_is_within_a_share_of_the_lines_or_below_the_floor() {
        let check = |(percent, floor): (u32, u64), added: &[(Effect, &str, u64)], too_much: Option<u64>| {
            let floor = MinorUnits::new(floor).expect("a fine amount");
            let caps = Caps { added_max_percent: percent, added_max_floor: floor, ..Caps::NONE };
            let adjustments: Vec<_> =
                added.iter().map(|(effect, category, amount)| adjustment(*effect, category, *amount)).collect();
            let total = added.iter().fold(10_000, |total, (effect, _, amount)| match effect {
                Effect::Add => total + amount,
                Effect::Subtract => total - amount,
                Effect::Included => total,
            });
            let outcome = Receipt::checked(&cart(), adjustments, total, Vec::new(), caps).map(|_| ());
            let refused = |added| {
                let floor = floor.amount();
                Err(BadReceipt::AddedTooMuch { added, subtotal: 10_000, percent_max: percent, floor })
            };
            assert_eq!(outcome, too_much.map_or(Ok(()), refused), "{added:?}");
        };
        use Effect::{Add, Included, Subtract};
        check((25, 0), &[(Add, "tax", 2_500)], None);
        check((25, 0), &[(Add, "tax", 2_501)], Some(2_501));
        check((25, 0), &[(Add, "tax", 2_000), (Add, "shipping", 501)], Some(2_501));
        // Goods that cost little are delivered like any other.
        check((25, 3_000), &[(Add, "shipping", 3_000)], None);
        check((25, 3_000), &[(Add, "shipping", 3_001)], Some(3_001));
        check((0, 0), &[(Add, "shipping", 1)], Some(1));
        // What is waived wasn't added, and what is shown neither; a discount of another category changes nothing.
        check((25, 0), &[(Add, "shipping", 9_000), (Subtract, "shipping", 6_500)], None);
        check((25, 0), &[(Included, "tax", 9_000)], None);
        check((25, 0), &[(Add, "shipping", 2_501), (Subtract, "discount", 5_000)], Some(2_501));
    }

    fn adjustments() -> impl Strategy<Value = Vec<Adjustment>> {
        let effect = select(&[Effect::Add, Effect::Subtract, Effect::Included][..]);
        let category = select(&["discount", "shipping", "Shipping", ""][..]);
        // Small amounts, of which some sums are at a bound, and some that overflow.
        let amount = proptest::prop_oneof![20 => 0..4_000_u64, 1 => Just((1 << 53) - 1)];
        let one = (effect, category, amount, select(&[None, Some(0)][..]));
        vec(
            one.prop_map(|(effect, category, amount, line)| Adjustment {
                line,
                ..adjustment(effect, category, amount)
            }),
            0..8,
        )
    }

    /// What is taken off the lines, by going through the adjustments one by one: each amount that is subtracted first
    /// uses up what the category still has of what was added.
    fn taken_off_one_by_one(adjustments: &[Adjustment]) -> u64 {
        let mut open: Vec<(&str, u64)> = Vec::new();
        for added in adjustments.iter().filter(|adjustment| adjustment.effect == Effect::Add) {
            open.push((&added.category, added.amount.amount()));
        }
        let mut taken_off = 0;
        for subtracted in adjustments.iter().filter(|adjustment| adjustment.effect == Effect::Subtract) {
            let mut rest = subtracted.amount.amount();
            for (_, left) in open.iter_mut().filter(|(category, _)| *category == subtracted.category) {
                let used = rest.min(*left);
                (rest, *left) = (rest - used, *left - used);
            }
            taken_off += rest;
        }
        taken_off
    }

    proptest! {
        #[test]
        fn no_receipt_sells_the_lines_for_less_than_the_cap_leaves(adjustments in adjustments(), percent in 0..=100_u8) {
            let sum = |wanted: Effect| -> u64 {
                adjustments.iter().filter(|adjustment| adjustment.effect == wanted).map(|one| one.amount.amount()).sum()
            };
            let (added, subtracted, included) = (sum(Effect::Add), sum(Effect::Subtract), sum(Effect::Included));
            let fits = [added, subtracted, included, 10_000 + added].iter().all(|sum| MinorUnits::new(*sum).is_some());
            let total = (10_000 + added).checked_sub(subtracted).filter(|_| fits);
            let outcome = Receipt::checked(&cart(), adjustments.clone(), total.unwrap_or(0), Vec::new(), discounts_of(percent));
            let most = u64::from(percent) * 100;
            let sold = total.is_some() && taken_off_one_by_one(&adjustments) <= most;
            prop_assert_eq!(outcome.is_ok(), sold, "{:?}", outcome);
            if let Ok(receipt) = outcome {
                prop_assert!(receipt.total().amount() >= 10_000 - most);
            } else if total.is_some() {
                // What was allowed before the set-off is still allowed.
                prop_assert!(subtracted > most);
            }
        }
    }
}
