//! `till traces list`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Filter, HEADER, Row, for_programs};
use crate::{
    cli::{client::Admin, print_json, print_painted, table::Table, traffic::duration},
    clock::now_ms,
    units::micros,
};

#[derive(Debug, Args)]
pub(in super::super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only traces that began within this time, such as 90s, 5m or 1h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Lists the slowest traces first.
    #[arg(long)]
    slowest: bool,
    /// The most traces to list.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    #[command(flatten)]
    admin: Admin,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { filter, since, slowest, limit, admin } = self;
        let after_us = since.map(|since| (now_ms() * 1000).saturating_sub(micros(since)).to_string());
        let sort = slowest.then(|| "slowest".to_owned());
        let listed =
            filter.ask(&admin, &[("after_us", after_us), ("sort", sort), ("limit", Some(limit.to_string()))])?;
        if admin.json {
            let traces: Vec<_> = listed.traces.iter().map(for_programs).collect::<Result<_, _>>()?;
            return print_json(&json!({ "traces": traces, "kept": listed.kept }));
        }
        let rows: Vec<_> =
            listed.traces.iter().map(|trace| Row::of(trace).map(|row| row.cells())).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return print_painted(&match listed.kept.traces {
                0 => "no traces are kept yet: a request to the shop makes one".to_owned(),
                kept => format!("none of the {kept} kept traces is like that"),
            });
        }
        Table::new(HEADER).cut_to_terminal().lines(&rows).iter().try_for_each(|line| print_painted(line))
    }
}
