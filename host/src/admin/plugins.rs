//! `/plugins`: shows the live and earlier versions, and changes them. Each change runs to its end, whether its caller
//! waits or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Admin, Asked, listed::Listed, query, rollouts::TryJson};
#[cfg(test)]
use crate::schema;
use crate::{
    config::did_you_mean,
    hooks::{Installation, InstallationName, Kind},
    http::{Answer, Reply, body, problem::Problem, rfc3339},
    runtime::{Counts, Identity, OUTCOME_MINUTES, Totals},
    store::{ApprovalId, Page, PluginEvent, PluginVersion, Signer, VersionId, VersionText},
    tokens::Caller,
    versions::{Author, Candidate, Changes, Plugin, Plugins, Provenance, SwapError, Swapped, rollout::PlanChanges},
};

/// The most versions or events of one answer.
const LISTED_MAX: u32 = 1_000;
/// The longest name of a user or a plugin, bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest text that says where a file is from, bytes: a registry, a repository, a tag and a digest.
const SOURCE_BYTES_MAX: usize = 512;
/// The longest reason, bytes.
const REASON_BYTES_MAX: usize = 1024;

/// The plugins that are live.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LivePlugins"))]
pub struct LivesJson {
    #[cfg_attr(test, schemars(length(min = Kind::REQUIRED.len())))]
    pub plugins: Vec<LiveJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LivePlugin"))]
pub struct LiveJson {
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    /// The name under which it is installed. Absent at a hook with exactly one plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub installation: Option<String>,
    pub name: String,
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    /// The digest of the settings that were changed while till served. Absent if none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Digest>"))]
    pub settings_digest: Option<String>,
    /// The version's number, for `/plugins/versions/{number}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub number: Option<u64>,
    /// The first version of the same file; only the settings differ. Absent on that first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
    /// `open` while calls are refused because earlier ones failed: those for some kinds of orders, or all.
    #[cfg_attr(test, schemars(with = "schema::Breaker"))]
    pub breaker: String,
    pub last_minutes: OutcomesJson,
}

/// Returns the text after the number of a version that differs from another only in its settings; empty for any other.
#[must_use]
pub fn same_file_text(same_file_as: Option<u64>) -> String {
    same_file_as.map(|first| format!(" (number {first} with other settings)")).unwrap_or_default()
}

/// The recent outcomes of a version's calls: sold, refused by the plugin, or failed as customers see it (5xx).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecentOutcomes"))]
pub struct OutcomesJson {
    /// The length of the counted time.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub minutes: u64,
    pub sold: u64,
    /// Calls that the plugin refused.
    pub refused: u64,
    /// Calls that customers saw as errors of the shop.
    pub failed: u64,
}

/// A file with its settings: the same file with other settings is another version.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginVersion"))]
pub struct VersionJson {
    #[cfg_attr(test, schemars(with = "schema::VersionId"))]
    pub id: u64,
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    /// The name under which it is or was installed. Absent at a hook with exactly one plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub installation: Option<String>,
    pub name: String,
    /// The version that the plugin's file states.
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    pub bytes: u64,
    /// The plugin's language, from the file's own metadata; may be empty.
    pub language: String,
    /// The version's own settings, which override the host's.
    #[cfg_attr(test, schemars(extend("maxProperties" = 64)))]
    pub settings: BTreeMap<String, String>,
    /// The settings that the plugin reads, as far as the calls of a trial show. Only in an answer about one version,
    /// and while that version can be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_settings: Option<BTreeSet<String>>,
    #[cfg_attr(test, schemars(with = "schema::VersionState"))]
    pub state: String,
    /// What made it live or a candidate.
    #[cfg_attr(test, schemars(with = "schema::SwapAction"))]
    pub action: String,
    /// Who last changed its state.
    pub changed_by: String,
    /// When its state last changed, in milliseconds since 1970, UTC.
    pub changed_at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub changed_at: String,
    /// The first version of the same file; only the settings differ. Absent on that first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
    /// Where the file came from: a file's name, or a registry's reference with its digest. Absent if it isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Who signed it, as far as that counted here when it was accepted. Absent if nobody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedJson>,
    /// What the component says of how it was made. Only in an answer about one version, and while its file is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Its calls since the host started. Absent if it wasn't loaded since, or if many others were; and in an answer to a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<TotalsJson>,
}

/// Who signed a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginSigned"))]
pub struct SignedJson {
    /// The name of the entry in the host's trust file.
    pub by: String,
    /// The identity in the certificate of a Sigstore bundle. Absent for a signature with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When, in milliseconds since 1970, UTC: by the signer's clock, or by a log's or timestamp authority's. Absent if
    /// nobody vouches for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::Moment>"))]
    pub at: Option<String>,
}

/// How all calls of a version ended since the host started.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CallsSinceStart"))]
pub struct TotalsJson {
    pub sold: u64,
    /// Calls that the plugin refused.
    pub refused: u64,
    /// Calls that customers saw as errors of the shop.
    pub failed: u64,
    /// Those of them that the version itself is to blame for.
    pub faults: u64,
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
    /// Absent if a refused file had no kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::PluginKind>"))]
    pub kind: Option<String>,
    /// The installation that was changed. Absent at a hook with exactly one plugin, and where the order of a hook was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub installation: Option<String>,
    /// Absent if a file was refused.
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

/// The result of a change.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginChanged"))]
pub struct SwappedJson {
    /// `published`: the version is live now. `unchanged`: it was live already. `candidate`: a rollout of it began. `waiting`: another
    /// person has to promote it, or to approve its installation.
    #[cfg_attr(test, schemars(with = "schema::Became"))]
    pub result: String,
    pub version: VersionJson,
    /// The live version that it replaces, or that it is tried beside. Absent if it was live already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ReplacedJson>,
    /// The settings that were set for the replaced version and aren't for this one: a plugin of another name begins
    /// without any. Left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(length(max = 64)))]
    pub settings_left: Vec<String>,
    /// The approval that an installation waits for; left out if it waits for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub approval: Option<u64>,
    /// The hosts that share the store and don't run yet what is live now; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

/// The version that a change replaces.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginReplaced"))]
pub struct ReplacedJson {
    #[cfg_attr(test, schemars(with = "schema::VersionId"))]
    pub id: u64,
    pub name: String,
    /// The version that the plugin's file states.
    pub version: String,
    /// The file's SHA-256, hex.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub digest: String,
    /// The first version of the same file; only the settings differ. Absent on that first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    pub same_file_as: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RollBack {
    /// The version to go back to.
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    to: Option<u64>,
    /// Where, at a hook that may have several plugins.
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    installation: Option<String>,
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
    /// Why, for the history; at most 1024 bytes.
    #[cfg_attr(test, schemars(with = "Option<schema::Reason>"))]
    reason: Option<String>,
}

// `TryJson` isn't flattened into this, because serde would then accept unknown members, and a change with a misspelt
// `canary` would be live at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SettingsChange"))]
pub(super) struct Set {
    #[cfg_attr(test, schemars(with = "schema::SettingsSet"))]
    set: Changes,
    /// Where, at a hook that may have several plugins.
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    installation: Option<String>,
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
    /// Why, for the history; at most 1024 bytes.
    #[cfg_attr(test, schemars(with = "Option<schema::Reason>"))]
    reason: Option<String>,
    canary: Option<f64>,
    #[serde(default)]
    shadow: bool,
    #[serde(default, deserialize_with = "body::object")]
    #[cfg_attr(test, schemars(with = "schema::GatesChange"))]
    gates: PlanChanges,
    /// Accepts a version that comes to no decision (`other`, `unavailable`, `conflict`) on an order that the live
    /// version decides, and settings that the plugin doesn't seem to know.
    #[serde(default)]
    force: bool,
}

/// # Errors
/// None of its own.
pub(super) fn live(admin: &Admin) -> Answer {
    let snapshot = admin.plugins.snapshot();
    let plugin = |plugin: &Plugin| {
        let Identity { at, name, version, digest, settings_digest, .. } = plugin.identity();
        let numbered = plugin.numbered();
        LiveJson {
            kind: at.kind.to_string(),
            installation: at.name.map(|name| name.to_string()),
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
    Reply::json(&LivesJson { plugins: snapshot.plugins().map(plugin).collect() })
}

/// # Errors
/// 422 for an invalid parameter of the page.
pub(super) async fn versions(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.plugin_versions(after.and_then(VersionId::new), limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|version| version.id.number());
    let version = |row: PluginVersion| VersionJson { calls: totals(admin, &row.text), ..row.into() };
    Reply::json(&VersionsJson { versions: rows.into_iter().map(version).collect(), next_after })
}

/// # Errors
/// 404 if there is no such version.
pub(super) async fn version(admin: &Admin, Asked { named: number, .. }: Asked) -> Answer {
    let version = match number.parse().ok().and_then(VersionId::new) {
        Some(id) => admin.store.plugin_version(id).await?,
        None => None,
    };
    let version = version
        .ok_or_else(|| Problem::not_found(format!("there is no version {number:?}; till plugin list shows them")))?;
    let asked_settings = admin.plugins.asked_settings(&version.text).await.ok();
    let calls = totals(admin, &version.text);
    let provenance = admin.plugins.provenance(&version.text).await;
    Reply::json(&VersionJson { asked_settings, calls, provenance, ..version.into() })
}

fn totals(admin: &Admin, text: &VersionText) -> Option<TotalsJson> {
    let Totals { counts: Counts { sold, refused, failed }, faults } = admin.plugins.totals(text)?;
    Some(TotalsJson { sold, refused, failed, faults })
}

/// # Errors
/// 404 if there is no such version, or if its file is gone.
pub(super) async fn file(admin: &Admin, Asked { named: number, .. }: Asked) -> Answer {
    let version = match number.parse().ok().and_then(VersionId::new) {
        Some(id) => admin.store.plugin_version(id).await?,
        None => None,
    };
    let version = version.ok_or_else(|| Problem::not_found(format!("there is no version {number:?}")))?;
    let bytes = admin.plugins.file(&version.text.digest).await;
    let bytes = bytes.map_err(|error| Problem::not_found(format!("the file of version {number}: {error}")))?;
    Ok(Reply::text("application/wasm", bytes))
}

/// # Errors
/// 422 for an invalid parameter of the page.
pub(super) async fn history(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.plugin_events(after, limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|event| event.id);
    Reply::json(&EventsJson { events: rows.into_iter().map(EventJson::from).collect(), next_after })
}

/// # Errors
/// 422 for a refused component, with what to change.
pub(super) async fn deploy(admin: &Admin, asked: Asked) -> Answer {
    let Deploy { at, name, source, author, how } = Deploy::of_query(&asked.caller, &asked.query)?;
    let how = how.how(&admin.plugins)?;
    let bytes = body::read_component(&asked.headers, asked.body, &admin.limits).await?;
    let candidate = Candidate { source: source.unwrap_or_else(|| format!("{name}.wasm")), stem: name, bytes };
    change(admin, move |plugins| async move { plugins.deploy(candidate, at, how, author.as_ref()).await }).await
}

/// # Errors
/// 409 if there is no version to go back to.
pub(super) async fn roll_back(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let RollBack { to, installation, by, reason } = body::parse_json(&bytes)?;
    let at = installed_at(kind, installation)?;
    let author = Named::new(&asked.caller, by, reason)?;
    let unknown = || Problem::unacceptable("`to` is a version's number");
    let to = to.map(|number| VersionId::new(number).ok_or_else(unknown)).transpose()?;
    change(admin, move |plugins| async move { plugins.roll_back(at, to, author.as_ref()).await }).await
}

/// # Errors
/// 422 for too many or too long settings.
pub(super) async fn set(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Set { set, installation, by, reason, canary, shadow, gates, force } = body::parse_json(&bytes)?;
    let at = installed_at(kind, installation)?;
    let author = Named::new(&asked.caller, by, reason)?;
    let how = TryJson { canary, shadow, gates, force }.how(&admin.plugins)?;
    change(admin, move |plugins| async move { plugins.set(at, set, how, author.as_ref()).await }).await
}

pub(super) async fn change<W>(admin: &Admin, work: impl FnOnce(Arc<Plugins>) -> W) -> Answer
where
    W: Future<Output = Result<Swapped, SwapError>> + Send + 'static,
{
    let swapped = carried_out(admin, work).await?;
    let settings_left = swapped.settings_left();
    let Swapped { version, became, replaces } = swapped;
    let behind = admin.plugins.spread().await;
    Reply::json(&SwappedJson {
        result: became.as_str().to_owned(),
        version: version.into(),
        replaces: replaces.map(ReplacedJson::from),
        settings_left,
        approval: became.approval().map(ApprovalId::number),
        behind,
    })
}

/// Runs a change in a task of its own, because a change cut off midway would leave the store and the live plugins
/// inconsistent.
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

/// The parameters of a deploy.
struct Deploy {
    at: Option<Installation>,
    name: String,
    source: Option<String>,
    author: Named,
    how: TryJson,
}

impl Deploy {
    fn of_query(caller: &Caller, query: &str) -> Result<Self, Problem> {
        let (mut kind, mut installation) = (None, None);
        let (mut plugin, mut source, mut how) = ("plugin".to_owned(), None, TryJson::default());
        let (mut by, mut reason) = (None, None);
        for (name, value) in query::parameters(query)? {
            match name.as_str() {
                "kind" => kind = Some(parsed_kind(&value)?),
                "installation" => installation = Some(value),
                "name" => plugin = short(value)?,
                "source" => source = Some(checked_source(value)?),
                "by" => by = Some(value),
                "reason" => reason = Some(value),
                "try" => how = body::parse_json(value.as_bytes())?,
                _ => {
                    return Err(Problem::unacceptable(format!(
                        "there is no {name}; kind, installation, name, source, by, reason and try are"
                    )));
                }
            }
        }
        let at = match (kind, installation) {
            (Some(kind), installation) => Some(installed_at(kind, installation)?),
            (None, Some(_)) => return Err(Problem::unacceptable("an installation is named together with its kind")),
            (None, None) => None,
        };
        Ok(Self { at, name: plugin, source, author: Named::new(caller, by, reason)?, how })
    }
}

pub(super) fn parsed_kind(kind: &str) -> Result<Kind, Problem> {
    Kind::parse(kind).ok_or_else(|| {
        Problem::unacceptable(format!(
            "there is no kind {kind:?}{}; there are {}",
            did_you_mean(kind, Kind::ALL.map(Kind::as_str)),
            Kind::names(", ")
        ))
    })
}

/// Returns the installation of that name at the hook.
pub(super) fn installed_at(kind: Kind, name: Option<String>) -> Result<Installation, Problem> {
    let Some(name) = name else { return Ok(Installation::of(kind)) };
    let sound = InstallationName::parse(&name);
    let sound =
        sound.ok_or_else(|| Problem::unacceptable(format!("{name:?} is no name: {}", InstallationName::RULE)))?;
    Ok(Installation::named(kind, sound))
}

/// Returns the caller's name for the history, with the one that the request has.
///
/// # Errors
/// 422 for a name that is too long.
pub(super) fn signed(caller: &Caller, by: Option<String>) -> Result<String, Problem> {
    Ok(caller.signs(by.map(short).transpose()?))
}

/// Who changes something, by the token's name and as the request says, and why.
pub(super) struct Named {
    by: String,
    reason: Option<String>,
}

impl Named {
    /// # Errors
    /// 422 for a name or a reason that is too long.
    pub(super) fn new(caller: &Caller, by: Option<String>, reason: Option<String>) -> Result<Self, Problem> {
        Ok(Self { by: signed(caller, by)?, reason: reason.map(checked_reason).transpose()? })
    }

    pub(super) fn as_ref(&self) -> Author<'_> {
        Author { by: &self.by, reason: self.reason.as_deref() }
    }
}

/// # Errors
/// 422 for a reason that is too long.
pub(super) fn checked_reason(reason: String) -> Result<String, Problem> {
    let too_long = || Problem::unacceptable(format!("a reason has at most {REASON_BYTES_MAX} bytes"));
    Some(reason).filter(|reason| reason.len() <= REASON_BYTES_MAX).ok_or_else(too_long)
}

/// # Errors
/// 422 for a text that is too long, or isn't plain.
pub(super) fn checked_source(source: String) -> Result<String, Problem> {
    let fine = (1..=SOURCE_BYTES_MAX).contains(&source.len()) && !source.chars().any(char::is_control);
    fine.then_some(source)
        .ok_or_else(|| Problem::unacceptable(format!("a source has 1 to {SOURCE_BYTES_MAX} bytes of plain text")))
}

pub(super) fn short(text: String) -> Result<String, Problem> {
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
            kind: text.at.kind.to_string(),
            installation: text.at.name.map(|name| name.to_string()),
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
            source: text.origin.source,
            signed: text.origin.signer.map(|Signer { by, identity, at_ms }| SignedJson {
                by,
                identity,
                at_ms,
                at: at_ms.map(rfc3339),
            }),
            provenance: None,
            calls: None,
        }
    }
}

impl From<PluginVersion> for ReplacedJson {
    fn from(PluginVersion { id, text, same_file_as, .. }: PluginVersion) -> Self {
        let VersionText { name, version, digest, .. } = text;
        Self { id: id.number(), name, version, digest, same_file_as: same_file_as.map(VersionId::number) }
    }
}

impl From<PluginEvent> for EventJson {
    fn from(event: PluginEvent) -> Self {
        let PluginEvent { id, at_ms, changed_by, action, at, version, detail } = event;
        let (kind, installation) = match at.as_deref().and_then(Installation::parse) {
            Some(Installation { kind, name }) => (Some(kind.to_string()), name.map(|name| name.to_string())),
            None => (at, None),
        };
        let version = version.map(VersionId::number);
        Self { id, at_ms, at: rfc3339(at_ms), changed_by, action, kind, installation, version, detail }
    }
}
