//! The query of recent traces: `item:laptop outcome:!ok took:>1s @some.key:value "free text"`.
//!
//! A query is a list of terms, and all of them have to hold. A term is a key with a value (`keys` has the table of
//! keys), a span's attribute with a value, or free text. Values with commas between them are alternatives. `!` before
//! the values takes the traces with other values; a trace without any value isn't among them. Quotes keep spaces, commas
//! and signs from having their meaning.

mod attribute;
mod keys;
mod seen;
mod words;

use attribute::Attribute;
use keys::Value;
pub use keys::{KEYS, Key, Known};
pub use seen::{Of, Seen};
use words::{Word, words};

use crate::nearest::did_you_mean;

/// The longest query, bytes.
pub const BYTES_MAX: usize = 2_000;
/// The most terms of a query, and the most alternatives of a term: each costs a comparison for every kept trace.
const TERMS_MAX: usize = 32;

/// A query that was parsed. Takes every trace if it is empty.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<Term>);

#[derive(Debug, Clone)]
struct Term {
    wanted: Wanted,
    is_negated: bool,
}

#[derive(Debug, Clone)]
enum Wanted {
    /// In lower case.
    Text(String),
    Key(&'static Key, Vec<Value>),
    Attribute(Attribute),
}

impl Query {
    /// Parses a query; `now_us` is what `since` counts back from.
    ///
    /// # Errors
    /// With what is wrong and what to write instead.
    pub fn parse(text: &str, now_us: u64) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("the query has {} bytes; {BYTES_MAX} at most", text.len()));
        }
        let words = words(text)?;
        if words.len() > TERMS_MAX {
            return Err(format!("the query has {} terms; {TERMS_MAX} at most", words.len()));
        }
        words.iter().map(|word| Term::parse(word, now_us)).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the query for a text as it is, whatever signs are in it.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self(vec![Term { wanted: Wanted::Text(text.to_lowercase()), is_negated: false }])
    }

    /// Returns whether the trace, or the span, is wanted.
    #[must_use]
    pub fn takes(&self, seen: &Seen<'_>) -> bool {
        self.0.iter().all(|term| term.takes(seen))
    }
}

impl Term {
    fn parse(word: &Word, now_us: u64) -> Result<Self, String> {
        let Some((name, values)) = word.keyed() else {
            let (text, is_negated) = word.text();
            return Ok(Self { wanted: Wanted::Text(text.to_lowercase()), is_negated });
        };
        let (is_negated, alternatives) = values.alternatives();
        if alternatives.len() > TERMS_MAX {
            return Err(format!("{name} has {} values; {TERMS_MAX} at most", alternatives.len()));
        }
        if let Some(name) = name.strip_prefix('@') {
            let attribute = Attribute::parse(name, &alternatives)?;
            return Ok(Self { wanted: Wanted::Attribute(attribute), is_negated });
        }
        let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| unknown(&name))?;
        let parse = |value: &words::Value| {
            key.parse(&value.text, now_us).ok_or_else(|| format!("{name}:{}: wanted {}", value.text, key.takes))
        };
        let values = alternatives.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { wanted: Wanted::Key(key, values), is_negated })
    }

    fn takes(&self, seen: &Seen<'_>) -> bool {
        let found = match &self.wanted {
            Wanted::Text(lower) => return seen.has_text(lower) != self.is_negated,
            Wanted::Key(key, values) => key.finds(values, seen),
            Wanted::Attribute(attribute) => attribute.finds(seen),
        };
        found.is_some_and(|found| found != self.is_negated)
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let near = did_you_mean(&name.to_lowercase(), names.iter().copied());
    format!(
        "there is no key {name}{near}; the keys are {}, and @name for a span's attribute; quote it to search for the text",
        names.join(", ")
    )
}

/// Returns the value as it is written in a query: in quotes if it needs them.
#[must_use]
pub fn written(value: &str) -> String {
    let is_plain = |sign: char| sign.is_alphanumeric() || "_-./#+".contains(sign);
    if !value.is_empty() && !value.contains("..") && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
