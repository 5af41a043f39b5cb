//! What repeating many recorded calls comes to: how many decide otherwise, by how much money, in groups of the same difference.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::rehearsal::{Difference, Repeated};

/// How many calls a group names.
const NAMED_MAX: usize = 3;
/// How many groups are told; those of the most calls.
const GROUPS_MAX: usize = 20;

/// A call that is repeated, as its recording has it.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    pub id: u64,
    pub trace_id: String,
    pub outcome: String,
    /// What its receipt comes to, minor units.
    pub total: Option<u64>,
}

/// A call that decides otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    pub id: u64,
    pub trace_id: String,
}

/// Calls that differ alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What differs, with `#` for every number.
    pub difference: Vec<String>,
    pub calls: u64,
    /// How much more their customers pay, minor units; absent if none of them has a receipt.
    pub money: Option<i64>,
    /// The first of them.
    pub first: Vec<Named>,
}

/// What repeating comes to.
#[derive(Debug, Default)]
pub struct Report {
    groups: BTreeMap<Vec<String>, Group>,
    pub compared: u64,
    pub otherwise: u64,
    /// Calls that the host or another plugin ended, which can't be compared.
    pub undecided: u64,
    /// Calls whose cases can't be read, with the first reason.
    pub unreadable: u64,
    pub first_unreadable: Option<String>,
    /// How long the calls took all together, on all cores.
    pub took: Duration,
}

impl Report {
    /// Counts a repeated call.
    pub fn count(&mut self, recorded: &RecordedCall, repeated: &Repeated) {
        self.compared += 1;
        if repeated.differences.is_empty() {
            return;
        }
        self.otherwise += 1;
        let difference = difference(recorded, repeated);
        let group = self.groups.entry(difference.clone()).or_insert_with(|| Group {
            difference,
            calls: 0,
            money: None,
            first: Vec::new(),
        });
        group.calls += 1;
        if let Some(more) = more(recorded.total, repeated.total) {
            group.money = Some(group.money.unwrap_or_default().saturating_add(more));
        }
        if group.first.len() < NAMED_MAX {
            group.first.push(Named { id: recorded.id, trace_id: recorded.trace_id.clone() });
        }
    }

    /// Counts a call whose case can't be read.
    pub fn count_unreadable(&mut self, reason: String) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert(reason);
    }

    /// Returns the groups, those of the most calls first, and how many more there are.
    #[must_use]
    pub fn groups(&self) -> (Vec<&Group>, usize) {
        let mut groups: Vec<_> = self.groups.values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.calls));
        let more = groups.len().saturating_sub(GROUPS_MAX);
        groups.truncate(GROUPS_MAX);
        (groups, more)
    }

    /// Returns how much more the customers of all calls pay, minor units; `None` if no call has a receipt.
    #[must_use]
    pub fn money(&self) -> Option<i64> {
        self.groups.values().filter_map(|group| group.money).reduce(i64::saturating_add)
    }

    /// Returns how many calls were repeated in a second.
    #[must_use]
    pub fn calls_per_second(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        // Some thousands of calls are far within what a float holds.
        if seconds > 0.0 { f64::from(u32::try_from(self.compared).unwrap_or(u32::MAX)) / seconds } else { 0.0 }
    }
}

/// Returns how much more a customer pays: a receipt that isn't there comes to nothing.
fn more(recorded: Option<u64>, repeated: Option<u64>) -> Option<i64> {
    if recorded.is_none() && repeated.is_none() {
        return None;
    }
    let amount = |total: Option<u64>| i64::try_from(total.unwrap_or_default()).unwrap_or(i64::MAX);
    Some(amount(repeated).saturating_sub(amount(recorded)))
}

/// Returns what differs, in words that are the same for calls that differ alike.
fn difference(recorded: &RecordedCall, repeated: &Repeated) -> Vec<String> {
    if repeated.outcome != recorded.outcome {
        return vec![format!("outcome {} instead of {}", repeated.outcome, recorded.outcome)];
    }
    let of_part = |difference: &Difference| {
        let changed = difference.lines().into_iter().filter(|line| !line.starts_with("  "));
        let lines = changed.map(|line| format!("{} {}", difference.part, without_numbers(&line)));
        lines.collect::<Vec<_>>()
    };
    repeated.differences.iter().flat_map(of_part).collect()
}

/// Returns the line with `#` for every number.
fn without_numbers(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        let is_of_number = character.is_ascii_digit() || character == '.' && text.ends_with('#');
        if !is_of_number {
            text.push(character);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::Cost;

    fn recorded(id: u64, total: Option<u64>) -> RecordedCall {
        let outcome = if total.is_some() { "ok" } else { "rejected" };
        RecordedCall { id, trace_id: format!("{id:032x}"), outcome: outcome.into(), total }
    }

    fn repeated(total: Option<u64>, lines: Option<(&str, &str)>) -> Repeated {
        let outcome = if total.is_some() { "ok" } else { "rejected" };
        let difference = |(expected, found): (&str, &str)| Difference {
            part: "receipt",
            expected: vec![expected.to_owned()],
            found: vec![found.to_owned()],
        };
        Repeated { outcome, total, cost: Cost::default(), differences: lines.map(difference).into_iter().collect() }
    }

    #[test]
    fn calls_that_differ_alike_are_a_group_with_its_money() {
        let mut report = Report::default();
        report.count(&recorded(1, Some(100)), &repeated(Some(100), None));
        for id in 2..=6 {
            let lines = (format!("total {id}.00 USD"), format!("total {id}.01 USD"));
            report.count(&recorded(id, Some(100 * id)), &repeated(Some(100 * id + 1), Some((&lines.0, &lines.1))));
        }
        report.count(&recorded(7, Some(300)), &repeated(None, Some(("ok", "rejected"))));
        report.count(&recorded(8, None), &repeated(None, Some(("a", "b"))));
        assert_eq!((report.compared, report.otherwise, report.money()), (8, 7, Some(5 - 300)));
        let (groups, more) = report.groups();
        let told: Vec<_> = groups.iter().map(|group| (group.calls, group.money, group.difference.join(", "))).collect();
        let expected = [
            (5, Some(5), "receipt - total # USD, receipt + total # USD".to_owned()),
            (1, Some(-300), "outcome rejected instead of ok".to_owned()),
            (1, None, "receipt - a, receipt + b".to_owned()),
        ];
        assert_eq!((told.as_slice(), more), (expected.as_slice(), 0));
        let first: Vec<_> = groups[0].first.iter().map(|named| named.id).collect();
        assert_eq!(first, [2, 3, 4]);
    }
}
