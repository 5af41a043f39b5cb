//! Masks personal details and secrets in JSON, before it is kept.
//!
//! A value is masked if its key is one of `recordings.mask`, wherever the value stands, or if it looks like a mail address, a card's
//! number, a phone number or a token ([`found`]). A masked text becomes `masked-` and eight letters, which are the same for equal texts
//! in one run of the host: two lines with one customer's name are still two lines with one name, but nobody can find the name by
//! trying. A masked number becomes 0.
//!
//! The shop's own words aren't masked by key (the name of a way to pay, a product's fields), and amounts, quantities and times are kept.

mod found;

use std::{borrow::Cow, collections::BTreeSet};

use rand::RngExt;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use found::{Place, is_card, next_found};

/// What a masked text begins with.
const MASKED: &str = "masked-";
/// What stands in traces and logs instead of what looks personal.
const MASKED_WORD: &str = "masked";
/// The shortest text that is masked as a part of another text, because it was masked by its key elsewhere.
const ECHO_BYTES_MIN: usize = 3;
/// The most levels of JSON that is looked into; deeper values are masked as a whole. Cases have some ten.
const LEVELS_MAX: usize = 64;

/// What isn't kept.
pub struct Mask {
    /// Keys of one word.
    words: BTreeSet<String>,
    /// Keys of several words, with `_` before each and at the end.
    phrases: Vec<String>,
    /// Keys that count within the object of another key only.
    placed: Vec<(String, String)>,
    finds: bool,
    /// Drawn anew by each host, so that a mask can't be undone by trying.
    salt: [u8; 32],
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Mask").field("words", &self.words).field("finds", &self.finds).finish_non_exhaustive()
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    key: &'a str,
    within: &'a str,
    /// Whether its key, or one above it, is masked.
    is_masked: bool,
    /// Whether it is the shop's own, so that its keys don't count.
    is_shops: bool,
    level: usize,
}

impl Mask {
    /// Returns a mask of these keys; one that `finds` masks what looks personal, too.
    pub fn new<'a>(keys: impl Iterator<Item = &'a str>, finds: bool) -> Self {
        let (mut single, mut phrases, mut placed) = (BTreeSet::new(), Vec::new(), Vec::new());
        for key in keys {
            match key.split_once('.') {
                Some((within, key)) => placed.push((within.to_owned(), words(key))),
                None => match words(key).trim_matches('_') {
                    phrase if phrase.contains('_') => phrases.push(format!("_{phrase}_")),
                    word => _ = single.insert(word.to_owned()),
                },
            }
        }
        Self { words: single, phrases, placed, finds, salt: rand::rng().random() }
    }

    /// Masks the members of an object, and returns how many texts it masked.
    pub(super) fn members<'a>(&self, members: &'a str) -> (Cow<'a, str>, u32) {
        let mut masking = Masking::of(self, members);
        masking.members(At::root(), None);
        let (mut masked, hidden) = (masking.masked, std::mem::take(&mut masking.hidden));
        let once = masking.finish().map_or(Cow::Borrowed(members), Cow::Owned);
        // What a plugin was told under a masked key it may have said again under another.
        let mut masking = Masking { echoes: &hidden, ..Masking::of(self, &once) };
        if !hidden.is_empty() {
            masking.members(At::root(), None);
            masked = masked.saturating_add(masking.masked);
        }
        (masking.finish().map_or(once, Cow::Owned), masked)
    }

    /// Masks a JSON text, and returns how many texts it masked.
    pub(super) fn json(&self, json: String) -> (String, u32) {
        let mut masking = Masking::of(self, &json);
        masking.value(At::root());
        let masked = masking.masked;
        (masking.finish().unwrap_or(json), masked)
    }

    /// Returns the text with what looks personal masked; `None` if nothing does.
    fn in_text(&self, text: &str, place: Place) -> Option<String> {
        if self.finds { replaced(text, place, |found| self.stand_in(found)) } else { None }
    }

    /// Returns what stands in for a text.
    fn stand_in(&self, text: &str) -> String {
        let digest = Sha256::new().chain_update(self.salt).chain_update(text).finalize();
        let letters = digest.iter().take(4).flat_map(|byte| [byte >> 4, byte & 15]);
        MASKED.chars().chain(letters.map(|half| char::from(b'a' + half))).collect()
    }

    fn has(&self, at: At<'_>) -> bool {
        if at.is_masked || at.is_shops {
            return at.is_masked;
        }
        let mut placed = self.placed.iter().filter(|(within, _)| within == at.within);
        if placed.any(|(_, key)| words(at.key).contains(key)) {
            return true;
        }
        if is_of_case(at.key) {
            return false;
        }
        if at.key.bytes().all(|byte| byte.is_ascii_lowercase()) {
            // A key of one word, as most are.
            return self.words.contains(at.key);
        }
        let of_key = words(at.key);
        of_key.split('_').any(|word| self.words.contains(word))
            || self.phrases.iter().any(|phrase| of_key.contains(phrase))
    }
}

/// Returns the words of a key with `_` around each: of `customerEmail` and `customer-email`, `_customer_email_`.
fn words(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 4);
    words.push('_');
    let mut was_lower = false;
    for character in key.chars() {
        if !character.is_alphanumeric() {
            if !words.ends_with('_') {
                words.push('_');
            }
            was_lower = false;
            continue;
        }
        if character.is_uppercase() && was_lower {
            words.push('_');
        }
        was_lower = character.is_lowercase() || character.is_numeric();
        words.extend(character.to_lowercase());
    }
    if !words.ends_with('_') {
        words.push('_');
    }
    words
}

/// Returns whether the key belongs to the form of every case, so that its value is no client's.
fn is_of_case(key: &str) -> bool {
    matches!(
        key,
        "order"
            | "id"
            | "placed_at_ms"
            | "at_ms"
            | "cart"
            | "lines"
            | "item"
            | "title"
            | "quantity"
            | "price"
            | "unit_price"
            | "attributes"
            | "codes"
            | "purpose"
            | "currency"
            | "code"
            | "decimals"
            | "inventory"
            | "levels"
            | "stock"
            | "on_hand"
            | "expect"
            | "outcome"
            | "asked"
            | "receipt"
            | "total"
            | "adjustments"
            | "effect"
            | "category"
            | "label"
            | "amount"
            | "line"
            | "facts"
            | "http"
            | "status"
            | "headers"
            | "body"
    )
}

/// Returns whether what stands there is the shop's own.
fn is_shops(key: &str) -> bool {
    matches!(key, "shop" | "products" | "shop_fields" | "methods" | "choices" | "taxables" | "group")
}

/// Returns whether the names of the object's members are items.
fn has_items(key: &str) -> bool {
    matches!(key, "stock" | "levels" | "asked" | "products")
}

/// Returns whether a number of that key is an amount, a count or a time.
fn is_figure(key: &str) -> bool {
    matches!(
        key,
        "price" | "unit_price" | "total" | "amount" | "cost" | "due" | "id" | "at_ms" | "placed_at_ms" | "on_hand"
    )
}

impl At<'_> {
    const fn root() -> Self {
        At { key: "", within: "", is_masked: false, is_shops: false, level: 0 }
    }

    fn place(&self) -> Place {
        if self.key == "item" { Place::Item } else { Place::Text }
    }
}

/// A pass over a JSON text, which the host has written or checked.
struct Masking<'a> {
    mask: &'a Mask,
    json: &'a str,
    /// The texts that a pass before this one has masked by their keys, which are masked here wherever they stand.
    echoes: &'a [String],
    /// The texts that this pass has masked by their keys.
    hidden: Vec<String>,
    at: usize,
    /// What was copied so far, with masked values; empty while nothing was masked.
    out: String,
    copied: usize,
    masked: u32,
}

impl<'a> Masking<'a> {
    const fn of(mask: &'a Mask, json: &'a str) -> Self {
        Self { mask, json, echoes: &[], hidden: Vec::new(), at: 0, out: String::new(), copied: 0, masked: 0 }
    }

    /// Returns the masked text; `None` if nothing was masked.
    fn finish(mut self) -> Option<String> {
        if self.masked == 0 {
            return None;
        }
        self.out += self.json.get(self.copied..).unwrap_or_default();
        Some(self.out)
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Puts something else in the place of `from` up to here.
    fn replace(&mut self, from: usize, with: &str) {
        self.out += self.json.get(self.copied..from).unwrap_or_default();
        self.out += with;
        self.copied = self.at;
        self.masked = self.masked.saturating_add(1);
    }

    fn value(&mut self, at: At<'_>) {
        self.skip_space();
        let from = self.at;
        match self.peek() {
            Some(b'{' | b'[') if at.level >= LEVELS_MAX => {
                self.skip_nested();
                self.replace(from, "null");
            }
            Some(b'{') => {
                self.at += 1;
                self.members(At { level: at.level + 1, ..at }, Some(b'}'));
            }
            Some(b'[') => {
                self.at += 1;
                self.elements(At { level: at.level + 1, ..at });
            }
            Some(b'"') => {
                let raw = self.raw_string();
                let masked = if at.is_masked { self.hide(raw) } else { self.searched(raw, at) };
                if let Some(masked) = masked {
                    self.replace(from, &quoted(&masked));
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                self.skip_plain();
                let number = self.json.get(from..self.at).unwrap_or_default();
                if at.is_masked || self.mask.finds && is_card(number) && !is_figure(at.key) {
                    self.replace(from, "0");
                }
            }
            // A truth value says nothing, and null is nothing.
            _ => self.skip_plain(),
        }
    }

    /// Goes through the members of an object, up to its end or the text's.
    fn members(&mut self, object: At<'_>, end: Option<u8>) {
        // The key that `{"key": …, "value": …}` names.
        let mut named: Option<Cow<'a, str>> = None;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'"') => {}
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                byte => {
                    self.at += usize::from(byte.is_some() && byte == end);
                    return;
                }
            }
            let from = self.at;
            let key = unescaped(self.raw_string());
            let place = if has_items(object.key) { Place::Item } else { Place::Text };
            // Most keys are those of every case, in which there is nothing to find.
            let is_searched = place == Place::Item || !is_of_case(&key);
            if is_searched && let Some(masked) = self.mask.in_text(&key, place) {
                self.replace(from, &quoted(&masked));
            }
            self.skip_space();
            // The colon.
            self.at += 1;
            self.skip_space();
            let within = object.key;
            let of_key = match (&*key, &named) {
                ("value", Some(named)) => named.clone(),
                _ => key.clone(),
            };
            let at = At { key: &of_key, within, ..object };
            let is_name = matches!(&*key, "key" | "name") && self.peek() == Some(b'"') && self.names_value();
            let is_masked = if has_items(object.key) { object.is_masked } else { !is_name && self.mask.has(at) };
            let is_shops = object.is_shops || is_shops(&of_key);
            if is_name {
                let from = self.at;
                let raw = self.raw_string();
                named = Some(unescaped(raw));
                if let Some(masked) = self.mask.in_text(&unescaped(raw), Place::Text) {
                    self.replace(from, &quoted(&masked));
                }
            } else {
                self.value(At { is_masked, is_shops, ..at });
            }
        }
    }

    /// Returns whether the text here is followed by a member `value`, so that it is that member's key.
    fn names_value(&self) -> bool {
        let mut ahead = Masking { at: self.at, ..Masking::of(self.mask, self.json) };
        ahead.raw_string();
        ahead.skip_space();
        ahead.at += 1;
        ahead.skip_space();
        ahead.peek() == Some(b'"') && ahead.raw_string() == "value"
    }

    fn elements(&mut self, array: At<'_>) {
        loop {
            self.skip_space();
            match self.peek() {
                None => return,
                Some(b']') => {
                    self.at += 1;
                    return;
                }
                Some(b',') => self.at += 1,
                Some(_) => self.value(array),
            }
        }
    }

    /// Returns what stands in for all of a text; `None` if there is nothing to hide.
    fn hide(&mut self, raw: &str) -> Option<String> {
        let text = unescaped(raw);
        if text.is_empty() || is_masked(&text) {
            return None;
        }
        self.hidden.push(text.to_string());
        Some(self.mask.stand_in(&text))
    }

    /// Returns a text with what is to be masked in it masked; `None` if that is nothing. A text that is JSON is gone through as such.
    fn searched(&mut self, raw: &str, at: At<'_>) -> Option<String> {
        let text = unescaped(raw);
        let is_json = text.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(&text).is_ok();
        if is_json && at.level < LEVELS_MAX {
            let mut within = Masking { echoes: self.echoes, ..Masking::of(self.mask, &text) };
            within.value(At { level: at.level + 1, ..at });
            self.hidden.append(&mut within.hidden);
            return within.finish();
        }
        if self.echoes.is_empty() {
            return self.mask.in_text(&text, at.place());
        }
        let without = self.without_echoes(&text, at.place());
        (without != text).then_some(without)
    }

    /// Returns the text with everything masked in it that a key has masked elsewhere.
    fn without_echoes(&self, text: &str, place: Place) -> String {
        let is_echo = |echo: &&String| echo.len() >= ECHO_BYTES_MIN && text.contains(echo.as_str()) || *echo == text;
        let echoes = self.echoes.iter().filter(|_| place == Place::Text).filter(is_echo);
        echoes.fold(text.to_owned(), |text, echo| text.replace(echo.as_str(), &self.mask.stand_in(echo)))
    }

    /// Returns what stands between the quotation marks here, and goes behind them.
    fn raw_string(&mut self) -> &'a str {
        let bytes = self.json.as_bytes();
        let from = self.at + 1;
        let mut to = from;
        while let Some(byte) = bytes.get(to) {
            match byte {
                b'"' => break,
                b'\\' => to += 2,
                _ => to += 1,
            }
        }
        self.at = to + 1;
        self.json.get(from..to).unwrap_or_default()
    }

    fn skip_plain(&mut self) {
        let from = self.at;
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        // Nothing here is JSON; going on is all that matters.
        self.at += usize::from(self.at == from);
    }

    fn skip_nested(&mut self) {
        let mut levels = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(b'"') => {
                    self.raw_string();
                    continue;
                }
                Some(b'{' | b'[') => levels += 1,
                Some(b'}' | b']') => levels = levels.saturating_sub(1),
                Some(_) => {}
            }
            self.at += 1;
            if levels == 0 {
                return;
            }
        }
    }
}

fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return raw.into();
    }
    serde_json::from_str::<String>(&format!("\"{raw}\"")).map_or_else(|_| raw.into(), Cow::from)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// Returns the text with the word `masked` for whatever looks personal, for telemetry.
#[must_use]
pub fn impersonal(text: &str) -> Cow<'_, str> {
    replaced(text, Place::Text, |_| MASKED_WORD.to_owned()).map_or_else(|| text.into(), Cow::from)
}

/// Does so with an item's name, which a part number may be.
#[must_use]
pub fn impersonal_item(name: &str) -> Cow<'_, str> {
    replaced(name, Place::Item, |_| MASKED_WORD.to_owned()).map_or_else(|| name.into(), Cow::from)
}

/// Returns the text with something else in the place of what looks personal; `None` if nothing does.
fn replaced(text: &str, place: Place, stand_in: impl Fn(&str) -> String) -> Option<String> {
    let (mut replaced, mut from) = (String::new(), 0);
    while let Some(found) = next_found(text, from, place) {
        replaced += text.get(from..found.start)?;
        replaced += &stand_in(text.get(found.clone())?);
        from = found.end;
    }
    (from > 0).then(|| replaced + text.get(from..).unwrap_or_default())
}

/// Returns the text with every stand-in, and with what another host would mask, as one and the same word: two texts that differ only in
/// what was masked are equal then.
#[must_use]
pub fn alike(text: &str) -> String {
    let mask = Mask { salt: [0; 32], ..Mask::new(std::iter::empty(), true) };
    one_word(&mask.in_text(text, Place::Text).unwrap_or_else(|| text.to_owned()))
}

/// Returns the text with one and the same word for every stand-in.
fn one_word(text: &str) -> String {
    let mut parts = text.split(MASKED);
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        words += MASKED_WORD;
        let letters = part.bytes().take(8).take_while(|byte| (b'a'..=b'p').contains(byte)).count();
        words += part.get(if letters == 8 { 8 } else { 0 }..).unwrap_or_default();
    }
    words
}

/// Returns whether a text has a stand-in in it.
#[must_use]
pub fn is_masked(text: &str) -> bool {
    text.contains(MASKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        Mask::new("name, email, phone, token, ship_to.lines".split(", "), true)
    }

    /// Masks the JSON, with each stand-in written as `#`.
    fn masked(json: &str) -> String {
        let (masked, _) = mask().json(json.to_owned());
        serde_json::from_str::<IgnoredAny>(&masked).unwrap_or_else(|error| panic!("{masked} is no JSON: {error}"));
        one_word(&masked).replace("masked", "#")
    }

    #[test]
    fn a_value_is_masked_by_its_key_wherever_it_stands() {
        let check = |json: &str, expected: &str| assert_eq!(masked(json), expected, "{json}");
        check(r#"{"email":"x"}"#, r##"{"email":"#"}"##);
        check(r#"{"email":""}"#, r#"{"email":""}"#);
        check(
            r#"{"attributes":{"customerEmail":"x","size":"M"}}"#,
            r##"{"attributes":{"customerEmail":"#","size":"M"}}"##,
        );
        check(r#"{"billing-name":["a",{"b":"c"},7,true,null]}"#, r##"{"billing-name":["#",{"b":"#"},0,true,null]}"##);
        check(r#"{"username":"x","emails":"y"}"#, r#"{"username":"x","emails":"y"}"#);
        check(r#"[{"key":"email","value":{"text":"x"}}]"#, r##"[{"key":"email","value":{"text":"#"}}]"##);
        check(r#"[{"name":"token","value":"x"},{"name":"x"}]"#, r##"[{"name":"token","value":"#"},{"name":"#"}]"##);
        check(r#"{"ship_to":{"lines":["x"]},"lines":["y"]}"#, r##"{"ship_to":{"lines":["#"]},"lines":["y"]}"##);
        check(r#"{"methods":[{"id":"card","name":"Card"}]}"#, r#"{"methods":[{"id":"card","name":"Card"}]}"#);
        check(r#"{"body":"{\"phone\": 5, \"a\": \"b\"}"}"#, r#"{"body":"{\"phone\": 0, \"a\": \"b\"}"}"#);
        check(r#"{"item":"name","price":1.50}"#, r#"{"item":"name","price":1.50}"#);
        check(r#"{"stock":{"phone":3},"asked":{"name":1}}"#, r#"{"stock":{"phone":3},"asked":{"name":1}}"#);
    }

    #[test]
    fn what_looks_personal_is_masked_in_any_text() {
        let check = |json: &str, expected: &str| assert_eq!(masked(json), expected, "{json}");
        check(r#"{"note":"mail ada@example.com now"}"#, r##"{"note":"mail # now"}"##);
        check(r#"{"note":"ada\u0040example.com"}"#, r##"{"note":"#"}"##);
        check(r#"{"ada@example.com":1}"#, r##"{"#":1}"##);
        check(r#"{"item":"ada@example.com"}"#, r##"{"item":"#"}"##);
        check(r#"{"stock":{"4111 1111 1111 1111":3}}"#, r##"{"stock":{"#":3}}"##);
        check(
            r#"{"note":4111111111111111,"unit_price":4111111111111111}"#,
            r#"{"note":0,"unit_price":4111111111111111}"#,
        );
        check(r#"{"a":"tea","b":"2 x 0.5 kg","c":"2026-11-29"}"#, r#"{"a":"tea","b":"2 x 0.5 kg","c":"2026-11-29"}"#);
    }

    #[test]
    fn equal_texts_have_equal_stand_ins_that_only_this_host_makes() {
        let mask = mask();
        let of = |mask: &Mask, text: &str| mask.json(format!(r#"{{"email":"{text}"}}"#)).0;
        assert_eq!(of(&mask, "ada"), of(&mask, "ada"));
        assert_ne!(of(&mask, "ada"), of(&mask, "bob"));
        assert_ne!(of(&mask, "ada"), of(&self::mask(), "ada"));
        assert_eq!(alike(&of(&mask, "ada")), alike(&of(&self::mask(), "bob")));
    }

    #[test]
    fn what_a_plugin_was_told_is_masked_where_it_says_it_again() {
        let members =
            r#""http":[{"body":"{\"name\":\"ground\"}"}],"item":"ground","expect":{"options":["ground","by ground"]}"#;
        let (masked, count) = mask().members(members);
        let alike = one_word(&masked).replace("masked", "#");
        let expected = r##""http":[{"body":"{\"name\":\"#\"}"}],"item":"ground","expect":{"options":["#","by #"]}"##;
        assert_eq!((alike.as_str(), count), (expected, 3));
    }

    #[test]
    fn an_operator_may_keep_everything() {
        let none = Mask::new(std::iter::empty(), false);
        let json = r#"{"email":"ada@example.com"}"#;
        assert_eq!(none.json(json.to_owned()), (json.to_owned(), 0));
    }

    #[test]
    fn deep_json_is_masked_as_a_whole() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let (masked, count) = mask().json(deep);
        assert_eq!((masked, count), (format!("{}null{}", "[".repeat(LEVELS_MAX), "]".repeat(LEVELS_MAX)), 1));
    }
}
