//! The catalogue's table, in SQL.

use rusqlite::{Connection, params};

use super::{
    StoreError, StoredCatalogue,
    command::CatalogueCommand,
    execution::{Executed, Refusal},
    orders::{in_savepoint, no},
    writer::WriteContext,
};
use crate::units::i64_of;

impl CatalogueCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        let Self { over, parts, reply } = self;
        reply.executed(replace(&context.connection, over, &parts))
    }
}

/// Replaces all parts, if the catalogue has the epoch `over`.
fn replace(connection: &Connection, over: u64, parts: &[Vec<u8>]) -> Result<u64, Refusal<StoreError>> {
    in_savepoint(connection, || {
        let moved = connection
            .prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'catalogue_epoch' AND value = ?1")?
            .execute([i64_of(over)])?;
        if moved == 0 {
            return Err(no(StoreError::CatalogueChanged));
        }
        connection.prepare_cached("DELETE FROM catalogue")?.execute([])?;
        let mut adding = connection.prepare_cached("INSERT INTO catalogue (part, lines) VALUES (?1, ?2)")?;
        for (part, lines) in std::iter::zip(1_i64.., parts) {
            adding.execute(params![part, lines])?;
        }
        Ok(over + 1)
    })
}

/// Returns the catalogue, by one statement, so that its parts are of its epoch.
pub(in crate::store) fn read(connection: &Connection) -> Result<StoredCatalogue, StoreError> {
    let mut reading = connection.prepare_cached(
        "SELECT value, lines FROM counters LEFT JOIN catalogue ON true WHERE name = 'catalogue_epoch' ORDER BY part",
    )?;
    let mut rows = reading.query([])?;
    let mut stored = StoredCatalogue::default();
    while let Some(row) = rows.next()? {
        stored.epoch = row.get::<_, i64>(0)?.unsigned_abs();
        stored.parts.extend(row.get::<_, Option<Vec<u8>>>(1)?);
    }
    Ok(stored)
}
