//! One call, repeated with its spans, and compared with its recording.

use std::collections::BTreeMap;

use anyhow::Context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{json, value::RawValue};

use super::{
    super::{
        super::{client::Admin, print, print_json, whole::write_whole},
        live::place,
        played::{json_of, text_of},
        rehearse::{runtime, stage_of},
    },
    Chosen, Replay,
};
use crate::{
    admin::{RecordingJson, RecordingsJson},
    author::rehearsal::{Case, Difference, Node, Played, Stage, differences, tree},
    config::Settings,
    hooks::Installation,
    order::Currency,
    telemetry::{names::attribute, recent::span::Value},
};

/// The most calls of one trace that are repeated one after the other.
const CALLS_MAX: usize = 100;

/// A call that was repeated.
struct Repeated<'a> {
    recording: &'a RecordingJson,
    stage: &'a Stage,
    played: Played,
    differences: Vec<Difference>,
}

/// Repeats the calls that are asked for, and tells of each.
///
/// # Errors
/// If one decides otherwise, or can't be repeated.
pub(super) fn replay(asked: &Replay, settings: Settings) -> anyhow::Result<()> {
    let mut recordings = found(&asked.call, asked.kind, &asked.admin)?;
    let runtime = runtime()?;
    let given = match &asked.plugin {
        Some(plugin) => {
            let chosen = Chosen::of(plugin, &asked.admin, &settings)?;
            let at = asked.kind.or(chosen.at);
            let (stage, currency) = runtime.block_on(stage_of(chosen.candidate, None, settings.clone()))?;
            let is_of_plugin = |recording: &RecordingJson| {
                recording.kind == stage.kind().as_str()
                    && at.and_then(|at| at.name).is_none_or(|name| recording.installation == Some(name.to_string()))
            };
            recordings.retain(is_of_plugin);
            anyhow::ensure!(!recordings.is_empty(), "no {} call is recorded there", stage.kind());
            Some((stage, currency))
        }
        None => None,
    };
    save(asked, &recordings)?;
    let mut stages: BTreeMap<String, (Stage, Currency)> = BTreeMap::new();
    if given.is_none() {
        for recording in &recordings {
            if !stages.contains_key(&recording.digest) {
                let chosen = Chosen::recorded(recording.number, &recording.digest, &asked.admin)?;
                let stage = runtime.block_on(stage_of(chosen.candidate, None, settings.clone()))?;
                stages.insert(recording.digest.clone(), stage);
            }
        }
    }
    let mut repeated = Vec::new();
    for recording in &recordings {
        let stage = given.as_ref().or_else(|| stages.get(&recording.digest));
        let (stage, currency) = stage.context("find the plugin of the call")?;
        let case = case(recording)?;
        let case = Case::parse(case.get(), stage.kind(), *currency);
        let case = case.with_context(|| format!("read the recording {}", recording.id))?;
        let played = runtime.block_on(stage.play(&case))?;
        let decided = case.expected.iter().flat_map(|expected| differences(expected, &played));
        let differences = decided.chain(differing_spans(recording, &played)).collect();
        let one = Repeated { recording, stage, played, differences };
        if !asked.admin.json {
            print(&one.text())?;
        }
        repeated.push(one);
    }
    if asked.admin.json {
        let calls: Vec<serde_json::Value> = repeated.iter().map(Repeated::json).collect();
        print_json(&json!({ "calls": calls }))?;
    }
    let otherwise = repeated.iter().filter(|one| !one.differences.is_empty()).count();
    anyhow::ensure!(otherwise == 0, "{otherwise} of {} calls decide otherwise than recorded", repeated.len());
    Ok(())
}

/// Returns how the spans that the plugin started differ from the recorded call's, while its trace is kept.
fn differing_spans(recording: &RecordingJson, played: &Played) -> Option<Difference> {
    let expected = recording.spans.clone()?;
    let found: Vec<String> = tree(&played.trace).iter().flat_map(|root| own_names(root, 0)).collect();
    (recording.decided && expected != found).then_some(Difference { part: "spans", expected, found })
}

/// Returns the names of the plugin's own spans below a span, indented by two spaces a level.
fn own_names(node: &Node<'_>, level: usize) -> Vec<String> {
    let is_own = |node: &&Node<'_>| node.span.value(attribute::PLUGIN_SPAN) == Some(&Value::Flag(true));
    let names = |node: &Node<'_>| {
        let name = format!("{}{}", "  ".repeat(level), node.span.name);
        std::iter::once(name).chain(own_names(node, level + 1)).collect::<Vec<_>>()
    };
    node.children.iter().filter(is_own).flat_map(names).collect()
}

/// Returns the recordings of the call that is asked for, with their cases.
///
/// # Errors
/// When none is kept.
pub(in super::super) fn found(
    call: &str,
    kind: Option<Installation>,
    admin: &Admin,
) -> anyhow::Result<Vec<RecordingJson>> {
    if let Ok(id) = call.parse::<u64>() {
        return Ok(vec![admin.get(&format!("/recordings/{id}"))?]);
    }
    let is_trace = call.len() == 32 && call.bytes().all(|byte| byte.is_ascii_hexdigit());
    let by = if is_trace { "trace_id" } else { "reference" };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let at = kind.map(|at| format!("&plugin={}", encoded(&at.to_string()))).unwrap_or_default();
    let path = format!("/recordings?{by}={}&sort=oldest&limit={CALLS_MAX}&cases=true{at}", encoded(call));
    let listed: RecordingsJson = admin.get(&path)?;
    anyhow::ensure!(
        !listed.recordings.is_empty(),
        "no call of {call} is recorded, or not any more; {} calls are ({} made room or became too old)",
        listed.kept.recordings,
        listed.kept.dropped
    );
    Ok(listed.recordings)
}

pub(in super::super) fn case(recording: &RecordingJson) -> anyhow::Result<&RawValue> {
    recording.case.as_deref().with_context(|| format!("the recording {} has no case", recording.id))
}

/// Writes the case to the file that is asked for, if one is.
fn save(asked: &Replay, recordings: &[RecordingJson]) -> anyhow::Result<()> {
    let Some(file) = &asked.save else { return Ok(()) };
    let [recording] = recordings else {
        let of = |recording: &RecordingJson| place(&recording.kind, recording.installation.as_deref());
        let calls: Vec<_> = recordings.iter().map(of).collect();
        anyhow::bail!("there are several calls ({}), and a case is one: say which with --kind", calls.join(", "));
    };
    let case: serde_json::Value = serde_json::from_str(case(recording)?.get())?;
    let text = serde_json::to_string_pretty(&case)?;
    write_whole(file, |out| Ok(writeln!(out, "{text}")?))
}

impl Repeated<'_> {
    fn text(&self) -> String {
        let RecordingJson { id, at, kind, installation, name, version, digest, number, outcome, masked, .. } =
            self.recording;
        let number = number.map(|number| format!(", number {number}")).unwrap_or_default();
        let place = place(kind, installation.as_deref());
        let by = format!("{place} {name}@{version}+{digest:.12}{number}");
        let mut text =
            format!("recording {id}, {at}: {outcome} by {by}\n{}", text_of(self.stage.identity(), &self.played));
        text += "\nbeside the recording";
        self.verdict().iter().for_each(|line| text += &format!("\n  {line}"));
        if *masked > 0 {
            text += &format!("\n  {masked} texts of the recorded call are masked, which may have changed the decision");
        }
        text
    }

    fn verdict(&self) -> Vec<String> {
        if !self.recording.decided {
            return vec!["not compared: the host or another plugin ended the recorded call".to_owned()];
        }
        if self.differences.is_empty() {
            return vec!["the same decision".to_owned()];
        }
        let of = |difference: &Difference| {
            let lines = difference.lines().into_iter().map(|line| format!("  {line}"));
            std::iter::once(difference.part.to_owned()).chain(lines).collect::<Vec<_>>()
        };
        self.differences.iter().flat_map(of).collect()
    }

    fn json(&self) -> serde_json::Value {
        let mut recording = serde_json::to_value(self.recording).unwrap_or_default();
        recording.as_object_mut().into_iter().for_each(|recording| _ = recording.remove("case"));
        json!({
            "recording": recording,
            "compared": self.recording.decided,
            "differences": self.differences,
            "call": json_of(&self.recording.name, self.stage.identity(), &self.played),
        })
    }
}
