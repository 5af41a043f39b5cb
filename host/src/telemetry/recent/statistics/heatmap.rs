//! Counts by time and duration, the duration on a logarithmic scale.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Point;

/// The most columns. A column is a stretch of time.
pub const COLUMNS: u64 = 60;
/// Rows for each factor of ten, which makes each about a third longer than the one below.
const ROWS_OF_TEN: i32 = 8;
/// Powers of ten, from a microsecond to more than ten days.
const TENS: i32 = 12;

/// How many began in each column and took as long as each row says. Each trace is in exactly one cell.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceHeatmap"))]
pub struct Heatmap {
    /// Where the first column begins, microseconds since 1970.
    pub from_us: u64,
    /// The width of a column, microseconds.
    pub step_us: u64,
    pub columns: u64,
    /// The rows' limits, the shortest first: a row begins at its own, inclusive, and ends before the next one. One more
    /// than there are rows.
    pub limits_us: Vec<u64>,
    /// The cells that aren't empty.
    pub cells: Vec<Cell>,
}

/// A cell of a heatmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceHeatmapCell"))]
pub struct Cell {
    pub column: u64,
    pub row: usize,
    pub matched: u64,
    pub errors: u64,
}

impl Heatmap {
    pub(super) fn of(points: &[Point], from_us: Option<u64>, to_us: Option<u64>) -> Option<Self> {
        let starts = || points.iter().map(|point| point.start_us);
        let (first, last) = (starts().min()?, starts().max()?);
        let from_us = from_us.unwrap_or(first).min(first);
        let to_us = to_us.unwrap_or(last).max(last);
        let step_us = ((to_us - from_us) / COLUMNS + 1).max(1);
        let limits_us = limits_around(points);
        let last_row = limits_us.len().saturating_sub(2);
        let mut cells: BTreeMap<(u64, usize), Cell> = BTreeMap::new();
        for point in points {
            let column = (point.start_us - from_us) / step_us;
            let row = limits_us.partition_point(|limit| *limit <= point.took_us).saturating_sub(1).min(last_row);
            let cell = cells.entry((column, row)).or_insert(Cell { column, row, matched: 0, errors: 0 });
            cell.matched += 1;
            cell.errors += u64::from(point.is_error);
        }
        let columns = (to_us - from_us) / step_us + 1;
        Some(Self { from_us, step_us, columns, limits_us, cells: cells.into_values().collect() })
    }
}

/// Returns the limits of the rows from the shortest to the longest duration.
fn limits_around(points: &[Point]) -> Vec<u64> {
    let all = limits();
    let took = || points.iter().map(|point| point.took_us);
    let (shortest, longest) = (took().min().unwrap_or_default(), took().max().unwrap_or_default());
    let first = all.partition_point(|limit| *limit <= shortest).saturating_sub(1);
    let end = all.partition_point(|limit| *limit <= longest);
    let mut limits = all.get(first..=end).or_else(|| all.get(first..)).unwrap_or_default().to_vec();
    if limits.last().is_none_or(|last| *last <= longest) {
        limits.push(u64::MAX);
    }
    limits
}

/// Returns every limit: 0, and then whole microseconds, each once.
fn limits() -> Vec<u64> {
    let steps = 0..=TENS * ROWS_OF_TEN;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 10^12")]
    let mut limits: Vec<u64> =
        steps.map(|step| 10_f64.powf(f64::from(step) / f64::from(ROWS_OF_TEN)).round() as u64).collect();
    limits.insert(0, 0);
    limits.dedup();
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(start_us: u64, took_us: u64) -> Point {
        Point { start_us, took_us, is_error: took_us % 2 == 1 }
    }

    #[test]
    fn each_is_in_the_one_cell_of_its_time_and_duration() {
        let none: Option<Heatmap> = Heatmap::of(&[], None, None);
        assert_eq!(none, None);
        let lone = Heatmap::of(&[point(5, 1_000)], None, None).expect("a heatmap");
        assert_eq!((lone.from_us, lone.step_us, lone.columns), (5, 1, 1));
        assert_eq!(lone.limits_us, [1_000, 1_334]);
        for took_us in [0, 1, 2, 9, 10, 999, 1_000, 1_333, 1_334, 60_000_000, u64::MAX] {
            let points: Vec<_> =
                (0..600).map(|start| point(1_000 + start * 7, took_us.min(u64::MAX - start) + start % 2)).collect();
            let map = Heatmap::of(&points, Some(500), Some(9_000)).expect("a heatmap");
            assert_eq!(map.from_us, 500);
            assert!(map.columns <= COLUMNS && map.from_us + map.columns * map.step_us > 9_000, "{map:?}");
            assert_eq!(map.cells.iter().map(|cell| cell.matched).sum::<u64>(), 600);
            for cell in &map.cells {
                let inside = points.iter().filter(|point| {
                    let from = map.from_us + cell.column * map.step_us;
                    (from..from + map.step_us).contains(&point.start_us)
                        && point.took_us >= map.limits_us[cell.row]
                        && (point.took_us < map.limits_us[cell.row + 1] || map.limits_us[cell.row + 1] == u64::MAX)
                });
                let inside: Vec<_> = inside.collect();
                let errors = inside.iter().filter(|point| point.is_error).count();
                assert_eq!((cell.matched, cell.errors), (inside.len() as u64, errors as u64), "{cell:?}");
            }
        }
    }
}
