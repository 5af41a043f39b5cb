//! Which traces are recorded (OpenTelemetry's `OTEL_TRACES_SAMPLER`; none if the SDK is off), and which of those are
//! sent on (`tail`).
//!
//! A caller's flag decides what leaves the host, as the standard wants. The host keeps for itself (`recent`) what it
//! would have sampled without a caller, and what callers ask for; otherwise a stranger's `-00` would hide failures.
//!
//! This module reads the variables instead of the SDK, so that a wrong value is reported once, in the shop's own log,
//! and several hosts can run in one test process.

mod tail;

use opentelemetry::trace::{SpanContext, SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _};

pub use tail::TailLimits;
pub(super) use tail::TailSampler;

/// The decision at the head of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sampling {
    /// Nothing is recorded; spans still get fresh ids, so that plugins see no difference.
    Off,
    On,
    /// This share of the traces, by trace id, whatever a caller decided.
    Ratio(f64),
    /// As the caller decided; of the traces that start here: all, none or a share.
    ParentOn,
    ParentOff,
    ParentRatio(f64),
}

impl Sampling {
    /// OpenTelemetry's default.
    pub(super) const DEFAULT: Self = Self::ParentOn;

    /// Returns what `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for.
    ///
    /// # Errors
    /// Says what is wrong: an unknown sampler, or a share that isn't within 0 and 1.
    pub(super) fn parse(name: &str, argument: Option<&str>) -> Result<Self, String> {
        match name {
            "always_on" => Ok(Self::On),
            "always_off" => Ok(Self::Off),
            "traceidratio" => parse_ratio(argument).map(Self::Ratio),
            "parentbased_always_on" => Ok(Self::ParentOn),
            "parentbased_always_off" => Ok(Self::ParentOff),
            "parentbased_traceidratio" => parse_ratio(argument).map(Self::ParentRatio),
            other => Err(format!("OTEL_TRACES_SAMPLER has no sampler {other:?} here")),
        }
    }

    /// Returns the sampler; `keeps` says whether the host keeps recent traces for itself.
    pub(super) const fn head(self, keeps: bool) -> Head {
        Head { sampling: self, keeps }
    }

    /// Returns whether the host would sample the trace itself, whatever a caller decided.
    fn is_own(self, trace_id: TraceId) -> bool {
        match self {
            Self::Off | Self::ParentOff => false,
            Self::On | Self::ParentOn => true,
            Self::Ratio(share) | Self::ParentRatio(share) => includes(share, trace_id),
        }
    }

    fn is_sent(self, caller: Option<&SpanContext>, trace_id: TraceId) -> bool {
        match (self, caller) {
            (Self::ParentOn | Self::ParentOff | Self::ParentRatio(_), Some(caller)) => caller.is_sampled(),
            _ => self.is_own(trace_id),
        }
    }
}

/// What becomes of a trace's spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Recorded, and sent on.
    Sampled,
    /// Recorded for the host's recent traces only.
    Kept,
    Dropped,
}

/// Decides at the head of a trace. Spans below it follow (`traces`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    sampling: Sampling,
    keeps: bool,
}

impl Head {
    pub(super) const OFF: Self = Sampling::Off.head(false);

    /// Returns the decision about a trace's first span in this process; `caller` is its parent, in another process.
    pub(super) fn decide(self, caller: Option<&SpanContext>, trace_id: TraceId) -> Decision {
        let Self { sampling, keeps } = self;
        match () {
            () if sampling.is_sent(caller, trace_id) => Decision::Sampled,
            () if keeps && sampling.is_own(trace_id) => Decision::Kept,
            () => Decision::Dropped,
        }
    }
}

/// Returns whether a share of the traces includes this one, as the SDK decides it.
fn includes(share: f64, trace_id: TraceId) -> bool {
    let sampler = Sampler::TraceIdRatioBased(share);
    let result = sampler.should_sample(None, trace_id, "", &SpanKind::Internal, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

fn parse_ratio(argument: Option<&str>) -> Result<f64, String> {
    // Without an argument the standard samples everything.
    let Some(text) = argument else { return Ok(1.0) };
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("OTEL_TRACES_SAMPLER_ARG has to be within 0 and 1, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samplers_of_the_standard_are_known() {
        for (name, argument, expected) in [
            ("always_on", None, Some(Sampling::On)),
            ("always_off", None, Some(Sampling::Off)),
            ("traceidratio", Some("0.25"), Some(Sampling::Ratio(0.25))),
            ("traceidratio", None, Some(Sampling::Ratio(1.0))),
            ("traceidratio", Some("1.5"), None),
            ("traceidratio", Some("NaN"), None),
            ("parentbased_always_on", Some("ignored"), Some(Sampling::ParentOn)),
            ("parentbased_always_off", None, Some(Sampling::ParentOff)),
            ("parentbased_traceidratio", Some("0"), Some(Sampling::ParentRatio(0.0))),
            ("jaeger_remote", None, None),
            ("ALWAYS_ON", None, None),
        ] {
            assert_eq!(Sampling::parse(name, argument).ok(), expected, "{name} {argument:?}");
        }
    }
}
