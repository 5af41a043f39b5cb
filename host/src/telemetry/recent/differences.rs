//! What sets some traces apart from others: for each value of an attribute, its share in the ones and in the others.
//!
//! A trace counts once for each value that it has, in whichever span. What differs most comes first. Keys with so many
//! values that hardly two traces share one, such as an order's reference, are left out and named.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use serde::Serialize;

use super::query::{KEYS, Known, Seen, written};
use crate::telemetry::names::attribute;

/// The most traces that are looked at.
pub const TRACES_MAX: u64 = 100_000;
/// The most keys that are counted.
const KEYS_MAX: usize = 256;
/// The most values of a key.
const VALUES_MAX: usize = 200;
/// The longest value that is counted, bytes.
const VALUE_BYTES_MAX: usize = 256;
/// The most rows.
pub const ROWS_MAX: usize = 50;

/// Attributes that a key of the query tells already, or that differ for every trace.
const TOLD_BY_KEYS: [&str; 11] = [
    attribute::ORDER_ITEM,
    attribute::HTTP_ROUTE,
    attribute::HTTP_RESPONSE_STATUS_CODE,
    attribute::PLUGIN_OUTCOME,
    attribute::PLUGIN_NUMBER,
    attribute::PLUGIN_DIGEST,
    attribute::PLUGIN_ROLLOUT,
    attribute::ERROR_TYPE,
    attribute::ORDER_REFERENCE,
    attribute::DB_ORDER_ID,
    attribute::NETWORK_PEER_PORT,
];

/// Which traces a trace is among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Selected,
    Rest,
}

/// Counts the values of both sides.
#[derive(Debug, Default)]
pub struct Comparing {
    selected: u64,
    rest: u64,
    keys: Table,
    attributes: Table,
    is_cut: bool,
}

/// The counted values of each key; `None` for a key that has too many of them.
#[derive(Debug, Default)]
struct Table(HashMap<String, Option<HashMap<String, Counted>>>);

#[derive(Debug, Default)]
struct Counted {
    label: Option<String>,
    selected: u64,
    rest: u64,
    /// The number of the last trace that was counted, because a value may stand in several of its spans.
    last: u64,
}

/// How the selected traces differ from the rest.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceDifferences"))]
pub struct Differences {
    /// How many traces are selected.
    pub selected: u64,
    /// How many they are compared with.
    pub rest: u64,
    /// The values, with what differs most first.
    #[cfg_attr(test, schemars(length(max = ROWS_MAX)))]
    pub rows: Vec<Difference>,
    /// Keys that have too many values to be compared.
    pub left_out: Vec<String>,
    /// Whether traces, or keys, weren't looked at because there are too many.
    pub is_cut: bool,
}

/// A value, and how many traces of each side have it.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceDifference"))]
pub struct Difference {
    /// A key of the query, or `@` and an attribute.
    pub key: String,
    pub value: String,
    /// What people read instead of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The term that narrows a query to this value.
    pub query: String,
    pub selected: u64,
    pub rest: u64,
    /// From 0 to 1.
    pub selected_share: f64,
    pub rest_share: f64,
}

impl Comparing {
    /// Counts a trace.
    pub fn add(&mut self, side: Side, seen: &Seen<'_>) {
        if self.selected + self.rest >= TRACES_MAX {
            self.is_cut = true;
            return;
        }
        match side {
            Side::Selected => self.selected += 1,
            Side::Rest => self.rest += 1,
        }
        let number = self.selected + self.rest;
        let Self { keys, attributes, is_cut, .. } = self;
        for key in KEYS.iter().filter(|key| key.is_of_few()) {
            for Known { value, label } in key.known(seen) {
                *is_cut |= !keys.count((side, number), key.name, &value, label);
            }
        }
        for span in seen.spans() {
            for (key, value) in span.attributes.iter().filter(|(key, _)| !TOLD_BY_KEYS.contains(key)) {
                *is_cut |= !attributes.count((side, number), key, &value.text(), None);
            }
        }
    }

    /// Returns the differences.
    #[must_use]
    pub fn differences(self) -> Differences {
        let Self { selected, rest, keys, attributes, is_cut } = self;
        let mut left_out = Vec::new();
        let mut rows = keys.rows("", (selected, rest), &mut left_out);
        rows.extend(attributes.rows("@", (selected, rest), &mut left_out));
        // The sort is stable: the keys of the query before attributes of the same difference.
        rows.sort_by(|one, other| other.differs_by().partial_cmp(&one.differs_by()).unwrap_or(Ordering::Equal));
        rows.truncate(ROWS_MAX);
        Differences { selected, rest, rows, left_out, is_cut }
    }
}

impl Table {
    /// Counts a value of the trace of that number. Returns whether there was room for its key.
    fn count(&mut self, (side, number): (Side, u64), key: &str, value: &str, label: Option<String>) -> bool {
        let Self(keys) = self;
        if !keys.contains_key(key) {
            if keys.len() >= KEYS_MAX {
                return false;
            }
            keys.insert(key.to_owned(), Some(HashMap::new()));
        }
        let Some(values) = keys.get_mut(key) else { return true };
        let Some(known) = values else { return true };
        if !known.contains_key(value) {
            if known.len() >= VALUES_MAX || value.len() > VALUE_BYTES_MAX {
                *values = None;
                return true;
            }
            known.insert(value.to_owned(), Counted { label, ..Counted::default() });
        }
        if let Some(counted) = known.get_mut(value).filter(|counted| counted.last != number) {
            counted.last = number;
            match side {
                Side::Selected => counted.selected += 1,
                Side::Rest => counted.rest += 1,
            }
        }
        true
    }

    /// Returns the values that differ, in the order of their keys, and adds the keys that were left out.
    fn rows(self, sign: &str, (selected, rest): (u64, u64), left_out: &mut Vec<String>) -> Vec<Difference> {
        let ordered: BTreeMap<_, _> = self.0.into_iter().collect();
        let mut rows = Vec::new();
        for (key, values) in ordered {
            let key = format!("{sign}{key}");
            let Some(values) = values else {
                left_out.push(key);
                continue;
            };
            let values: BTreeMap<_, _> = values.into_iter().collect();
            let differences =
                values.into_iter().map(|(value, counted)| counted.difference(key.clone(), value, selected, rest));
            rows.extend(differences.filter(|row| row.differs_by() > 0.0));
        }
        rows
    }
}

impl Counted {
    fn difference(self, key: String, value: String, selected: u64, rest: u64) -> Difference {
        Difference {
            query: format!("{key}:{}", written(&value)),
            key,
            value,
            label: self.label,
            selected: self.selected,
            rest: self.rest,
            selected_share: share(self.selected, selected),
            rest_share: share(self.rest, rest),
        }
    }
}

impl Difference {
    fn differs_by(&self) -> f64 {
        (self.selected_share - self.rest_share).abs()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn share(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}
