//! The rollouts' table: one row for each rollout, at most one of them open.

use tokio_postgres::{Row, types::Type};

use super::{
    Page, PluginVersion, RolloutId, RolloutRow, RolloutState, StoreError, SwapAction, VersionId, VersionState,
    VersionText,
    link::{Failed, Session},
    now_ms, page,
    plugins::{Outcome, begin_change, by_id, insert_event, refused, upsert_version, withdraw, write_version},
    transaction::{Parameters, change, commit, rows, step},
};
use crate::{hooks::Installation, store::ROW_BYTES};

/// Begins a rollout of a version.
pub(super) async fn begin_rollout(
    client: &Session,
    text: &VersionText,
    plan: &str,
    by: &str,
    detail: &str,
) -> Outcome<RolloutRow> {
    begin_change(client).await?;
    let now_ms = now_ms();
    let version = match upsert_version(client, text, VersionState::Candidate, SwapAction::Rollout, by).await? {
        Ok(version) => version,
        Err(refusal) => return refused(client, refusal).await,
    };
    let sql = "INSERT INTO plugin_rollouts (id, version_id, plan, state, reason, started_by, started_at_ms, changed_by,
                                            changed_at_ms)
               SELECT 1 + (SELECT coalesce(max(id), 0) FROM plugin_rollouts), $1, $2, 'running', $3, $4, $5, $4, $5
               WHERE NOT EXISTS (SELECT 1 FROM plugin_rollouts WHERE state IN ('running', 'paused'))
               RETURNING id";
    let parameters: &Parameters<'_> = &[
        (&version.id.0, Type::INT8),
        (&plan, Type::TEXT),
        (&detail, Type::TEXT),
        (&by, Type::TEXT),
        (&now_ms, Type::INT8),
    ];
    let begun = rows(client, sql, parameters).await?;
    let Some(row) = begun.first() else { return refused(client, StoreError::RolloutOpen).await };
    let id = RolloutId(row.get(0));
    forget_counts(client).await?;
    insert_event(client, SwapAction::Rollout.as_str(), Some(version.text.at), Some(version.id), by, detail).await?;
    commit(client).await?;
    let at_ms = now_ms.unsigned_abs();
    Ok(Ok(RolloutRow {
        id,
        version,
        plan: plan.to_owned(),
        state: RolloutState::Running,
        reason: detail.to_owned(),
        started_by: by.to_owned(),
        started_at_ms: at_ms,
        changed_by: by.to_owned(),
        changed_at_ms: at_ms,
    }))
}

/// Pauses, resumes or ends a rollout. One that is over stays as it is.
pub(super) async fn change_rollout(
    client: &Session,
    id: RolloutId,
    state: RolloutState,
    by: &str,
    reason: &str,
) -> Result<(), Failed> {
    begin_change(client).await?;
    change_state(client, id, state, by, reason).await?;
    if state == RolloutState::Running {
        // What was counted before led to the pause.
        forget_counts(client).await?;
    }
    commit(client).await
}

/// Keeps what a host has counted of a rollout, if it runs what is live as of `epoch`, and returns what the others have.
pub(super) async fn exchange_counts(
    client: &Session,
    id: RolloutId,
    epoch: i64,
    counter: i64,
    counts: &str,
) -> Result<Vec<String>, Failed> {
    let sql = "WITH kept AS (
             INSERT INTO plugin_tallies (rollout_id, counter, counts)
             SELECT $1, $2, $3 FROM counters WHERE name = 'plugins_epoch' AND value = $4
             ON CONFLICT (rollout_id, counter) DO UPDATE SET counts = excluded.counts)
         SELECT counts FROM plugin_tallies WHERE rollout_id = $1 AND counter <> $2";
    let parameters: &Parameters<'_> =
        &[(&id.0, Type::INT8), (&counter, Type::INT8), (&counts, Type::TEXT), (&epoch, Type::INT8)];
    Ok(step(client, sql, parameters).await?.iter().map(|row| row.get(0)).collect())
}

async fn forget_counts(client: &Session) -> Result<(), Failed> {
    change(client, "DELETE FROM plugin_tallies", &[]).await.map(drop)
}

/// Ends a rollout and makes its version live.
pub(super) async fn promote_rollout(
    client: &Session,
    id: RolloutId,
    text: &VersionText,
    by: &str,
    reason: &str,
) -> Outcome<PluginVersion> {
    begin_change(client).await?;
    // Another host may have ended it.
    if set_state(client, id, RolloutState::Promoted, by, reason).await?.is_none() {
        return refused(client, StoreError::PluginsChanged).await;
    }
    let version = match write_version(client, text, SwapAction::Promote, by, reason).await? {
        Ok(version) => version,
        Err(refusal) => return refused(client, refusal).await,
    };
    commit(client).await?;
    Ok(Ok(version))
}

/// Ends the open rollout at that installation, if there is one, because another version became live.
pub(super) async fn supersede(client: &Session, at: Installation, by: &str, reason: &str) -> Result<(), Failed> {
    let open = "SELECT plugin_rollouts.id FROM plugin_rollouts JOIN plugin_versions ON plugin_versions.id = version_id
                WHERE kind = $1 AND plugin_rollouts.state IN ('running', 'paused')";
    match rows(client, open, &[(&at.to_string(), Type::TEXT)]).await?.first() {
        Some(row) => change_state(client, RolloutId(row.get(0)), RolloutState::Superseded, by, reason).await,
        None => Ok(()),
    }
}

async fn change_state(
    client: &Session,
    id: RolloutId,
    state: RolloutState,
    by: &str,
    reason: &str,
) -> Result<(), Failed> {
    let Some((at, version)) = set_state(client, id, state, by, reason).await? else { return Ok(()) };
    if !state.is_open() {
        withdraw(client, version, by).await?;
    }
    insert_event(client, state.action(), at, Some(version), by, reason).await
}

/// Changes the state of an open rollout, and returns its version.
async fn set_state(
    client: &Session,
    id: RolloutId,
    state: RolloutState,
    by: &str,
    reason: &str,
) -> Result<Option<(Option<Installation>, VersionId)>, Failed> {
    let sql = "WITH changed AS (
             UPDATE plugin_rollouts SET state = $2, changed_by = $3, reason = $4, changed_at_ms = $5
             WHERE id = $1 AND state IN ('running', 'paused') RETURNING version_id)
         SELECT version_id, kind FROM changed JOIN plugin_versions ON plugin_versions.id = version_id";
    let parameters: &Parameters<'_> = &[
        (&id.0, Type::INT8),
        (&state.as_str(), Type::TEXT),
        (&by, Type::TEXT),
        (&reason, Type::TEXT),
        (&now_ms(), Type::INT8),
    ];
    let changed = rows(client, sql, parameters).await?;
    Ok(changed.first().map(|row| (Installation::parse(row.get(1)), VersionId(row.get(0)))))
}

/// Returns a page of the rollouts that meet `condition` and have a number below `before`, newest first.
pub(super) async fn rollouts(client: &Session, condition: &str, before: i64, limit: u32) -> Outcome<Page<RolloutRow>> {
    let sql = format!(
        "SELECT id, version_id, plan, state, reason, started_by, started_at_ms, changed_by, changed_at_ms
         FROM plugin_rollouts WHERE id < $1 AND ({condition}) ORDER BY id DESC LIMIT $2"
    );
    let found = rows(client, &sql, &[(&before, Type::INT8), (&i64::from(limit), Type::INT8)]).await?;
    let mut rollouts = Vec::with_capacity(found.len());
    for row in &found {
        let version = match by_id(client, VersionId(row.get("version_id"))).await? {
            Ok(Some(version)) => version,
            Ok(None) => return Ok(Err(StoreError::Unreadable { column: "plugin_rollouts.version_id" })),
            Err(error) => return Ok(Err(error)),
        };
        rollouts.push(rollout(row, version));
    }
    Ok(page(rollouts.into_iter(), limit))
}

fn rollout(row: &Row, version: PluginVersion) -> Result<(RolloutRow, usize), StoreError> {
    let state = RolloutState::parse(row.get("state"));
    let rollout = RolloutRow {
        id: RolloutId(row.get("id")),
        version,
        plan: row.get("plan"),
        state: state.ok_or(StoreError::Unreadable { column: "plugin_rollouts.state" })?,
        reason: row.get("reason"),
        started_by: row.get("started_by"),
        started_at_ms: row.get::<_, i64>("started_at_ms").unsigned_abs(),
        changed_by: row.get("changed_by"),
        changed_at_ms: row.get::<_, i64>("changed_at_ms").unsigned_abs(),
    };
    let settings = &rollout.version.text.settings;
    let settings_bytes: usize = settings.iter().map(|(key, value)| key.len() + value.len()).sum();
    let bytes = 2 * ROW_BYTES + rollout.plan.len() + rollout.reason.len() + settings_bytes;
    Ok((rollout, bytes))
}
