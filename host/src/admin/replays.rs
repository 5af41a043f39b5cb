//! `/recordings/{id}/replay` and `/profile`: repeats a recorded call with a version of its plugin, and says what differs and what it took.
//!
//! The call is repeated by a process of its own (`till repeat-call`), as a plugin is compiled: of the lowest priority, within the limits of
//! processor time and memory that a candidate has. One at a time does so, and whoever comes second is asked to come again: customers
//! come first. Nothing of the call has an effect.

mod answer;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

pub use answer::{
    CallJson, DecisionJson, DifferingJson, LogOfCallJson, ProfileJson, ReplayedJson, SampledJson, SpanOfCallJson,
};

use super::{Admin, Asked, RecordingJson, recordings::recordings};
#[cfg(test)]
use crate::schema;
use crate::{
    config::{Limits, Listed, Origin, Settings, is_row},
    hooks::{Installation, Kind},
    http::{
        Answer, Reply, body,
        problem::{Code, Problem},
    },
    recordings::{Recording, Recordings},
    runtime::child,
    store::VersionId,
    trust::Entry,
    versions::COMPILED,
};
pub(super) use answer::spans_of;

/// The hidden command of the `till` program that repeats a call.
const CHILD_COMMAND: &str = "repeat-call";
/// The largest answer of such a process, bytes: spans and log lines are bounded by the limits of a call.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// What repeats recorded calls for this host.
#[derive(Debug)]
pub(super) struct Replays {
    /// The `till` program; `None` in a program that isn't one.
    program: Option<PathBuf>,
    /// The host's settings that a call depends on.
    settings: Vec<(String, String)>,
    compiled: PathBuf,
    limits: Limits,
    // Each may take limits.compile_memory_mib.
    one_at_a_time: Semaphore,
}

/// The sections that a plugin's call depends on.
const OF_CALLS: [&str; 6] = ["shop", "limits", "checkout", "cart_transform", "delivery", "tax"];

/// What a process that repeats a call is to do. It reads this as one line, then the plugin's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct RepeatJob {
    pub kind: String,
    pub settings: Vec<(String, String)>,
    /// The host's folder of compiled code.
    pub compiled: PathBuf,
    pub cpu_ms: u64,
    pub memory_mib: usize,
    /// The file, for messages.
    pub source: String,
    pub stem: String,
    pub case: Box<RawValue>,
    /// Whether the call is to be repeated again and again, to see where its time goes.
    pub is_profile: bool,
}

/// What such a process answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// Why the call couldn't be repeated: the file is no plugin of that kind, or the case can't be read.
    Refused(String),
    Call(Box<RepeatedCall>),
    Profile(ProfileJson),
}

/// A repeated call beside what its recording says.
#[derive(Debug, Serialize, Deserialize)]
pub struct RepeatedCall {
    /// What repeated the call: `name@version+digest`.
    pub plugin: String,
    pub recorded: CallJson,
    pub repeated: CallJson,
    pub differences: Vec<DifferingJson>,
    /// The case that repeats the call and expects what the repeated one decided.
    pub case: Option<Box<RawValue>>,
}

/// Which version repeats the call.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Replay"))]
pub(super) struct Replay {
    /// The number of the version to repeat the call with; the one that made it without.
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    version: Option<u64>,
}

/// # Errors
/// 404 if the recording isn't kept, 422 for a version that can't repeat it, 503 while another call is repeated.
pub(super) async fn replay(admin: &Admin, asked: Asked) -> Answer {
    let recordings = recordings(admin)?.clone();
    let (recording, number, repeated) = repeated(admin, asked, false).await?;
    let Repeated::Call(call) = repeated else { return Err(unexpected()) };
    let RepeatedCall { plugin, mut recorded, repeated, mut differences, case } = *call;
    let (took_us, cpu_us) = recording.cost.micros();
    let trace = admin.recent.as_ref().and_then(|recent| recent.trace(u128::from_be_bytes(recording.trace_id).into()));
    let spans = trace.and_then(|trace| spans_of(&trace, &recording));
    let compared = recording.outcome.is_decided;
    let comparable = spans.as_ref().filter(|_| compared);
    differences.extend(comparable.and_then(|spans| differing_spans(spans, &repeated.spans)));
    recorded = CallJson {
        outcome: recording.outcome.code.to_string(),
        took_us,
        cpu_us,
        fuel_used: recording.cost.fuel,
        spans: spans.unwrap_or_default(),
        ..recorded
    };
    let recording = listed(recordings, recording).await?;
    Reply::json(&ReplayedJson { recording, plugin, number, compared, differences, recorded, repeated, case })
}

/// # Errors
/// As [`replay`].
pub(super) async fn profile(admin: &Admin, asked: Asked) -> Answer {
    match repeated(admin, asked, true).await?.2 {
        Repeated::Profile(profile) => Reply::json(&profile),
        _ => Err(unexpected()),
    }
}

/// Returns the recording as it is listed. Masking it takes some microseconds of a thread that may block.
async fn listed(recordings: Recordings, recording: Arc<Recording>) -> Result<RecordingJson, Problem> {
    let row = move || RecordingJson::of(&recording, recordings.case(&recording), false);
    tokio::task::spawn_blocking(row).await.map_err(|panicked| Problem::internal(&panicked))
}

/// Has the call repeated. Returns its recording, the number of the version that repeated it, and the result.
async fn repeated(
    admin: &Admin,
    Asked { named: id, headers, body, .. }: Asked,
    is_profile: bool,
) -> Result<(Arc<Recording>, Option<u64>, Repeated), Problem> {
    let recordings = recordings(admin)?.clone();
    let given = match body::is_component(&headers) {
        true => Given::File(body::read_component(&headers, body, &admin.limits).await?),
        false => {
            let Replay { version } = body::parse_json(&body::read_json(&headers, body, &admin.limits).await?)?;
            version.map_or(Given::Nothing, Given::Version)
        }
    };
    let (recording, case) = found(recordings, id).await?;
    let (file, number) = chosen(admin, &recording, given).await?;
    let (source, entry) = match number {
        Some(number) => (format!("version {number}"), Entry::Kept),
        None => ("the file".to_owned(), Entry::New),
    };
    let judged = admin.plugins.vet(&source, file.clone(), entry).await;
    judged.map_err(|refused| Problem::unacceptable(refused.to_string()))?;
    let replays = &admin.replays;
    let job = RepeatJob {
        kind: recording.version.at.kind.to_string(),
        settings: replays.settings.clone(),
        compiled: replays.compiled.clone(),
        cpu_ms: admin.limits.compile_ms,
        memory_mib: admin.limits.compile_memory_mib,
        source,
        stem: recording.version.name.clone(),
        case,
        is_profile,
    };
    Ok((recording, number, replays.run(&job, file).await?))
}

/// The version that a request gives.
enum Given {
    Nothing,
    Version(u64),
    File(Bytes),
}

async fn found(recordings: Recordings, id: String) -> Result<(Arc<Recording>, Box<RawValue>), Problem> {
    let find = move || {
        let recording = id.parse().ok().and_then(|id| recordings.recording(id));
        let missing = || Problem::not_found(format!("the recording {id:?} isn't kept, or not any more"));
        let recording = recording.ok_or_else(missing)?;
        let case = recordings.case(&recording).json;
        Ok((recording, case))
    };
    tokio::task::spawn_blocking(find).await.map_err(|panicked| Problem::internal(&panicked))?
}

/// Returns the file that is to repeat the call, and its version's number.
async fn chosen(admin: &Admin, recording: &Recording, given: Given) -> Result<(Bytes, Option<u64>), Problem> {
    let unreadable = |error| Problem::unacceptable(format!("the file of the version can't be read: {error}"));
    let (digest, number) = match given {
        Given::File(bytes) => return Ok((bytes, None)),
        Given::Nothing => (recording.version.digest.clone(), recording.number),
        Given::Version(number) => {
            let version = match VersionId::new(number) {
                Some(id) => admin.store.plugin_version(id).await?,
                None => None,
            };
            let missing =
                || Problem::unacceptable(format!("there is no version {number}; till plugin list shows them"));
            let version = version.ok_or_else(missing)?;
            check_kind(number, version.text.at, recording.version.at.kind)?;
            (version.text.digest, Some(number))
        }
    };
    Ok((admin.plugins.file(&digest).await.map_err(unreadable)?.into(), number))
}

fn check_kind(number: u64, at: Installation, wanted: Kind) -> Result<(), Problem> {
    if at.kind == wanted {
        return Ok(());
    }
    let detail = format!("version {number} is a {} plugin, and the recorded call is one of {wanted}", at.kind);
    Err(Problem::unacceptable(detail))
}

/// Returns how the names of the spans differ.
fn differing_spans(recorded: &[SpanOfCallJson], repeated: &[SpanOfCallJson]) -> Option<DifferingJson> {
    let names = |spans: &[SpanOfCallJson]| spans.iter().flat_map(SpanOfCallJson::names).collect::<Vec<_>>();
    let (recorded, repeated) = (names(recorded), names(repeated));
    (recorded != repeated).then(|| DifferingJson { part: "spans".to_owned(), recorded, repeated })
}

fn unexpected() -> Problem {
    Problem::internal(&"the process that repeats calls answered something else than it was asked")
}

/// Returns the settings that a call depends on, as far as they aren't the defaults.
fn of_calls(settings: &Settings) -> Vec<(String, String)> {
    let is_of_calls = |key: &str| is_row(key) && key.split_once('.').is_some_and(|(of, _)| OF_CALLS.contains(&of));
    let chosen = settings.listed.iter().filter(|listed| listed.origin != Origin::Default && is_of_calls(&listed.key));
    chosen.map(|Listed { key, value, .. }| (key.clone(), value.clone())).collect()
}

impl Replays {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            program: settings.server.compile_with.clone(),
            settings: of_calls(settings),
            compiled: settings.server.data.join(COMPILED),
            limits: settings.limits.clone(),
            one_at_a_time: Semaphore::new(1),
        }
    }

    async fn run(&self, job: &RepeatJob, file: Bytes) -> Result<Repeated, Problem> {
        let none = "calls are repeated by the till program, and this host was started by another one; till plugin replay repeats them elsewhere";
        let program = self.program.as_ref().ok_or_else(|| Problem::not_found(none))?;
        let busy =
            "another call is repeated here, and one is at a time; try again in a second, or use till plugin replay";
        let _turn = self.one_at_a_time.try_acquire().map_err(|_| Problem::unavailable(Code::Overloaded, busy))?;
        let mut line = serde_json::to_vec(job).map_err(|error| Problem::internal(&error))?;
        line.push(b'\n');
        // Compiling waits for the processor at the lowest priority, and is within limits.compile_wall_ms.
        let within = Duration::from_millis(self.limits.compile_wall_ms);
        let pieces = vec![line.into(), file];
        let ended = child::run(program, [CHILD_COMMAND.into()], pieces, within, ANSWER_BYTES_MAX).await;
        let ended =
            ended.map_err(|error| Problem::internal(&format!("start the process that repeats calls: {error}")))?;
        let late =
            || Problem::deadline("repeating the call took longer than limits.compile_wall_ms; the machine is busy");
        let ended = ended.ok_or_else(late)?;
        match serde_json::from_slice(&ended.answer) {
            Ok(Repeated::Refused(why)) => Err(Problem::unacceptable(why)),
            Ok(repeated) => Ok(repeated),
            Err(_) => Err(Problem::unacceptable(format!(
                "the process that repeated the call ended, {}: {}. It may take limits.compile_ms of processor time and limits.compile_memory_mib of memory; till plugin replay has no such limits",
                ended.status, ended.said
            ))),
        }
    }
}
