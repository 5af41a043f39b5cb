//! `/plugins`: what is live, what was, and changing it. Each change runs to its end, whether its caller waits or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Admin, Asked, listed::Listed, query, rollouts::TryJson};
#[cfg(test)]
use crate::schema;
use crate::{
    hooks::Kind,
    http::{Answer, Reply, body, problem::Problem, rfc3339},
    runtime::{Counts, Identity, OUTCOME_MINUTES},
    store::{Page, PluginEvent, PluginVersion, VersionId},
    versions::{Candidate, Changes, Plugins, SwapError, Swapped, rollout::PlanChanges},
};

/// Versions and events that one answer has at most.
const LISTED_MAX: u32 = 1_000;
/// The longest name that somebody gives of himself, or a plugin of itself, bytes.
const NAME_BYTES_MAX: usize = 64;
const SOMEBODY: &str = "admin";

/// The plugins that are live.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LivePlugins"))]
pub struct LivesJson {
    #[cfg_attr(test, schemars(length(min = Kind::ALL.len(), max = Kind::ALL.len())))]
    pub plugins: Vec<LiveJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LivePlugin"))]
pub struct LiveJson {
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    pub name: String,
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    /// Of the settings that were changed while till served. Absent where none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Digest>"))]
    pub settings_digest: Option<String>,
    /// Under which `/plugins/versions/{number}` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub number: Option<u64>,
    /// The first version of the same file: only its settings differ. Absent on that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
    /// `open` while it isn't called for what keeps breaking it: some kinds of orders, or all.
    #[cfg_attr(test, schemars(with = "schema::Breaker"))]
    pub breaker: String,
    pub last_minutes: OutcomesJson,
}

/// Returns what follows a version's number where only its settings differ from those of another; nothing where that isn't so.
#[must_use]
pub fn same_file_text(same_file_as: Option<u64>) -> String {
    same_file_as.map(|first| format!(" (number {first} with other settings)")).unwrap_or_default()
}

/// What the calls of a version came to lately: sold, refused with a business "no", failed as customers see it (5xx).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentOutcomes"))]
pub struct OutcomesJson {
    /// How far back it goes.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub minutes: u64,
    pub sold: u64,
    /// Business "no"s.
    pub refused: u64,
    /// What customers saw as errors of the shop.
    pub failed: u64,
}

/// A file with its settings: the same file with others is another version.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginVersion"))]
pub struct VersionJson {
    #[cfg_attr(test, schemars(with = "schema::VersionId"))]
    pub id: u64,
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    pub name: String,
    /// What the plugin says of itself.
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    pub bytes: u64,
    /// What it was written in, as the file's own metadata has it; may be empty.
    pub language: String,
    /// What was set for this version, over what the host's settings say.
    #[cfg_attr(test, schemars(extend("maxProperties" = 64)))]
    pub settings: BTreeMap<String, String>,
    /// The settings that it asks for, as far as the calls of a trial show. Only where one version is asked for, and
    /// while that can be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_settings: Option<BTreeSet<String>>,
    #[cfg_attr(test, schemars(with = "schema::VersionState"))]
    pub state: String,
    /// What made it live, or a candidate.
    #[cfg_attr(test, schemars(with = "schema::SwapAction"))]
    pub action: String,
    /// Who last changed its state.
    pub changed_by: String,
    /// When, in milliseconds since 1970, UTC.
    pub changed_at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub changed_at: String,
    /// The first version of the same file: only its settings differ. Absent on that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginVersions"))]
pub struct VersionsJson {
    #[cfg_attr(test, schemars(length(max = LISTED_MAX)))]
    pub versions: Vec<VersionJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub next_after: Option<u64>,
}

/// A line of the audit.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginEvent"))]
pub struct EventJson {
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub id: u64,
    /// When, in milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub at: String,
    pub changed_by: String,
    #[cfg_attr(test, schemars(with = "schema::EventAction"))]
    pub action: String,
    /// Absent where a refused file had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::PluginKind>"))]
    pub kind: Option<String>,
    /// Absent where a file was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub version: Option<u64>,
    /// For people.
    pub detail: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginEvents"))]
pub struct EventsJson {
    #[cfg_attr(test, schemars(length(max = LISTED_MAX)))]
    pub events: Vec<EventJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub next_after: Option<u64>,
}

/// What a change came to.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginChanged"))]
pub struct SwappedJson {
    /// `published`: it is live. `unchanged`: it was already. `candidate`: it is tried beside the live one.
    #[cfg_attr(test, schemars(with = "schema::Became"))]
    pub result: String,
    pub version: VersionJson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RollBack {
    /// The version to go back to.
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    to: Option<u64>,
    /// Who it is, for the history: `admin` if nobody says.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
}

// Not `TryJson` flattened into it: serde then lets pass whatever nobody knows, and a misspelt `canary` would be live.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SettingsChange"))]
pub(super) struct Set {
    #[cfg_attr(test, schemars(with = "schema::SettingsSet"))]
    set: Changes,
    /// Who it is, for the history: `admin` if nobody says.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
    canary: Option<f64>,
    #[serde(default)]
    shadow: bool,
    #[serde(default, deserialize_with = "body::object")]
    #[cfg_attr(test, schemars(with = "schema::GatesChange"))]
    gates: PlanChanges,
    /// Takes it although it comes to no decision (`other`, `unavailable`, `conflict`) on an order where the live version
    /// does, and settings that the plugin doesn't seem to know.
    #[serde(default)]
    force: bool,
}

/// # Errors
/// None of its own.
pub(super) fn live(admin: &Admin) -> Answer {
    let snapshot = admin.plugins.snapshot();
    let plugin = |kind| {
        let plugin = snapshot.plugin(kind);
        let Identity { kind, name, version, digest, settings_digest, .. } = plugin.identity();
        let numbered = plugin.numbered();
        LiveJson {
            kind: kind.to_string(),
            name: name.clone(),
            version: version.clone(),
            digest: digest.clone(),
            settings_digest: settings_digest.clone(),
            number: numbered.map(|numbered| numbered.number.number()),
            same_file_as: numbered.and_then(|numbered| numbered.same_file_as).map(VersionId::number),
            breaker: if plugin.is_let_through() { "closed" } else { "open" }.to_owned(),
            last_minutes: plugin.recent_outcomes().into(),
        }
    };
    Reply::json(&LivesJson { plugins: Kind::ALL.map(plugin).to_vec() })
}

/// # Errors
/// 422 for a page that can't be.
pub(super) async fn versions(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.plugin_versions(after.and_then(VersionId::new), limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|version| version.id.number());
    Reply::json(&VersionsJson { versions: rows.into_iter().map(VersionJson::from).collect(), next_after })
}

/// # Errors
/// 404 where there is no such version.
pub(super) async fn version(admin: &Admin, Asked { named: number, .. }: Asked) -> Answer {
    let version = match number.parse().ok().and_then(VersionId::new) {
        Some(id) => admin.store.plugin_version(id).await?,
        None => None,
    };
    let version = version.ok_or_else(|| Problem::not_found(format!("there is no version {number:?}")))?;
    let asked_settings = admin.plugins.asked_settings(&version.text).await.ok();
    Reply::json(&VersionJson { asked_settings, ..version.into() })
}

/// # Errors
/// 422 for a page that can't be.
pub(super) async fn history(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.plugin_events(after, limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|event| event.id);
    Reply::json(&EventsJson { events: rows.into_iter().map(EventJson::from).collect(), next_after })
}

/// # Errors
/// 422 for a component that is refused, with what to change.
pub(super) async fn deploy(admin: &Admin, asked: Asked) -> Answer {
    let Deploy { kind, name, by, how } = Deploy::of_query(&asked.query)?;
    let how = how.how(&admin.plugins)?;
    let bytes = body::read_component(&asked.headers, asked.body, &admin.limits).await?;
    let candidate = Candidate { source: format!("{name}.wasm"), stem: name, bytes };
    change(admin, move |plugins| async move { plugins.deploy(candidate, kind, how, &by).await }).await
}

/// # Errors
/// 409 when there is nothing to go back to.
pub(super) async fn roll_back(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let RollBack { to, by } = body::parse_json(&bytes)?;
    let by = somebody(by)?;
    let unknown = || Problem::unacceptable("`to` is a version's number");
    let to = to.map(|number| VersionId::new(number).ok_or_else(unknown)).transpose()?;
    change(admin, move |plugins| async move { plugins.roll_back(kind, to, &by).await }).await
}

/// # Errors
/// 422 for settings that are too many or too long.
pub(super) async fn set(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Set { set, by, canary, shadow, gates, force } = body::parse_json(&bytes)?;
    let (by, how) = (somebody(by)?, TryJson { canary, shadow, gates, force }.how(&admin.plugins)?);
    change(admin, move |plugins| async move { plugins.set(kind, set, how, &by).await }).await
}

async fn change<W>(admin: &Admin, work: impl FnOnce(Arc<Plugins>) -> W) -> Answer
where
    W: Future<Output = Result<Swapped, SwapError>> + Send + 'static,
{
    let Swapped { version, became } = carried_out(admin, work).await?;
    Reply::json(&SwappedJson { result: became.as_str().to_owned(), version: version.into() })
}

/// Carries a change out in a task of its own: one that was cut off in the middle would leave the store and what is
/// live at odds.
///
/// # Errors
/// The change's own.
pub(super) async fn carried_out<T, W>(admin: &Admin, work: impl FnOnce(Arc<Plugins>) -> W) -> Result<T, Problem>
where
    T: Send + 'static,
    W: Future<Output = Result<T, SwapError>> + Send + 'static,
{
    let changing = tokio::spawn(work(Arc::clone(&admin.plugins)));
    Ok(changing.await.map_err(|panicked| Problem::internal(&panicked))??)
}

/// What a deploy's query says.
struct Deploy {
    kind: Option<Kind>,
    name: String,
    by: String,
    how: TryJson,
}

impl Deploy {
    fn of_query(query: &str) -> Result<Self, Problem> {
        let mut deploy = Self { kind: None, name: "plugin".into(), by: SOMEBODY.into(), how: TryJson::default() };
        for (name, value) in query::parameters(query)? {
            match name.as_str() {
                "kind" => deploy.kind = Some(parsed_kind(&value)?),
                "name" => deploy.name = short(value)?,
                "by" => deploy.by = short(value)?,
                "try" => deploy.how = body::parse_json(value.as_bytes())?,
                _ => return Err(Problem::unacceptable(format!("there is no {name}; kind, name, by and try are"))),
            }
        }
        Ok(deploy)
    }
}

fn parsed_kind(kind: &str) -> Result<Kind, Problem> {
    Kind::parse(kind)
        .ok_or_else(|| Problem::unacceptable(format!("there is no kind {kind:?}; checkout and inventory are")))
}

pub(super) fn somebody(by: Option<String>) -> Result<String, Problem> {
    by.map_or_else(|| Ok(SOMEBODY.to_owned()), short)
}

fn short(text: String) -> Result<String, Problem> {
    let fine = (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    fine.then_some(text)
        .ok_or_else(|| Problem::unacceptable(format!("a name has 1 to {NAME_BYTES_MAX} bytes of plain text")))
}

impl From<Counts> for OutcomesJson {
    fn from(Counts { sold, refused, failed }: Counts) -> Self {
        Self { minutes: OUTCOME_MINUTES, sold, refused, failed }
    }
}

impl From<PluginVersion> for VersionJson {
    fn from(version: PluginVersion) -> Self {
        let PluginVersion { id, text, state, action, changed_by, changed_at_ms, same_file_as } = version;
        Self {
            id: id.number(),
            kind: text.kind.to_string(),
            name: text.name,
            version: text.version,
            digest: text.digest,
            bytes: text.bytes,
            language: text.language,
            settings: text.settings,
            asked_settings: None,
            state: state.as_str().to_owned(),
            action: action.as_str().to_owned(),
            changed_by,
            changed_at_ms,
            changed_at: rfc3339(changed_at_ms),
            same_file_as: same_file_as.map(VersionId::number),
        }
    }
}

impl From<PluginEvent> for EventJson {
    fn from(event: PluginEvent) -> Self {
        let PluginEvent { id, at_ms, changed_by, action, kind, version, detail } = event;
        let version = version.map(VersionId::number);
        Self { id, at_ms, at: rfc3339(at_ms), changed_by, action, kind, version, detail }
    }
}
