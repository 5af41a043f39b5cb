//! Finds in a text what looks like a mail address, a card's number, a phone number or a token.

use std::ops::Range;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    /// An item's name: a part number isn't taken for a phone number, and less easily for a token.
    Item,
}

/// The digits of a card's number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 14..=19;
/// The digits of a phone number, as ITU-T E.164 has them at most; fewer than eight are an extension.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// The shortest token of letters and digits.
const TOKEN_LENGTH: usize = 20;
/// The shortest token of hexadecimal digits.
const HEX_LENGTH: usize = 32;

/// Returns the first that is found behind `from`; `None` if there is nothing.
pub(super) fn next_found(text: &str, from: usize, place: Place) -> Option<Range<usize>> {
    // Most texts are short words.
    let rest = text.get(from..)?;
    let (mut digits, mut has_at, mut longest, mut run) = (0, false, 0_usize, 0_usize);
    for byte in rest.bytes() {
        digits += usize::from(byte.is_ascii_digit());
        has_at |= byte == b'@';
        run = if is_of_token(byte) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let mail = || has_at.then(|| mail(text, from)).flatten();
    let number = || (digits >= *PHONE_DIGITS.start()).then(|| number(text, from, place)).flatten();
    let token = || (longest >= TOKEN_LENGTH).then(|| token(text, from, place)).flatten();
    [mail(), number(), token()].into_iter().flatten().min_by_key(|found| found.start)
}

/// Returns whether a JSON number's digits are a card's number.
pub(super) fn is_card(number: &str) -> bool {
    CARD_DIGITS.contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) && {
        let digits: Vec<u8> = number.bytes().map(|byte| byte - b'0').collect();
        is_card_number(&digits)
    }
}

fn mail(text: &str, from: usize) -> Option<Range<usize>> {
    let is_end = |character: char| character.is_whitespace() || "<>()[]{}\",;:|'".contains(character);
    let mut search = from;
    while let Some(at) = text.get(search..)?.find('@').map(|found| search + found) {
        let start = text.get(from..at)?.rfind(is_end).map_or(from, |before| {
            let before = from + before;
            before + text.get(before..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        });
        let end = text.get(at..)?.find(is_end).map_or(text.len(), |after| at + after);
        if start < at && at + 1 < end {
            return Some(start..end);
        }
        search = at + 1;
    }
    None
}

/// A run of digits with separators in it.
struct Run {
    range: Range<usize>,
    digits: Vec<u8>,
    /// How many digits each group has.
    groups: Vec<usize>,
    has_plus: bool,
    has_brackets: bool,
}

fn number(text: &str, from: usize, place: Place) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(run) = next_run(text, at) {
        let is_personal = run.is_card() || run.is_phone(place);
        // A run within a word, such as a part number, is neither.
        if is_personal && !is_in_word(text, &run.range) {
            return Some(run.range);
        }
        at = run.range.end;
    }
    None
}

/// Returns the next run of digits; between two digits there may be two separators.
fn next_run(text: &str, from: usize) -> Option<Run> {
    let bytes = text.as_bytes();
    let is_start = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'(');
    let start = from + bytes.get(from..)?.iter().position(is_start)?;
    let (mut end, mut digits, mut groups) = (start, Vec::new(), Vec::new());
    let (mut has_plus, mut has_brackets, mut separators) = (false, false, 0);
    for (index, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => {
                if separators > 0 || groups.is_empty() {
                    groups.push(0);
                }
                groups.last_mut().into_iter().for_each(|group: &mut usize| *group += 1);
                digits.push(byte - b'0');
                (separators, end) = (0, index + 1);
            }
            b'+' if index == start => has_plus = true,
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' if separators < 2 => {
                has_brackets |= *byte == b'(';
                separators += usize::from(index > start);
            }
            _ => break,
        }
    }
    let end = end.max(start + 1);
    Some(Run { range: start..end, digits, groups, has_plus, has_brackets })
}

fn is_in_word(text: &str, range: &Range<usize>) -> bool {
    let before = text.get(..range.start).and_then(|text| text.chars().next_back());
    let after = text.get(range.end..).and_then(|text| text.chars().next());
    [before, after].into_iter().flatten().any(|character| character.is_alphabetic() || character == '_')
}

impl Run {
    fn is_card(&self) -> bool {
        // A card's number may be followed by its date, so groups are left out at the end.
        let mut digits = self.digits.as_slice();
        for group in self.groups.iter().rev() {
            if CARD_DIGITS.contains(&digits.len()) && is_card_number(digits) {
                return true;
            }
            digits = digits.get(..digits.len().saturating_sub(*group)).unwrap_or_default();
        }
        false
    }

    fn is_phone(&self, place: Place) -> bool {
        let count = self.digits.len();
        if !PHONE_DIGITS.contains(&count) {
            return false;
        }
        if self.has_plus {
            return true;
        }
        if place == Place::Item || count < 9 {
            return false;
        }
        let begins_as_one = self.digits.first() == Some(&0) || self.has_brackets;
        // 202-555-0143, as it is written in North America.
        let is_north_american = matches!(self.groups.as_slice(), [3, 3, 4] | [1, 3, 3, 4]);
        begins_as_one || is_north_american
    }
}

/// Returns whether the digits begin as those of a card and end with their check digit (ISO/IEC 7812).
fn is_card_number(digits: &[u8]) -> bool {
    let start = |count: usize| digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let begins_as_card = match digits.len() {
        14 => matches!(start(3), 300..=305) || matches!(start(2), 36 | 38 | 39),
        15 => matches!(start(2), 34 | 37),
        _ => {
            start(1) == 4
                || matches!(start(2), 35 | 50..=55 | 56..=69 | 81)
                || matches!(start(4), 2200..=2204 | 2221..=2720)
        }
    };
    let doubled = |(index, digit): (usize, &u8)| {
        let digit = u32::from(*digit) << (index % 2);
        if digit > 9 { digit - 9 } else { digit }
    };
    begins_as_card && digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

const fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+' | b'/' | b'=' | b'~')
}

/// Finds a JSON Web Token, a key with letters and digits mixed at random, or a long hexadecimal number.
fn token(text: &str, from: usize, place: Place) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        let length = bytes.get(at..)?.iter().take_while(|byte| is_of_token(**byte)).count();
        let word = text.get(at..at + length)?;
        if length >= TOKEN_LENGTH && (word.starts_with("eyJ") && word.contains('.') || has_random_part(word, place)) {
            return Some(at..at + length);
        }
        at += length.max(1);
    }
    None
}

fn has_random_part(word: &str, place: Place) -> bool {
    // A part number is made of words, too.
    let is_end = |character: char| ".-/+=~".contains(character) || character == '_' && place == Place::Item;
    word.split(is_end).any(|part| {
        let count = |is: fn(&u8) -> bool| part.bytes().filter(is).count();
        let is_hex = part.len() >= HEX_LENGTH && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_mixed = part.len() >= TOKEN_LENGTH
            && count(u8::is_ascii_digit) >= 2
            && count(u8::is_ascii_uppercase) >= 1
            && count(u8::is_ascii_lowercase) >= 1;
        is_hex || is_mixed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, place: Place) -> Vec<&str> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(range) = next_found(text, from, place) {
            from = range.end;
            found.push(&text[range]);
        }
        found
    }

    #[test]
    fn what_looks_personal_is_found_and_nothing_else() {
        let check = |text: &str, expected: &[&str]| assert_eq!(all(text, Place::Text), expected, "{text:?}");
        check("ada@example.com", &["ada@example.com"]);
        check("to <ada+x@example.co.uk>, bob@host", &["ada+x@example.co.uk", "bob@host"]);
        check("ünïcode@exämple.de", &["ünïcode@exämple.de"]);
        check("@ada and a @ b", &[]);
        check("4111111111111111", &["4111111111111111"]);
        check("card 4111 1111-1111 1111!", &["4111 1111-1111 1111"]);
        check("4111 1111 1111 1111 12/27", &["4111 1111 1111 1111 12/27"]);
        check("378282246310005", &["378282246310005"]);
        check("4111111111111112", &[]);
        check("EAN 4006381333931", &[]);
        check("+49 30 901820", &["+49 30 901820"]);
        check("tel. (030) 901820-12", &["(030) 901820-12"]);
        check("202-555-0143", &["202-555-0143"]);
        check("01701234567", &["01701234567"]);
        check("2026-11-29 08:20", &[]);
        check("1 x 0.5, 12.50", &[]);
        check("order 123456789", &[]);
        check("Bearer sk_live_51H8xY2eZvKYlo2C0", &["sk_live_51H8xY2eZvKYlo2C0"]);
        check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"]);
        check("0123456789abcdef0123456789abcdef", &["0123456789abcdef0123456789abcdef"]);
        check("extraordinarily_long_word_of_letters", &[]);
        check("dhl/express-2-day-with-signature-1", &[]);
    }

    #[test]
    fn a_part_number_is_no_phone_number() {
        let check = |text: &str, expected: &[&str]| assert_eq!(all(text, Place::Item), expected, "{text:?}");
        check("0000-1234-5678", &[]);
        check("202-555-0143", &[]);
        check("GTIN_00012345678905_Large", &[]);
        check("sk_live_51H8xY2eZvKYlo2C0aBcD", &["sk_live_51H8xY2eZvKYlo2C0aBcD"]);
        check("+49 30 901820", &["+49 30 901820"]);
        check("ada@example.com", &["ada@example.com"]);
        check("4111111111111111", &["4111111111111111"]);
    }
}
