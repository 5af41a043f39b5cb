//! One call into a plugin, from its instance to its outcome: its span, its metric, its figures.
//!
//! No permit is taken here. It belongs to the request: a checkout's call keeps its permit while its inventory call
//! runs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::trace::{SpanContext, SpanKind};

use super::{
    Deadline, Guest, Loaded, Runtime,
    breaker::{CallPermit, Ended},
    guest::{CutOff, emptied},
    idle::{Usage, Used},
};
use crate::{
    failure::Failure,
    imports::{
        CallState, HasCallState, Moment, Sleep,
        telemetry::{CallSpans, End},
    },
    recordings::Cost,
    telemetry::{
        metrics::PluginCall,
        names::attribute,
        traces::{Span, Tracer},
    },
    units::{i64_of, micros},
};

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// All the time that its kind may take.
    Whole,
    /// What an earlier call, which was at fault, left of that time. Running out of it isn't the plugin's fault.
    Left(Duration),
}

/// A call under way: its guest, and what its span and its metric need at the end.
#[derive(Debug)]
pub struct Call<'a> {
    guest: Guest<'a>,
    usage: Usage,
    runtime: &'a Runtime,
    plugin: &'a Loaded,
    started: Instant,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Done {
    /// The call's span, still open and not marked as failed.
    pub span: Span,
    /// How long the call took; `None` if it ran out of the time that an earlier call left, which doesn't count for the
    /// version.
    pub took: Option<Duration>,
    pub cost: Cost,
}

impl<'a> Call<'a> {
    /// Starts a call, in an idle instance of the plugin's if there is one.
    #[must_use]
    pub fn start(runtime: &'a Runtime, plugin: &'a Loaded, span: Span, moment: Moment, time: Time) -> Self {
        let Some(Used { store, instance, usage }) = plugin.idle.take() else {
            return Self::fresh(runtime, plugin, span, moment, time);
        };
        let imports = state(runtime, plugin, &runtime.tracer, span, moment);
        let deadline = Deadline::of(plugin.call_limits, time);
        let bounds = (&*runtime.engine, &runtime.limits);
        let guest = Guest::used(plugin.identity.at, &plugin.code, (store, instance), imports, bounds, deadline);
        Self { guest, usage, runtime, plugin, started: Instant::now() }
    }

    /// Starts a call in a fresh instance.
    #[must_use]
    pub fn fresh(runtime: &'a Runtime, plugin: &'a Loaded, span: Span, moment: Moment, time: Time) -> Self {
        let imports = state(runtime, plugin, &runtime.tracer, span, moment);
        let deadline = Deadline::of(plugin.call_limits, time);
        let bounds = (&*runtime.engine, &runtime.memory, &runtime.limits);
        let guest = Guest::fresh(plugin.identity.at, &plugin.code, imports, bounds, deadline);
        Self { guest, usage: Usage::new(), runtime, plugin, started: Instant::now() }
    }

    /// Starts a call that repeats another of the same moment: its sleeps return at once.
    #[must_use]
    pub fn repeating(runtime: &'a Runtime, plugin: &'a Loaded, span: Span, moment: Moment) -> Self {
        let mut call = Self::fresh(runtime, plugin, span, moment, Time::Whole);
        let Deadline { after_ms, setting, .. } = call.guest.deadline;
        let sleep = Sleep::Skipped { left: Duration::from_millis(after_ms), after_ms, setting };
        call.guest.imports().sleep_as(sleep);
        call
    }

    pub const fn guest(&mut self) -> &mut Guest<'a> {
        &mut self.guest
    }

    /// Returns the context of the call's span, for spans below it.
    #[must_use]
    pub fn span_context(&self) -> &SpanContext {
        self.guest.store.data().imports.telemetry.span_context()
    }

    fn fuel_used(&self) -> Option<u64> {
        if !self.runtime.engine.counts_fuel() {
            return None;
        }
        self.guest.store.get_fuel().ok().map(|left| u64::MAX - left)
    }

    /// Ends the call: writes its span, its metric and its log lines, and counts it if its breaker gave a permit.
    pub fn end<T>(self, permit: Option<CallPermit>, result: &Result<T, Failure>) -> Done {
        let elapsed = self.started.elapsed();
        let cpu = self.guest.store.data().imports.guest_time().spent();
        let fuel_used = self.fuel_used();
        let at = self.plugin.identity.at;
        let own_fault = matches!(result, Err(Failure::Fault(fault)) if fault.at == at);
        let Self { guest, usage, runtime, plugin, .. } = self;
        let memory_bytes = guest.memory_bytes();
        let Guest { store, instance, cut_off, deadline, instantiated_in, .. } = guest;
        let is_reusable = plugin.idle.is_on() && cut_off.is_none() && !own_fault;
        let imports = match instance.filter(|_| is_reusable) {
            Some(instance) => put_back(runtime, plugin, Used { store, instance, usage: usage.called() }),
            None => emptied(store).imports,
        };
        let host_calls = imports.host_calls();
        let facts_digest = imports.facts_digest();
        let (mut span, log_lines_dropped) =
            imports.telemetry.finish(if cut_off.is_some() { End::Trapped } else { End::Returned });
        let outcome = result.as_ref().err().map_or("ok", Failure::code);
        if span.is_recording() {
            plugin.describe(&mut span);
            span.set(attribute::PLUGIN_INSTANCE, if usage.is_fresh() { "fresh" } else { "reused" });
            span.set(attribute::PLUGIN_OUTCOME, outcome);
            if let Some(digest) = facts_digest {
                span.set(attribute::FACTS_DIGEST, digest);
            }
            span.set(attribute::PLUGIN_MEMORY_BYTES, i64::try_from(memory_bytes).unwrap_or(i64::MAX));
            span.set(attribute::PLUGIN_HOST_CALLS, i64::from(host_calls));
            span.set(attribute::PLUGIN_GUEST_US, i64_of(micros(cpu)));
            if let Some(took) = instantiated_in {
                span.set(attribute::PLUGIN_INSTANTIATE_US, i64_of(micros(took)));
            }
            if let Some(fuel) = fuel_used {
                span.set(attribute::PLUGIN_FUEL_USED, i64::try_from(fuel).unwrap_or(i64::MAX));
            }
        }
        let call = PluginCall {
            kind: at.kind.as_str(),
            rollout: plugin.role.as_str(),
            outcome,
            duration: elapsed,
            memory_bytes,
            fuel_used,
            log_lines_dropped,
        };
        runtime.metrics.plugin_call(span.context(), call);
        let is_short_of_time = cut_off == Some(CutOff::ByWallDeadline) && !deadline.is_whole;
        if let Some(permit) = permit.filter(|_| !is_short_of_time) {
            let ended = Ended::of(at, result);
            plugin.breaker.outcomes.count(result, matches!(ended, Ended::AtFault));
            permit.ended(ended);
        }
        let cost = Cost { took: elapsed, cpu, fuel: fuel_used };
        Done { span, took: (!is_short_of_time).then_some(elapsed), cost }
    }
}

fn state(runtime: &Runtime, plugin: &Loaded, tracer: &Tracer, span: Span, moment: Moment) -> CallState {
    let telemetry = CallSpans::new(tracer.clone(), span, Arc::clone(&plugin.log), &runtime.limits);
    let moment = moment.of_installation(plugin.identity.at);
    CallState::new(
        plugin.identity.at,
        telemetry,
        Arc::clone(&plugin.settings),
        &runtime.chance,
        moment,
        &runtime.limits,
    )
}

/// Returns an instance that has answered to the idle ones, with imports that have no effect. Returns those of
/// its call.
fn put_back(runtime: &Runtime, plugin: &Loaded, mut used: Used) -> CallState {
    let span = runtime.tracer_off.start("idle", SpanKind::Internal, None, Vec::new());
    let idle = state(runtime, plugin, &runtime.tracer_off, span, Moment::NONE);
    let imports = idle.succeed(used.store.data_mut().call_state());
    plugin.idle.put_back(used);
    imports
}
