//! `/recordings`: plugins' calls that were recorded, and each as the case that repeats it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Admin, Asked, query,
    replays::{SpanOfCallJson, spans_of},
    searched,
};
#[cfg(test)]
use crate::schema;
use crate::{
    hooks::Installation,
    http::{Answer, Reply, problem::Problem, rfc3339},
    recordings::{Figures, Filter, MaskedCase, Order, Recording, Recordings},
    telemetry::Recent,
};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;
/// A page ends with the recording that makes its cases larger than that.
const CASES_BYTES: usize = 4 << 20;

/// Recorded calls.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Recordings"))]
pub struct RecordingsJson {
    #[cfg_attr(test, schemars(length(max = LIMIT_MAX)))]
    pub recordings: Vec<RecordingJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::RecordingId>"))]
    pub next_after: Option<u64>,
    pub kept: KeptJson,
}

/// How much is kept in total.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "KeptRecordings"))]
pub struct KeptJson {
    pub recordings: usize,
    /// Those of them that ended in an error.
    pub errors: usize,
    /// An estimate.
    pub bytes: usize,
    /// Those that made room for others or became too old, since the start.
    pub dropped: u64,
}

/// One call of a plugin.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Recording"))]
pub struct RecordingJson {
    #[cfg_attr(test, schemars(with = "schema::RecordingId"))]
    pub id: u64,
    /// When the call ended, in milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub at: String,
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    /// The name under which it is installed. Absent at a hook with exactly one plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub installation: Option<String>,
    pub name: String,
    /// The version that the plugin's file states.
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    /// The version's number, for `/plugins/versions/{number}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub number: Option<u64>,
    /// `live` or `canary`.
    pub rollout: String,
    /// `ok`, or the failure's code.
    pub outcome: String,
    /// Whether the call ended in an error: anything but a decision and a business "no".
    pub error: bool,
    /// Whether the plugin itself caused the outcome. What the host or another plugin caused isn't repeated.
    pub decided: bool,
    /// What a receipt comes to, or the tax or the delivery options of an answer together, in the currency's minor units. Absent of
    /// what names no amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[cfg_attr(test, schemars(with = "schema::TraceId"))]
    pub trace_id: String,
    pub took_us: u64,
    /// The plugin's own processor time.
    pub cpu_us: u64,
    /// What the plugin executed. Absent where that isn't counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_used: Option<u64>,
    /// How many texts of the call were masked.
    pub masked: u32,
    /// The names of the spans that the plugin started, each line indented by two spaces a level. Only beside a case of a named call, and while
    /// its trace is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<Vec<String>>,
    /// The case that repeats the call. In a list only if `cases` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub case: Option<Box<RawValue>>,
}

#[derive(Debug)]
struct Wanted {
    filter: Filter,
    order: Order,
    after: Option<u64>,
    limit: usize,
    has_cases: bool,
}

/// The parameters of the list.
const FILTERS: [&str; 11] =
    ["plugin", "number", "outcome", "errors", "since_ms", "trace_id", "reference", "sort", "after", "limit", "cases"];

/// # Errors
/// 404 if none are kept, 422 for an unknown or invalid filter.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let recordings = recordings(admin)?.clone();
    let wanted = Wanted::of_query(&asked.query)?;
    // A list of many calls would read as many traces.
    let recent = admin.recent.clone().filter(|_| wanted.has_cases && wanted.names_calls());
    searched(move || Reply::json(&listed(&recordings, recent.as_ref(), &wanted))).await
}

/// # Errors
/// 404 if the recording isn't kept.
pub(super) async fn show(admin: &Admin, Asked { named: id, .. }: Asked) -> Answer {
    let (recordings, recent) = (recordings(admin)?.clone(), admin.recent.clone());
    searched(move || {
        let recording = id.parse().ok().and_then(|id| recordings.recording(id));
        let missing = || Problem::not_found(format!("the recording {id:?} isn't kept, or not any more"));
        let recording = recording.ok_or_else(missing)?;
        let row = RecordingJson::of(&recording, recordings.case(&recording), true);
        Reply::json(&RecordingJson { spans: span_names(recent.as_ref(), &recording), ..row })
    })
    .await
}

pub(super) fn recordings(admin: &Admin) -> Result<&Recordings, Problem> {
    let why = "no calls are recorded here: recordings.kept_mib is 0";
    admin.plugins.recordings().ok_or_else(|| Problem::not_found(why))
}

fn span_names(recent: Option<&Recent>, recording: &Recording) -> Option<Vec<String>> {
    let trace = recent?.trace(u128::from_be_bytes(recording.trace_id).into())?;
    Some(spans_of(&trace, recording)?.iter().flat_map(SpanOfCallJson::names).collect())
}

fn listed(recordings: &Recordings, recent: Option<&Recent>, wanted: &Wanted) -> RecordingsJson {
    let Wanted { filter, order, after, limit, has_cases } = wanted;
    // One more, to know whether there is another page.
    let found = recordings.list(filter, *order, *after, limit + 1);
    let (mut page, mut bytes) = (Vec::new(), 0);
    for recording in found.iter().take(*limit) {
        let case = recordings.case(recording);
        bytes += if *has_cases { case.json.get().len() } else { 0 };
        let row = RecordingJson::of(recording, case, *has_cases);
        page.push(RecordingJson { spans: span_names(recent, recording), ..row });
        if bytes > CASES_BYTES {
            break;
        }
    }
    let next_after = page.last().filter(|_| page.len() < found.len()).map(|last| last.id);
    RecordingsJson { recordings: page, next_after, kept: recordings.figures().into() }
}

impl RecordingJson {
    pub(super) fn of(recording: &Recording, MaskedCase { json, masked }: MaskedCase, has_case: bool) -> Self {
        let Recording { id, at_ms, version, number, role, trace_id, outcome, cost, .. } = recording;
        let (took_us, cpu_us) = cost.micros();
        Self {
            id: *id,
            at_ms: *at_ms,
            at: rfc3339(*at_ms),
            kind: version.at.kind.to_string(),
            installation: version.at.name.map(|name| name.to_string()),
            name: version.name.clone(),
            version: version.version.clone(),
            digest: version.digest.clone(),
            number: *number,
            rollout: (*role).to_owned(),
            outcome: outcome.code.to_string(),
            error: outcome.is_error,
            decided: outcome.is_decided,
            total: outcome.total,
            trace_id: format!("{:032x}", u128::from_be_bytes(*trace_id)),
            took_us,
            cpu_us,
            fuel_used: cost.fuel,
            masked,
            spans: None,
            case: has_case.then_some(json),
        }
    }
}

impl From<Figures> for KeptJson {
    fn from(Figures { recordings, errors, bytes, dropped }: Figures) -> Self {
        Self { recordings, errors, bytes, dropped }
    }
}

impl Wanted {
    fn of_query(query: &str) -> Result<Self, Problem> {
        let mut wanted = Self {
            filter: Filter::default(),
            order: Order::Newest,
            after: None,
            limit: LIMIT_DEFAULT,
            has_cases: false,
        };
        for (name, value) in query::parameters(query)? {
            wanted.take(&name, &value)?;
        }
        Ok(wanted)
    }

    /// Returns whether the calls of one trace or order are asked for.
    const fn names_calls(&self) -> bool {
        self.filter.trace_id.is_some() || self.filter.reference.is_some()
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let filter = &mut self.filter;
        let number = || {
            let number = value.parse().ok().filter(|number: &u64| *number < 1 << 53);
            query::value(name, value, number, "a whole number below 2^53")
        };
        let flag = || query::value(name, value, value.parse().ok(), "true or false");
        match name {
            "plugin" => {
                let at = Installation::parse(value);
                filter.at = Some(query::value(name, value, at, "a hook, or kind/name of an installation")?);
            }
            "number" => filter.number = Some(number()?),
            "outcome" => {
                let outcome = Some(value.to_owned()).filter(|outcome| !outcome.is_empty());
                filter.outcome = Some(query::value(name, value, outcome, "an outcome, such as ok")?);
            }
            "errors" => filter.errors = Some(flag()?),
            "since_ms" => filter.since_ms = Some(number()?),
            "trace_id" => {
                let id = Some(value).filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let id = id.and_then(|id| u128::from_str_radix(id, 16).ok()).map(u128::to_be_bytes);
                filter.trace_id = Some(query::value(name, value, id, "a trace id")?);
            }
            "reference" => {
                let reference = Some(value.to_owned()).filter(|reference| !reference.is_empty());
                filter.reference = Some(query::value(name, value, reference, "an order's reference")?);
            }
            "sort" => {
                let order = match value {
                    "newest" => Some(Order::Newest),
                    "oldest" => Some(Order::Oldest),
                    _ => None,
                };
                self.order = query::value(name, value, order, "newest or oldest")?;
            }
            "after" => self.after = Some(number()?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                self.limit = query::value(name, value, limit, "1 to 500")?;
            }
            "cases" => self.has_cases = flag()?,
            _ => return Err(query::unknown("filter", name, FILTERS)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_by_what_its_calls_have_in_common() {
        let query = "plugin=discounts/spring&number=3&outcome=ok&errors=false&since_ms=7&reference=r&sort=oldest&after=9\
            &limit=500&cases=true&trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
        let Wanted { filter, order, after, limit, has_cases } = Wanted::of_query(query).expect("a query");
        assert_eq!((order, after, limit, has_cases), (Order::Oldest, Some(9), 500, true));
        assert_eq!(filter.at, Installation::parse("discounts/spring"));
        assert_eq!((filter.number, filter.errors, filter.since_ms), (Some(3), Some(false), Some(7)));
        assert_eq!(filter.trace_id.map(|id| id[0]), Some(0x4b));
        for unusable in [
            "plugin=nothing",
            "outcome=",
            "errors=1",
            "trace_id=4bf9",
            "limit=0",
            "limit=501",
            "cases=yes",
            "item=tea",
            "after=9007199254740992",
        ] {
            assert_eq!(Wanted::of_query(unusable).expect_err(unusable).code(), "unacceptable");
        }
    }
}
