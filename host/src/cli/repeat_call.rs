//! `till repeat-call`, which the host runs as a child process. Not for people.

use std::{
    collections::BTreeMap,
    io::{BufRead, Read, Write},
};

use anyhow::Context;
use clap::Args;
use rustix::process::Resource;
use serde_json::value::RawValue;

use crate::{
    admin::{
        CallJson, DecisionJson, DifferingJson, LogOfCallJson, ProfileJson, RepeatJob, Repeated, RepeatedCall,
        SampledJson, SpanOfCallJson,
    },
    app::store_settings,
    author::rehearsal::{
        Case, Difference, Expected, Node, Played, Profile, Repeating, Stage, differences, notes, tree,
    },
    config::{Settings, Sources},
    failure::Failure,
    hooks::{self, Kind},
    runtime::{CodeCache, Compiler, Identity, Sampled, bound, humble},
    telemetry::{
        names::attribute,
        recent::{Line, span::Value},
    },
    units::micros,
    versions::Candidate,
};

#[derive(Debug, Args)]
pub(super) struct RepeatCall {}

impl RepeatCall {
    /// Does the job of the first line of standard input with the file that follows, and writes to standard output what became of it.
    pub(super) fn run(self) -> anyhow::Result<()> {
        humble()?;
        let mut input = std::io::stdin().lock();
        let mut line = String::new();
        input.read_line(&mut line).context("read the job")?;
        let job: RepeatJob = serde_json::from_str(&line).context("read the job")?;
        // Address space is reserved for a call's memory, and only a part of it is ever used.
        bound(job.cpu_ms, Resource::Data, job.memory_mib)?;
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).context("read the file")?;
        let repeated = repeated(job, bytes).unwrap_or_else(|why| Repeated::Refused(format!("{why:#}")));
        // Perhaps nobody reads this any more.
        _ = std::io::stdout().write_all(&serde_json::to_vec(&repeated)?);
        Ok(())
    }
}

fn repeated(job: RepeatJob, bytes: Vec<u8>) -> anyhow::Result<Repeated> {
    let RepeatJob { kind, settings, compiled, source, stem, case, is_profile, .. } = job;
    let mut sources = Sources::defaults();
    for (key, value) in settings {
        sources.add_flag(&key, value, "the host's settings")?;
    }
    let settings = Settings::load(&sources)?;
    let (of_store, currency) = (store_settings(&settings), settings.shop.currency);
    let kind = Kind::parse(&kind).context("read the hook")?;
    let written = case;
    let case = Case::parse(written.get(), kind, currency).context("read the recording")?;
    let compiler = Compiler::in_process().keeping(CodeCache::beside_host(&compiled)?);
    let plugin = Candidate { source, stem, bytes: bytes.into() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if is_profile {
            let repeating = Repeating::set(plugin, settings, of_store, compiler, 1).await?;
            check_kind(repeating.stage(), kind)?;
            let profile = repeating.profile(&case).await?;
            let plugin = repeating.identity().map(Identity::to_string).unwrap_or_default();
            return Ok(Repeated::Profile(profile_json(plugin, &profile)));
        }
        let stage = Stage::set(plugin, None, settings, of_store, compiler).await?;
        check_kind(&stage, kind)?;
        // The first call of a process waits for its memory and its code; only the second takes what a call takes.
        stage.play(&case).await?;
        let played = stage.play(&case).await?;
        Ok(Repeated::Call(Box::new(beside(&stage, (&case, &written), &played))))
    })
}

fn check_kind(stage: &Stage, wanted: Kind) -> anyhow::Result<()> {
    let found = stage.kind();
    anyhow::ensure!(found == wanted, "the file is a {found} plugin, and the recorded call is one of {wanted}");
    Ok(())
}

/// Returns the call beside what its recording says.
fn beside(stage: &Stage, (case, written): (&Case, &RawValue), played: &Played) -> RepeatedCall {
    let decision = hooks::info(stage.kind()).decision;
    let differing = |Difference { part, expected, found }| DifferingJson {
        part: str::to_owned(part),
        recorded: expected,
        repeated: found,
    };
    let differences = case.expected.iter().flat_map(|expected| differences(expected, played)).map(differing);
    RepeatedCall {
        plugin: stage.identity().map(Identity::to_string).unwrap_or_default(),
        recorded: case.expected.as_ref().map(|expected| recorded_json(expected, decision)).unwrap_or_default(),
        repeated: played_json(stage, played),
        differences: differences.collect(),
        case: played.expect.as_ref().and_then(|expect| expecting(written, expect)),
    }
}

/// Returns the case with what is expected in the place of what it expected.
fn expecting(case: &RawValue, expect: &RawValue) -> Option<Box<RawValue>> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(case.get()).ok()?;
    members.insert("expect".to_owned(), expect.to_owned());
    serde_json::value::to_raw_value(&members).ok()
}

fn recorded_json(Expected { outcome, detail, rejection, decision, asked, .. }: &Expected, name: &str) -> CallJson {
    let decision = decision.as_ref().map(|decision| DecisionJson {
        name: name.to_owned(),
        lines: decision.lines.clone(),
        attributes: decision.attributes.clone().unwrap_or_default(),
    });
    CallJson {
        outcome: outcome.clone(),
        detail: detail.clone(),
        rejection: rejection.clone(),
        decision,
        asked: asked.clone().unwrap_or_default(),
        ..CallJson::default()
    }
}

fn played_json(stage: &Stage, played: &Played) -> CallJson {
    let roots = tree(&played.trace);
    let figure = |key: &str| match roots.first().and_then(|root| root.span.value(key)) {
        Some(Value::Whole(figure)) => u64::try_from(*figure).ok(),
        _ => None,
    };
    let (took_us, cpu_us) = played.cost.micros();
    let decision = played.decided.as_ref().ok().map(|shown| DecisionJson {
        name: shown.name.to_owned(),
        lines: shown.lines.clone(),
        attributes: shown.attributes.clone(),
    });
    let failure = played.decided.as_ref().err();
    CallJson {
        outcome: played.outcome().to_owned(),
        detail: failure.map(ToString::to_string),
        rejection: match failure {
            Some(Failure::Rejected { code, .. }) => Some(code.clone()),
            _ => None,
        },
        decision,
        asked: played.asked.iter().map(|(item, pieces)| (item.to_string(), *pieces)).collect::<BTreeMap<_, _>>(),
        took_us,
        cpu_us,
        fuel_used: played.cost.fuel,
        memory_bytes: figure(attribute::PLUGIN_MEMORY_BYTES),
        host_calls: figure(attribute::PLUGIN_HOST_CALLS),
        spans: roots.first().map(|root| below(root, root.span.start_ns)).unwrap_or_default(),
        log: played.trace.lines.iter().map(|line| log_json(line)).collect(),
        notes: stage.identity().map(|plugin| notes(plugin, played)).unwrap_or_default(),
    }
}

/// Returns the plugin's own spans below a span.
fn below(node: &Node<'_>, began_ns: u64) -> Vec<SpanOfCallJson> {
    let is_own = |node: &&Node<'_>| node.span.value(attribute::PLUGIN_SPAN) == Some(&Value::Flag(true));
    let of = |node: &Node<'_>| SpanOfCallJson::of(&node.span, began_ns, below(node, began_ns));
    node.children.iter().filter(is_own).map(of).collect()
}

fn log_json(line: &Line) -> LogOfCallJson {
    LogOfCallJson { level: line.level.to_string(), message: line.message.to_string() }
}

/// Returns the profile as the routes and the commands have it.
pub(super) fn profile_json(plugin: String, Profile { calls, cpu, all, has_names }: &Profile) -> ProfileJson {
    let cpu_us = micros(*cpu);
    ProfileJson { plugin, calls: *calls, cpu_us, has_names: *has_names, root: sampled_json(all) }
}

fn sampled_json(Sampled { name, samples, called }: &Sampled) -> SampledJson {
    SampledJson { name: name.clone(), samples: *samples, children: called.iter().map(sampled_json).collect() }
}
