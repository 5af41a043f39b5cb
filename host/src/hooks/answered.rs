//! Reads what plugins of track 0.2 answer, as untrusted as what a client sends: amounts within the interface's range, texts within
//! the host's limits.

use crate::{
    imports::{CallState, bindings::v0_2::till::plugin::types},
    order::{Attribute, AttributeValue, Form, MinorUnits},
};

/// Reads the parts of one answer. A reason is a sentence about the plugin: "its … is …".
#[derive(Debug)]
pub struct Reader<'a>(pub(super) &'a CallState);

impl Reader<'_> {
    pub(super) fn amount(&self, amount: u64) -> Result<MinorUnits, String> {
        MinorUnits::new(amount).ok_or_else(|| format!("an amount is {amount}, and has to be below 2^53 minor units"))
    }

    /// Returns a text of one line.
    pub(super) fn line(&self, what: &'static str, text: String) -> Result<String, String> {
        self.text(what, text, Form::Line)
    }

    /// Returns a text that isn't empty, of one line.
    pub(super) fn word(&self, what: &'static str, text: String) -> Result<String, String> {
        self.text(what, text, Form::Word)
    }

    pub(super) fn lines(&self, what: &'static str, text: String) -> Result<String, String> {
        self.text(what, text, Form::Lines)
    }

    pub(super) fn optional(&self, what: &'static str, text: Option<String>) -> Result<Option<String>, String> {
        text.map(|text| self.line(what, text)).transpose()
    }

    fn text(&self, what: &'static str, text: String, form: Form) -> Result<String, String> {
        self.0.check_text(what, &text, form).map_err(|misuse| misuse.to_string())?;
        Ok(text)
    }

    /// Returns attributes, without numbers that aren't finite. JSON is kept as text.
    pub(super) fn attributes(&self, attributes: Vec<types::Attribute>) -> Result<Vec<Attribute>, String> {
        let of = |types::Attribute { key, value }| {
            let key = self.word("the key of an attribute", key)?;
            let value = match value {
                types::AttributeValue::Text(text) | types::AttributeValue::Json(text) => {
                    AttributeValue::Text(self.lines("the text of an attribute", text)?)
                }
                types::AttributeValue::Integer(number) => AttributeValue::Integer(number),
                types::AttributeValue::Decimal(number) if number.is_finite() => AttributeValue::Decimal(number),
                types::AttributeValue::Decimal(_) => return Ok(None),
                types::AttributeValue::Flag(flag) => AttributeValue::Flag(flag),
            };
            Ok(Some(Attribute { key, value }))
        };
        attributes.into_iter().map(of).filter_map(Result::transpose).collect()
    }
}

/// Converts each of a list, up to the first that can't be.
pub(super) fn each<From, To>(
    list: Vec<From>,
    convert: impl FnMut(From) -> Result<To, String>,
) -> Result<Vec<To>, String> {
    list.into_iter().map(convert).collect()
}
