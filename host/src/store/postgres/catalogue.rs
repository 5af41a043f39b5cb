//! The catalogue's table.
//!
//! A catalogue may be large, and a slow link needs its time for it: longer than a flight of other statements may take.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::{
    StoreError, StoredCatalogue,
    link::{Failed, Session},
    plugins::{Outcome, refused},
    transaction::{BEGIN_DURABLE, begin, change, commit, rows},
};
use crate::units::i64_of;

/// How long the reading or the writing of the catalogue may take.
pub(super) const WITHIN: Duration = Duration::from_secs(60);

/// Replaces all parts, if the catalogue has the epoch `over`. An import of another host waits for the epoch's row.
pub(super) async fn replace(client: &Session, over: u64, parts: &[Vec<u8>]) -> Outcome<u64> {
    begin(client, BEGIN_DURABLE).await?;
    let sql = "UPDATE counters SET value = value + 1 WHERE name = 'catalogue_epoch' AND value = $1";
    if change(client, sql, &[(&i64_of(over), Type::INT8)]).await? == 0 {
        return refused(client, StoreError::CatalogueChanged).await;
    }
    change(client, "DELETE FROM catalogue", &[]).await?;
    for (part, lines) in std::iter::zip(1_i64.., parts) {
        let sql = "INSERT INTO catalogue (part, lines) VALUES ($1, $2)";
        change(client, sql, &[(&part, Type::INT8), (lines, Type::BYTEA)]).await?;
    }
    commit(client).await?;
    Ok(Ok(over + 1))
}

/// Returns the catalogue, by one statement, so that its parts are of its epoch.
pub(super) async fn read(client: &Session) -> Result<StoredCatalogue, Failed> {
    let sql =
        "SELECT value, lines FROM counters LEFT JOIN catalogue ON true WHERE name = 'catalogue_epoch' ORDER BY part";
    let mut stored = StoredCatalogue::default();
    for row in rows(client, sql, &[]).await? {
        stored.epoch = row.get::<_, i64>(0).unsigned_abs();
        stored.parts.extend(row.get::<_, Option<Vec<u8>>>(1));
    }
    Ok(stored)
}
