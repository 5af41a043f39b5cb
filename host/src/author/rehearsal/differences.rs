//! How a call differs from what was expected.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Expected, Node, Played, tree};
use crate::{failure::Failure, hooks::Shown, order::Item, recordings};

/// A part of a call that isn't as expected, line by line.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub part: &'static str,
    pub expected: Vec<String>,
    pub found: Vec<String>,
}

/// Returns what differs, the most important part first; nothing if the call is as expected.
#[must_use]
pub fn differences(expected: &Expected, played: &Played) -> Vec<Difference> {
    let Played { decision, decided, asked, .. } = played;
    let spans = expected.spans.as_ref().and_then(|spans| {
        let found = tree(&played.trace).iter().flat_map(Node::names).collect();
        compared("spans", spans.clone(), found)
    });
    differences_of(expected, decision, decided, asked).into_iter().chain(spans).collect()
}

/// Returns what differs of a decision, without its spans.
pub(super) fn differences_of(
    expected: &Expected,
    name: &'static str,
    decided: &Result<Shown, Failure>,
    asked: &BTreeMap<Item, u64>,
) -> Vec<Difference> {
    let Expected { detail, rejection, decision, asked: expected_asked, .. } = expected;
    let parts = [
        outcome(expected, decided),
        // If the outcome differs, that part already has the failure's text.
        detail
            .as_ref()
            .filter(|_| word(decided) == expected.outcome)
            .and_then(|text| compared("detail", vec![text.clone()], reason(decided))),
        rejection.as_ref().and_then(|code| match decided {
            Err(Failure::Rejected { code: found, .. }) => {
                compared("rejection", vec![code.clone()], vec![found.clone()])
            }
            _ => None,
        }),
        decision.as_ref().and_then(|expected| {
            let found = decided.as_ref().map(|shown| shown.lines.clone()).unwrap_or_default();
            compared(name, expected.lines.clone(), found)
        }),
        decision.as_ref().and_then(|expected| expected.attributes.as_ref()).and_then(|attributes| {
            let found = decided.as_ref().map(|shown| shown.attributes.clone()).unwrap_or_default();
            compared("attributes", attributes.clone(), found)
        }),
        expected_asked.as_ref().and_then(|expected| {
            let expected = expected.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
            let found = asked.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
            compared("asked", expected, found)
        }),
    ];
    parts.into_iter().flatten().collect()
}

/// Returns how the outcome differs, with the failure's text if there is one.
fn outcome(expected: &Expected, decided: &Result<Shown, Failure>) -> Option<Difference> {
    let word = word(decided);
    let found = || std::iter::once(word.to_owned()).chain(reason(decided)).collect();
    let expected = &expected.outcome;
    (word != expected).then(|| Difference { part: "outcome", expected: vec![expected.clone()], found: found() })
}

fn reason(decided: &Result<Shown, Failure>) -> Vec<String> {
    decided.as_ref().err().map(ToString::to_string).into_iter().collect()
}

/// Returns `ok`, or the failure's code.
pub(super) fn word(decided: &Result<Shown, Failure>) -> &'static str {
    decided.as_ref().err().map_or("ok", Failure::code)
}

/// Texts that differ only in what a recording's mask replaced are equal.
fn compared(part: &'static str, expected: Vec<String>, found: Vec<String>) -> Option<Difference> {
    let is_alike = || {
        let alike = |lines: &[String]| lines.iter().map(|line| recordings::alike(line)).collect::<Vec<_>>();
        expected.iter().any(|line| recordings::is_masked(line)) && alike(&expected) == alike(&found)
    };
    (expected != found && !is_alike()).then_some(Difference { part, expected, found })
}

impl Difference {
    /// Returns the difference as lines: equal ones indented, expected ones after `-`, found ones after `+`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (expected, found) = (&self.expected, &self.found);
        let alike = |(one, other): &(&String, &String)| one == other;
        let same_start = expected.iter().zip(found).take_while(alike).count();
        let most = expected.len().min(found.len()) - same_start;
        let same_end = expected.iter().rev().zip(found.iter().rev()).take_while(alike).take(most).count();
        let middle = |lines: &[String], sign: &str| -> Vec<String> {
            let middle = lines.get(same_start..lines.len() - same_end).unwrap_or_default();
            middle.iter().map(|line| format!("{sign} {line}")).collect()
        };
        let start = expected.iter().take(same_start).map(|line| format!("  {line}"));
        let end = expected.iter().skip(expected.len() - same_end).map(|line| format!("  {line}"));
        start.chain(middle(expected, "-")).chain(middle(found, "+")).chain(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_what_is_missing_and_what_is_new_in_place() {
        let check = |expected: &str, found: &str, shown: &[&str]| {
            let lines = |text: &str| text.chars().map(String::from).collect();
            let difference = Difference { part: "spans", expected: lines(expected), found: lines(found) };
            assert_eq!(difference.lines(), shown, "{expected} {found}");
        };
        check("abc", "axc", &["  a", "- b", "+ x", "  c"]);
        check("ab", "abb", &["  a", "  b", "+ b"]);
        check("aab", "ab", &["  a", "- a", "  b"]);
        check("", "a", &["+ a"]);
    }
}
