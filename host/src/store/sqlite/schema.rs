//! The file's schema: its version, and the migrations to this build's version.
//!
//! `user_version` counts the applied migrations; `application_id` marks a till's file. A released migration is never
//! edited: the next change is the next number.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, functions::FunctionFlags};

use super::OpenError;
use crate::{order::composed, units::i64_of};

/// "Till" in ASCII.
const APPLICATION_ID: i64 = 0x5469_6c6c;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_orders.sql"),
    include_str!("migrations/0002_answers.sql"),
    include_str!("migrations/0003_plugins.sql"),
    include_str!("migrations/0004_rounds.sql"),
    include_str!("migrations/0005_rollouts.sql"),
    include_str!("migrations/0006_counters.sql"),
    include_str!("migrations/0007_composed_items.sql"),
    include_str!("migrations/0008_removed_items.sql"),
    include_str!("migrations/0009_deducts.sql"),
    include_str!("migrations/0010_kinds.sql"),
    include_str!("migrations/0011_installations.sql"),
    include_str!("migrations/0012_catalogue.sql"),
    include_str!("migrations/0013_console.sql"),
    include_str!("migrations/0014_origins.sql"),
    include_str!("migrations/0015_approvals.sql"),
];

/// Returns how many migrations this build knows.
pub(super) fn known() -> i64 {
    i64_of(MIGRATIONS.len() as u64)
}

/// Returns how many migrations the file has had; `None` if no till wrote it.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application_id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    Ok((application_id == APPLICATION_ID && version > 0).then_some(version))
}

/// Brings the file to the newest schema, in one transaction.
///
/// # Errors
/// `Foreign` when the file holds another program's tables, `NewerSchema` when a later till wrote it; nothing is changed
/// then.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::of_sqlite(file, source);
    add_functions(connection).map_err(sqlite)?;
    // The lock comes first, so that nothing changes between the check and the migration.
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

/// Adds the SQL function `nfc` for migrations: a text's composed Unicode form, which SQLite doesn't have.
fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("nfc", 1, flags, |call| {
        let text = call.get::<String>(0)?;
        Ok(composed(&text).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{super::query, *};

    /// Returns an empty store after the first `migrations` migrations.
    fn store_of(migrations: usize) -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        add_functions(&connection).expect("are added");
        for migration in &MIGRATIONS[..migrations] {
            connection.execute_batch(migration).expect("migrates");
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).expect("is set");
        connection.pragma_update(None, "user_version", i64::try_from(migrations).expect("few")).expect("is set");
        connection.pragma_update(None, "foreign_keys", true).expect("is set");
        connection
    }

    #[test]
    fn an_item_that_was_stored_in_another_unicode_form_is_found_by_its_composed_name() {
        let mut connection = store_of(6);
        let (composed, decomposed, alone) = ("caf\u{e9}", "cafe\u{301}", "the\u{301}");
        let add = |item: &str, opening: u32, on_hand: u32| {
            let row = "INSERT INTO stock (item, opening, on_hand) VALUES (?1, ?2, ?3)";
            connection.execute(row, (item, opening, on_hand)).expect("inserts");
        };
        let took = |reference: &str, item: &str, delta: i32| {
            let row =
                "INSERT INTO reservations (reference, state, at_ms) VALUES (?1, 'held', 0) ON CONFLICT DO NOTHING";
            connection.execute(row, [reference]).expect("inserts");
            let row =
                "INSERT INTO stock_movements (reference, item, delta, kind, at_ms) VALUES (?1, ?2, ?3, 'reserved', 0)";
            connection.execute(row, (reference, item, delta)).expect("inserts");
        };
        add(composed, 10, 5);
        add(decomposed, 20, 14);
        add(alone, 30, 28);
        add("laptop", 40, 39);
        took("both", composed, -2);
        took("both", decomposed, -4);
        took("both", "laptop", -1);
        took("one", composed, -3);
        took("one", alone, -2);
        took("other", decomposed, -2);

        migrate(&mut connection, Path::new("till.db")).expect("migrates");

        let levels = query::stock(&connection, None).expect("reads").rows;
        let levels: Vec<_> = levels.iter().map(|level| (level.item.as_str(), level.on_hand)).collect();
        assert_eq!(levels, [(composed, 19), ("laptop", 39), ("th\u{e9}", 28)]);
        assert_eq!(query::ledger_mismatches(&connection).expect("reads"), []);
        let mut reading = connection
            .prepare("SELECT reference, item, delta FROM stock_movements ORDER BY reference, item")
            .expect("is fine");
        let movements: Vec<(String, String, i32)> = reading
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect)
            .expect("reads");
        let movements: Vec<_> = movements.iter().map(|(by, item, delta)| (&**by, &**item, *delta)).collect();
        let th = "th\u{e9}";
        let wanted = [
            ("both", composed, -6),
            ("both", "laptop", -1),
            ("one", composed, -3),
            ("one", th, -2),
            ("other", composed, -2),
        ];
        assert_eq!(movements, wanted);
        assert!(connection.execute("UPDATE stock_movements SET delta = 1", []).is_err(), "the ledger is append-only");
        assert!(connection.execute("DELETE FROM stock_movements", []).is_err(), "the ledger is append-only");
        let kept: i64 =
            connection.query_row("SELECT count(*) FROM temp.sqlite_schema", [], |row| row.get(0)).expect("reads");
        assert_eq!(kept, 0);
    }

    #[test]
    fn another_kind_of_plugin_needs_no_other_schema_and_what_was_there_stays() {
        let mut connection = store_of(9);
        let insert = "INSERT INTO plugin_versions (id, kind, name, version, digest, bytes, language, settings, state, action, \
                                                   changed_by, changed_at_ms) VALUES \
                      (?1, ?2, 'offers', '1.0.0', ?3, 1, 'Rust', '{}', 'live', 'deploy', 'me', 7)";
        connection.execute(insert, (3, "checkout", "a".repeat(64))).expect("inserts");
        connection
            .execute_batch(
                "INSERT INTO plugin_events VALUES (5, 7, 'me', 'deploy', 'checkout', 3, 'a file');
                 INSERT INTO plugin_events VALUES (6, 8, 'me', 'refuse', NULL, NULL, 'another');
                 INSERT INTO plugin_rollouts VALUES (9, 3, '{}', 'running', 'as asked', 'me', 7, 'me', 7);",
            )
            .expect("inserts");
        assert!(connection.execute(insert, (4, "shipping", "b".repeat(64))).is_err(), "as it was");

        migrate(&mut connection, Path::new("till.db")).expect("migrates");

        connection.execute(insert, (4, "shipping", "b".repeat(64))).expect("a third kind");
        assert!(connection.execute(insert, (5, "shipping", "c".repeat(64))).is_err(), "one of a kind is live");
        let ids = |table: &str| -> Vec<i64> {
            let mut reading = connection.prepare(&format!("SELECT id FROM {table} ORDER BY id")).expect("is fine");
            reading.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("reads")
        };
        assert_eq!(
            (ids("plugin_versions"), ids("plugin_events"), ids("plugin_rollouts")),
            (vec![3, 4], vec![5, 6], vec![9])
        );
        assert!(connection.execute("DELETE FROM plugin_events", []).is_err(), "the audit is append-only");
        assert!(connection.execute("UPDATE plugin_events SET detail = ''", []).is_err(), "the audit is append-only");
        let second = "INSERT INTO plugin_rollouts VALUES (10, 4, '{}', 'paused', '', 'me', 7, 'me', 7)";
        assert!(connection.execute(second, []).is_err(), "one rollout at a time");
        let broken: Option<i64> =
            connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).expect("reads");
        assert_eq!(broken, Some(0));
    }
}
