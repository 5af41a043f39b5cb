//! Which traces are recorded (OpenTelemetry's `OTEL_TRACES_SAMPLER`; none if the SDK is off), and which of those are
//! sent on (`tail`).
//!
//! A caller's flag decides what leaves the host, as the standard wants. The host keeps for itself (`recent`) what it
//! would have sampled without a caller, and what callers ask for; otherwise a stranger's `-00` would hide failures.
//!
//! This module reads the variables instead of the SDK, so that a wrong value is reported once, in the shop's own log,
//! and several hosts can run in one test process.

mod tail;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::traces::is_kept;
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
    pub(super) fn head(self, keeps: bool) -> Head {
        Head { sent: self.sampler(), kept: if keeps { self.own() } else { Sampler::AlwaysOff } }
    }

    /// Returns the sampler for the host's own decision, whatever the caller decided.
    const fn own(self) -> Sampler {
        match self {
            Self::Off | Self::ParentOff => Sampler::AlwaysOff,
            Self::On | Self::ParentOn => Sampler::AlwaysOn,
            Self::Ratio(share) | Self::ParentRatio(share) => Sampler::TraceIdRatioBased(share),
        }
    }

    fn sampler(self) -> Sampler {
        match self {
            Self::Off => Sampler::AlwaysOff,
            Self::On => Sampler::AlwaysOn,
            Self::Ratio(share) => Sampler::TraceIdRatioBased(share),
            Self::ParentOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
            Self::ParentOff => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
            Self::ParentRatio(share) => Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))),
        }
    }
}

/// Decides whether a span is sampled, and whether one that isn't is recorded all the same.
#[derive(Debug, Clone)]
pub(super) struct Head {
    sent: Sampler,
    /// Asked for the local root only; spans below it follow.
    kept: Sampler,
}

impl ShouldSample for Head {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.sent.should_sample(parent, trace_id, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            let is_kept = match parent.map(|parent| parent.span().span_context().clone()) {
                Some(parent) if parent.is_valid() && !parent.is_remote() => is_kept(&parent),
                _ => {
                    let own = self.kept.should_sample(None, trace_id, name, kind, attributes, links);
                    own.decision == SamplingDecision::RecordAndSample
                }
            };
            if is_kept {
                result.decision = SamplingDecision::RecordOnly;
            }
        }
        result
    }
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
