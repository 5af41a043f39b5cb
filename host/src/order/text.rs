//! Texts that a plugin puts on an order or an answer: bounded, and without control characters.
//!
//! These texts are stored with the order, shown to customers and operators, and written as JSON, where a control
//! character takes six bytes.

/// Which characters a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text for programs, such as a key or a code: a line that isn't empty.
    Word,
    /// A line, perhaps empty: no control characters.
    Line,
    /// One or more lines: the only control characters are line breaks and tabs.
    Lines,
}

/// Why a text isn't accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    #[error("is empty")]
    Empty,
    #[error("has {bytes} bytes, at most {max} are allowed (limits.answer_text_bytes)")]
    TooLong { bytes: usize, max: usize },
    #[error("holds the control character U+{0:04X}")]
    Control(u32),
}

/// # Errors
/// Says what is wrong with the text.
pub fn check_text(text: &str, form: Form, bytes_max: usize) -> Result<(), BadText> {
    if text.is_empty() && form == Form::Word {
        return Err(BadText::Empty);
    }
    if text.len() > bytes_max {
        return Err(BadText::TooLong { bytes: text.len(), max: bytes_max });
    }
    let control = text.chars().find(|character| is_control(*character, form));
    control.map_or(Ok(()), |control| Err(BadText::Control(control.into())))
}

/// Returns the text in a form that plugins may get and pass on: cut to the limit, and with `U+FFFD` for control
/// characters.
#[must_use]
pub fn fitted_text(text: &str, form: Form, bytes_max: usize) -> String {
    let mut fitted = String::new();
    for character in text.chars() {
        let shown = if is_control(character, form) { char::REPLACEMENT_CHARACTER } else { character };
        if fitted.len() + shown.len_utf8() > bytes_max {
            break;
        }
        fitted.push(shown);
    }
    fitted
}

/// Returns whether the character is a control character that the form doesn't allow.
pub(crate) fn is_control(character: char, form: Form) -> bool {
    character.is_control() && (form != Form::Lines || !matches!(character, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_by_its_length_and_its_characters() {
        let check = |text: &str, form, expected| assert_eq!(check_text(text, form, 8), expected, "{text:?} {form:?}");
        check("", Form::Line, Ok(()));
        check("", Form::Word, Err(BadText::Empty));
        check("12345678", Form::Word, Ok(()));
        check("one\ntwo", Form::Word, Err(BadText::Control(0x0a)));
        check("12345678", Form::Line, Ok(()));
        check("\u{e9}\u{e9}\u{e9}\u{e9}", Form::Line, Ok(()));
        check("123456789", Form::Lines, Err(BadText::TooLong { bytes: 9, max: 8 }));
        check("one\ntwo", Form::Lines, Ok(()));
        check("\r\n\t", Form::Lines, Ok(()));
        check("one\ntwo", Form::Line, Err(BadText::Control(0x0a)));
        for control in ['\0', '\u{1b}', '\u{7f}', '\u{85}'] {
            check(&control.to_string(), Form::Lines, Err(BadText::Control(control.into())));
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_shown() {
        let check = |text: &str, expected: &str| {
            let fitted = fitted_text(text, Form::Lines, 8);
            assert_eq!(fitted, expected, "{text:?}");
            assert_eq!(check_text(&fitted, Form::Lines, 8), Ok(()));
        };
        check("1234567890", "12345678");
        check("1234567\u{e9}", "1234567");
        check("a\0b\n", "a\u{fffd}b\n");
        check("\0\0\0\0", "\u{fffd}\u{fffd}");
    }
}
