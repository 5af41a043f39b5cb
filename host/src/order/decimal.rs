//! Decimal numbers as people and JSON write them: exact, whatever their length. A library's decimals have 28 digits,
//! and reject a longer number as too large.

use std::fmt;

/// A number `digits` × 10^`exponent`. Equal numbers compare equal, however they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Parses a number in JSON's form; also without digits on one side of the point, with a plus in front, or with
    /// single `_` between digits. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (digits_of(whole)?, digits_of(fraction)?);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let all = whole + &fraction;
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let dropped = |longer: usize, shorter: usize| i64::try_from(longer.saturating_sub(shorter)).unwrap_or(i64::MAX);
        let exponent =
            exponent.saturating_sub(dropped(fraction.len(), 0)).saturating_add(dropped(all.len(), significant.len()));
        Some(Self { negative, digits, exponent })
    }

    pub(crate) const fn is_negative(&self) -> bool {
        self.negative
    }

    /// Returns the number × 10^`places` without its sign: whole, and below 10^18.
    ///
    /// # Errors
    /// Says which of the two the number isn't.
    pub(crate) fn shifted(&self, places: u8) -> Result<u64, Unfit> {
        const DIGITS_MAX: u32 = 18;
        let exponent = self.exponent.saturating_add(i64::from(places));
        if self.digits.is_empty() {
            return Ok(0);
        }
        let exponent = u32::try_from(exponent).map_err(|_| if exponent < 0 { Unfit::Fine } else { Unfit::Large })?;
        let length = u32::try_from(self.digits.len()).unwrap_or(u32::MAX);
        if length.saturating_add(exponent) > DIGITS_MAX {
            return Err(Unfit::Large);
        }
        let digits = self.digits.parse::<u64>().map_err(|_| Unfit::Large)?;
        digits.checked_mul(10_u64.pow(exponent)).ok_or(Unfit::Large)
    }

    /// Returns the float whose shortest form, as JavaScript and Python write it, is this number. `None` if there is
    /// none, so that no number is changed silently.
    pub(crate) fn to_exact_f64(&self) -> Option<f64> {
        let float = self.to_string().parse::<f64>().ok().filter(|float| float.is_finite())?;
        (Self::parse(&format!("{float:e}")).as_ref() == Some(self)).then_some(float)
    }
}

/// Returns the number if a float has exactly this one.
pub(crate) fn exact_number(text: &str) -> Option<f64> {
    Decimal::parse(text)?.to_exact_f64()
}

/// Why a number isn't a whole, small enough count of the smallest parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    Fine,
    Large,
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        write!(out, "{sign}{digits}e{}", self.exponent)
    }
}

fn digits_of(text: &str) -> Option<String> {
    let grouped = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    (digits && !grouped).then(|| text.replace('_', ""))
}

/// Returns the exponent, limited to a million: no float and no amount has a larger one.
fn exponent_of(text: &str) -> Option<i64> {
    const FAR: i64 = 1_000_000;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = digits.parse().map_or(FAR, |exponent: i64| exponent.min(FAR));
    Some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Decimal::parse(text).map(|decimal| decimal.to_string()).as_deref(), expected, "{text:?}");
        };
        for hundred in ["100", "100.0", "1e2", "1E+2", "0100", "+100", "1_00", "10000e-2", "0.1e3", "100."] {
            check(hundred, Some("1e2"));
        }
        for zero in ["0", "-0", "0.000", "0e9", ".0", "-0e-400"] {
            check(zero, Some("0e0"));
        }
        check("-12.50", Some("-125e-1"));
        check(".5", Some("5e-1"));
        check("1e99999999999999999999", Some("1e1000000"));
        for no_number in ["", ".", "-", "e1", "1e", "1e+", "--1", "1.2.3", "1,5", " 1", "1 ", "0x1", "NaN", "inf", "_1"]
        {
            check(no_number, None);
        }
    }

    #[test]
    fn only_a_float_that_is_the_number_stands_for_it() {
        let check = |text: &str, kept: bool| {
            let float = Decimal::parse(text).expect("a number").to_exact_f64();
            assert_eq!(float.is_some(), kept, "{text}");
            assert!(float.is_none_or(|float| float == text.parse::<f64>().expect("a float")), "{text}");
        };
        for kept in [
            "0",
            "0.1",
            "-0.1",
            "1.0",
            "1.10",
            "0.30000000000000004",
            "9007199254740992",
            "9007199254740994",
            "1e23",
            "5e-324",
            "1.7976931348623157e308",
        ] {
            check(kept, true);
        }
        for lost in [
            "9007199254740993",
            "-9007199254740993",
            "12345678901234567890",
            "18446744073709551616",
            "0.1000000000000000055",
            "0.123456789012345678901",
            "1e400",
            "-1e400",
            "1e-400",
            "9007199254740993.5",
        ] {
            check(lost, false);
        }
    }
}
