//! The approvals' table: one row for each change that waits for a second person, or did.

use tokio_postgres::{Row, types::Type};

use super::{
    ApprovalId, ApprovalRow, ApprovalState, HookChange, Page, PluginVersion, StoreError, SwapAction, VersionId,
    VersionState, VersionText,
    link::{Failed, Session},
    now_ms, page,
    plugins::{Outcome, begin_change, by_id, insert_event, refused, upsert_version, withdraw},
    transaction::{Parameters, commit, rows},
};
use crate::hooks::Installation;

/// Keeps a change until a second person approves it.
pub(super) async fn ask(
    client: &Session,
    change: HookChange<VersionText>,
    by: &str,
    reason: &str,
) -> Outcome<ApprovalRow> {
    begin_change(client).await?;
    let change = match change {
        HookChange::Install { version, before } => {
            match upsert_version(client, &version, VersionState::Candidate, SwapAction::Install, by).await? {
                Ok(version) => HookChange::Install { version, before },
                Err(refusal) => return refused(client, refusal).await,
            }
        }
        HookChange::Uninstall { at } => HookChange::Uninstall { at },
        HookChange::Order(order) => HookChange::Order(order),
    };
    let (now_ms, at, version) = (now_ms(), change.at(), change.version().map(|version| version.id));
    let sql = "INSERT INTO plugin_approvals (id, action, kind, version_id, names, state, reason, asked_by, asked_at_ms,
                                             changed_by, changed_at_ms)
               SELECT 1 + coalesce(max(id), 0), $1, $2, $3, $4, 'waiting', $5, $6, $7, $6, $7 FROM plugin_approvals
               RETURNING id";
    let parameters: &Parameters<'_> = &[
        (&change.action(), Type::TEXT),
        (&at.to_string(), Type::TEXT),
        (&version.map(|id| id.0), Type::INT8),
        (&change.names(), Type::TEXT),
        (&reason, Type::TEXT),
        (&by, Type::TEXT),
        (&now_ms, Type::INT8),
    ];
    let asked = rows(client, sql, parameters).await?;
    let Some(row) = asked.first() else { return refused(client, StoreError::NotWaiting).await };
    let id = ApprovalId(row.get(0));
    insert_event(client, "ask", Some(at), version, by, &change.asked(id, reason)).await?;
    commit(client).await?;
    let at_ms = now_ms.unsigned_abs();
    Ok(Ok(ApprovalRow {
        id,
        change,
        state: ApprovalState::Waiting,
        reason: reason.to_owned(),
        asked_by: by.to_owned(),
        asked_at_ms: at_ms,
        changed_by: by.to_owned(),
        changed_at_ms: at_ms,
    }))
}

/// Turns a change down, and withdraws what was to be installed.
pub(super) async fn reject(client: &Session, id: ApprovalId, by: &str, reason: &str) -> Outcome<()> {
    begin_change(client).await?;
    let Some((at, version)) = decide(client, id, ApprovalState::Rejected, by, reason).await? else {
        return refused(client, StoreError::NotWaiting).await;
    };
    if let Some(version) = version {
        withdraw(client, version, by).await?;
    }
    insert_event(client, "reject", at, version, by, reason).await?;
    commit(client).await?;
    Ok(Ok(()))
}

/// Ends the approval of a change that is carried out in the same transaction, if it waited for one. Returns whether it may be
/// carried out.
pub(super) async fn approve(client: &Session, id: Option<ApprovalId>, by: &str, reason: &str) -> Result<bool, Failed> {
    match id {
        Some(id) => Ok(decide(client, id, ApprovalState::Approved, by, reason).await?.is_some()),
        None => Ok(true),
    }
}

/// Ends an approval that waits, and returns what it is about; `None` if it doesn't wait.
async fn decide(
    client: &Session,
    id: ApprovalId,
    state: ApprovalState,
    by: &str,
    reason: &str,
) -> Result<Option<(Option<Installation>, Option<VersionId>)>, Failed> {
    let sql = "UPDATE plugin_approvals SET state = $2, changed_by = $3, reason = $4, changed_at_ms = $5
               WHERE id = $1 AND state = 'waiting' RETURNING kind, version_id";
    let parameters: &Parameters<'_> = &[
        (&id.0, Type::INT8),
        (&state.as_str(), Type::TEXT),
        (&by, Type::TEXT),
        (&reason, Type::TEXT),
        (&now_ms(), Type::INT8),
    ];
    let decided = rows(client, sql, parameters).await?;
    Ok(decided.first().map(|row| (Installation::parse(row.get(0)), row.get::<_, Option<i64>>(1).map(VersionId))))
}

/// Returns a page of the approvals that have a number below `before`, newest first.
pub(super) async fn approvals(client: &Session, before: i64, limit: u32) -> Outcome<Page<ApprovalRow>> {
    let sql =
        "SELECT id, action, kind, version_id, names, state, reason, asked_by, asked_at_ms, changed_by, changed_at_ms
               FROM plugin_approvals WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let found = rows(client, sql, &[(&before, Type::INT8), (&i64::from(limit), Type::INT8)]).await?;
    let mut approvals = Vec::with_capacity(found.len());
    for row in &found {
        let version = match row.get::<_, Option<i64>>("version_id") {
            Some(id) => by_id(client, VersionId(id)).await?,
            None => Ok(None),
        };
        approvals.push(version.and_then(|version| approval(row, version)));
    }
    Ok(page(approvals.into_iter(), limit))
}

fn approval(row: &Row, version: Option<PluginVersion>) -> Result<(ApprovalRow, usize), StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let at = Installation::parse(row.get("kind")).ok_or_else(|| unreadable("plugin_approvals.kind"))?;
    let approval = ApprovalRow {
        id: ApprovalId(row.get("id")),
        change: HookChange::of_columns(row.get("action"), at, version, row.get("names"))
            .ok_or_else(|| unreadable("plugin_approvals.action"))?,
        state: ApprovalState::parse(row.get("state")).ok_or_else(|| unreadable("plugin_approvals.state"))?,
        reason: row.get("reason"),
        asked_by: row.get("asked_by"),
        asked_at_ms: row.get::<_, i64>("asked_at_ms").unsigned_abs(),
        changed_by: row.get("changed_by"),
        changed_at_ms: row.get::<_, i64>("changed_at_ms").unsigned_abs(),
    };
    let bytes = approval.bytes();
    Ok((approval, bytes))
}
