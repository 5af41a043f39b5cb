//! The part of a target after its `?`.

use percent_encoding::percent_decode_str;

use crate::http::problem::Problem;

/// Returns the pairs of a query, decoded as forms are: `+` is a space. What isn't UTF-8 becomes a replacement character.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Returns a parameter's value.
///
/// # Errors
/// 422 naming the parameter and what would do.
pub(super) fn value<T>(name: &str, value: &str, parsed: Option<T>, wanted: &str) -> Result<T, Problem> {
    parsed.ok_or_else(|| Problem::unacceptable(format!("{name}={value}: wanted {wanted}")))
}
