//! What sets some traces apart from others: for each value of an attribute, its share in the ones and in the others.
//!
//! A trace counts once for each value that it has, in whichever span. What differs most comes first. Keys with so many
//! values that hardly two traces share one, such as an order's reference, are left out and named.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
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
    keys: HashMap<String, HashMap<String, Counted>>,
    left_out: BTreeSet<String>,
    is_cut: bool,
}

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
        for key in KEYS.iter().filter(|key| key.is_of_few()) {
            for Known { value, label } in key.known(seen) {
                self.count(side, key.name, &value, label);
            }
        }
        for span in seen.spans() {
            for (key, value) in span.attributes.iter().filter(|(key, _)| !TOLD_BY_KEYS.contains(key)) {
                self.count(side, &format!("@{key}"), &value.text(), None);
            }
        }
    }

    fn count(&mut self, side: Side, key: &str, value: &str, label: Option<String>) {
        let number = self.selected + self.rest;
        if self.left_out.contains(key) {
            return;
        }
        if !self.keys.contains_key(key) {
            if self.keys.len() + self.left_out.len() >= KEYS_MAX {
                self.is_cut = true;
                return;
            }
            self.keys.insert(key.to_owned(), HashMap::new());
        }
        let Some(values) = self.keys.get_mut(key) else { return };
        if !values.contains_key(value) {
            if values.len() >= VALUES_MAX || value.len() > VALUE_BYTES_MAX {
                self.keys.remove(key);
                self.left_out.insert(key.to_owned());
                return;
            }
            values.insert(value.to_owned(), Counted { label, ..Counted::default() });
        }
        let Some(counted) = values.get_mut(value).filter(|counted| counted.last != number) else { return };
        counted.last = number;
        match side {
            Side::Selected => counted.selected += 1,
            Side::Rest => counted.rest += 1,
        }
    }

    /// Returns the differences.
    #[must_use]
    pub fn differences(self) -> Differences {
        let Self { selected, rest, keys, left_out, is_cut } = self;
        let ordered: BTreeMap<_, _> = keys.into_iter().collect();
        let values = ordered.into_iter().flat_map(|(key, values)| {
            let values: BTreeMap<_, _> = values.into_iter().collect();
            values.into_iter().map(move |(value, counted)| counted.difference(key.clone(), value, selected, rest))
        });
        let mut rows: Vec<_> = values.filter(|row| row.differs_by() > 0.0).collect();
        // The sort is stable: the keys of the query before attributes of the same difference.
        rows.sort_by_key(|row| row.key.starts_with('@'));
        rows.sort_by(|one, other| other.differs_by().partial_cmp(&one.differs_by()).unwrap_or(Ordering::Equal));
        rows.truncate(ROWS_MAX);
        Differences { selected, rest, rows, left_out: left_out.into_iter().collect(), is_cut }
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
