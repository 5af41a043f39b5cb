//! The commands for rollouts, and the flags that begin one.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    super::{
        client::{Admin, Paged},
        paint::of_state,
        print, print_json, print_table,
        table::Cell,
        text::clock,
    },
    author::Author,
    live::version_name,
};
use crate::{
    admin::{CallsJson, DifferenceJson, DifferencesJson, RolloutJson, RolloutsJson, VersionJson},
    versions::rollout::{Mode, PlanChanges},
};

/// The flags of a rollout; without any of them a change is live at once.
#[derive(Debug, Default, Args)]
pub(in super::super) struct Try {
    /// Runs the candidate instead of the live version on this share of the requests, e.g. `10%`; the same
    /// Idempotency-Key always gets the same version.
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "shadow")]
    canary: Option<f64>,
    /// Runs the candidate after the live version on every request, without effect, and shows where its decision
    /// differs.
    #[arg(long)]
    shadow: bool,
    /// The candidate's calls before anything is decided [rollout.calls_min].
    #[arg(long, value_name = "CALLS")]
    calls_min: Option<u64>,
    /// Accepts a version that comes to no decision (other, unavailable, conflict) on an order that the live version
    /// decides, and settings that the plugin doesn't seem to know.
    #[arg(long)]
    force: bool,
    /// The length of the rollout [rollout.duration_ms].
    #[arg(long, value_name = "MS")]
    duration_ms: Option<u64>,
    /// The share of its calls with a trap, a limit or bad output that withdraws the candidate
    /// [rollout.trap_percent_max].
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    trap_percent_max: Option<f64>,
    /// The share of its calls past a deadline that withdraws the candidate [rollout.deadline_percent_max].
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    deadline_percent_max: Option<f64>,
    /// The p99, in percent of the live version's, that withdraws the candidate [rollout.p99_percent_max].
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    p99_percent_max: Option<f64>,
    /// The difference between the outcomes' shares, in percentage points, or a shadow's share of differing calls, that
    /// withdraws the candidate [rollout.outcome_percent_max].
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    outcome_percent_max: Option<f64>,
    /// Whether a candidate that has passed goes live by itself, or is paused [rollout.promote; a shadow is paused].
    #[arg(long, value_name = "BOOL")]
    promote: Option<bool>,
    /// Whether a candidate that fails is withdrawn by itself, or paused [rollout.rollback].
    #[arg(long, value_name = "BOOL")]
    rollback: Option<bool>,
}

impl Try {
    /// Returns the flags as the JSON that the routes take.
    pub(super) fn json(&self) -> anyhow::Result<Map<String, Value>> {
        let gates = PlanChanges {
            calls_min: self.calls_min,
            duration_ms: self.duration_ms,
            trap_percent_max: self.trap_percent_max,
            deadline_percent_max: self.deadline_percent_max,
            p99_percent_max: self.p99_percent_max,
            outcome_percent_max: self.outcome_percent_max,
            promote: self.promote,
            rollback: self.rollback,
        };
        let mut json = Map::new();
        if let Some(percent) = self.canary {
            json.insert("canary".into(), percent.into());
        }
        if self.shadow {
            json.insert("shadow".into(), true.into());
        }
        if self.force {
            json.insert("force".into(), true.into());
        }
        if gates != PlanChanges::default() {
            json.insert("gates".into(), serde_json::to_value(gates)?);
        }
        Ok(json)
    }
}

#[derive(Debug, Subcommand)]
pub(in super::super) enum Rollout {
    /// Shows the rollout under way, or else the last one, with its figures and the reason for its state.
    Show {
        #[command(flatten)]
        admin: Admin,
    },
    /// Lists all rollouts.
    List {
        #[command(flatten)]
        admin: Admin,
    },
    /// Lists where a shadow's decision differed from the live version's, newest first.
    Differences {
        #[command(flatten)]
        admin: Admin,
    },
    /// Makes the candidate live now.
    Promote {
        #[command(flatten)]
        change: Change,
    },
    /// Runs the candidate on no request until it is resumed.
    Pause {
        #[command(flatten)]
        change: Change,
    },
    /// Runs the candidate again, and counts from zero.
    Resume {
        #[command(flatten)]
        change: Change,
    },
    /// Withdraws the candidate.
    Abort {
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
pub(in super::super) struct Change {
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    admin: Admin,
}

impl Rollout {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show { admin } => told(&admin.get("/plugins/rollout")?, admin.json),
            Self::List { admin } => {
                let listed: RolloutsJson = admin.all("/plugins/rollouts")?;
                if admin.json { print_json(&listed) } else { print_table(COLUMNS, listed.rollouts.iter().map(row)) }
            }
            Self::Differences { admin } => {
                let listed: DifferencesJson = admin.get("/plugins/rollout/differences")?;
                if admin.json {
                    return print_json(&listed);
                }
                print(&format!("{} calls differed", listed.count))?;
                listed.differences.iter().try_for_each(print_difference)
            }
            Self::Promote { change } => change.ask("promote"),
            Self::Pause { change } => change.ask("pause"),
            Self::Resume { change } => change.ask("resume"),
            Self::Abort { change } => change.ask("abort"),
        }
    }
}

impl Paged for RolloutsJson {
    fn next_after(&self) -> Option<String> {
        self.next_after.map(|after| after.to_string())
    }

    fn append(&mut self, next: Self) {
        self.rollouts.extend(next.rollouts);
        self.next_after = next.next_after;
    }
}

impl Change {
    fn ask(self, change: &str) -> anyhow::Result<()> {
        let Self { author, admin } = self;
        let body = json!({ "by": author.by(), "reason": author.reason });
        told(&admin.post(&format!("/plugins/rollout/{change}"), &body)?, admin.json)
    }
}

fn told(rollout: &RolloutJson, as_json: bool) -> anyhow::Result<()> {
    if as_json { print_json(rollout) } else { print_rollout(rollout) }
}

pub(super) fn print_rollout(rollout: &RolloutJson) -> anyhow::Result<()> {
    print_table(COLUMNS, [row(rollout)])?;
    let Some(figures) = &rollout.figures else { return Ok(()) };
    print_calls("candidate", &figures.candidate)?;
    print_calls("live", &figures.live)?;
    match (figures.differing, figures.skipped) {
        (Some(differing), Some(skipped)) => {
            print(&format!("       {differing} calls differed, {skipped} weren't compared"))
        }
        _ => Ok(()),
    }
}

const COLUMNS: [&str; 8] = ["NUMBER", "STATE", "HOW", "KIND", "PLUGIN", "SINCE", "BY", "REASON"];

fn row(rollout: &RolloutJson) -> [Cell; 8] {
    let RolloutJson { id, state, reason, plan, version, changed_at_ms, changed_by, .. } = rollout;
    let mode = match plan.mode {
        Mode::Canary { percent } => format!("canary {percent}%"),
        Mode::Shadow => "shadow".to_owned(),
    };
    let VersionJson { id: number, kind, installation, name, version, digest, same_file_as, .. } = version;
    [
        id.to_string().into(),
        Cell::from(state.as_str()).painted(of_state(state)),
        mode.into(),
        super::live::place(kind, installation.as_deref()).into(),
        version_name(name, version, digest, Some(*number), *same_file_as).into(),
        clock(changed_at_ms * 1000).into(),
        changed_by.as_str().into(),
        reason.as_str().into(),
    ]
}

fn print_calls(whose: &str, calls: &CallsJson) -> anyhow::Result<()> {
    let outcomes: String = calls.outcomes.iter().map(|(outcome, calls)| format!("  {calls} {outcome}")).collect();
    let CallsJson { calls, traps, deadlines, undecided, p99_micros, .. } = calls;
    print(&format!(
        "       {whose:<9}  {calls} calls, p99 {p99_micros} µs  {traps} faults  {deadlines} deadlines  {undecided} undecided{outcomes}"
    ))
}

fn print_difference(difference: &DifferenceJson) -> anyhow::Result<()> {
    let parts =
        difference.parts.iter().map(|part| format!("  {}: {} instead of {}", part.part, part.candidate, part.live));
    print(&format!("{}  {}{}", clock(difference.at_ms * 1000), difference.trace_id, parts.collect::<String>()))
}

fn percent(text: &str) -> Result<f64, String> {
    let number =
        text.trim_end_matches('%').parse::<f64>().ok().filter(|percent| percent.is_finite() && *percent >= 0.0);
    number.ok_or_else(|| format!("{text:?} is no percentage, such as 10%"))
}
