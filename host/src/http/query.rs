//! A request's query.

use percent_encoding::percent_decode_str;

use super::problem::Problem;
use crate::config::did_you_mean;

/// Returns the parameters of a query, decoded as a form's: a plus is a space. A parameter without a value is empty.
///
/// # Errors
/// 422 for a repeated parameter, because it is ambiguous which one counts.
pub(crate) fn parameters(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in pairs(query) {
        if parameters.iter().any(|(earlier, _)| *earlier == name) {
            return Err(Problem::unacceptable(format!("{name} stands twice")));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Returns the pairs of a query, decoded as forms are: `+` is a space. Bytes that aren't UTF-8 become replacement
/// characters.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Returns a parameter's value.
///
/// # Errors
/// 422, naming the parameter and the allowed values.
pub(crate) fn value<T>(name: &str, value: &str, parsed: Option<T>, wanted: &str) -> Result<T, Problem> {
    parsed.ok_or_else(|| Problem::unacceptable(format!("{name}={value}: wanted {wanted}")))
}

/// Returns a parameter's moment: Unix time, milliseconds.
///
/// # Errors
/// As [`value`].
pub(crate) fn moment(name: &str, text: &str) -> Result<u64, Problem> {
    let parsed = text.parse().ok().filter(|ms: &u64| *ms < 1 << 53);
    value(name, text, parsed, "milliseconds since 1970")
}

/// Returns the refusal of a parameter that there isn't.
pub(crate) fn unknown(what: &str, name: &str, known: impl IntoIterator<Item = &'static str>) -> Problem {
    Problem::unacceptable(format!("there is no {what} {name}{}", did_you_mean(name, known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_a_form_is_and_no_name_twice() {
        let check = |query, wanted: &[(&str, &str)]| {
            let wanted: Vec<_> = wanted.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(parameters(query).expect("parameters"), wanted, "{query}");
        };
        check("", &[]);
        check("a=1&b=2&", &[("a", "1"), ("b", "2")]);
        check("a=x+y%20z%2B", &[("a", "x y z+")]);
        check("a&b=", &[("a", ""), ("b", "")]);
        check("a=b=c", &[("a", "b=c")]);
        for twice in ["a=1&a=1", "a&a=1", "a=1&%61=2"] {
            assert_eq!(parameters(twice).expect_err("refused").code(), "unacceptable", "{twice}");
        }
    }
}
