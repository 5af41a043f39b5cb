//! What of a call isn't as expected.

use serde::Serialize;

use super::{Expected, Node, Played, tree};
use crate::{
    failure::Failure,
    hooks::Decision,
    order::{Adjustment, Currency, MinorUnits},
};

/// A part of a call that isn't as expected, line by line.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub part: &'static str,
    pub expected: Vec<String>,
    pub found: Vec<String>,
}

/// Returns what differs, in the order of what matters most; nothing if the call is as expected.
#[must_use]
pub fn differences(expected: &Expected, played: &Played, currency: Currency) -> Vec<Difference> {
    let Expected { detail, receipt, levels, asked, spans, .. } = expected;
    let parts = [
        outcome(expected, played),
        // Of another outcome it has been told.
        detail
            .as_ref()
            .filter(|_| played.outcome() == expected.outcome)
            .and_then(|text| compared("detail", vec![text.clone()], reason(&played.decided))),
        receipt.as_ref().and_then(|receipt| {
            let expected = receipt_lines(receipt.total, &receipt.adjustments, currency);
            compared("receipt", expected, decided_receipt(&played.decided, currency))
        }),
        levels.as_ref().and_then(|levels| {
            let expected = levels.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
            compared("levels", expected, decided_levels(&played.decided))
        }),
        asked.as_ref().and_then(|asked| {
            let expected = asked.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
            let found = played.asked.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
            compared("asked", expected, found)
        }),
        spans.as_ref().and_then(|spans| {
            let found = tree(&played.trace).iter().flat_map(Node::names).collect();
            compared("spans", spans.clone(), found)
        }),
    ];
    parts.into_iter().flatten().collect()
}

/// Returns how the outcome differs; what came instead is told with its reason.
fn outcome(expected: &Expected, played: &Played) -> Option<Difference> {
    let word = played.outcome();
    let found = || std::iter::once(word.to_owned()).chain(reason(&played.decided)).collect();
    let expected = &expected.outcome;
    (word != expected).then(|| Difference { part: "outcome", expected: vec![expected.clone()], found: found() })
}

fn reason(decided: &Result<Decision, Failure>) -> Vec<String> {
    decided.as_ref().err().map(ToString::to_string).into_iter().collect()
}

fn decided_receipt(decided: &Result<Decision, Failure>, currency: Currency) -> Vec<String> {
    match decided {
        Ok(Decision::Receipt(receipt)) => receipt_lines(receipt.total(), receipt.adjustments(), currency),
        Ok(Decision::Levels(_)) | Err(_) => Vec::new(),
    }
}

fn decided_levels(decided: &Result<Decision, Failure>) -> Vec<String> {
    match decided {
        Ok(Decision::Levels(levels)) => {
            levels.iter().map(|level| format!("{} {}", level.on_hand, level.item)).collect()
        }
        Ok(Decision::Receipt(_)) | Err(_) => Vec::new(),
    }
}

/// Returns a receipt as lines to read, the total last.
#[must_use]
pub fn receipt_lines(total: MinorUnits, adjustments: &[Adjustment], currency: Currency) -> Vec<String> {
    let adjustment = |adjustment: &Adjustment| {
        let Adjustment { effect, category, label, amount, line } = adjustment;
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("{} {} {category}: {label}{line}", effect.as_str(), currency.format(*amount))
    };
    let total = format!("total {} {currency}", currency.format(total));
    adjustments.iter().map(adjustment).chain(std::iter::once(total)).collect()
}

fn compared(part: &'static str, expected: Vec<String>, found: Vec<String>) -> Option<Difference> {
    (expected != found).then_some(Difference { part, expected, found })
}

impl Difference {
    /// Returns it as lines: what stays indented, `-` before what was expected, `+` before what came.
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
