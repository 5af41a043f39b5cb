//! What the operator has set for this installation, read as what it is meant to be.
//!
//! A setting that can't be read is a [`HookError::Other`] that names it. No number goes through a float: `10.5` is exactly
//! 105,000 parts per million.

use super::{Currency, HookError, Json, MinorUnits, PartsPerMillion, bindings::shared::till::plugin::settings};
use crate::AMOUNT_MAX;

/// A setting of this installation, which need not be set.
///
/// ```no_run
/// # use till_sdk::hooks::{Cart, HookError, setting};
/// # fn read(cart: &Cart) -> Result<(), HookError> {
/// let percent = setting("percent").or("10").percent()?;
/// let free_from = setting("free_from").if_set(|it| it.amount(&cart.currency))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Setting {
    key: String,
    text: Option<String>,
}

/// Returns the setting of that key.
#[must_use]
pub fn setting(key: &str) -> Setting {
    Setting { key: key.to_owned(), text: settings::get(key) }
}

/// Refuses a setting that isn't one of these: a misspelt one would be as good as not set.
///
/// # Errors
/// Names the first setting that is none of them, and what there is.
pub fn only_settings(known: &[&str]) -> Result<(), HookError> {
    only(&settings::keys(), known)
}

fn only(set: &[String], known: &[&str]) -> Result<(), HookError> {
    match set.iter().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(HookError::Other(format!("there is no setting {key}; there are {}", known.join(", ")))),
    }
}

impl Setting {
    /// Returns a setting that isn't asked of the host, for tests.
    #[must_use]
    pub fn new(key: &str, text: Option<&str>) -> Self {
        Self { key: key.to_owned(), text: text.map(ToOwned::to_owned) }
    }

    /// Returns whether the operator has set anything.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.text.is_some()
    }

    /// Returns the setting with a text that counts if the operator has set nothing.
    #[must_use]
    pub fn or(self, default: &str) -> Self {
        Self { text: Some(self.text.unwrap_or_else(|| default.to_owned())), ..self }
    }

    /// Reads the setting if there is something to read.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn if_set<T>(&self, read: impl FnOnce(&Self) -> Result<T, HookError>) -> Result<Option<T>, HookError> {
        if self.is_set() { read(self).map(Some) } else { Ok(None) }
    }

    /// Returns the text as the operator wrote it.
    ///
    /// # Errors
    /// When nothing is set.
    pub fn text(&self) -> Result<&str, HookError> {
        self.text.as_deref().ok_or_else(|| HookError::Other(format!("the setting {} is missing", self.key)))
    }

    /// Returns a whole number.
    ///
    /// # Errors
    /// When nothing is set, or something else.
    pub fn number(&self) -> Result<u32, HookError> {
        self.read("a whole number", |text| u32::try_from(fixed(text, 0)?).ok())
    }

    /// Returns a percentage: `10`, `10.5` or `10.5 %` with up to four decimals, at most 100.
    ///
    /// # Errors
    /// When nothing is set, or something else.
    pub fn percent(&self) -> Result<PartsPerMillion, HookError> {
        self.read("a percentage from 0 to 100, with at most 4 decimals", percent)
    }

    /// Returns an amount that the operator wrote in whole units of the currency: `50`, `49.90`.
    ///
    /// # Errors
    /// When nothing is set, or something else, such as more decimals than the currency has.
    pub fn amount(&self, currency: &Currency) -> Result<MinorUnits, HookError> {
        let wanted = format!("an amount in {} with at most {} decimals", currency.code, currency.decimals);
        self.read(&wanted, |text| fixed(text, currency.decimals))
    }

    /// Returns whether the setting is on: `on`, `true`, `yes` or `1`. Without one it is off.
    ///
    /// # Errors
    /// When it is something else, and not `off`, `false`, `no` or `0` either.
    pub fn flag(&self) -> Result<bool, HookError> {
        if !self.is_set() {
            return Ok(false);
        }
        self.read("on or off", |text| if is_on(text) { Some(true) } else { is_off(text).then_some(false) })
    }

    /// Returns the texts between commas, trimmed, without empty ones. Without a setting there are none.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let parts = self.text.as_deref().unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// Returns the JSON of the setting.
    ///
    /// # Errors
    /// When nothing is set, or something else.
    pub fn json(&self) -> Result<Json, HookError> {
        self.read("JSON", Json::parse)
    }

    /// Returns what `read` makes of the trimmed text; `wanted` is what the error says of a text that it makes nothing of.
    ///
    /// # Errors
    /// When nothing is set, or `read` returns none.
    pub fn read<T>(&self, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, HookError> {
        let text = self.text()?;
        let error = || HookError::Other(format!("the setting {} is {text:?}, wanted {wanted}", self.key));
        read(text.trim()).ok_or_else(error)
    }
}

/// Returns a decimal number times ten to the power of `decimals`, exactly. None for anything that isn't digits with at most
/// one point and at most that many digits after it, or that is past the largest amount.
pub(crate) fn fixed(text: &str, decimals: u8) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let decimals = usize::from(decimals);
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_fixed = !whole.is_empty() && is_number(whole) && is_number(part) && part.len() <= decimals;
    let is_whole = text.len() == whole.len() || !part.is_empty();
    if !is_fixed || !is_whole || whole.len() > 16 {
        return None;
    }
    format!("{whole}{part:0<decimals$}").parse().ok().filter(|number| *number <= AMOUNT_MAX)
}

/// Returns a percentage in parts per million. None for what is past 100, and for what `fixed` has none for.
pub(crate) fn percent(text: &str) -> Option<PartsPerMillion> {
    let number = fixed(text.strip_suffix('%').unwrap_or(text).trim_end(), 4)?;
    u32::try_from(number).ok().filter(|share| *share <= 1_000_000)
}

pub(crate) fn is_on(text: &str) -> bool {
    matches!(text, "on" | "true" | "yes" | "1")
}

pub(crate) fn is_off(text: &str) -> bool {
    matches!(text, "off" | "false" | "no" | "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T: std::fmt::Debug>(read: Result<T, HookError>) -> String {
        match read {
            Err(HookError::Other(message)) => message,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_percentage_is_exact() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(Setting::new("percent", Some(text)).percent().ok(), expected, "{text}");
        };
        check("10", Some(100_000));
        check("10.5", Some(105_000));
        check(" 8.875 % ", Some(88_750));
        check("0.0001", Some(1));
        check("100%", Some(1_000_000));
        check("100.0001", None);
        check("0.00001", None);
        check("", None);
        check("10.", None);
        check(".5", None);
        check("-1", None);
        check("+1", None);
        check("1e1", None);
        check("10,5", None);
    }

    #[test]
    fn an_amount_has_the_currencys_decimals() {
        let check = |text: &str, decimals: u8, expected: Option<u64>| {
            let currency = Currency { code: "XXX".to_owned(), decimals };
            assert_eq!(Setting::new("over", Some(text)).amount(&currency).ok(), expected, "{text} {decimals}");
        };
        check("50", 2, Some(5_000));
        check("49.9", 2, Some(4_990));
        check("49.90", 2, Some(4_990));
        check("49.901", 2, None);
        check("50", 0, Some(50));
        check("50.0", 0, None);
        check("90071992547409.91", 2, Some(AMOUNT_MAX));
        check("90071992547409.92", 2, None);
        check("99999999999999999999", 4, None);
    }

    #[test]
    fn an_error_names_the_setting() {
        assert_eq!(said(Setting::new("percent", None).percent()), "the setting percent is missing");
        assert_eq!(
            said(Setting::new("percent", Some("ten")).percent()),
            "the setting percent is \"ten\", wanted a percentage from 0 to 100, with at most 4 decimals"
        );
        assert_eq!(said(Setting::new("on", Some("maybe")).flag()), "the setting on is \"maybe\", wanted on or off");
        assert_eq!(
            said(only(&["perc".to_owned()], &["percent", "code"])),
            "there is no setting perc; there are percent, code"
        );
        assert!(only(&["code".to_owned()], &["percent", "code"]).is_ok());
    }

    #[test]
    fn what_is_not_set_has_a_default_or_is_none() {
        assert_eq!(Setting::new("percent", None).or("5").percent().ok(), Some(50_000));
        assert_eq!(Setting::new("percent", Some("7")).or("5").percent().ok(), Some(70_000));
        assert_eq!(Setting::new("percent", None).if_set(Setting::percent).ok(), Some(None));
        assert_eq!(Setting::new("kinds", Some(" a, b,,c ")).list(), ["a", "b", "c"]);
        assert_eq!(Setting::new("kinds", None).list(), [""; 0]);
        assert_eq!(Setting::new("on", None).flag().ok(), Some(false));
    }
}
