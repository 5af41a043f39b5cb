//! The commands for a running host's plugins: show the live and earlier versions, and change them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::Subcommand;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    super::{
        WrongUsage,
        client::{Admin, Paged},
        paint::of_state,
        print, print_json, print_table,
        table::Cell,
        text::clock,
    },
    author::Author,
    origin::{Origin, origin},
    replay::{Chosen, age, compare},
    rollout::{Rollout, Try, print_rollout},
    shop::Shop,
    sign::check_cases,
};
use crate::{
    admin::{
        ApprovalsJson, EventJson, EventsJson, LiveJson, LivesJson, OutcomesJson, ReplacedJson, RolloutsJson,
        SignedJson, SwappedJson, VersionJson, VersionsJson, same_file_text,
    },
    config::{Settings, did_you_mean},
    hooks::{Installation, InstallationName, Kind},
    oci::SCHEME,
    versions::{Candidate, Cases, Producer, Provenance},
};

#[derive(Debug, Subcommand)]
pub(in super::super) enum Live {
    /// Makes a plugin live, or begins a rollout of it, while requests are served. A refused one changes nothing.
    Deploy {
        /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry, which is pulled here and not by the host.
        #[arg(value_parser = origin())]
        file: Origin,
        /// A folder of cases (*.json, as for `till plugin test`), kept with the version. The version is tried with each
        /// case's order before it goes live, and again whenever its settings change.
        #[arg(long, value_name = "FOLDER")]
        cases: Option<PathBuf>,
        /// Where the file goes live, such as `checkout` or `discounts/spring`; a file of another kind is refused. Needed at a hook that
        /// may have several plugins.
        #[arg(long, value_name = "KIND[/NAME]", value_parser = installation)]
        kind: Option<Installation>,
        /// Repeats the calls that were recorded in so much time first, and deploys nothing if one decides otherwise.
        #[arg(long, value_name = "TIME", value_parser = age, num_args = 0..=1, require_equals = true, default_missing_value = "7d")]
        after_replay: Option<Duration>,
        /// With --after-replay or a registry: the settings file with the host's limits and how registries are reached [default: till.toml,
        /// if there is one].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// With --after-replay or a registry: one of the host's settings, as it is there, e.g. --set limits.hook_cpu_ms=100.
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        how: Try,
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        admin: Admin,
    },
    /// Shows the live versions, whether their breakers let calls through, and the rollout under way.
    Status {
        #[command(flatten)]
        admin: Admin,
    },
    /// Shows the rollout of a candidate, and decides about it.
    #[command(subcommand)]
    Rollout(Rollout),
    /// Lists the versions that are or were live or in a rollout.
    List {
        #[command(flatten)]
        admin: Admin,
    },
    /// Shows one version, by its number.
    Show {
        number: u64,
        #[command(flatten)]
        admin: Admin,
    },
    /// Lists who changed what, newest first.
    History {
        #[command(flatten)]
        admin: Admin,
    },
    /// Makes the previous version live again. The replaced version can be made live again only by its number.
    Rollback {
        /// Where: `checkout`, or `discounts/spring` at a hook that may have several plugins.
        #[arg(value_name = "KIND[/NAME]", value_parser = installation)]
        at: Installation,
        /// The version to go back to, by its number.
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        admin: Admin,
    },
    /// Changes settings of the live plugin; `key=` alone returns to the host's own value.
    Set {
        /// Where: `checkout`, or `discounts/spring` at a hook that may have several plugins.
        #[arg(value_name = "KIND[/NAME]", value_parser = installation)]
        at: Installation,
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = key_value)]
        settings: Vec<(String, Option<String>)>,
        #[command(flatten)]
        how: Try,
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        admin: Admin,
    },
}

impl Live {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Deploy { file, cases, kind, after_replay, config, set, how, author, admin } => {
                let is_set = config.is_some() || !set.is_empty();
                if is_set && after_replay.is_none() && matches!(file, Origin::File(_)) {
                    let text = "--config and --set are for --after-replay and for a plugin in a registry; till plugin set changes the live plugin's";
                    return Err(WrongUsage(text.to_owned()).into());
                }
                let shop = Shop::new(config, set);
                let mut candidate = file.read(|| shop.settings())?;
                if let Some(since) = after_replay {
                    replayed(candidate.clone(), kind, since, shop.settings()?, &admin)?;
                }
                candidate = with_cases(candidate, cases.as_deref())?;
                deploy(candidate, kind, &how, &author, &admin)
            }
            Self::Status { admin } => status(&admin),
            Self::Rollout(rollout) => rollout.run(),
            Self::List { admin } => {
                let listed: VersionsJson = admin.all("/plugins/versions")?;
                if admin.json {
                    print_json(&listed)
                } else {
                    print_table(VERSION_COLUMNS, listed.versions.iter().map(row))
                }
            }
            Self::Show { number, admin } => {
                let version: VersionJson = admin.get(&format!("/plugins/versions/{number}"))?;
                if admin.json { print_json(&version) } else { print_whole(&version) }
            }
            Self::History { admin } => {
                let history: EventsJson = admin.all("/plugins/history")?;
                if admin.json {
                    return print_json(&history);
                }
                // The versions that the events are about.
                let listed: VersionsJson = admin.all("/plugins/versions")?;
                let rows = history.events.iter().map(|event| event_row(event, &listed.versions));
                print_table(["EVENT", "AT", "ACTION", "KIND", "VERSION", "BY", "DETAIL"], rows)
            }
            Self::Rollback { at, to, author, admin } => {
                let path = format!("/plugins/{}/rollback", at.kind);
                let name = at.name.map(|name| name.to_string());
                let body = json!({ "to": to, "installation": name, "by": author.by(), "reason": author.reason });
                told(&admin.post(&path, &body)?, admin.json)
            }
            Self::Set { at, settings, how, author, admin } => {
                let path = format!("/plugins/{}/settings", at.kind);
                let set: BTreeMap<_, _> = settings.into_iter().collect();
                let mut body = how.json()?;
                body.extend([("set".into(), serde_json::to_value(set)?), ("by".into(), author.by().into())]);
                body.extend(author.reason.map(|reason| ("reason".into(), reason.into())));
                body.extend(at.name.map(|name| ("installation".into(), name.to_string().into())));
                told(&admin.post(&path, &body.into())?, admin.json)
            }
        }
    }
}

impl Paged for VersionsJson {
    fn next_after(&self) -> Option<String> {
        self.next_after.map(|after| after.to_string())
    }

    fn append(&mut self, next: Self) {
        self.versions.extend(next.versions);
        self.next_after = next.next_after;
    }
}

impl Paged for EventsJson {
    fn next_after(&self) -> Option<String> {
        self.next_after.map(|after| after.to_string())
    }

    fn append(&mut self, next: Self) {
        self.events.extend(next.events);
        self.next_after = next.next_after;
    }
}

/// Repeats the calls that were recorded in so much time with the candidate.
///
/// Fails if one decides otherwise.
fn replayed(
    candidate: Candidate,
    at: Option<Installation>,
    since: Duration,
    settings: Settings,
    admin: &Admin,
) -> anyhow::Result<()> {
    let compared = compare(Chosen { candidate, at: None }, at, since, settings, admin)?;
    let outcome = compared.as_outcome();
    // A program that deploys gets one JSON document: this one, if nothing is deployed.
    if !admin.json || outcome.is_err() {
        compared.tell(admin)?;
    }
    outcome.context("nothing was deployed")
}

/// Deploys a candidate, whose stem becomes the plugin's name if the plugin has none.
pub(super) fn deploy(
    candidate: Candidate,
    at: Option<Installation>,
    how: &Try,
    author: &Author,
    admin: &Admin,
) -> anyhow::Result<()> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let source = of_registry(&candidate).map(|source| format!("&source={}", encoded(source))).unwrap_or_default();
    let Candidate { stem, bytes, .. } = candidate;
    let installed = |at: Installation| at.name.map(|name| format!("&installation={name}")).unwrap_or_default();
    let kind = at.map(|at| format!("&kind={}{}", at.kind, installed(at))).unwrap_or_default();
    let how = how.json()?;
    let how = if how.is_empty() { String::new() } else { format!("&try={}", encoded(&Value::from(how).to_string())) };
    let reason = author.reason.as_ref().map(|reason| format!("&reason={}", encoded(reason))).unwrap_or_default();
    let path = format!("/plugins?name={}&by={}{source}{kind}{how}{reason}", encoded(&stem), encoded(&author.by()));
    told(&admin.post_component(&path, bytes)?, admin.json)
}

/// Returns the candidate with the cases of a folder in it, if there is one.
pub(super) fn with_cases(candidate: Candidate, folder: Option<&Path>) -> anyhow::Result<Candidate> {
    let Some(folder) = folder else { return Ok(candidate) };
    check_cases(&candidate)?;
    Ok(Candidate { bytes: cases_of(folder)?.embed(&candidate.bytes)?.into(), ..candidate })
}

/// Returns where a candidate is from if that is a registry, with the digest. Of a file the host is told the name alone: a path says
/// more of this machine than of the plugin.
pub(super) fn of_registry(candidate: &Candidate) -> Option<&str> {
    Some(&*candidate.source).filter(|source| source.starts_with(SCHEME))
}

/// Returns the cases of a folder. The host parses them, because it knows the plugin's kind.
pub(super) fn cases_of(folder: &Path) -> anyhow::Result<Cases> {
    let unreadable = || format!("read the cases in {}", folder.display());
    let mut cases = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            cases.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text);
        }
    }
    anyhow::ensure!(!cases.is_empty(), "there are no cases (*.json) in {}", folder.display());
    Ok(Cases::new(cases)?)
}

fn status(admin: &Admin) -> anyhow::Result<()> {
    let live: LivesJson = admin.get("/plugins")?;
    let rollouts: RolloutsJson = admin.get("/plugins/rollouts?limit=1")?;
    let open = rollouts.rollouts.first().filter(|rollout| matches!(&*rollout.state, "running" | "paused"));
    let mut approvals: ApprovalsJson = admin.get("/plugins/approvals?limit=100")?;
    approvals.approvals.retain(|approval| approval.state == "waiting");
    let waiting = approvals.approvals;
    if admin.json {
        return print_json(&json!({ "plugins": live.plugins, "rollout": open, "approvals": waiting }));
    }
    let places = live.plugins.iter().map(|plugin| place(&plugin.kind, plugin.installation.as_deref()));
    let width = places.map(|place| place.len()).max().unwrap_or_default();
    for plugin in &live.plugins {
        let LiveJson { kind, installation, name, version, digest, number, same_file_as, breaker, last_minutes, .. } =
            plugin;
        let kind = place(kind, installation.as_deref());
        let called =
            if breaker == "closed" { "live" } else { "live, but keeps breaking and isn't called for what breaks it" };
        let version = version_name(name, version, digest, *number, *same_file_as);
        let OutcomesJson { minutes, sold, refused, failed } = last_minutes;
        print(&format!("{kind:<width$}  {version}  {called}"))?;
        print(&format!("{:width$}  last {minutes} minutes: {sold} sold, {refused} refused, {failed} failed", ""))?;
    }
    open.map_or_else(|| print("nothing is tried beside them"), print_rollout)?;
    match waiting.len() {
        0 => Ok(()),
        1 => print("a change waits for another person: till plugin approvals"),
        several => print(&format!("{several} changes wait for another person: till plugin approvals")),
    }
}

pub(super) fn told(swapped: &SwappedJson, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print_json(swapped);
    }
    let SwappedJson { result, version, replaces, settings_left, approval, behind } = swapped;
    let other = replaces.as_ref().map(|ReplacedJson { id, name, version, digest, same_file_as }| {
        version_name(name, version, digest, Some(*id), *same_file_as)
    });
    let so = match (&**result, &other) {
        ("unchanged", _) => "was live already".to_owned(),
        ("waiting", _) => approval.map_or_else(
            || "waits for another person, who makes it live with `till plugin rollout promote`".to_owned(),
            waits_for_approval,
        ),
        ("candidate", Some(live)) => format!("is tried beside {live}; `till plugin rollout show` tells how it does"),
        ("candidate", None) => "is tried beside the live one; `till plugin rollout show` tells how it does".to_owned(),
        (_, Some(replaced)) => format!("is live in the place of {replaced}"),
        (_, None) => "is live".to_owned(),
    };
    let VersionJson { kind, installation, name, version, digest, id, same_file_as, .. } = version;
    let kind = place(kind, installation.as_deref());
    print(&format!("{kind} {}, {so}", version_name(name, version, digest, Some(*id), *same_file_as)))?;
    if let (Some(replaced), false) = (replaces.as_ref(), settings_left.is_empty()) {
        print(&format!("not taken over from {}: its {}", replaced.name, settings_left.join(", ")))?;
    }
    if behind.is_empty() { Ok(()) } else { print(&format!("not yet on: {}", behind.join(", "))) }
}

/// Returns what is said of a change that waits for another person's approval.
pub(super) fn waits_for_approval(number: u64) -> String {
    format!("waits for another person, who carries it out with `till plugin approve {number}`")
}

/// Returns a hook with the installation's name, as all commands show it.
pub(in super::super) fn place(kind: &str, installation: Option<&str>) -> String {
    installation.map_or_else(|| kind.to_owned(), |installation| format!("{kind}/{installation}"))
}

/// Parses an installation's place.
pub(super) fn installation(text: &str) -> Result<Installation, String> {
    Installation::parse(text).ok_or_else(|| {
        let hook = text.split('/').next().unwrap_or_default();
        match Kind::parse(hook) {
            None => {
                let hint = did_you_mean(hook, Kind::ALL.map(Kind::as_str));
                format!("there is no hook {hook:?}{hint}; there are {}", Kind::names(", "))
            }
            Some(_) => InstallationName::RULE.to_owned(),
        }
    })
}

fn key_value(text: &str) -> Result<(String, Option<String>), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} lacks a `=`"))?;
    let value = (!value.is_empty()).then(|| value.to_owned());
    if key.is_empty() { Err("a setting has a name".into()) } else { Ok((key.to_owned(), value)) }
}

/// Returns the name under which all commands show a version.
pub(super) fn version_name(
    name: &str,
    version: &str,
    digest: &str,
    number: Option<u64>,
    same_file_as: Option<u64>,
) -> String {
    let short = digest.get(..12).unwrap_or(digest);
    let number = number.map(|number| format!(", number {number}")).unwrap_or_default();
    let same = same_file_text(same_file_as);
    format!("{name}@{version}+{short}{number}{same}")
}

const VERSION_COLUMNS: [&str; 7] = ["NUMBER", "STATE", "KIND", "PLUGIN", "SINCE", "BY", "SETTINGS"];

fn row(version: &VersionJson) -> [Cell; 7] {
    let VersionJson { id, kind, installation, name, digest, settings, state, changed_by, changed_at_ms, .. } = version;
    let (version, same_file_as) = (&version.version, version.same_file_as);
    let set: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    [
        id.to_string().into(),
        Cell::from(state.as_str()).painted(of_state(state)),
        place(kind, installation.as_deref()).into(),
        version_name(name, version, digest, None, same_file_as).into(),
        clock(changed_at_ms * 1000).into(),
        changed_by.as_str().into(),
        set.join(" ").into(),
    ]
}

fn print_whole(version: &VersionJson) -> anyhow::Result<()> {
    print_table(VERSION_COLUMNS, [row(version)])?;
    let VersionJson { digest, bytes, language, action, asked_settings, source, signed, provenance, .. } = version;
    print(&format!("digest    {digest}\nsize      {bytes} bytes\nlanguage  {language}\nlast      {action}"))?;
    print(&format!("source    {}", if source.is_empty() { "not noted" } else { source }))?;
    let signed = signed.as_ref().map(|SignedJson { by, identity, at, .. }| {
        let identity = identity.as_ref().map(|identity| format!(", {identity}")).unwrap_or_default();
        format!("by {by}{identity}, {}", at.as_deref().unwrap_or("at an unknown time"))
    });
    print(&format!("signed    {}", signed.as_deref().unwrap_or("by nobody that counted here")))?;
    if let Some(Provenance { component_digest, track, interface, producers, packages }) = provenance {
        print(&format!("component {component_digest}\ntrack     {track} ({interface})"))?;
        let tool = |Producer { name, version, .. }: &Producer| format!("{name} {version}").trim_end().to_owned();
        let tools: Vec<_> = producers.iter().map(tool).collect();
        print(&format!("made by   {}", if tools.is_empty() { "unknown tools".to_owned() } else { tools.join(", ") }))?;
        let packages = packages.as_ref().map(|packages| format!("{}, listed by --json", packages.len()));
        print(&format!("packages  {}", packages.as_deref().unwrap_or("it has no list of them")))?;
    }
    let asked = asked_settings.as_ref().map(|asked| asked.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    let asked = asked.map(|asked| if asked.is_empty() { "none that its trial shows".to_owned() } else { asked });
    print(&format!("asks for  {}", asked.as_deref().unwrap_or("unknown: it can't be loaded any more")))
}

fn event_row(event: &EventJson, versions: &[VersionJson]) -> [String; 7] {
    let EventJson { id, at_ms, changed_by, action, kind, installation, version, detail, .. } = event;
    let named = |number: &u64| {
        let known = versions.iter().find(|version| version.id == *number);
        known.map_or_else(
            || format!("number {number}"),
            |VersionJson { name, version, digest, id, same_file_as, .. }| {
                version_name(name, version, digest, Some(*id), *same_file_as)
            },
        )
    };
    [
        id.to_string(),
        clock(at_ms * 1000),
        action.clone(),
        kind.as_ref().map_or_else(|| "-".to_owned(), |kind| place(kind, installation.as_deref())),
        version.as_ref().map_or_else(|| "-".to_owned(), named),
        changed_by.clone(),
        detail.clone(),
    ]
}
