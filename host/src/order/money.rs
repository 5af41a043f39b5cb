//! Money in whole minor units, parsed from and written as decimals without a float in between.

mod withdrawn;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::decimal::{Decimal, Unfit};

/// An amount in the currency's minor units (cents), below 2^53 so that every guest language holds it exactly.
///
/// By serde it is a whole number, for plugins' answers. Clients' requests and answers have decimals of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MinorUnits(u64);

impl MinorUnits {
    pub const ZERO: Self = Self(0);
    const LIMIT: u64 = 1 << 53;
    pub const LARGEST: Self = Self(Self::LIMIT - 1);

    /// Returns the amount; `None` at 2^53 and above.
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

    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns the amount; the largest one from 2^53 on.
    #[must_use]
    pub fn saturated(amount: u128) -> Self {
        u64::try_from(amount).ok().and_then(Self::new).unwrap_or(Self::LARGEST)
    }
}

impl<'de> Deserialize<'de> for MinorUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rule = "an amount is a whole number of minor units below 2^53";
        Self::new(u64::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(rule))
    }
}

/// The one currency of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    currency: iso_currency::Currency,
    decimals: u8,
}

/// Why a text isn't an amount, and what to write instead. The message follows the amount in a sentence: "the price 2,80
/// has a comma…".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.says())]
pub struct PriceError {
    cause: Cause,
    currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Empty,
    Comma,
    WhiteSpace,
    Words,
    NotDecimal,
    Negative,
    TooFine,
    TooLarge,
}

impl PriceError {
    fn says(&self) -> String {
        let currency = self.currency;
        let example = currency.format(MinorUnits(1_280));
        match self.cause {
            Cause::Empty => format!("is empty; write a decimal number, such as {example}"),
            Cause::Comma => {
                format!("has a comma; write a decimal point and no separators of thousands, such as {example}")
            }
            Cause::WhiteSpace => "has white space; leave it out".to_owned(),
            Cause::Words => {
                format!("is more than a number; leave out the currency, which is {currency} in this shop")
            }
            Cause::NotDecimal => {
                format!("is not a decimal number; write digits and a decimal point, such as {example}")
            }
            Cause::Negative => "is negative; amounts are from 0 on".to_owned(),
            Cause::TooFine => format!("has more decimals than {currency}: {} at most", currency.decimals),
            Cause::TooLarge => format!("is too large; {} {currency} at most", currency.format(MinorUnits::LARGEST)),
        }
    }
}

/// Why a shop can't use a currency. The messages end a sentence that names the given value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    #[error("a code of ISO 4217 that has minor units, such as USD")]
    Unknown,
    #[error("a currency that is in use: this one was withdrawn. Say {0} instead")]
    Succeeded(&'static str),
    #[error("a currency that is in use: this one was withdrawn")]
    Withdrawn,
}

impl Currency {
    /// Returns the currency of a code that a shop may use from now on.
    ///
    /// # Errors
    /// For an unknown code, one without minor units (gold), or a withdrawn one, with its successor.
    pub fn in_use(code: &str) -> Result<Self, CurrencyError> {
        match withdrawn::successor(code) {
            Some("") => Err(CurrencyError::Withdrawn),
            Some(successor) => Err(CurrencyError::Succeeded(successor)),
            None => Self::of_code(code).ok_or(CurrencyError::Unknown),
        }
    }

    /// Returns the currency of an ISO 4217 code; `None` for an unknown code or one without minor units (gold).
    /// Withdrawn codes are accepted, so that old orders stay readable.
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

    /// Parses an amount, in any form of its number: `99.990` and `9999e-2` are 99.99.
    ///
    /// # Errors
    /// Says why the text isn't an amount of this currency, and what to write instead.
    pub fn parse(self, text: &str) -> Result<MinorUnits, PriceError> {
        let refused = |cause| PriceError { cause, currency: self };
        let decimal = Decimal::parse(text).ok_or_else(|| refused(Cause::of_no_decimal(text)))?;
        if decimal.is_negative() {
            return Err(refused(Cause::Negative));
        }
        let minor = decimal.shifted(self.decimals).map_err(|unfit| match unfit {
            Unfit::Fine => refused(Cause::TooFine),
            Unfit::Large => refused(Cause::TooLarge),
        })?;
        MinorUnits::new(minor).ok_or(refused(Cause::TooLarge))
    }

    /// Returns the amount as people and JSON write it: all of the currency's decimals, no code.
    #[must_use]
    pub fn format(self, amount: MinorUnits) -> String {
        let unit = 10_u64.pow(u32::from(self.decimals));
        let (whole, parts) = (amount.amount() / unit, amount.amount() % unit);
        match usize::from(self.decimals) {
            0 => whole.to_string(),
            decimals => format!("{whole}.{parts:0decimals$}"),
        }
    }

    /// Returns the amount of so many whole units; `None` from 2^53 minor units on.
    #[must_use]
    pub fn of_units(self, units: u32) -> Option<MinorUnits> {
        MinorUnits(10_u64.pow(u32::from(self.decimals))).checked_mul(units)
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

impl Cause {
    /// Returns the most likely mistake in a text that isn't a number.
    fn of_no_decimal(text: &str) -> Self {
        let meant = text.trim();
        if meant.is_empty() {
            return Self::Empty;
        }
        let has_digits = meant.contains(|character: char| character.is_ascii_digit());
        let is_word = |character: char| character.is_alphabetic() || is_currency_sign(character);
        if has_digits && meant.contains(is_word) {
            Self::Words
        } else if has_digits && meant.contains([',', '\u{66b}']) {
            Self::Comma
        } else if has_digits && text.contains(char::is_whitespace) {
            Self::WhiteSpace
        } else {
            Self::NotDecimal
        }
    }
}

/// Returns whether the character is a currency sign (Unicode's category Sc, as far as shops use them).
const fn is_currency_sign(character: char) -> bool {
    matches!(character, '$' | '\u{a2}'..='\u{a5}' | '\u{20a0}'..='\u{20cf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::of_code(code).expect("a known code")
    }

    #[test]
    fn a_price_is_read_exactly() {
        let check = |code: &str, text: &str, expected: u64| {
            assert_eq!(currency(code).parse(text).map(MinorUnits::amount), Ok(expected), "{text} {code}");
        };
        check("USD", "99.99", 9999);
        check("USD", "99.990", 9999);
        check("USD", "99.99000000000000000000000000000000000000000", 9999);
        check("USD", "0", 0);
        check("USD", "-0", 0);
        check("USD", "100", 10_000);
        check("USD", "1e2", 10_000);
        check("USD", "1.5E1", 1_500);
        check("USD", "0.29", 29);
        check("USD", "1_000", 100_000);
        check("USD", "90071992547409.91", 9_007_199_254_740_991);
        check("JPY", "100", 100);
        check("KWD", "1.234", 1_234);
    }

    #[test]
    fn a_text_that_is_no_price_is_refused_with_what_is_wrong_with_it() {
        let check = |code: &str, text: &str, expected: &str| {
            let refused = currency(code).parse(text).expect_err(text).to_string();
            assert!(refused.contains(expected), "{text:?} {refused}, which lacks {expected:?}");
        };
        for comma in ["2,80", "1.234,56", "1,234.56", " 2,80 "] {
            check("EUR", comma, "has a comma; write a decimal point and no separators of thousands, such as 12.80");
        }
        check("JPY", "1,280", "such as 1280");
        for words in ["12.99 EUR", "12.99EUR", "EUR 12.99", "\u{20ac}12.99", "$5", "2,80 \u{20ac}", "12.99 Euro"] {
            check("EUR", words, "leave out the currency, which is EUR in this shop");
        }
        for spaced in [" 2.80", "2.80 ", "1 000", "1\u{a0}000.00", "2.80\n"] {
            check("EUR", spaced, "has white space; leave it out");
        }
        for empty in ["", " "] {
            check("EUR", empty, "is empty; write a decimal number");
        }
        for other in ["--1", "1.2.3", "\u{2212}5", "\"1\"", "null", "NaN", "1'000.00", "\u{ff11}", ".", "-", "free"] {
            check("EUR", other, "is not a decimal number; write digits and a decimal point");
        }
        for negative in ["-1", "-0.01", "-1e400"] {
            check("EUR", negative, "is negative");
        }
        check("USD", "99.999", "more decimals than USD: 2 at most");
        check("USD", "1e-400", "more decimals than USD: 2 at most");
        check("USD", "1.0000000000000000000000000000000000001", "more decimals than USD: 2 at most");
        check("JPY", "100.5", "more decimals than JPY: 0 at most");
        for large in
            ["90071992547409.92", "1e400", "99999999999999999999999999999999999999999999999", "1e99999999999999"]
        {
            check("USD", large, "is too large; 90071992547409.91 USD at most");
        }
    }

    #[test]
    fn a_withdrawn_currency_is_refused_with_its_successor() {
        let check = |code: &str, refused: Option<CurrencyError>| {
            assert_eq!(Currency::in_use(code).err(), refused, "{code}");
        };
        for (code, successor) in [
            ("HRK", "EUR"),
            ("BGN", "EUR"),
            ("CUC", "CUP"),
            ("SLL", "SLE"),
            ("ZWL", "ZWG"),
            ("ANG", "XCG"),
            ("DEM", "EUR"),
            ("STD", "STN"),
        ] {
            check(code, Some(CurrencyError::Succeeded(successor)));
        }
        check("CSK", Some(CurrencyError::Withdrawn));
        check("XXQ", Some(CurrencyError::Unknown));
        check("XAU", Some(CurrencyError::Unknown));
        // iso_currency 0.7.1 calls VES superseded by VED; both are in ISO 4217's list of current currencies, and shops
        // count in VES.
        for code in ["USD", "EUR", "CUP", "SLE", "ZWG", "XCG", "VES", "VED", "UYW"] {
            check(code, None);
        }
        // Orders in a withdrawn currency stay readable.
        assert!(Currency::of_code("BGN").is_some());
    }

    #[test]
    fn no_successor_was_withdrawn_itself() {
        for (code, successor) in withdrawn::ALL {
            assert!(successor.is_empty() || Currency::in_use(successor).is_ok(), "{code} {successor}");
        }
        let mut codes = withdrawn::ALL.map(|(code, _)| code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "each stands there once");
    }

    #[test]
    fn an_amount_is_written_with_all_decimals() {
        let dollars = currency("USD");
        assert_eq!(dollars.format(MinorUnits(9999)), "99.99");
        assert_eq!(dollars.format(MinorUnits(10_000)), "100.00");
        assert_eq!(dollars.format(MinorUnits(5)), "0.05");
        let yen = currency("JPY");
        assert_eq!(yen.format(MinorUnits(5)), "5");
    }
}
