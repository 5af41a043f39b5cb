//! Amounts: whole minor units from 0 to 2^53 - 1, and the one right way to take a share of one.
//!
//! Nothing here goes through a fraction, and nothing wraps. What can't be an amount is a [`NumberError`], which `?` makes
//! the interface's `other`: a broken plugin sells nothing.

use std::fmt::Display;

use crate::{Adjustment, CheckoutError, Effect, InventoryError, Line, Order, Receipt, setting};

/// The largest amount: every language of a plugin holds it exactly.
pub const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// A number that can't be handed over, or be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberError(String);

impl Display for NumberError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for NumberError {}

impl From<NumberError> for CheckoutError {
    fn from(error: NumberError) -> Self {
        Self::Other(error.0)
    }
}

impl From<NumberError> for InventoryError {
    fn from(error: NumberError) -> Self {
        Self::Other(error.0)
    }
}

/// What becomes of the part of a share that is smaller than a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    Down,
    HalfUp,
    HalfEven,
    Up,
}

/// Returns the number if it is an amount; `field` is what it is called in the error.
///
/// # Errors
/// From 2^53 on, as what wrapped below 0 is.
pub fn amount(field: &str, value: u64) -> Result<u64, NumberError> {
    if value <= AMOUNT_MAX {
        return Ok(value);
    }
    Err(NumberError(format!("{field} is {value}, wanted a whole number of minor units from 0 to {AMOUNT_MAX}")))
}

/// Returns the plugin's setting of that name as an amount in minor units, `None` if it isn't set.
///
/// # Errors
/// When it is something else.
pub fn amount_setting(key: &str) -> Result<Option<u64>, NumberError> {
    let Some(text) = setting(key) else { return Ok(None) };
    let is_plain = (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|amount| is_plain && *amount <= AMOUNT_MAX);
    parsed.map(Some).ok_or_else(|| NumberError(format!("the setting {key} is no amount of minor units: {text}")))
}

/// # Errors
/// When the sum is no amount.
pub fn plus(one: u64, other: u64) -> Result<u64, NumberError> {
    let (one, other) = (amount("the amount", one)?, amount("what is added", other)?);
    let sum = one.checked_add(other).filter(|sum| *sum <= AMOUNT_MAX);
    sum.ok_or_else(|| NumberError(format!("{one} plus {other} is past {AMOUNT_MAX}")))
}

/// # Errors
/// When less than 0 would be left.
pub fn minus(one: u64, other: u64) -> Result<u64, NumberError> {
    let (one, other) = (amount("the amount", one)?, amount("what is subtracted", other)?);
    one.checked_sub(other).ok_or_else(|| NumberError(format!("{one} minus {other} is below 0")))
}

/// Takes a whole percentage of an amount. For a fraction of a percent take [`ratio_of`]: 7.5 % is the ratio 75 to 1000.
///
/// # Errors
/// When the amount is none, or its share.
pub fn percent_of(of: u64, percent: u64, rounding: Rounding) -> Result<u64, NumberError> {
    share(of, "the percent", percent, 100, rounding)
}

/// Takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
///
/// # Errors
/// When the amount is none, or its share, or the denominator is 0.
pub fn ratio_of(of: u64, numerator: u64, denominator: u64, rounding: Rounding) -> Result<u64, NumberError> {
    share(of, "the numerator", numerator, denominator, rounding)
}

/// Splits an amount over lines by their weights, which are what each costs or any other whole numbers. The parts sum to the
/// amount: each gets its share rounded down, and what is left goes in single units to those whose shares were cut most, the
/// first line first where they were cut alike. Where all weights are 0, all weigh the same.
///
/// # Errors
/// When the amount or a weight is none, or there is no weight.
pub fn split(whole: u64, weights: &[u64]) -> Result<Vec<u64>, NumberError> {
    let whole = amount("the amount", whole)?;
    if weights.is_empty() && whole > 0 {
        return Err(NumberError(format!("there are no weights to split {whole} by")));
    }
    let check = |(index, weight): (usize, &u64)| amount(&format!("weights[{index}]"), *weight);
    let given = weights.iter().enumerate().map(check).collect::<Result<Vec<u64>, _>>()?;
    let counted = if given.iter().all(|weight| *weight == 0) { vec![1; given.len()] } else { given };
    let all: u128 = counted.iter().copied().map(u128::from).sum();
    // Below 2^106.
    let shares = counted.iter().map(|weight| u128::from(whole) * u128::from(*weight));
    let cut: Vec<(u128, u128)> = shares.map(|share| (share / all, share % all)).collect();
    let mut parts: Vec<u64> = cut.iter().map(|(part, _)| u64::try_from(*part).unwrap_or(whole)).collect();
    let left = whole - parts.iter().sum::<u64>();
    let mut most_cut_first: Vec<usize> = (0..parts.len()).collect();
    most_cut_first.sort_by_key(|index| std::cmp::Reverse(cut.get(*index).map(|(_, rest)| *rest)));
    for index in most_cut_first.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
    }
    Ok(parts)
}

fn share(of: u64, field: &str, numerator: u64, denominator: u64, rounding: Rounding) -> Result<u64, NumberError> {
    let of = amount("the amount", of)?;
    let numerator = whole(field, numerator, 0)?;
    let denominator = whole("the denominator", denominator, 1)?;
    // Below 2^106.
    let (parts, by) = (u128::from(of) * u128::from(numerator), u128::from(denominator));
    let (down, rest) = (parts / by, parts % by);
    let is_up = match rounding {
        Rounding::Down => false,
        Rounding::HalfUp => 2 * rest >= by,
        Rounding::HalfEven => 2 * rest > by || (2 * rest == by && down % 2 == 1),
        Rounding::Up => rest > 0,
    };
    let share = u64::try_from(down + u128::from(is_up)).ok().filter(|share| *share <= AMOUNT_MAX);
    share.ok_or_else(|| NumberError(format!("the share is past {AMOUNT_MAX}")))
}

fn whole(field: &str, value: u64, least: u64) -> Result<u64, NumberError> {
    if (least..=AMOUNT_MAX).contains(&value) {
        return Ok(value);
    }
    Err(NumberError(format!("{field} is {value}, wanted a whole number from {least} to {AMOUNT_MAX}")))
}

impl Line {
    /// Returns what the line costs before any adjustment: quantity times unit price. The host has checked that it is an
    /// amount.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.unit_price.saturating_mul(u64::from(self.quantity))
    }
}

impl Order {
    /// Returns what the lines cost before any adjustment, in minor units. The host has checked that it is an amount.
    #[must_use]
    pub fn subtotal(&self) -> u64 {
        self.lines.iter().map(Line::cost).fold(0, u64::saturating_add)
    }
}

impl Adjustment {
    /// Returns what takes `amount` off the total.
    #[must_use]
    pub fn subtract(category: &str, label: &str, amount: u64) -> Self {
        Self::new(Effect::Subtract, category, label, amount)
    }

    /// Returns what adds `amount` to the total.
    #[must_use]
    pub fn add(category: &str, label: &str, amount: u64) -> Self {
        Self::new(Effect::Add, category, label, amount)
    }

    /// Returns what is within the prices already, as a tax may be.
    #[must_use]
    pub fn included(category: &str, label: &str, amount: u64) -> Self {
        Self::new(Effect::Included, category, label, amount)
    }

    /// Returns the same for one line of the order, by its index.
    #[must_use]
    pub fn on_line(self, index: usize) -> Self {
        Self { line: u32::try_from(index).ok(), ..self }
    }

    fn new(effect: Effect, category: &str, label: &str, amount: u64) -> Self {
        Self { effect, category: category.to_owned(), label: label.to_owned(), amount, line: None }
    }
}

impl Receipt {
    /// Returns the receipt of an order with these adjustments: its total is what the lines cost, with what is added and
    /// without what is subtracted.
    ///
    /// # Errors
    /// When an amount or the total is none.
    pub fn of(order: &Order, adjustments: Vec<Adjustment>) -> Result<Self, NumberError> {
        check_amounts(&adjustments)?;
        let sum = |effect: Effect| {
            let of = adjustments.iter().filter(|adjustment| adjustment.effect == effect);
            of.map(|adjustment| adjustment.amount).try_fold(0, plus)
        };
        let total = minus(plus(order.subtotal(), sum(Effect::Add)?)?, sum(Effect::Subtract)?)?;
        Ok(Self { adjustments, total, attributes: Vec::new() })
    }

    /// Returns the receipt if each of its amounts is one: what a kit hands over.
    pub(crate) fn checked(self) -> Result<Self, NumberError> {
        check_amounts(&self.adjustments)?;
        amount("receipt.total", self.total)?;
        Ok(self)
    }
}

fn check_amounts(adjustments: &[Adjustment]) -> Result<(), NumberError> {
    adjustments.iter().enumerate().try_for_each(|(index, adjustment)| {
        amount(&format!("receipt.adjustments[{index}].amount"), adjustment.amount).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_as_it_says() {
        let check = |of: u64, numerator: u64, denominator: u64, expected: [u64; 4]| {
            let roundings = [Rounding::Down, Rounding::HalfUp, Rounding::HalfEven, Rounding::Up];
            let found = roundings.map(|rounding| ratio_of(of, numerator, denominator, rounding).expect("a share"));
            assert_eq!(found, expected, "{of} * {numerator} / {denominator}");
        };
        check(100, 19, 119, [15, 16, 16, 16]);
        check(105, 10, 100, [10, 11, 10, 11]);
        check(115, 10, 100, [11, 12, 12, 12]);
        check(100, 10, 100, [10, 10, 10, 10]);
        check(0, 1, 3, [0, 0, 0, 0]);
        check(AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, [AMOUNT_MAX; 4]);
        let past = percent_of(AMOUNT_MAX, 101, Rounding::Down).expect_err("too much").to_string();
        assert_eq!(past, "the share is past 9007199254740991");
        assert!(ratio_of(1, 1, 0, Rounding::Down).is_err());
        assert!(percent_of(AMOUNT_MAX + 1, 1, Rounding::Down).is_err());
    }

    #[test]
    fn the_parts_sum_to_the_whole_and_the_first_line_gets_the_cent() {
        let check = |whole: u64, weights: &[u64], parts: &[u64]| {
            assert_eq!(split(whole, weights).expect("parts"), parts, "{whole} by {weights:?}");
        };
        check(100, &[1, 1, 1], &[34, 33, 33]);
        check(100, &[1, 2, 3], &[17, 33, 50]);
        check(10, &[0, 3, 0, 3], &[0, 5, 0, 5]);
        check(2, &[0, 0, 0], &[1, 1, 0]);
        check(0, &[], &[]);
        check(1, &[AMOUNT_MAX, AMOUNT_MAX], &[1, 0]);
        check(AMOUNT_MAX, &[AMOUNT_MAX; 3], &[AMOUNT_MAX / 3 + 1, AMOUNT_MAX / 3, AMOUNT_MAX / 3]);
        assert!(split(1, &[]).is_err());
    }

    #[test]
    fn nothing_wraps() {
        let check = |found: Result<u64, NumberError>, expected: &str| {
            assert_eq!(found.expect_err(expected).to_string(), expected);
        };
        check(minus(1_050, 5_000), "1050 minus 5000 is below 0");
        check(plus(AMOUNT_MAX, 1), "9007199254740991 plus 1 is past 9007199254740991");
        let wrapped = 1_050_u64.wrapping_sub(5_000);
        let expected = "receipt.total is 18446744073709547666, wanted a whole number of minor units from 0 to \
                        9007199254740991";
        check(amount("receipt.total", wrapped), expected);
    }
}
