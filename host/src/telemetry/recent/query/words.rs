//! The words of a query: what stands between spaces, with its quotes read.

/// A sign of a word, and whether it stands in quotes, where it has no meaning of its own.
type Sign = (char, bool);

/// A word.
#[derive(Debug, Default)]
pub(super) struct Word(Vec<Sign>);

/// What stands after a key.
pub(super) struct Values<'a>(&'a [Sign]);

/// One of the alternatives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// Whether it was quoted, so that no sign in it means anything.
    pub(super) is_quoted: bool,
}

/// Returns the words of a query.
///
/// # Errors
/// If a quote isn't closed.
pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut word, mut is_begun) = (Vec::new(), Word::default(), false);
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => {
                is_begun = true;
                quoted(&mut signs, &mut word)?;
            }
            _ if sign.is_whitespace() => {
                if std::mem::take(&mut is_begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => {
                is_begun = true;
                word.0.push((sign, false));
            }
        }
    }
    if is_begun {
        words.push(word);
    }
    Ok(words)
}

fn quoted(signs: &mut std::str::Chars<'_>, word: &mut Word) -> Result<(), String> {
    const OPEN: &str = "a quote isn't closed: write \\\" for one that is part of the text";
    loop {
        match signs.next().ok_or(OPEN)? {
            '"' => return Ok(()),
            '\\' => word.0.push((signs.next().ok_or(OPEN)?, true)),
            sign => word.0.push((sign, true)),
        }
    }
}

impl Word {
    /// Returns the key and what stands after it; `None` if the word is free text. An attribute's key begins with `@`,
    /// and needs no value.
    pub(super) fn keyed(&self) -> Option<(String, Values<'_>)> {
        let Self(signs) = self;
        let colon = signs.iter().position(|sign| *sign == (':', false));
        let is_attribute = signs.first() == Some(&('@', false));
        let (name, values) = match colon {
            Some(at) => (signs.get(..at)?, signs.get(at + 1..)?),
            None if is_attribute => (signs.as_slice(), &[][..]),
            None => return None,
        };
        let is_name = |(sign, is_quoted): &Sign| !is_quoted && (sign.is_ascii_alphabetic() || *sign == '_');
        // A time or an address has a colon as well.
        let is_key = is_attribute || (!name.is_empty() && name.iter().all(is_name));
        is_key.then(|| (text_of(name), Values(values)))
    }

    /// Returns the free text, and whether it is a text that mustn't be there.
    pub(super) fn text(&self) -> (String, bool) {
        match self.0.as_slice() {
            [('!', false), rest @ ..] if !rest.is_empty() => (text_of(rest), true),
            whole => (text_of(whole), false),
        }
    }
}

impl Values<'_> {
    /// Returns whether the values are negated, and the values.
    pub(super) fn alternatives(&self) -> (bool, Vec<Value>) {
        let (is_negated, signs) = match self.0 {
            [('!', false), rest @ ..] => (true, rest),
            whole => (false, whole),
        };
        let value = |signs: &[Sign]| Value { text: text_of(signs), is_quoted: signs.iter().any(|(_, quoted)| *quoted) };
        (is_negated, signs.split(|sign| *sign == (',', false)).map(value).collect())
    }
}

fn text_of(signs: &[Sign]) -> String {
    signs.iter().map(|(sign, _)| sign).collect()
}
