//! The plugins' table, in SQL: one row for each version, at most one live at each installation, and an audit of every
//! change.
//!
//! The column `kind` has the hook, and the installation's name where the hook may have several: `discounts/spring`.
//!
//! A version is a file with its settings: the same file with other settings is another version.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{
    Audited, Page, ROW_BYTES, StoreError,
    approvals::{self, approve},
    command::PluginCommand,
    execution::{Executed, Refusal},
    now_ms,
    orders::{in_savepoint, no},
    page,
    query::text_bytes,
    rollouts::{begin, change, promote, supersede},
    version::{
        BY_FOLDER, HookOrder, Origin, PluginEvent, PluginVersion, SwapAction, VersionId, VersionState, VersionText,
    },
    writer::WriteContext,
};
use crate::{
    hooks::{Installation, InstallationName, Kind},
    units::i64_of,
};

impl PluginCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        let connection = &context.connection;
        match self {
            Self::Publish { over, text, order, action, audited, reply } => {
                reply.executed(publish(connection, over, text, order.as_ref(), action, audited))
            }
            Self::Uninstall { live, order, audited, reply } => {
                reply.executed(uninstall(connection, &live, &order, &audited))
            }
            Self::Reorder { order, audited, reply } => reply.executed(reorder(connection, &order, &audited)),
            Self::AskApproval { change, by, reason, reply } => {
                reply.executed(approvals::ask(connection, change, by, reason))
            }
            Self::RejectApproval { id, by, reason, reply } => {
                reply.executed(approvals::reject(connection, id, &by, &reason))
            }
            Self::NoteRefusal { at, by, detail, reply } => {
                let noted = insert_event(connection, "refuse", at, None, &by, &detail);
                reply.executed(noted.map_err(Refusal::Failed))
            }
            Self::NoteFolderHas { at, version, reply } => {
                let noted = insert_event(connection, "deploy", Some(at), Some(version), BY_FOLDER, "live already");
                reply.executed(noted.map_err(Refusal::Failed))
            }
            Self::BeginRollout { text, plan, by, detail, reply } => {
                reply.executed(begin(connection, text, plan, by, detail))
            }
            Self::ChangeRollout { id, state, by, reason, reply } => {
                reply.executed(change(connection, id, state, &by, &reason))
            }
            Self::PromoteRollout { id, text, by, reason, reply } => {
                reply.executed(promote(connection, id, text, &by, &reason))
            }
        }
    }
}

/// Makes the version live and ends an open rollout at its installation.
fn publish(
    connection: &Connection,
    over: Option<VersionId>,
    text: VersionText,
    order: Option<&HookOrder>,
    action: SwapAction,
    Audited { by, detail, approval }: Audited,
) -> Result<PluginVersion, Refusal<StoreError>> {
    in_savepoint(connection, || {
        approve(connection, approval, &by, &detail)?;
        let is_held_to = over.is_some() || action == SwapAction::Install;
        if is_held_to && live(connection, text.at).map_err(no)?.map(|live| live.id) != over {
            return Err(no(StoreError::PluginsChanged));
        }
        if let Some(order) = order {
            write_order(connection, order)?;
        }
        let version = write_version(connection, text, action, by, &detail)?;
        let PluginVersion { text, changed_by, .. } = &version;
        let reason = format!("{}@{} is live now", text.name, text.version);
        supersede(connection, text.at, changed_by, &reason)?;
        Ok(version)
    })
}

/// Takes the live version off its installation, and ends an open rollout there.
fn uninstall(
    connection: &Connection,
    version: &PluginVersion,
    order: &HookOrder,
    Audited { by, detail, approval }: &Audited,
) -> Result<(), Refusal<StoreError>> {
    let at = version.text.at;
    in_savepoint(connection, || {
        approve(connection, *approval, by, detail)?;
        if live(connection, at).map_err(no)?.map(|live| live.id) != Some(version.id) {
            return Err(no(StoreError::PluginsChanged));
        }
        connection
            .prepare_cached(
                "UPDATE plugin_versions SET state = 'former', changed_by = ?2, changed_at_ms = ?3 WHERE id = ?1",
            )?
            .execute(params![version.id.0, by, now_ms()])?;
        write_order(connection, order)?;
        insert_event(connection, "uninstall", Some(at), Some(version.id), by, detail)?;
        supersede(connection, at, by, "it isn't installed any more")
    })
}

/// Changes the order of a hook's installations.
fn reorder(
    connection: &Connection,
    order: &HookOrder,
    Audited { by, detail, approval }: &Audited,
) -> Result<(), Refusal<StoreError>> {
    in_savepoint(connection, || {
        approve(connection, *approval, by, detail)?;
        write_order(connection, order)?;
        Ok(insert_event(connection, "order", Some(Installation::of(order.kind)), None, by, &order.audited(detail))?)
    })
}

fn write_order(connection: &Connection, order: &HookOrder) -> Result<(), Refusal<StoreError>> {
    connection
        .prepare_cached(
            "INSERT INTO plugin_order (kind, names) VALUES (?1, ?2) ON CONFLICT (kind) DO UPDATE SET names = excluded.names",
        )?
        .execute(params![order.kind.as_str(), order.to_string()])?;
    Ok(())
}

/// Makes the version live, in place of the current one.
pub(super) fn write_version(
    connection: &Connection,
    text: VersionText,
    action: SwapAction,
    by: String,
    detail: &str,
) -> Result<PluginVersion, Refusal<StoreError>> {
    let now_ms = now_ms();
    in_savepoint(connection, || {
        let replaced = if action == SwapAction::Rollback { VersionState::Withdrawn } else { VersionState::Former };
        connection
            .prepare_cached(
                "UPDATE plugin_versions SET state = ?2, changed_by = ?3, changed_at_ms = ?4
                 WHERE kind = ?1 AND state = 'live'",
            )?
            .execute(params![text.at.to_string(), replaced.as_str(), by, now_ms])?;
        let version = upsert_version(connection, text, VersionState::Live, action, by, now_ms)?;
        let (at, by) = (version.text.at, &version.changed_by);
        insert_event(connection, action.as_str(), Some(at), Some(version.id), by, detail)?;
        Ok(version)
    })
}

/// Writes the version's row, or updates the state of an existing row. A live version stays live when it becomes a
/// candidate as well.
pub(super) fn upsert_version(
    connection: &Connection,
    text: VersionText,
    state: VersionState,
    action: SwapAction,
    by: String,
    now_ms: i64,
) -> Result<PluginVersion, Refusal<StoreError>> {
    let settings = serde_json::to_string(&text.settings).map_err(|error| Refusal::No(StoreError::Unwritable(error)))?;
    let written: Option<i64> = connection
        .prepare_cached(
            "INSERT INTO plugin_versions (id, kind, name, version, digest, bytes, language, settings, state, action,
                                          changed_by, changed_at_ms, origin)
             VALUES (1 + max((SELECT coalesce(max(id), 0) FROM plugin_versions),
                             (SELECT value FROM counters WHERE name = 'plugin_version_id')),
                     :kind, :name, :version, :digest, :bytes, :language, :settings, :state, :action, :by, :now_ms, :origin)
             ON CONFLICT (kind, digest, settings) DO UPDATE SET
                 name = excluded.name, version = excluded.version, language = excluded.language,
                 state = excluded.state, action = excluded.action, changed_by = excluded.changed_by,
                 changed_at_ms = excluded.changed_at_ms, origin = excluded.origin
                 WHERE plugin_versions.state <> 'live' OR excluded.state = 'live'
             RETURNING id",
        )?
        .query_row(
            named_params! {
                ":kind": text.at.to_string(),
                ":name": text.name,
                ":version": text.version,
                ":digest": text.digest,
                ":bytes": i64_of(text.bytes),
                ":language": text.language,
                ":settings": settings,
                ":state": state.as_str(),
                ":action": action.as_str(),
                ":by": by,
                ":now_ms": now_ms,
                ":origin": text.origin.to_json(),
            },
            |row| row.get(0),
        )
        .optional()?;
    match written {
        Some(id) => by_id(connection, VersionId(id)),
        None => live(connection, text.at),
    }
    .map_err(Refusal::No)?
    .ok_or(Refusal::No(StoreError::Unreadable { column: "plugin_versions.state" }))
}

/// Withdraws a version that was a candidate and isn't live.
pub(super) fn withdraw(connection: &Connection, version: VersionId, by: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE plugin_versions SET state = 'withdrawn', changed_by = ?2, changed_at_ms = ?3
             WHERE id = ?1 AND state = 'candidate'",
        )?
        .execute(params![version.0, by, now_ms()])?;
    Ok(())
}

pub(super) fn insert_event(
    connection: &Connection,
    action: &str,
    at: Option<Installation>,
    version: Option<VersionId>,
    by: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO plugin_events (at_ms, changed_by, action, kind, version_id, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![now_ms(), by, action, at.map(|at| at.to_string()), version.map(|id| id.0), detail])?;
    Ok(())
}

const COLUMNS: &str = "id, kind, name, version, digest, bytes, language, settings, state, action, changed_by, \
                       changed_at_ms, origin, (SELECT min(same.id) FROM plugin_versions AS same
                                       WHERE same.kind = plugin_versions.kind AND same.digest = plugin_versions.digest
                                             AND same.id < plugin_versions.id) AS same_file_as";

/// Returns a page of the versions after that one, the last changed first.
pub(in crate::store) fn versions(
    connection: &Connection,
    after: Option<VersionId>,
    limit: u32,
) -> Result<Page<PluginVersion>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM plugin_versions
         WHERE ?1 IS NULL OR (changed_at_ms, id) < (SELECT changed_at_ms, id FROM plugin_versions WHERE id = ?1)
         ORDER BY changed_at_ms DESC, id DESC LIMIT ?2"
    );
    let mut reading = connection.prepare_cached(&sql)?;
    let with_bytes = |row: &Row<'_>| Ok((version(row)?, ROW_BYTES + text_bytes(row, &["settings"])?));
    page(reading.query_and_then(params![after.map(|id| id.0), limit], with_bytes)?, limit)
}

/// Returns the order of a hook's installations; empty if none was set.
pub(in crate::store) fn hook_order(connection: &Connection, kind: Kind) -> Result<Vec<InstallationName>, StoreError> {
    let names: Option<String> = connection
        .prepare_cached("SELECT names FROM plugin_order WHERE kind = ?1")?
        .query_row([kind.as_str()], |row| row.get(0))
        .optional()?;
    Ok(HookOrder::names_of(&names.unwrap_or_default()))
}

/// Returns what is live at all installations.
pub(in crate::store) fn all_live(connection: &Connection) -> Result<Vec<PluginVersion>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plugin_versions WHERE state = 'live' ORDER BY kind");
    connection.prepare_cached(&sql)?.query_and_then([], version)?.collect()
}

/// Returns the live version of that installation.
pub(in crate::store) fn live(connection: &Connection, at: Installation) -> Result<Option<PluginVersion>, StoreError> {
    one(connection, "kind = ?1 AND state = 'live'", at.to_string())
}

/// Returns the last version that was live before and wasn't withdrawn.
pub(in crate::store) fn last_good(
    connection: &Connection,
    at: Installation,
) -> Result<Option<PluginVersion>, StoreError> {
    one(connection, "kind = ?1 AND state = 'former' ORDER BY changed_at_ms DESC, id DESC LIMIT 1", at.to_string())
}

/// Returns the version of that number.
pub(in crate::store) fn by_id(connection: &Connection, id: VersionId) -> Result<Option<PluginVersion>, StoreError> {
    one(connection, "id = ?1", id.0)
}

/// Returns whether the host was ever started with that file.
pub(in crate::store) fn started_with(
    connection: &Connection,
    at: Installation,
    digest: &str,
) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT 1 FROM plugin_events JOIN plugin_versions ON plugin_versions.id = version_id
             WHERE (plugin_events.action = 'start' OR (plugin_events.action = 'deploy' AND plugin_events.changed_by = ?3))
                   AND plugin_versions.kind = ?1 AND digest = ?2 LIMIT 1",
        )?
        .query_row([&*at.to_string(), digest, BY_FOLDER], |_row| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Returns whether a version of that file was ever accepted.
pub(in crate::store) fn is_known(connection: &Connection, digest: &str) -> Result<bool, StoreError> {
    let mut found = connection.prepare_cached("SELECT 1 FROM plugin_versions WHERE digest = ?1 LIMIT 1")?;
    Ok(found.exists([digest])?)
}

/// Returns when the last signed of the accepted versions of a hook's plugin was signed; `None` if none was.
pub(in crate::store) fn last_signed(
    connection: &Connection,
    kind: Kind,
    name: &str,
) -> Result<Option<u64>, StoreError> {
    let at_ms: Option<i64> = connection
        .prepare_cached(
            "SELECT max(json_extract(origin, '$.signer.at_ms')) FROM plugin_versions
             WHERE name = ?1 AND (kind = ?2 OR kind LIKE ?2 || '/%')",
        )?
        .query_row([name, kind.as_str()], |row| row.get(0))?;
    Ok(at_ms.map(i64::unsigned_abs))
}

/// Returns whether the version was ever live: not only a rollout's candidate.
pub(in crate::store) fn was_live(connection: &Connection, id: VersionId) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT 1 FROM plugin_events WHERE version_id = ?1 AND action IN ('start', 'deploy', 'set', 'install', 'promote') LIMIT 1",
        )?
        .query_row([id.0], |_row| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Returns whether there is or was a version of that file.
pub(in crate::store) fn knows(connection: &Connection, at: Installation, digest: &str) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached("SELECT 1 FROM plugin_versions WHERE kind = ?1 AND digest = ?2 LIMIT 1")?
        .query_row([&*at.to_string(), digest], |_row| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Returns a page of the audit's lines after that one, newest first.
pub(in crate::store) fn events(
    connection: &Connection,
    after: Option<u64>,
    limit: u32,
) -> Result<Page<PluginEvent>, StoreError> {
    let with_bytes = |row: &Row<'_>| {
        let event = PluginEvent {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            at_ms: row.get::<_, i64>(1)?.unsigned_abs(),
            changed_by: row.get(2)?,
            action: row.get(3)?,
            at: row.get(4)?,
            version: row.get::<_, Option<i64>>(5)?.map(VersionId),
            detail: row.get(6)?,
        };
        let bytes = ROW_BYTES + event.detail.len();
        Ok((event, bytes))
    };
    let mut reading = connection.prepare_cached(
        "SELECT id, at_ms, changed_by, action, kind, version_id, detail FROM plugin_events
         WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let before = after.map_or(i64::MAX, i64_of);
    page(reading.query_and_then(params![before, limit], with_bytes)?, limit)
}

fn one(
    connection: &Connection,
    condition: &str,
    parameter: impl rusqlite::ToSql,
) -> Result<Option<PluginVersion>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plugin_versions WHERE {condition}");
    connection.prepare_cached(&sql)?.query_and_then([parameter], version)?.next().transpose()
}

fn version(row: &Row<'_>) -> Result<PluginVersion, StoreError> {
    let text = |name: &str| row.get::<_, String>(name);
    let unreadable = |column| move || StoreError::Unreadable { column };
    Ok(PluginVersion {
        id: VersionId(row.get("id")?),
        text: VersionText {
            at: Installation::parse(&text("kind")?).ok_or_else(unreadable("plugin_versions.kind"))?,
            name: text("name")?,
            version: text("version")?,
            digest: text("digest")?,
            bytes: row.get::<_, i64>("bytes")?.unsigned_abs(),
            language: text("language")?,
            settings: serde_json::from_str(&text("settings")?)
                .map_err(|_| StoreError::Unreadable { column: "plugin_versions.settings" })?,
            origin: Origin::of_json(&text("origin")?),
        },
        state: VersionState::parse(&text("state")?).ok_or_else(unreadable("plugin_versions.state"))?,
        action: SwapAction::parse(&text("action")?).ok_or_else(unreadable("plugin_versions.action"))?,
        changed_by: text("changed_by")?,
        changed_at_ms: row.get::<_, i64>("changed_at_ms")?.unsigned_abs(),
        same_file_as: row.get::<_, Option<i64>>("same_file_as")?.map(VersionId),
    })
}
