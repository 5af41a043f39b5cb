//! JSON, read without a float and without a crate: serde would be most of a small plugin's component.
//!
//! For types of its own a plugin may use `serde_json` on the same texts.

use std::fmt::{Display, Formatter, Write};

use super::{
    Currency, MinorUnits, PartsPerMillion,
    setting::{fixed, percent},
};

const DEPTH_MAX: usize = 64;

/// A value of JSON. A number stays the text that it was, so that an amount is read exactly.
///
/// ```
/// # use till_sdk::hooks::Json;
/// let rates = Json::parse(r#"{"rates": [{"name": "Post", "cents": 490}]}"#).expect("JSON");
/// assert_eq!(rates.at("rates").items()[0].at("cents").number(), Some(490));
/// assert_eq!(rates.at("rates").items()[0].at("days").number(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text; none if it isn't JSON, or is nested more than 64 deep.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_blanks();
        (reader.at == text.len()).then_some(value)
    }

    /// Returns the member of an object, the first of that name; `Null` if there is none, or this is no object.
    #[must_use]
    pub fn at(&self, name: &str) -> &Self {
        self.members().iter().find(|(found, _)| found == name).map_or(&Self::Null, |(_, value)| value)
    }

    /// Returns the members of an object, in their order; none of anything else.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// Returns the values of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the text, if this is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number from 0 to 2^53 - 1, if this is one, written in digits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => fixed(number, 0),
            _ => None,
        }
    }

    /// Returns the amount in minor units, if this is one in whole units of the currency: the number `4.9` or the text `"4.90"`.
    #[must_use]
    pub fn amount(&self, currency: &Currency) -> Option<MinorUnits> {
        match self {
            Self::Text(text) | Self::Number(text) => fixed(text, currency.decimals),
            _ => None,
        }
    }

    /// Returns the percentage, if this is one of at most 100: the number `7.5` or the text `"7.5"`.
    #[must_use]
    pub fn percent(&self) -> Option<PartsPerMillion> {
        match self {
            Self::Text(text) | Self::Number(text) => percent(text),
            _ => None,
        }
    }

    /// Returns whether it is true, if this is a boolean.
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<T: IntoIterator<Item = Json>>(items: T) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl FromIterator<(String, Json)> for Json {
    fn from_iter<T: IntoIterator<Item = (String, Json)>>(members: T) -> Self {
        Self::Object(members.into_iter().collect())
    }
}

/// Writes the value as JSON.
impl Display for Json {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Number(number) => out.write_str(number),
            Self::Text(text) => quote(out, text),
            Self::List(items) => {
                out.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { "," })?;
                    item.fmt(out)?;
                }
                out.write_char(']')
            }
            Self::Object(members) => {
                out.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { "," })?;
                    quote(out, name)?;
                    out.write_char(':')?;
                    value.fmt(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

fn quote(out: &mut Formatter<'_>, text: &str) -> std::fmt::Result {
    out.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            control if u32::from(control) < 0x20 => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_blanks();
        match self.next()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.quoted().map(Json::Text),
            b't' => self.word("true", Json::Flag(true)),
            b'f' => self.word("false", Json::Flag(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut members = Vec::new();
        self.take(b'{')?;
        if self.is_taken(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.quoted()?;
            self.skip_blanks();
            self.take(b':')?;
            members.push((name, self.value(depth + 1)?));
            if !self.is_taken(b',') {
                self.take(b'}')?;
                return Some(Json::Object(members));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.take(b'[')?;
        if self.is_taken(b']') {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.is_taken(b',') {
                self.take(b']')?;
                return Some(Json::List(items));
            }
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        let is_word = self.rest().starts_with(word);
        self.at += word.len();
        is_word.then_some(value)
    }

    fn number(&mut self) -> Option<Json> {
        let length = self.rest().bytes().take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).count();
        let number = self.rest().get(..length).filter(|number| is_number(number))?.to_owned();
        self.at += length;
        Some(Json::Number(number))
    }

    fn quoted(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut text = String::new();
        loop {
            let char = self.rest().chars().next()?;
            self.at += char.len_utf8();
            match char {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                control if u32::from(control) < 0x20 => return None,
                other => text.push(other),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let byte = self.next()?;
        self.at += 1;
        Some(match byte {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(byte),
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                // A surrogate pair.
                self.take(b'\\')?;
                self.take(b'u')?;
                let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(code)
    }

    fn is_taken(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        self.take(byte).is_some()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Empty where it would begin within a character, which no text is read as.
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// Returns whether the text is a number as JSON writes one: no leading zero or plus, digits on both sides of a point.
fn is_number(text: &str) -> bool {
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    is_digits(whole) && is_digits(part) && is_digits(exponent) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_and_written() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Json::parse(text).map(|json| json.to_string()).as_deref(), expected, "{text}");
        };
        check(
            r#" { "a" : [ 1 , -2.50e+3 , true , null ] , "b" : { } } "#,
            Some(r#"{"a":[1,-2.50e+3,true,null],"b":{}}"#),
        );
        check(r#""\u00e4\ud83d\ude00\n\/""#, Some("\"\u{e4}\u{1f600}\\u000a/\""));
        check("\"\u{e4}\"", Some("\"\u{e4}\""));
        for wrong in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "01",
            "+1",
            "1.",
            ".5",
            "tru",
            "\"\\ud800\"",
            "\"\n\"",
            "1 2",
            "nul\u{e4}",
            "\"\\u00\u{e4}\"",
        ] {
            check(wrong, None);
        }
        check(&"[".repeat(100_000), None);
    }

    #[test]
    fn an_amount_is_exact() {
        let currency = Currency { code: "USD".to_owned(), decimals: 2 };
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(Json::parse(text).and_then(|json| json.amount(&currency)), expected, "{text}");
        };
        check("4.9", Some(490));
        check("\"4.90\"", Some(490));
        check("1.15", Some(115));
        check("4.905", None);
        check("-1", None);
        check("1e2", None);
    }
}
