//! The plan of a rollout: on which requests the candidate runs, and what its gates allow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;

/// On which requests a candidate runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// The candidate takes the live version's place on this share of the requests.
    Canary { percent: f64 },
    /// The candidate repeats the live version's calls on all requests. Its answers are compared and discarded.
    Shadow,
}

/// The plan of a rollout, kept with the rollout in the store.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    #[serde(flatten)]
    pub mode: Mode,
    pub gates: Gates,
}

/// What decides about a candidate, and when. Percentages are of the candidate's calls, except for the p99's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// The fewest calls of the candidate before it passes or fails. Only overwhelming evidence of faults fails it
    /// earlier.
    pub calls_min: u64,
    /// How long the candidate is tried, ms.
    pub duration_ms: u64,
    pub trap_percent_max: f64,
    pub deadline_percent_max: f64,
    /// The candidate's p99 in percent of the live version's.
    pub p99_percent_max: f64,
    pub outcome_percent_max: f64,
    /// Whether the candidate becomes live when it has passed; otherwise it is paused.
    pub promote: bool,
    /// Whether the candidate is withdrawn when it fails; otherwise it is paused.
    pub rollback: bool,
}

/// Values for one plan, in place of the host's settings.
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

/// Why a plan can't be used.
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
    /// Returns the plan: the gates of the settings, with these changes.
    ///
    /// # Errors
    /// Says which value can't be used.
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
            // A shadow has served nobody yet: when it has passed, a canary comes next.
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
