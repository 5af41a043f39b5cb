//! Money in whole minor units, and the decimals that people write, without a float in between.

use std::fmt;

use rust_decimal::{Decimal, prelude::ToPrimitive};

/// An amount in the currency's minor units (cents), below 2^53 so that every guest language holds it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinorUnits(u64);

impl MinorUnits {
    pub const ZERO: Self = Self(0);
    const LIMIT: u64 = 1 << 53;

    /// Returns the amount, `None` at 2^53 and above.
    #[must_use]
    pub fn new(amount: u64) -> Option<Self> {
        (amount < Self::LIMIT).then_some(Self(amount))
    }

    #[must_use]
    pub const fn amount(self) -> u64 {
        self.0
    }

    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    #[must_use]
    pub fn checked_mul(self, times: u32) -> Option<Self> {
        self.0.checked_mul(u64::from(times)).and_then(Self::new)
    }
}

/// The one currency of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    currency: iso_currency::Currency,
    decimals: u8,
}

/// Why a written price is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("is not a decimal number")]
    NotDecimal,
    #[error("is negative")]
    Negative,
    #[error("has more decimals than the currency")]
    TooFine,
    #[error("is too large")]
    TooLarge,
}

impl Currency {
    /// Returns the currency of an ISO 4217 code, `None` for an unknown code or one without minor units (gold).
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        let decimals = u8::try_from(currency.exponent()?).ok()?;
        Some(Self { currency, decimals })
    }

    #[must_use]
    pub fn code(self) -> &'static str {
        self.currency.code()
    }

    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.decimals
    }

    /// Returns the amount that `text`, a JSON number, stands for. Trailing zeros are no decimals: `99.990` is 99.99.
    ///
    /// # Errors
    /// Says what keeps the text from being an amount of this currency.
    pub fn parse(self, text: &str) -> Result<MinorUnits, PriceError> {
        let exponent = text.split_once(['e', 'E']).map(|(_, exponent)| exponent);
        let tiny = exponent.is_some_and(|exponent| exponent.starts_with('-'));
        let decimal = if exponent.is_some() { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
        let decimal = decimal.map_err(|error| match error {
            rust_decimal::Error::Underflow => PriceError::TooFine,
            rust_decimal::Error::ScaleExceedsMaximumPrecision(_) if tiny => PriceError::TooFine,
            // A number by its first character that is none to the library has too many digits for it.
            _ if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => PriceError::TooLarge,
            _ => PriceError::NotDecimal,
        })?;
        let decimal = decimal.normalize();
        if decimal.is_sign_negative() && !decimal.is_zero() {
            return Err(PriceError::Negative);
        }
        if decimal.scale() > u32::from(self.decimals) {
            return Err(PriceError::TooFine);
        }
        let shift = Decimal::from(10_u64.pow(u32::from(self.decimals)));
        let minor = decimal.checked_mul(shift).and_then(|minor| minor.to_u64());
        minor.and_then(MinorUnits::new).ok_or(PriceError::TooLarge)
    }

    /// Returns the amount as people and JSON write it: all of the currency's decimals, no code.
    #[must_use]
    pub fn format(self, amount: MinorUnits) -> String {
        Decimal::from_i128_with_scale(i128::from(amount.amount()), u32::from(self.decimals)).to_string()
    }

    /// Returns the amount as a float, for metrics and span attributes only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "amounts are below 2^53, which f64 holds exactly")]
    pub fn to_f64(self, amount: MinorUnits) -> f64 {
        amount.amount() as f64 / 10_f64.powi(i32::from(self.decimals))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_exactly_or_refused() {
        let check = |code: &str, text: &str, expected: Result<u64, PriceError>| {
            let currency = Currency::of_code(code).expect("a known code");
            assert_eq!(currency.parse(text).map(MinorUnits::amount), expected, "{text} {code}");
        };
        check("USD", "99.99", Ok(9999));
        check("USD", "99.990", Ok(9999));
        check("USD", "0", Ok(0));
        check("USD", "-0", Ok(0));
        check("USD", "100", Ok(10_000));
        check("USD", "1e2", Ok(10_000));
        check("USD", "1.5E1", Ok(1_500));
        check("USD", "0.29", Ok(29));
        check("USD", "90071992547409.91", Ok(9_007_199_254_740_991));
        check("USD", "90071992547409.92", Err(PriceError::TooLarge));
        check("USD", "99.999", Err(PriceError::TooFine));
        check("USD", "-1", Err(PriceError::Negative));
        check("USD", "1e400", Err(PriceError::TooLarge));
        check("USD", "1e-400", Err(PriceError::TooFine));
        check("USD", "99999999999999999999999999999999999999999999999", Err(PriceError::TooLarge));
        check("JPY", "100", Ok(100));
        check("JPY", "100.5", Err(PriceError::TooFine));
        check("KWD", "1.234", Ok(1_234));
        check("USD", "\"1\"", Err(PriceError::NotDecimal));
        check("USD", "null", Err(PriceError::NotDecimal));
    }

    #[test]
    fn an_amount_is_written_with_all_decimals() {
        let dollars = Currency::of_code("USD").expect("a known code");
        assert_eq!(dollars.format(MinorUnits(9999)), "99.99");
        assert_eq!(dollars.format(MinorUnits(10_000)), "100.00");
        assert_eq!(dollars.format(MinorUnits(5)), "0.05");
        let yen = Currency::of_code("JPY").expect("a known code");
        assert_eq!(yen.format(MinorUnits(5)), "5");
    }
}
