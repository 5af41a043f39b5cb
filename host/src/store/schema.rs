//! The file's schema: which it has, and the steps that bring it to this build's.
//!
//! `user_version` counts the migrations that were applied; `application_id` tells a till's file from any other.
//! A released migration is never edited: the next change is the next number.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// "Till" in ASCII.
const APPLICATION_ID: i64 = 0x5469_6c6c;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_orders.sql"),
    include_str!("migrations/0002_answers.sql"),
    include_str!("migrations/0003_plugins.sql"),
    include_str!("migrations/0004_rounds.sql"),
    include_str!("migrations/0005_rollouts.sql"),
    include_str!("migrations/0006_counters.sql"),
];

/// Returns how many migrations this build knows.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Returns how many migrations the file has had, `None` if no till wrote it.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application_id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    Ok((application_id == APPLICATION_ID && version > 0).then_some(version))
}

/// Brings the file to the newest schema, in one transaction.
///
/// # Errors
/// `Foreign` when it holds somebody else's tables, `NewerSchema` when a later till wrote it; nothing is changed then.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::of_sqlite(file, source);
    // The lock comes first, so that what is looked at here is what is migrated.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(sqlite);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application_id = number("PRAGMA application_id")?;
    if tables > 0 && application_id != APPLICATION_ID {
        return Err(OpenError::Foreign { file: file.into() });
    }
    let known = known();
    let found = number("PRAGMA user_version")?;
    if found > known {
        return Err(OpenError::NewerSchema { file: file.into(), found, known });
    }
    let applied = usize::try_from(found).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(applied) {
        transaction.execute_batch(migration).map_err(sqlite)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", known).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}
