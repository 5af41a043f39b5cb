//! `/plugins/rollout`: shows the rollout under way with its figures, and decides about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Admin, Asked,
    listed::Listed,
    plugins::{VersionJson, carried_out, checked_reason, signed},
};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, body, problem::Problem, rfc3339},
    store::{Page, RolloutId, RolloutRow},
    versions::{
        How, Plugins, RolloutChange, When,
        rollout::{Counts, Difference, Figures, Mode, Part, Plan, PlanChanges},
    },
};

/// The most rollouts of one answer.
const LISTED_MAX: u32 = 100;

/// The members of a deploy or a change of settings that begin a rollout.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Try"))]
pub(super) struct TryJson {
    /// The share of the requests, in percent.
    pub(super) canary: Option<f64>,
    pub(super) shadow: bool,
    #[serde(deserialize_with = "body::object")]
    #[cfg_attr(test, schemars(with = "schema::GatesChange"))]
    pub(super) gates: PlanChanges,
    /// Accepts a version that comes to no decision (`other`, `unavailable`, `conflict`) on an order that the live
    /// version decides, and settings that the plugin doesn't seem to know.
    pub(super) force: bool,
}

impl TryJson {
    /// Returns how the change is carried out.
    ///
    /// # Errors
    /// 422 for members that don't go together or values out of range.
    pub(super) fn how(self, plugins: &Plugins) -> Result<How, Problem> {
        let forced = self.force;
        Ok(How { when: self.when(plugins)?, forced })
    }

    fn when(self, plugins: &Plugins) -> Result<When, Problem> {
        let mode = match (self.canary, self.shadow) {
            (None, false) if self.gates == PlanChanges::default() => return Ok(When::AtOnce),
            (None, false) => return Err(Problem::unacceptable("gates are for a canary or a shadow")),
            (Some(percent), false) => Mode::Canary { percent },
            (None, true) => Mode::Shadow,
            (Some(_), true) => return Err(Problem::unacceptable("it is a canary or a shadow, not both at once")),
        };
        let plan = plugins.plan(mode, self.gates).map_err(|bad| Problem::unacceptable(bad.to_string()))?;
        Ok(When::Tried(plan))
    }
}

/// A rollout: a version that runs or ran beside the live one.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rollout"))]
pub struct RolloutJson {
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub id: u64,
    #[cfg_attr(test, schemars(with = "schema::RolloutState"))]
    pub state: String,
    /// Why the rollout is in that state, for people.
    pub reason: String,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(skip))]
    pub plan: Plan,
    pub version: VersionJson,
    pub started_by: String,
    pub started_at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub started_at: String,
    pub changed_by: String,
    pub changed_at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub changed_at: String,
    /// The figures since the last start or resumption. Only of an open rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<FiguresJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Figures"))]
pub struct FiguresJson {
    pub candidate: CallsJson,
    pub live: CallsJson,
    /// Calls with a different decision. Only of a shadow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differing: Option<u64>,
    /// Live calls that it didn't repeat, because there was no room. Only of a shadow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
}

/// The outcomes of one version's calls.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Calls"))]
pub struct CallsJson {
    pub calls: u64,
    pub traps: u64,
    pub deadlines: u64,
    /// Answers that are neither a receipt nor a "no": `other`, `unavailable`, `conflict`.
    #[serde(default)]
    pub undecided: u64,
    pub p99_micros: u64,
    /// How the calls ended, by `ok` or the problem's code.
    pub outcomes: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rollouts"))]
pub struct RolloutsJson {
    #[cfg_attr(test, schemars(length(max = LISTED_MAX)))]
    pub rollouts: Vec<RolloutJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub next_after: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Difference"))]
pub struct DifferenceJson {
    /// The trace of the request.
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    pub at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub at: String,
    #[cfg_attr(test, schemars(length(min = 1, max = 4)))]
    pub parts: Vec<PartJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DifferentPart"))]
pub struct PartJson {
    #[cfg_attr(test, schemars(with = "schema::ComparedPart"))]
    pub part: String,
    pub live: String,
    pub candidate: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Differences"))]
pub struct DifferencesJson {
    /// The count of all differences.
    pub count: u64,
    /// The newest differences, newest first.
    #[cfg_attr(test, schemars(length(max = 1_000)))]
    pub differences: Vec<DifferenceJson>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RolloutChange"))]
pub(super) struct Change {
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
    /// The reason, for the history; at most 1024 bytes.
    #[cfg_attr(test, schemars(with = "Option<schema::Reason>"))]
    reason: Option<String>,
}

/// Returns the rollout under way, or else the last one.
///
/// # Errors
/// 404 if there never was one.
pub(super) async fn show(admin: &Admin) -> Answer {
    let row = admin.store.rollouts(None, 1).await?.rows.pop();
    let row = row.ok_or_else(|| Problem::not_found("no version was ever tried beside the live one"))?;
    Reply::json(&rollout_json(&admin.plugins, row)?)
}

/// # Errors
/// 422 for an invalid parameter of the page.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.rollouts(after.and_then(RolloutId::new), limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|row| row.id.number());
    let rollouts = rows.into_iter().map(|row| rollout_json(&admin.plugins, row)).collect::<Result<_, _>>()?;
    Reply::json(&RolloutsJson { rollouts, next_after })
}

/// # Errors
/// None of its own.
pub(super) fn differences(admin: &Admin) -> Answer {
    let rollout = admin.plugins.rollout();
    let differences = rollout.as_ref().map(|rollout| rollout.differences());
    Reply::json(&DifferencesJson {
        count: differences.map_or(0, |differences| differences.count()),
        differences: differences
            .map(|all| all.newest().into_iter().map(DifferenceJson::from).collect())
            .unwrap_or_default(),
    })
}

/// # Errors
/// 409 if there is no rollout, or it is in that state already.
pub(super) async fn change(admin: &Admin, asked: Asked) -> Answer {
    let change = match &*asked.named {
        "promote" => RolloutChange::Promote,
        "pause" => RolloutChange::Pause,
        "resume" => RolloutChange::Resume,
        "abort" => RolloutChange::Abort,
        _ => return Err(Problem::not_found("a rollout can be promoted, paused, resumed or aborted")),
    };
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Change { by, reason } = body::parse_json(&bytes)?;
    let by = signed(&asked.caller, by)?;
    let reason = checked_reason(reason.unwrap_or_else(|| "asked for".to_owned()))?;
    carried_out(admin, move |plugins| async move { plugins.change_rollout(None, change, &by, &reason).await }).await?;
    admin.plugins.spread().await;
    show(admin).await
}

fn rollout_json(plugins: &Plugins, row: RolloutRow) -> Result<RolloutJson, Problem> {
    let rollout = plugins.rollout().filter(|rollout| rollout.row.id == row.id);
    let plan: Plan = serde_json::from_str(&row.plan).map_err(|error| Problem::internal(&error))?;
    let is_shadow = plan.mode == Mode::Shadow;
    let figures = rollout.map(|rollout| {
        let Counts { candidate, live, differing, skipped } = rollout.counts();
        FiguresJson {
            candidate: CallsJson::from(candidate),
            live: CallsJson::from(live),
            differing: is_shadow.then_some(differing),
            skipped: is_shadow.then_some(skipped),
        }
    });
    let RolloutRow { id, version, state, reason, started_by, started_at_ms, changed_by, changed_at_ms, .. } = row;
    Ok(RolloutJson {
        id: id.number(),
        state: state.as_str().to_owned(),
        reason,
        plan,
        version: version.into(),
        started_by,
        started_at_ms,
        started_at: rfc3339(started_at_ms),
        changed_by,
        changed_at_ms,
        changed_at: rfc3339(changed_at_ms),
        figures,
    })
}

impl From<Figures> for CallsJson {
    fn from(figures: Figures) -> Self {
        let outcomes = figures.outcomes.iter().map(|(outcome, calls)| (outcome.to_string(), *calls)).collect();
        Self {
            calls: figures.calls,
            traps: figures.traps,
            deadlines: figures.deadlines,
            undecided: figures.undecided,
            p99_micros: figures.p99_micros(),
            outcomes,
        }
    }
}

impl From<Difference> for DifferenceJson {
    fn from(difference: Difference) -> Self {
        let Difference { trace_id, at_ms, parts } = difference;
        let part = |Part { what, live, candidate }| PartJson { part: str::to_owned(what), live, candidate };
        Self { trace_id, at_ms, at: rfc3339(at_ms), parts: parts.into_iter().map(part).collect() }
    }
}
