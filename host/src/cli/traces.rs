//! `till traces`.

mod find;
mod list;
mod model;
mod tail;
mod tree;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::{
    client::{Admin, with_query},
    paint::{self, FAILED, FAINT, PLUGIN},
    print_json,
    table::Cell,
    text::{clock, duration, iso},
};
pub(super) use find::{SHORT_ID, Wanted, find};

#[derive(Debug, Subcommand)]
pub(super) enum Traces {
    /// Lists recent traces, the newest first.
    List(list::List),
    /// Shows a trace as a tree of spans: how long each took, by itself and in all, the plugins' versions, errors, events
    /// and log lines.
    Show {
        #[command(flatten)]
        wanted: Wanted,
        /// Shows the spans' attributes as well.
        #[arg(long, short)]
        attributes: bool,
        #[command(flatten)]
        admin: Admin,
    },
    /// Shows new traces as they end, until Ctrl-C.
    Tail(tail::Tail),
}

/// Which traces.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only traces that this query takes, such as 'item:laptop outcome:!ok took:>1s': terms that all have to hold. A term
    /// is key:value, @attribute:value of a span, or text. Keys: item, outcome, took, error, code, status, route, plugin
    /// (#10), role, order, span, trace, since. Values with commas between them are alternatives; ! before them takes other
    /// values.
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// Only requests of this route, such as /checkout.
    #[arg(long)]
    route: Option<String>,
    /// Only answers with this status or class of statuses, such as 404 or 5xx.
    #[arg(long)]
    status: Option<String>,
    /// Only traces whose plugin call ended so, such as ok or out_of_stock.
    #[arg(long)]
    outcome: Option<String>,
    /// Only traces of plugins with this in their `kind/name@version+digest`.
    #[arg(long, value_name = "TEXT")]
    plugin: Option<String>,
    /// Only orders of this item alone.
    #[arg(long)]
    item: Option<String>,
    /// Only traces that took so long at least, in milliseconds.
    #[arg(long, value_name = "MS")]
    min_ms: Option<f64>,
    /// Only traces that took so long at most, in milliseconds.
    #[arg(long, value_name = "MS")]
    max_ms: Option<f64>,
    /// Only traces with an error.
    #[arg(long)]
    errors: bool,
}

/// The host's answer. A trace stays as it was sent, because programs may know more of it than this command does.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) traces: Vec<Value>,
    kept: Kept,
}

#[derive(Deserialize, serde::Serialize)]
struct Kept {
    traces: u64,
    evicted: u64,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

/// What people see of a trace in a list.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) trace_id: String,
    pub(super) start_us: u64,
    duration_us: u64,
    name: String,
    status: Option<u16>,
    outcome: Option<String>,
    is_error: bool,
    spans: u64,
    #[serde(default)]
    versions: Vec<Called>,
    item: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(super) struct Called {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installation: Option<String>,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    rollout: String,
}

const HEADER: [&str; 9] = ["TIME", "TOOK", "STATUS", "REQUEST", "ITEM", "OUTCOME", "TRACE", "SPANS", "PLUGINS"];
/// Which columns are of numbers.
const NUMBERS: [bool; 9] = [false, true, false, false, false, false, false, true, false];

impl Traces {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(),
            Self::Show { wanted, attributes, admin } => {
                let id = find(&wanted.trace, &admin)?;
                let trace = model::read(&id, &admin)?;
                if admin.json { print_json(&trace) } else { tree::show(&trace, attributes, &admin) }
            }
            Self::Tail(tail) => tail.run(),
        }
    }
}

impl Filter {
    /// Returns the traces that match, with more conditions.
    pub(super) fn ask(&self, admin: &Admin, more: &[(&'static str, Option<String>)]) -> anyhow::Result<Listed> {
        let number = |number: Option<f64>| number.map(|number| number.to_string());
        let own = [
            ("q", Some(self.query.join(" ")).filter(|query| !query.is_empty())),
            ("route", self.route.clone()),
            ("status", self.status.clone()),
            ("outcome", self.outcome.clone()),
            ("plugin", self.plugin.clone()),
            ("item", self.item.clone()),
            ("min_ms", number(self.min_ms)),
            ("max_ms", number(self.max_ms)),
            ("errors", self.errors.then(|| true.to_string())),
        ];
        admin.get(&with_query("/recent/traces", own.into_iter().chain(more.iter().cloned())))
    }
}

impl Row {
    pub(super) fn of(trace: &Value) -> anyhow::Result<Self> {
        Ok(Self::deserialize(trace)?)
    }

    pub(super) fn cells(&self) -> [Cell; 9] {
        let Self { trace_id, start_us, duration_us, name, status, outcome, is_error, spans, versions, item } = self;
        let went = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let went = if *is_error { went + " error" } else { went };
        let style = if *is_error { FAILED } else { status.map_or(paint::PLAIN, paint::of_status) };
        let outcome_style = if outcome.as_deref() == Some("ok") { FAINT } else { style };
        let plugins = versions.iter().map(Called::to_string).collect::<Vec<_>>().join(", ");
        [
            clock(*start_us).into(),
            Cell::number(duration(*duration_us)),
            Cell::from(went).painted(style),
            name.as_str().into(),
            item.as_deref().unwrap_or_default().into(),
            Cell::from(outcome.as_deref().unwrap_or_default()).painted(outcome_style),
            trace_id.get(..SHORT_ID).unwrap_or(trace_id).into(),
            Cell::number(spans.to_string()),
            Cell::from(plugins).painted(PLUGIN),
        ]
    }
}

/// Returns a trace of a list for programs: as it was sent, with its beginning in ISO form.
fn for_programs(trace: &Value) -> anyhow::Result<Value> {
    let start_us = Row::of(trace)?.start_us;
    let mut trace = trace.clone();
    if let Some(members) = trace.as_object_mut() {
        members.insert("started_at".to_owned(), iso(start_us).into());
    }
    Ok(trace)
}

impl std::fmt::Display for Called {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { installation, name, version, number, rollout } = self;
        if let Some(installation) = installation {
            write!(out, "{installation}: ")?;
        }
        write!(out, "{name}@{version}")?;
        if let Some(number) = number {
            write!(out, " #{number}")?;
        }
        // The live version is the rule, which nobody has to read.
        if rollout == "live" { Ok(()) } else { write!(out, " {rollout}") }
    }
}
