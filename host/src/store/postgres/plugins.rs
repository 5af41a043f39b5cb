//! The plugins' tables: versions and the audit.
//!
//! Changes come one after the other: each locks the epoch of the plugins first, and moves it on. Other hosts see by the epoch that
//! something has changed.

use tokio_postgres::{Row, types::Type};

use super::{
    Audited, HookOrder, Origin, Page, PluginEvent, PluginVersion, StoreError, SwapAction, VersionId, VersionState,
    VersionText,
    approvals::approve,
    link::{Failed, Session},
    now_ms, page,
    rollouts::supersede,
    transaction::{BEGIN_DURABLE, Parameters, begin, change, commit, rollback, rows},
};
use crate::{
    hooks::{Installation, InstallationName, Kind},
    store::{BY_FOLDER, ROW_BYTES},
    units::i64_of,
};

/// A transaction's outcome: what was asked for, or why it doesn't apply.
pub(super) type Outcome<T> = Result<Result<T, StoreError>, Failed>;

/// Makes the version live and ends an open rollout at its installation.
pub(super) async fn publish(
    client: &Session,
    over: Option<VersionId>,
    text: &VersionText,
    order: Option<&HookOrder>,
    action: SwapAction,
    Audited { by, detail, approval }: &Audited,
) -> Outcome<PluginVersion> {
    begin_change(client).await?;
    if !approve(client, *approval, by, detail).await? {
        return refused(client, StoreError::NotWaiting).await;
    }
    let is_held_to = over.is_some() || action == SwapAction::Install;
    if is_held_to && live_id(client, text.at).await? != over {
        return refused(client, StoreError::PluginsChanged).await;
    }
    if let Some(order) = order {
        write_order(client, order).await?;
    }
    let version = match write_version(client, text, action, by, detail).await? {
        Ok(version) => version,
        Err(refusal) => return refused(client, refusal).await,
    };
    let reason = format!("{}@{} is live now", version.text.name, version.text.version);
    supersede(client, version.text.at, by, &reason).await?;
    commit(client).await?;
    Ok(Ok(version))
}

/// Takes the live version off its installation, and ends an open rollout there.
pub(super) async fn uninstall(
    client: &Session,
    version: &PluginVersion,
    order: &HookOrder,
    Audited { by, detail, approval }: &Audited,
) -> Outcome<()> {
    let at = version.text.at;
    begin_change(client).await?;
    if !approve(client, *approval, by, detail).await? {
        return refused(client, StoreError::NotWaiting).await;
    }
    if live_id(client, at).await? != Some(version.id) {
        return refused(client, StoreError::PluginsChanged).await;
    }
    let sql = "UPDATE plugin_versions SET state = 'former', changed_by = $2, changed_at_ms = $3 WHERE id = $1";
    change(client, sql, &[(&version.id.0, Type::INT8), (&by, Type::TEXT), (&now_ms(), Type::INT8)]).await?;
    write_order(client, order).await?;
    insert_event(client, "uninstall", Some(at), Some(version.id), by, detail).await?;
    supersede(client, at, by, "it isn't installed any more").await?;
    commit(client).await?;
    Ok(Ok(()))
}

/// Changes the order of a hook's installations.
pub(super) async fn reorder(
    client: &Session,
    order: &HookOrder,
    Audited { by, detail, approval }: &Audited,
) -> Outcome<()> {
    begin_change(client).await?;
    if !approve(client, *approval, by, detail).await? {
        return refused(client, StoreError::NotWaiting).await;
    }
    write_order(client, order).await?;
    insert_event(client, "order", Some(Installation::of(order.kind)), None, by, &order.audited(detail)).await?;
    commit(client).await?;
    Ok(Ok(()))
}

async fn write_order(client: &Session, order: &HookOrder) -> Result<(), Failed> {
    let sql = "INSERT INTO plugin_order (kind, names) VALUES ($1, $2)
               ON CONFLICT (kind) DO UPDATE SET names = excluded.names";
    let (kind, names) = (order.kind.as_str(), order.to_string());
    change(client, sql, &[(&kind, Type::TEXT), (&names, Type::TEXT)]).await.map(drop)
}

async fn live_id(client: &Session, at: Installation) -> Result<Option<VersionId>, Failed> {
    let live = "SELECT id FROM plugin_versions WHERE kind = $1 AND state = 'live'";
    let live = rows(client, live, &[(&at.to_string(), Type::TEXT)]).await?;
    Ok(live.first().map(|row| VersionId(row.get(0))))
}

/// Records something in the audit.
pub(super) async fn note(
    client: &Session,
    action: &str,
    at: Option<Installation>,
    version: Option<VersionId>,
    by: &str,
    detail: &str,
) -> Result<(), Failed> {
    begin_change(client).await?;
    insert_event(client, action, at, version, by, detail).await?;
    commit(client).await
}

/// Begins a transaction that no other change of the plugins runs beside.
pub(super) async fn begin_change(client: &Session) -> Result<(), Failed> {
    begin(client, BEGIN_DURABLE).await?;
    change(client, "UPDATE counters SET value = value + 1 WHERE name = 'plugins_epoch'", &[]).await.map(drop)
}

pub(super) async fn refused<T>(client: &Session, refusal: StoreError) -> Outcome<T> {
    rollback(client).await?;
    Ok(Err(refusal))
}

/// Makes the version live, in place of the current one.
pub(super) async fn write_version(
    client: &Session,
    text: &VersionText,
    action: SwapAction,
    by: &str,
    detail: &str,
) -> Outcome<PluginVersion> {
    let replaced = if action == SwapAction::Rollback { VersionState::Withdrawn } else { VersionState::Former };
    let sql = "UPDATE plugin_versions SET state = $2, changed_by = $3, changed_at_ms = $4
               WHERE kind = $1 AND state = 'live'";
    let parameters: &Parameters<'_> = &[
        (&text.at.to_string(), Type::TEXT),
        (&replaced.as_str(), Type::TEXT),
        (&by, Type::TEXT),
        (&now_ms(), Type::INT8),
    ];
    change(client, sql, parameters).await?;
    let version = upsert_version(client, text, VersionState::Live, action, by).await?;
    if let Ok(version) = &version {
        insert_event(client, action.as_str(), Some(version.text.at), Some(version.id), by, detail).await?;
    }
    Ok(version)
}

/// Writes the version's row, or updates the state of an existing row. A live version stays live when it becomes a candidate as
/// well.
pub(super) async fn upsert_version(
    client: &Session,
    text: &VersionText,
    state: VersionState,
    action: SwapAction,
    by: &str,
) -> Outcome<PluginVersion> {
    let settings = match serde_json::to_string(&text.settings) {
        Ok(settings) => settings,
        Err(error) => return Ok(Err(StoreError::Unwritable(error))),
    };
    let sql = "INSERT INTO plugin_versions (id, kind, name, version, digest, bytes, language, settings, state, action, changed_by,
                                            changed_at_ms, origin)
               SELECT 1 + coalesce(max(id), 0), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM plugin_versions
               ON CONFLICT (kind, digest, settings) DO UPDATE SET
                   name = excluded.name, version = excluded.version, language = excluded.language,
                   state = excluded.state, action = excluded.action, changed_by = excluded.changed_by,
                   changed_at_ms = excluded.changed_at_ms, origin = excluded.origin
                   WHERE plugin_versions.state <> 'live' OR excluded.state = 'live'
               RETURNING id";
    let parameters: &Parameters<'_> = &[
        (&text.at.to_string(), Type::TEXT),
        (&text.name, Type::TEXT),
        (&text.version, Type::TEXT),
        (&text.digest, Type::TEXT),
        (&i64_of(text.bytes), Type::INT8),
        (&text.language, Type::TEXT),
        (&settings, Type::TEXT),
        (&state.as_str(), Type::TEXT),
        (&action.as_str(), Type::TEXT),
        (&by, Type::TEXT),
        (&now_ms(), Type::INT8),
        (&text.origin.to_json(), Type::TEXT),
    ];
    let written = rows(client, sql, parameters).await?;
    let version = match written.first() {
        Some(row) => by_id(client, VersionId(row.get(0))).await?,
        None => live(client, text.at).await?,
    };
    Ok(version.and_then(|version| version.ok_or(StoreError::Unreadable { column: "plugin_versions.state" })))
}

/// Withdraws a version that was a candidate and isn't live.
pub(super) async fn withdraw(client: &Session, version: VersionId, by: &str) -> Result<(), Failed> {
    let sql = "UPDATE plugin_versions SET state = 'withdrawn', changed_by = $2, changed_at_ms = $3
               WHERE id = $1 AND state = 'candidate'";
    change(client, sql, &[(&version.0, Type::INT8), (&by, Type::TEXT), (&now_ms(), Type::INT8)]).await.map(drop)
}

pub(super) async fn insert_event(
    client: &Session,
    action: &str,
    at: Option<Installation>,
    version: Option<VersionId>,
    by: &str,
    detail: &str,
) -> Result<(), Failed> {
    let sql = "INSERT INTO plugin_events (id, at_ms, changed_by, action, kind, version_id, detail)
               SELECT 1 + coalesce(max(id), 0), $1, $2, $3, $4, $5, $6 FROM plugin_events";
    let parameters: &Parameters<'_> = &[
        (&now_ms(), Type::INT8),
        (&by, Type::TEXT),
        (&action, Type::TEXT),
        (&at.map(|at| at.to_string()), Type::TEXT),
        (&version.map(|id| id.0), Type::INT8),
        (&detail, Type::TEXT),
    ];
    change(client, sql, parameters).await.map(drop)
}

const COLUMNS: &str = "id, kind, name, version, digest, bytes, language, settings, state, action, changed_by, changed_at_ms, origin, \
                       (SELECT min(same.id) FROM plugin_versions AS same WHERE same.kind = plugin_versions.kind \
                        AND same.digest = plugin_versions.digest AND same.id < plugin_versions.id) AS same_file_as";

/// Returns a page of the versions after that one, the last changed first.
pub(super) async fn versions(client: &Session, after: Option<VersionId>, limit: u32) -> Outcome<Page<PluginVersion>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM plugin_versions
         WHERE $1::bigint IS NULL OR (changed_at_ms, id) < (SELECT changed_at_ms, id FROM plugin_versions WHERE id = $1)
         ORDER BY changed_at_ms DESC, id DESC LIMIT $2"
    );
    let parameters: &Parameters<'_> = &[(&after.map(|id| id.0), Type::INT8), (&i64::from(limit), Type::INT8)];
    let found = rows(client, &sql, parameters).await?;
    let with_bytes = found.iter().map(|row| Ok((version(row)?, ROW_BYTES + row.get::<_, &str>("settings").len())));
    Ok(page(with_bytes, limit))
}

/// Returns the order of a hook's installations; empty if none was set.
pub(super) async fn hook_order(client: &Session, kind: Kind) -> Outcome<Vec<InstallationName>> {
    let sql = "SELECT names FROM plugin_order WHERE kind = $1";
    let found = rows(client, sql, &[(&kind.as_str(), Type::TEXT)]).await?;
    Ok(Ok(found.first().map(|row| HookOrder::names_of(row.get(0))).unwrap_or_default()))
}

/// Returns what is live at all installations.
pub(super) async fn all_live(client: &Session) -> Outcome<Vec<PluginVersion>> {
    let sql = format!("SELECT {COLUMNS} FROM plugin_versions WHERE state = 'live' ORDER BY kind");
    Ok(rows(client, &sql, &[]).await?.iter().map(version).collect())
}

/// Returns the live version of that installation.
pub(super) async fn live(client: &Session, at: Installation) -> Outcome<Option<PluginVersion>> {
    one(client, "kind = $1 AND state = 'live'", &[(&at.to_string(), Type::TEXT)]).await
}

/// Returns the last version that was live before and wasn't withdrawn.
pub(super) async fn last_good(client: &Session, at: Installation) -> Outcome<Option<PluginVersion>> {
    let condition = "kind = $1 AND state = 'former' ORDER BY changed_at_ms DESC, id DESC LIMIT 1";
    one(client, condition, &[(&at.to_string(), Type::TEXT)]).await
}

/// Returns the version of that number.
pub(super) async fn by_id(client: &Session, id: VersionId) -> Outcome<Option<PluginVersion>> {
    one(client, "id = $1", &[(&id.0, Type::INT8)]).await
}

/// Returns whether a host was ever started with that file.
pub(super) async fn started_with(client: &Session, at: Installation, digest: &str) -> Outcome<bool> {
    let sql = "SELECT 1 FROM plugin_events JOIN plugin_versions ON plugin_versions.id = version_id
               WHERE (plugin_events.action = 'start' OR (plugin_events.action = 'deploy' AND plugin_events.changed_by = $3))
                     AND plugin_versions.kind = $1 AND digest = $2 LIMIT 1";
    let parameters: &Parameters<'_> = &[(&at.to_string(), Type::TEXT), (&digest, Type::TEXT), (&BY_FOLDER, Type::TEXT)];
    Ok(Ok(!rows(client, sql, parameters).await?.is_empty()))
}

/// Returns whether a version of that file was ever accepted.
pub(super) async fn is_known(client: &Session, digest: &str) -> Outcome<bool> {
    let found =
        rows(client, "SELECT 1 FROM plugin_versions WHERE digest = $1 LIMIT 1", &[(&digest, Type::TEXT)]).await?;
    Ok(Ok(!found.is_empty()))
}

/// Returns when the last signed of the accepted versions of a hook's plugin was signed; `None` if none was.
pub(super) async fn last_signed(client: &Session, kind: Kind, name: &str) -> Outcome<Option<u64>> {
    let sql = "SELECT max((origin::jsonb -> 'signer' ->> 'at_ms')::bigint) FROM plugin_versions
               WHERE name = $1 AND (kind = $2 OR kind LIKE $2 || '/%')";
    let found = rows(client, sql, &[(&name, Type::TEXT), (&kind.as_str(), Type::TEXT)]).await?;
    Ok(Ok(found.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(i64::unsigned_abs)))
}

/// Returns whether the version was ever live: not only a rollout's candidate.
pub(super) async fn was_live(client: &Session, id: VersionId) -> Outcome<bool> {
    let sql = "SELECT 1 FROM plugin_events
               WHERE version_id = $1 AND action IN ('start', 'deploy', 'set', 'install', 'promote') LIMIT 1";
    let parameters: &Parameters<'_> = &[(&id.0, Type::INT8)];
    Ok(Ok(!rows(client, sql, parameters).await?.is_empty()))
}

/// Returns whether there is or was a version of that file.
pub(super) async fn knows(client: &Session, at: Installation, digest: &str) -> Outcome<bool> {
    let sql = "SELECT 1 FROM plugin_versions WHERE kind = $1 AND digest = $2 LIMIT 1";
    let parameters: &Parameters<'_> = &[(&at.to_string(), Type::TEXT), (&digest, Type::TEXT)];
    Ok(Ok(!rows(client, sql, parameters).await?.is_empty()))
}

/// Returns a page of the audit's lines after that one, newest first.
pub(super) async fn events(client: &Session, after: Option<u64>, limit: u32) -> Outcome<Page<PluginEvent>> {
    let sql = "SELECT id, at_ms, changed_by, action, kind, version_id, detail FROM plugin_events
               WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let parameters: &Parameters<'_> = &[(&after.map_or(i64::MAX, i64_of), Type::INT8), (&i64::from(limit), Type::INT8)];
    let found = rows(client, sql, parameters).await?;
    let with_bytes = found.iter().map(|row| {
        let event = PluginEvent {
            id: row.get::<_, i64>(0).unsigned_abs(),
            at_ms: row.get::<_, i64>(1).unsigned_abs(),
            changed_by: row.get(2),
            action: row.get(3),
            at: row.get(4),
            version: row.get::<_, Option<i64>>(5).map(VersionId),
            detail: row.get(6),
        };
        let bytes = ROW_BYTES + event.detail.len();
        Ok((event, bytes))
    });
    Ok(page(with_bytes, limit))
}

/// Keeps a plugin's file.
pub(super) async fn keep_file(client: &Session, digest: &str, bytes: &[u8]) -> Result<(), Failed> {
    let sql = "INSERT INTO plugin_files (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    change(client, sql, &[(&digest, Type::TEXT), (&bytes, Type::BYTEA)]).await.map(drop)
}

/// Returns a plugin's file.
pub(super) async fn file(client: &Session, digest: &str) -> Result<Option<Vec<u8>>, Failed> {
    let found = rows(client, "SELECT bytes FROM plugin_files WHERE digest = $1", &[(&digest, Type::TEXT)]).await?;
    Ok(found.first().map(|row| row.get(0)))
}

/// Returns the names of the hosts that don't run yet what is live, apart from that one.
pub(super) async fn hosts_behind(client: &Session, host: i64) -> Result<Vec<String>, Failed> {
    let sql = "SELECT name FROM hosts WHERE until > clock_timestamp() AND id <> $1
               AND plugins_epoch < (SELECT value FROM counters WHERE name = 'plugins_epoch') ORDER BY id";
    Ok(rows(client, sql, &[(&host, Type::INT8)]).await?.iter().map(|row| row.get(0)).collect())
}

async fn one(client: &Session, condition: &str, parameters: &Parameters<'_>) -> Outcome<Option<PluginVersion>> {
    let sql = format!("SELECT {COLUMNS} FROM plugin_versions WHERE {condition}");
    Ok(rows(client, &sql, parameters).await?.first().map(version).transpose())
}

fn version(row: &Row) -> Result<PluginVersion, StoreError> {
    let text = |name: &str| row.get::<_, &str>(name);
    let unreadable = |column| move || StoreError::Unreadable { column };
    Ok(PluginVersion {
        id: VersionId(row.get("id")),
        text: VersionText {
            at: Installation::parse(text("kind")).ok_or_else(unreadable("plugin_versions.kind"))?,
            name: text("name").to_owned(),
            version: text("version").to_owned(),
            digest: text("digest").to_owned(),
            bytes: row.get::<_, i64>("bytes").unsigned_abs(),
            language: text("language").to_owned(),
            settings: serde_json::from_str(text("settings"))
                .map_err(|_| StoreError::Unreadable { column: "plugin_versions.settings" })?,
            origin: Origin::of_json(text("origin")),
        },
        state: VersionState::parse(text("state")).ok_or_else(unreadable("plugin_versions.state"))?,
        action: SwapAction::parse(text("action")).ok_or_else(unreadable("plugin_versions.action"))?,
        changed_by: text("changed_by").to_owned(),
        changed_at_ms: row.get::<_, i64>("changed_at_ms").unsigned_abs(),
        same_file_as: row.get::<_, Option<i64>>("same_file_as").map(VersionId),
    })
}
