//! How a candidate is tried, and what decides about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;

/// On which requests a candidate runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// In the place of the live one, on this share of them.
    Canary { percent: f64 },
    /// After the live one, on all of them; what it answers is compared, and thrown away.
    Shadow,
}

/// What is kept with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    #[serde(flatten)]
    pub mode: Mode,
    pub gates: Gates,
}

/// What decides about a candidate, and when. Percentages are of its calls, 0 to 100, but for the p99's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// Before so many calls of the candidate nothing is decided.
    pub calls_min: u64,
    /// How long it is tried, ms.
    pub duration_ms: u64,
    pub trap_percent_max: f64,
    pub deadline_percent_max: f64,
    /// The candidate's p99 in percent of the live version's.
    pub p99_percent_max: f64,
    pub outcome_percent_max: f64,
    /// Whether it becomes live when it has passed; else it is paused.
    pub promote: bool,
    /// Whether it is withdrawn when it fails; else it is paused.
    pub rollback: bool,
}

/// What somebody wants otherwise than the host's settings have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanChanges {
    pub calls_min: Option<u64>,
    pub duration_ms: Option<u64>,
    pub trap_percent_max: Option<f64>,
    pub deadline_percent_max: Option<f64>,
    pub p99_percent_max: Option<f64>,
    pub outcome_percent_max: Option<f64>,
    pub promote: Option<bool>,
    pub rollback: Option<bool>,
}

/// Why a plan is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("a canary runs on more than 0 % of the requests, and on 100 % at most")]
    Share,
    #[error("a gate's percentage is 0 or more")]
    Percentage,
    #[error("a gate wants at least one call, and some time")]
    Nothing,
}

impl Plan {
    /// Returns the plan with the gates of the settings, but for the changes.
    ///
    /// # Errors
    /// What of it makes no sense.
    pub fn new(mode: Mode, settings: &config::Rollout, changes: PlanChanges) -> Result<Self, BadPlan> {
        if let Mode::Canary { percent } = mode
            && !(percent > 0.0 && percent <= 100.0)
        {
            return Err(BadPlan::Share);
        }
        let gates = Gates {
            calls_min: changes.calls_min.unwrap_or(settings.calls_min),
            duration_ms: changes.duration_ms.unwrap_or(settings.duration_ms),
            trap_percent_max: changes.trap_percent_max.unwrap_or(settings.trap_percent_max),
            deadline_percent_max: changes.deadline_percent_max.unwrap_or(settings.deadline_percent_max),
            p99_percent_max: changes.p99_percent_max.unwrap_or(settings.p99_percent_max),
            outcome_percent_max: changes.outcome_percent_max.unwrap_or(settings.outcome_percent_max),
            // A shadow has served nobody yet: what it passed is a reason for a canary.
            promote: changes.promote.unwrap_or(settings.promote && mode != Mode::Shadow),
            rollback: changes.rollback.unwrap_or(settings.rollback),
        };
        gates.check().map(|()| Self { mode, gates })
    }
}

impl Gates {
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    fn check(&self) -> Result<(), BadPlan> {
        let percentages =
            [self.trap_percent_max, self.deadline_percent_max, self.p99_percent_max, self.outcome_percent_max];
        if percentages.iter().any(|percentage| !percentage.is_finite() || *percentage < 0.0) {
            return Err(BadPlan::Percentage);
        }
        if self.calls_min == 0 || self.duration_ms == 0 { Err(BadPlan::Nothing) } else { Ok(()) }
    }
}
