//! `GET /timeline`: what was changed and what happened, from the store: plugins, rollouts, starts, settings, breakers.

use serde::Serialize;

use super::{Admin, Asked, query};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, Reply, problem::Problem, rfc3339},
    store::{HostEvent, Page, PluginEvent, Store, StoreError, VersionId},
};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 500;
/// How many pages of the plugins' audit are read, from the newest, to find those of an earlier time.
const PAGES_MAX: usize = 40;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Timeline"))]
pub(super) struct TimelineJson {
    /// Newest first.
    #[cfg_attr(test, schemars(length(max = LIMIT_MAX)))]
    events: Vec<EventJson>,
    /// What to send as `before_ms` for what was before. Absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before_ms: Option<u64>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TimelineEvent"))]
struct EventJson {
    /// When, in milliseconds since 1970, UTC.
    at_ms: u64,
    /// The same for people.
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    at: String,
    /// `host-start`, `host-stop`, `breaker-open`, `breaker-close`, `catalogue-import`, or what was done with a plugin, such as `deploy` or `rollback`.
    what: String,
    /// Who changed it, or the host it happened to.
    by: String,
    /// The hook of a plugin's change, with the installation's name: `discounts/spring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// The version that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::VersionId>"))]
    version: Option<u64>,
    /// For people.
    text: String,
}

/// # Errors
/// 422 for an unknown or invalid parameter.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let (mut before_ms, mut limit) = (u64::MAX, LIMIT_DEFAULT);
    for (name, value) in query::parameters(&asked.query)? {
        match name.as_str() {
            "before_ms" => before_ms = query::moment(&name, &value)?,
            "limit" => {
                let given = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                limit = query::value(&name, &value, given, &format!("1 to {LIMIT_MAX}"))?;
            }
            _ => return Err(query::unknown("parameter", &name, ["before_ms", "limit"])),
        }
    }
    Reply::json(&listed(&admin.store, before_ms, limit).await?)
}

async fn listed(store: &Store, before_ms: u64, limit: u32) -> Result<TimelineJson, Problem> {
    let hosts = store.host_events(before_ms, limit).await?;
    let plugins = plugin_events(store, before_ms, limit).await?;
    let goes_on = hosts.goes_on || plugins.goes_on;
    let mut events: Vec<_> = hosts.rows.into_iter().map(of_host).collect();
    events.extend(plugins.rows.into_iter().map(of_plugin));
    events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // A page ends with all that is of its last millisecond, for the next one begins before that.
    let last_ms = limit.checked_sub(1).and_then(|last| events.get(last)).map_or(0, |event| event.at_ms);
    let kept = events.partition_point(|event| event.at_ms >= last_ms);
    let goes_on = goes_on || kept < events.len();
    events.truncate(kept);
    let next_before_ms = events.last().filter(|_| goes_on).map(|event| event.at_ms);
    Ok(TimelineJson { events, next_before_ms })
}

/// Returns the plugins' events before that time, newest first.
async fn plugin_events(store: &Store, before_ms: u64, limit: u32) -> Result<Page<PluginEvent>, StoreError> {
    let mut found = Page { rows: Vec::new(), goes_on: false };
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let Page { rows, goes_on } = store.plugin_events(after, LIMIT_MAX).await?;
        after = rows.last().map(|event| event.id);
        found.rows.extend(rows.into_iter().filter(|event| event.at_ms < before_ms));
        found.goes_on = goes_on;
        if !goes_on || found.rows.len() >= wanted {
            break;
        }
    }
    Ok(found)
}

fn of_host(event: HostEvent) -> EventJson {
    let HostEvent { at_ms, host, what, detail, .. } = event;
    EventJson {
        at_ms,
        at: rfc3339(at_ms),
        what: what.as_str().to_owned(),
        by: host,
        plugin: None,
        version: None,
        text: detail,
    }
}

fn of_plugin(event: PluginEvent) -> EventJson {
    let PluginEvent { at_ms, changed_by, action, at, version, detail, .. } = event;
    EventJson {
        at_ms,
        at: rfc3339(at_ms),
        what: action,
        by: changed_by,
        plugin: at,
        version: version.map(VersionId::number),
        text: detail,
    }
}
