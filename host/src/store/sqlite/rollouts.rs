//! The rollouts' table, in SQL: one row for each rollout, at most one of them open.
//!
//! A rollout's plan is kept as the JSON that it was begun with; this module doesn't parse it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    Page, PluginVersion, ROW_BYTES, RolloutId, RolloutRow, RolloutState, StoreError, SwapAction, VersionId,
    VersionState, VersionText,
    execution::Refusal,
    now_ms,
    orders::{in_savepoint, no},
    page,
    plugins::{by_id, insert_event, upsert_version, withdraw, write_version},
};
use crate::hooks::Installation;

pub(super) fn begin(
    connection: &Connection,
    text: VersionText,
    plan: String,
    by: String,
    detail: String,
) -> Result<RolloutRow, Refusal<StoreError>> {
    in_savepoint(connection, || {
        let now_ms = now_ms();
        let version =
            upsert_version(connection, text, VersionState::Candidate, SwapAction::Rollout, by.clone(), now_ms)?;
        let id = connection
            .prepare_cached(
                "INSERT INTO plugin_rollouts (id, version_id, plan, state, reason, started_by, started_at_ms, changed_by,
                                              changed_at_ms)
                 VALUES (1 + max((SELECT coalesce(max(id), 0) FROM plugin_rollouts),
                                 (SELECT value FROM counters WHERE name = 'plugin_rollout_id')),
                         ?1, ?2, 'running', ?3, ?4, ?5, ?4, ?5) ON CONFLICT DO NOTHING RETURNING id",
            )?
            .query_row(params![version.id.0, plan, detail, by, now_ms], |row| row.get(0))
            .optional()?
            // The schema has one open rollout at a time.
            .ok_or_else(|| no(StoreError::RolloutOpen))?;
        let (at, id) = (version.text.at, RolloutId(id));
        insert_event(connection, SwapAction::Rollout.as_str(), Some(at), Some(version.id), &by, &detail)?;
        let at_ms = now_ms.unsigned_abs();
        Ok(RolloutRow {
            id,
            version,
            plan,
            state: RolloutState::Running,
            reason: detail,
            started_by: by.clone(),
            started_at_ms: at_ms,
            changed_by: by,
            changed_at_ms: at_ms,
        })
    })
}

/// Ends a rollout and makes its version live.
pub(super) fn promote(
    connection: &Connection,
    id: RolloutId,
    text: VersionText,
    by: &str,
    reason: &str,
) -> Result<PluginVersion, Refusal<StoreError>> {
    in_savepoint(connection, || {
        let version = write_version(connection, text, SwapAction::Promote, by.to_owned(), reason)?;
        set_state(connection, id, RolloutState::Promoted, by, reason)?;
        Ok(version)
    })
}

/// Ends the open rollout at that installation, if there is one, because another version became live.
pub(super) fn supersede(
    connection: &Connection,
    at: Installation,
    by: &str,
    reason: &str,
) -> Result<(), Refusal<StoreError>> {
    let open = connection
        .prepare_cached(
            "SELECT plugin_rollouts.id FROM plugin_rollouts JOIN plugin_versions ON plugin_versions.id = version_id
             WHERE kind = ?1 AND (plugin_rollouts.state = 'running' OR plugin_rollouts.state = 'paused')",
        )?
        .query_row([at.to_string()], |row| row.get(0).map(RolloutId))
        .optional()?;
    open.map_or(Ok(()), |id| change(connection, id, RolloutState::Superseded, by, reason))
}

pub(super) fn change(
    connection: &Connection,
    id: RolloutId,
    state: RolloutState,
    by: &str,
    reason: &str,
) -> Result<(), Refusal<StoreError>> {
    in_savepoint(connection, || {
        let Some((at, version)) = set_state(connection, id, state, by, reason)? else { return Ok(()) };
        if !state.is_open() {
            withdraw(connection, version, by)?;
        }
        Ok(insert_event(connection, state.action(), Some(at), Some(version), by, reason)?)
    })
}

/// Changes the state of an open rollout, and returns its version.
fn set_state(
    connection: &Connection,
    id: RolloutId,
    state: RolloutState,
    by: &str,
    reason: &str,
) -> Result<Option<(Installation, VersionId)>, Refusal<StoreError>> {
    let version = connection
        .prepare_cached(
            "UPDATE plugin_rollouts SET state = ?2, changed_by = ?3, reason = ?4, changed_at_ms = ?5
             WHERE id = ?1 AND (state = 'running' OR state = 'paused') RETURNING version_id",
        )?
        .query_row(params![id.0, state.as_str(), by, reason, now_ms()], |row| row.get(0).map(VersionId))
        .optional()?;
    let Some(version) = version.map(|id| by_id(connection, id)).transpose().map_err(no)?.flatten() else {
        return Ok(None);
    };
    Ok(Some((version.text.at, version.id)))
}

/// Returns a page of the rollouts that meet `condition` and have a number below `before`, newest first.
pub(in crate::store) fn rows(
    connection: &Connection,
    condition: &str,
    before: i64,
    limit: u32,
) -> Result<Page<RolloutRow>, StoreError> {
    let sql = format!(
        "SELECT id, version_id, plan, state, reason, started_by, started_at_ms, changed_by, changed_at_ms
         FROM plugin_rollouts WHERE id < ?1 AND ({condition}) ORDER BY id DESC LIMIT ?2"
    );
    let with_bytes = |row: &Row<'_>| {
        let unreadable = |column| StoreError::Unreadable { column };
        let version = by_id(connection, VersionId(row.get("version_id")?))?;
        let rollout = RolloutRow {
            id: RolloutId(row.get("id")?),
            version: version.ok_or_else(|| unreadable("plugin_rollouts.version_id"))?,
            plan: row.get("plan")?,
            state: RolloutState::parse(&row.get::<_, String>("state")?)
                .ok_or_else(|| unreadable("plugin_rollouts.state"))?,
            reason: row.get("reason")?,
            started_by: row.get("started_by")?,
            started_at_ms: row.get::<_, i64>("started_at_ms")?.unsigned_abs(),
            changed_by: row.get("changed_by")?,
            changed_at_ms: row.get::<_, i64>("changed_at_ms")?.unsigned_abs(),
        };
        let settings = &rollout.version.text.settings;
        let settings_bytes: usize = settings.iter().map(|(key, value)| key.len() + value.len()).sum();
        let bytes = 2 * ROW_BYTES + rollout.plan.len() + rollout.reason.len() + settings_bytes;
        Ok((rollout, bytes))
    };
    page(connection.prepare_cached(&sql)?.query_and_then(params![before, limit], with_bytes)?, limit)
}
