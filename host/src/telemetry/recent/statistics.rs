//! What many traces have in common: how many there are, their errors, exact percentiles, a heatmap and groups.
//!
//! Everything is counted over all that match, in one pass. Memory is bounded by what is kept: some bytes for each trace.

mod heatmap;
mod percentiles;

use std::collections::HashMap;

pub use heatmap::{COLUMNS, Cell, Heatmap};
pub use percentiles::Percentiles;
use serde::Serialize;

use super::query::{Key, Known, Seen, written};

/// The most groups that are counted, and the most that are told. Whatever is in further ones is counted together.
const GROUPS_MAX: usize = 1_000;
pub const GROUPS_TOLD: usize = 100;

/// What is remembered of a trace or a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) start_us: u64,
    pub(super) took_us: u64,
    pub(super) is_error: bool,
}

/// Counts traces or spans.
#[derive(Debug)]
pub struct Counting {
    points: Vec<Point>,
    key: Option<&'static Key>,
    groups: HashMap<String, Counted>,
    ungrouped: u64,
}

#[derive(Debug, Default)]
struct Counted {
    label: Option<String>,
    errors: u64,
    took_us: Vec<u64>,
}

/// The figures of all traces, or spans, that match.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceStatistics"))]
pub struct Statistics {
    /// How many match.
    pub matched: usize,
    /// How many of them have an error.
    pub errors: usize,
    /// Absent if none match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heatmap: Option<Heatmap>,
    /// Those with the same value of the key `group`, the largest group first. A trace with several values is in several
    /// groups. Empty without `group`.
    #[cfg_attr(test, schemars(length(max = GROUPS_TOLD)))]
    pub groups: Vec<Group>,
    /// How many of the matching are only in groups that aren't listed.
    pub ungrouped: u64,
}

/// Those with one value.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceGroup"))]
pub struct Group {
    pub value: String,
    /// What people read instead of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The term that narrows a query to this group.
    pub query: String,
    pub matched: usize,
    pub errors: u64,
    pub duration: Percentiles,
}

impl Counting {
    #[must_use]
    pub fn by(key: Option<&'static Key>) -> Self {
        Self { points: Vec::new(), key, groups: HashMap::new(), ungrouped: 0 }
    }

    /// Counts a trace, or a span, that matches.
    pub fn add(&mut self, seen: &Seen<'_>) {
        let point = Point { start_us: seen.start_us(), took_us: seen.took_us(), is_error: seen.is_error() };
        self.points.push(point);
        let Some(key) = self.key else { return };
        let mut is_in_a_group = false;
        for Known { value, label } in key.known(seen) {
            if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&value) {
                continue;
            }
            is_in_a_group = true;
            let counted = self.groups.entry(value).or_default();
            counted.label = counted.label.take().or(label);
            counted.errors += u64::from(point.is_error);
            counted.took_us.push(point.took_us);
        }
        self.ungrouped += u64::from(!is_in_a_group);
    }

    /// Returns the figures. The heatmap is of the time from `from_us` to `to_us`; of all that matched, if they are absent.
    #[must_use]
    pub fn figures(self, from_us: Option<u64>, to_us: Option<u64>) -> Statistics {
        let Self { points, key, groups, ungrouped } = self;
        let mut groups: Vec<_> = groups.into_iter().filter_map(|(value, counted)| counted.group(key?, value)).collect();
        groups.sort_by(|one, other| other.matched.cmp(&one.matched).then_with(|| one.value.cmp(&other.value)));
        groups.truncate(GROUPS_TOLD);
        Statistics {
            matched: points.len(),
            errors: points.iter().filter(|point| point.is_error).count(),
            duration: Percentiles::of(points.iter().map(|point| point.took_us).collect()),
            heatmap: Heatmap::of(&points, from_us, to_us),
            groups,
            ungrouped,
        }
    }
}

impl Counted {
    fn group(self, key: &Key, value: String) -> Option<Group> {
        Some(Group {
            query: format!("{}:{}", key.name, written(&value)),
            value,
            label: self.label,
            matched: self.took_us.len(),
            errors: self.errors,
            duration: Percentiles::of(self.took_us)?,
        })
    }
}
