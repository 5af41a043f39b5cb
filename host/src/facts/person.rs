//! Personal details: who buys, and where something goes. Nothing of them is printed.

use std::fmt;

use super::Fields;

/// Who buys, as the shop's own login says in a signed token.
#[derive(Clone, PartialEq)]
pub struct Customer {
    /// The shop's name of the customer.
    pub id: String,
    pub email: Option<String>,
    /// The shop's words for the customer.
    pub tags: Vec<String>,
    /// How many orders the customer has made, if the login says so.
    pub orders: Option<u32>,
    pub company: Option<String>,
    /// The shop's own fields of the customer, as the login says.
    pub fields: Fields,
}

/// Where something goes, as the client sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub name: Option<String>,
    pub company: Option<String>,
    pub lines: Vec<String>,
    pub city: Option<String>,
    /// ISO 3166-2 without the country.
    pub province_code: Option<String>,
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country_code: String,
    pub phone: Option<String>,
}

impl Address {
    /// Returns an address that says nothing but its country. The caller checks the code.
    #[must_use]
    pub fn in_country(country_code: &str) -> Self {
        Self {
            name: None,
            company: None,
            lines: Vec::new(),
            city: None,
            province_code: None,
            postal_code: None,
            country_code: country_code.to_owned(),
            phone: None,
        }
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Customer(…)")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Address(…)")
    }
}

/// A language that a client asked for: a language tag of BCP 47 by its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

impl Locale {
    /// The rule for language tags, for error messages.
    pub const RULE: &'static str = "a locale is a language tag of BCP 47, such as en-CA, with at most 35 bytes";
    const BYTES_MAX: usize = 35;

    /// Returns the locale; `None` if the text isn't a tag of BCP 47 by its form: subtags of 1 to 8 letters and digits with `-`
    /// between them, the first one of 2 to 8 letters. Whether there is such a language isn't checked.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut subtags = text.split('-');
        let language = subtags.next()?;
        let is_language = (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_subtag =
            |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (text.len() <= Self::BYTES_MAX && is_language && subtags.all(is_subtag)).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_language_tag_by_its_form() {
        for tag in ["en", "en-CA", "zh-Hant-TW", "de-CH-1996", "sl-rozaj-biske", "en-a-bbb-x-a-ccc", "EN-ca"] {
            assert_eq!(Locale::parse(tag).as_ref().map(Locale::as_str), Some(tag));
        }
        for other in
            ["", "e", "en_CA", "en-", "-en", "en--CA", "e1", "en-toolongsubtag", "en CA", "ё", &"en-aaaa".repeat(6)]
        {
            assert_eq!(Locale::parse(other), None, "{other}");
        }
    }
}
