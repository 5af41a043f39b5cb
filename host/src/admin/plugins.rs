//! `/plugins`: what is live, what was, and changing it. Each change runs to its end, whether its caller waits or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Admin, Asked, listed::Listed, query, rollouts::TryJson};
use crate::{
    http::{Answer, Reply, body, problem::Problem, rfc3339},
    plugin::{
        Candidate, Changes, Counts, Identity, Kind, OUTCOME_MINUTES, Plugins, SwapError, Swapped, rollout::PlanChanges,
    },
    store::{Page, PluginEvent, PluginVersion, VersionId},
};

/// Versions and events that one answer has at most.
const LISTED_MAX: u32 = 1_000;
/// The longest name that somebody gives of himself, or a plugin of itself, bytes.
const NAME_BYTES_MAX: usize = 64;
const SOMEBODY: &str = "admin";

/// What is live, as the routes tell it and the commands read it.
#[derive(Debug, Serialize, Deserialize)]
pub struct LivesJson {
    pub plugins: Vec<LiveJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveJson {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings_digest: Option<String>,
    /// The version's, under which `/plugins/versions/{number}` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The first version of the same file, if this isn't it: only its settings differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_file_as: Option<u64>,
    /// `open` while it isn't called because it keeps breaking.
    pub breaker: String,
    pub last_minutes: OutcomesJson,
}

/// Returns what follows a version's number where only its settings differ from those of another; nothing where that isn't so.
#[must_use]
pub fn same_file_text(same_file_as: Option<u64>) -> String {
    same_file_as.map(|first| format!(" (number {first} with other settings)")).unwrap_or_default()
}

/// What the calls of a version came to lately, likewise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutcomesJson {
    /// How far back it goes.
    pub minutes: u64,
    pub sold: u64,
    /// Business "no"s.
    pub refused: u64,
    /// What customers saw as errors of the shop.
    pub failed: u64,
}

/// A version, as the routes tell it and the commands read it.
#[derive(Debug, Serialize, Deserialize)]
pub struct VersionJson {
    pub id: u64,
    pub kind: String,
    pub name: String,
    pub version: String,
    pub digest: String,
    pub bytes: u64,
    pub language: String,
    pub settings: BTreeMap<String, String>,
    /// The settings that it asks for, as far as the calls of a trial show: only where one version is asked for, and can
    /// still be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_settings: Option<BTreeSet<String>>,
    pub state: String,
    pub action: String,
    pub changed_by: String,
    pub changed_at_ms: u64,
    pub changed_at: String,
    /// The first version of the same file, if this isn't it: only its settings differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_file_as: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct VersionsJson {
    pub versions: Vec<VersionJson>,
    /// What to send as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
}

/// A line of the audit, likewise.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventJson {
    pub id: u64,
    pub at_ms: u64,
    pub at: String,
    pub changed_by: String,
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    pub detail: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct EventsJson {
    pub events: Vec<EventJson>,
    /// As that of [`VersionsJson`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
}

/// What a change came to, likewise.
#[derive(Debug, Serialize, Deserialize)]
pub struct SwappedJson {
    /// `published`: it is live; `unchanged`: it was already; `candidate`: it is tried beside the live one.
    pub result: String,
    pub version: VersionJson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollBack {
    to: Option<u64>,
    by: Option<String>,
}

// Not `TryJson` flattened into it: serde then lets pass whatever nobody knows, and a misspelt `canary` would be live.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    set: Changes,
    by: Option<String>,
    canary: Option<f64>,
    #[serde(default)]
    shadow: bool,
    #[serde(default, deserialize_with = "body::object")]
    gates: PlanChanges,
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
