//! The approvals' table, in SQL: one row for each change that waits for a second person, or did.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    ApprovalId, ApprovalRow, ApprovalState, HookChange, Page, StoreError, SwapAction, VersionId, VersionState,
    VersionText,
    execution::Refusal,
    now_ms,
    orders::{in_savepoint, no},
    page,
    plugins::{by_id, insert_event, upsert_version, withdraw},
};
use crate::hooks::Installation;

pub(super) fn ask(
    connection: &Connection,
    change: HookChange<VersionText>,
    by: String,
    reason: String,
) -> Result<ApprovalRow, Refusal<StoreError>> {
    in_savepoint(connection, || {
        let now_ms = now_ms();
        let change = match change {
            HookChange::Install { version, before } => {
                let (state, action) = (VersionState::Candidate, SwapAction::Install);
                let version = upsert_version(connection, version, state, action, by.clone(), now_ms)?;
                HookChange::Install { version, before }
            }
            HookChange::Uninstall { at } => HookChange::Uninstall { at },
            HookChange::Order(order) => HookChange::Order(order),
        };
        let (at, version) = (change.at(), change.version().map(|version| version.id));
        let id = connection
            .prepare_cached(
                "INSERT INTO plugin_approvals (action, kind, version_id, names, state, reason, asked_by, asked_at_ms,
                                               changed_by, changed_at_ms)
                 VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?7, ?6, ?7) RETURNING id",
            )?
            .query_row(
                params![change.action(), at.to_string(), version.map(|id| id.0), change.names(), reason, by, now_ms],
                |row| row.get(0).map(ApprovalId),
            )?;
        insert_event(connection, "ask", Some(at), version, &by, &change.asked(id, &reason))?;
        let at_ms = now_ms.unsigned_abs();
        Ok(ApprovalRow {
            id,
            change,
            state: ApprovalState::Waiting,
            reason,
            asked_by: by.clone(),
            asked_at_ms: at_ms,
            changed_by: by,
            changed_at_ms: at_ms,
        })
    })
}

pub(super) fn reject(
    connection: &Connection,
    id: ApprovalId,
    by: &str,
    reason: &str,
) -> Result<(), Refusal<StoreError>> {
    in_savepoint(connection, || {
        let (at, version) = decide(connection, id, ApprovalState::Rejected, by, reason)?;
        if let Some(version) = version {
            withdraw(connection, version, by)?;
        }
        Ok(insert_event(connection, "reject", at, version, by, reason)?)
    })
}

/// Ends the approval of a change that is carried out in the same transaction, if it waited for one.
pub(super) fn approve(
    connection: &Connection,
    id: Option<ApprovalId>,
    by: &str,
    reason: &str,
) -> Result<(), Refusal<StoreError>> {
    id.map_or(Ok(()), |id| decide(connection, id, ApprovalState::Approved, by, reason).map(drop))
}

/// Ends an approval that waits, and returns what it is about.
fn decide(
    connection: &Connection,
    id: ApprovalId,
    state: ApprovalState,
    by: &str,
    reason: &str,
) -> Result<(Option<Installation>, Option<VersionId>), Refusal<StoreError>> {
    let decided = connection
        .prepare_cached(
            "UPDATE plugin_approvals SET state = ?2, changed_by = ?3, reason = ?4, changed_at_ms = ?5
             WHERE id = ?1 AND state = 'waiting' RETURNING kind, version_id",
        )?
        .query_row(params![id.0, state.as_str(), by, reason, now_ms()], |row| {
            let version: Option<i64> = row.get(1)?;
            Ok((Installation::parse(&row.get::<_, String>(0)?), version.map(VersionId)))
        })
        .optional()?;
    decided.ok_or_else(|| no(StoreError::NotWaiting))
}

/// Returns a page of the approvals that have a number below `before`, newest first.
pub(in crate::store) fn rows(
    connection: &Connection,
    before: i64,
    limit: u32,
) -> Result<Page<ApprovalRow>, StoreError> {
    let with_bytes = |row: &Row<'_>| {
        let unreadable = |column| StoreError::Unreadable { column };
        let text = |name: &str| row.get::<_, String>(name);
        let version = row.get::<_, Option<i64>>("version_id")?.map(|id| by_id(connection, VersionId(id)));
        let at = Installation::parse(&text("kind")?).ok_or_else(|| unreadable("plugin_approvals.kind"))?;
        let (version, names) = (version.transpose()?.flatten(), text("names")?);
        let approval = ApprovalRow {
            id: ApprovalId(row.get("id")?),
            change: HookChange::of_columns(&text("action")?, at, version, &names)
                .ok_or_else(|| unreadable("plugin_approvals.action"))?,
            state: ApprovalState::parse(&text("state")?).ok_or_else(|| unreadable("plugin_approvals.state"))?,
            reason: text("reason")?,
            asked_by: text("asked_by")?,
            asked_at_ms: row.get::<_, i64>("asked_at_ms")?.unsigned_abs(),
            changed_by: text("changed_by")?,
            changed_at_ms: row.get::<_, i64>("changed_at_ms")?.unsigned_abs(),
        };
        let bytes = approval.bytes();
        Ok((approval, bytes))
    };
    let sql =
        "SELECT id, action, kind, version_id, names, state, reason, asked_by, asked_at_ms, changed_by, changed_at_ms
               FROM plugin_approvals WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    page(connection.prepare_cached(sql)?.query_and_then(params![before, limit], with_bytes)?, limit)
}
