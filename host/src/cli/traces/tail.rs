//! `till traces tail`.
//!
//! A trace can be read once it has ended, so one that began earlier may come later. Each look asks for all that began
//! within a minute before the last look, and shows those that weren't shown.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    ops::ControlFlow,
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::{Filter, HEADER, NUMBERS, Row, for_programs};
use crate::{
    cli::{client::Admin, follow::follow, print_followed, table::Table},
    clock::now_ms,
};

/// How often the host is asked.
const LOOK: Duration = Duration::from_millis(500);
/// How long before the last look a trace may have begun; a request takes far less.
const LATE_US: u64 = 60_000_000;
/// The most traces of one answer.
const LIMIT: usize = 500;
/// Columns as wide as the demo's shop needs, so that later rows stand below the first ones.
const WIDTHS: [usize; 9] = [12, 7, 9, 14, 10, 8, 8, 5, 0];

#[derive(Debug, Args)]
pub(in super::super) struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Shows so many earlier traces first.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=500))]
    last: u32,
    /// Ends after so many new traces: --count 1 waits for the next.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    admin: Admin,
}

/// The traces that were shown lately, and the next look's beginning.
struct Seen {
    after_us: u64,
    /// By id, with their beginnings, so that old ones can be forgotten.
    shown: BTreeMap<String, u64>,
}

impl Tail {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut seen = Seen { after_us: (now_ms() * 1000).saturating_sub(LATE_US), shown: BTreeMap::new() };
        let mut table = Table::new(HEADER).at_least(WIDTHS).of_numbers(NUMBERS).cut_to_terminal();
        let mut left = self.count;
        let mut is_first = true;
        follow(LOOK, || {
            let look_us = now_ms() * 1000;
            let mut fresh = if is_first { self.earlier(&mut seen)? } else { self.fresh(&mut seen)? };
            seen.after_us = look_us.saturating_sub(LATE_US);
            seen.shown.retain(|_, start_us| *start_us >= seen.after_us);
            let are_earlier = std::mem::take(&mut is_first);
            if are_earlier && !self.admin.json && print_followed(&table.header())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            while let Some(trace) = fresh.pop_front() {
                let line = if self.admin.json {
                    for_programs(&trace)?.to_string()
                } else {
                    let cells = Row::of(&trace)?.cells();
                    table.fit(&cells);
                    table.row(&cells)
                };
                left = left.map(|left| left - u64::from(!are_earlier));
                if print_followed(&line)?.is_break() || left == Some(0) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Returns the last traces before this command, the oldest first.
    fn earlier(&self, seen: &mut Seen) -> anyhow::Result<VecDeque<Value>> {
        let all = self.filter.ask(&self.admin, &[("limit", Some(LIMIT.to_string()))])?.traces;
        for trace in &all {
            let row = Row::of(trace)?;
            seen.shown.insert(row.trace_id, row.start_us);
        }
        Ok(all.into_iter().take(self.last.try_into()?).rev().collect())
    }

    /// Returns the traces that weren't shown yet, the oldest first.
    fn fresh(&self, seen: &mut Seen) -> anyhow::Result<VecDeque<Value>> {
        let query = [("after_us", Some(seen.after_us.to_string())), ("limit", Some(LIMIT.to_string()))];
        let listed = self.filter.ask(&self.admin, &query)?;
        let is_full = listed.traces.len() == LIMIT;
        let mut fresh = VecDeque::new();
        for trace in listed.traces {
            let row = Row::of(&trace)?;
            if seen.shown.insert(row.trace_id, row.start_us).is_none() {
                fresh.push_front(trace);
            }
        }
        if is_full && fresh.len() == LIMIT {
            // Nothing is told of them on stdout, which a program may read.
            writeln!(std::io::stderr(), "till: more than {LIMIT} traces since the last look; the newest are shown")?;
        }
        Ok(fresh)
    }
}
