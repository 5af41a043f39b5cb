//! The SQLite file that a shop is copied from or to (`store/copy.rs`).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Row, ToSql, types::ToSqlOutput, types::ValueRef};

use super::{
    DatabaseError, OpenError,
    counters::{Numbers, RunningTime},
    folder::{self, sync_folder},
    open::{self, RESTORING},
    recovery,
};
use crate::store::copy::{Cells, Column, CopyError, Of, Table, Value};

/// Rows that are in memory at a time.
const ROWS: i64 = 200;

pub(in crate::store) struct CopyEnd {
    connection: Connection,
    file: PathBuf,
    folder: PathBuf,
    /// The time by which answers' ages are told.
    now_ms: i64,
    /// Keeps a till off the folder.
    _guard: File,
}

impl CopyEnd {
    /// Opens the store of a stopped till, and settles what a crash left open. Returns the highest number of an order, too.
    ///
    /// # Errors
    /// `NoStore`, or as a start would fail.
    pub(in crate::store) fn source(folder: &Path) -> Result<(Self, i64), CopyError> {
        let file = folder.join("till.db");
        let guard = folder::guard_existing(folder)?.ok_or_else(|| CopyError::NoStore { folder: folder.into() })?;
        open::refuse_half(folder)?;
        if open::bytes(&file) == 0 {
            return Err(CopyError::NoStore { folder: folder.into() });
        }
        let mut connection = open::connection(&file, open::PATIENCE, Duration::MAX)?;
        let of_sqlite = |source| OpenError::of_sqlite(&file, source);
        recovery::settle(&mut connection).map_err(of_sqlite)?;
        let order_id = Numbers::of(&connection).map_err(of_sqlite)?.order_id;
        let now_ms = RunningTime::of(&connection).map_err(of_sqlite)?.now_ms();
        connection.execute_batch("BEGIN").map_err(of_sqlite)?;
        Ok((Self { connection, file, folder: folder.into(), now_ms, _guard: guard }, order_id))
    }

    /// Begins a new file, which becomes the folder's store with [`finish`](Self::finish). Until then a start refuses the folder.
    ///
    /// # Errors
    /// `Occupied` when the folder has a store.
    pub(in crate::store) fn target(folder: &Path) -> Result<Self, CopyError> {
        let guard = folder::guard(folder)?;
        if open::bytes(&folder.join("till.db")) > 0 {
            return Err(CopyError::Occupied { folder: folder.into() });
        }
        let file = folder.join(RESTORING);
        for ending in ["", "-wal", "-shm", "-journal"] {
            // What an interrupted copy left.
            _ = fs::remove_file(format!("{}{ending}", file.display()));
        }
        let connection = open::connection(&file, open::PATIENCE, Duration::MAX)?;
        let of_sqlite = |source| OpenError::of_sqlite(&file, source);
        let now_ms = RunningTime::of(&connection).map_err(of_sqlite)?.now_ms();
        connection.execute_batch("BEGIN IMMEDIATE").map_err(of_sqlite)?;
        Ok(Self { connection, file, folder: folder.into(), now_ms, _guard: guard })
    }

    /// Returns the rows after the key.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) fn page(&self, table: &Table, after: Option<&Value>) -> Result<Vec<Cells>, DatabaseError> {
        let (names, key) = (names(table.columns), table.key());
        let condition = if after.is_some() { format!("WHERE {key} > ?1") } else { String::new() };
        let sql = format!("SELECT {names} FROM {} {condition} ORDER BY {key} LIMIT {ROWS}", table.name);
        let mut reading = self.connection.prepare_cached(&sql)?;
        let rows = reading.query_map(rusqlite::params_from_iter(after), |row| self.cells(row, table))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn cells(&self, row: &Row<'_>, table: &Table) -> rusqlite::Result<Cells> {
        let cell = |(column, of): (usize, &Column)| {
            let value = match (row.get_ref(column)?, of.of) {
                (ValueRef::Null, _) => Value::Null,
                (ValueRef::Integer(at_ms), Of::Age) => Value::Integer(self.now_ms - at_ms),
                (ValueRef::Integer(number), _) => Value::Integer(number),
                (ValueRef::Text(_), _) => Value::Text(row.get(column)?),
                (_, _) => Value::Bytes(row.get(column)?),
            };
            Ok(value)
        };
        std::iter::zip(0.., table.columns).map(cell).collect()
    }

    /// Adds rows.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) fn add(&self, table: &Table, rows: &[Cells]) -> Result<(), DatabaseError> {
        let columns = table.copied_columns();
        let places = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, names(columns));
        let mut adding = self.connection.prepare_cached(&sql)?;
        for row in rows {
            let cells = std::iter::zip(table.copied(row), columns).map(|(cell, column)| match (cell, column.of) {
                (Value::Integer(age_ms), Of::Age) => Value::Integer(self.now_ms - age_ms),
                (cell, _) => cell.clone(),
            });
            adding.execute(rusqlite::params_from_iter(cells))?;
        }
        Ok(())
    }

    /// Returns the digests of the plugins' files.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) fn digests(&self) -> Result<Vec<String>, DatabaseError> {
        let mut reading = self.connection.prepare("SELECT DISTINCT digest FROM plugin_versions ORDER BY digest")?;
        Ok(reading.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Makes the file the folder's store, whose next order has a number above `order_id`.
    ///
    /// # Errors
    /// When it can't be written.
    pub(in crate::store) fn finish(self, order_id: i64) -> Result<(), CopyError> {
        let Self { connection, file, folder, .. } = &self;
        let of_sqlite = |source| OpenError::of_sqlite(file, source);
        let numbers = Numbers::of(connection).map_err(of_sqlite)?;
        numbers.or_higher(Numbers::of_orders(order_id)).raise(connection).map_err(of_sqlite)?;
        connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").map_err(of_sqlite)?;
        sync_folder(folder)?;
        let Self { connection, file, folder, .. } = self;
        connection.close().map_err(|(_, source)| OpenError::of_sqlite(&file, source))?;
        fs::rename(&file, folder.join("till.db")).map_err(|source| CopyError::Write { file, source })?;
        Ok(sync_folder(&folder)?)
    }
}

impl Table {
    fn key(&self) -> &'static str {
        self.columns.first().map_or("", |column| column.name)
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
