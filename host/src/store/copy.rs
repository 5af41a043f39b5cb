//! Copies a stopped shop from a SQLite file to PostgreSQL, or back: orders, stock and ledger, keys and answers, plugins.
//!
//! The copy is one transaction of an empty target. Before it is committed, each table is read back from the target, and its rows
//! are counted and summed as those of the source were. An interrupted copy leaves the source as it was, and may be run again.

mod tables;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

pub(super) use self::tables::{Column, Of, TABLES, Table};
use super::{DatabaseError, OpenError, PostgresSettings, postgres, sqlite};

/// A copied shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The tables and how many rows each has.
    pub tables: Vec<(&'static str, u64)>,
    pub plugin_files: u64,
}

/// What whoever has the plugins' files says of one.
type Unusable = Box<dyn std::error::Error + Send + Sync>;

/// Why a shop wasn't copied. The target has none of it then, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("there is no order store in {}", .folder.display())]
    NoStore { folder: PathBuf },
    #[error("{} has an order store already: name another folder, or move that one away", .folder.display())]
    Occupied { folder: PathBuf },
    #[error(
        "the database has a shop already: its table {table} has rows; make an empty database and run `till store migrate` on it"
    )]
    NotEmpty { table: &'static str },
    #[error("hosts serve from the database: stop them first ({hosts})")]
    Serves { hosts: String },
    #[error("table {table} can't be copied")]
    Table { table: &'static str, source: DatabaseError },
    #[error(
        "table {table} arrived as {arrived}, and was {sent}: the copy was taken back; run it again, and report this if it fails again"
    )]
    Differs { table: &'static str, sent: Tally, arrived: Tally },
    #[error("the file of plugin {digest} can't be copied")]
    PluginFile { digest: String, source: Unusable },
    #[error("{} can't be written", .file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error(
        "nobody knows whether the database committed the copy: run `till store copy` again. If it says that the database has a \
         shop already, the copy is there"
    )]
    OutcomeUnknown(#[source] DatabaseError),
}

/// What a cell of either database holds. A truth value is 0 or 1, a time is how long ago it was, ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The cells of a row, in the order of the table's columns.
pub(super) type Cells = Vec<Value>;

/// Rows that were counted and summed: equal for the same rows in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    rows: u64,
    /// The sum of the rows' digests.
    digests: u128,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} rows with the sum {:032x}", self.rows, self.digests)
    }
}

impl Tally {
    fn add(&mut self, cells: &[Value]) {
        let mut digest = Sha256::new();
        for cell in cells {
            // The length keeps cells apart.
            let (kind, bytes): (u8, &[u8]) = match cell {
                Value::Null => (0, &[]),
                Value::Integer(number) => (1, &number.to_be_bytes()),
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            digest.update([kind]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        let half = digest.finalize().iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        self.rows += 1;
        self.digests = self.digests.wrapping_add(half);
    }

    /// Adds what is copied of rows.
    fn add_all(&mut self, table: &Table, rows: &[Cells]) {
        rows.iter().for_each(|row| self.add(table.copied(row)));
    }
}

/// A database that is copied from or to. Blocks on the disk where it is SQLite's.
#[derive(Clone, Copy)]
enum End<'a> {
    File(&'a sqlite::CopyEnd),
    Database(&'a postgres::CopyEnd),
}

impl End<'_> {
    /// Returns the rows after the key, in its order; none after the last one.
    async fn page(self, table: &Table, after: Option<&Value>) -> Result<Vec<Cells>, CopyError> {
        let page = match self {
            Self::File(file) => file.page(table, after),
            Self::Database(database) => database.page(table, after).await,
        };
        page.map_err(|source| CopyError::Table { table: table.name, source })
    }

    async fn add(self, table: &Table, rows: &[Cells]) -> Result<(), CopyError> {
        let added = match self {
            Self::File(file) => file.add(table, rows),
            Self::Database(database) => database.add(table, rows).await,
        };
        added.map_err(|source| CopyError::Table { table: table.name, source })
    }
}

/// Copies the stopped shop of the folder into the database, which has till's tables and no rows. `file_of` reads a plugin's file by
/// its digest. What a crash left open in the folder is settled first, as a start would.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy_to_postgres<E: Into<Unusable>>(
    folder: &Path,
    settings: &PostgresSettings,
    file_of: impl Fn(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Copied, CopyError> {
    let (file, order_id) = sqlite::CopyEnd::source(folder)?;
    let database = postgres::CopyEnd::target(settings).await?;
    let tables = copy_tables(End::File(&file), End::Database(&database)).await?;
    let of_versions = |source| CopyError::Table { table: "plugin_versions", source };
    let mut plugin_files = 0;
    for digest in file.digests().map_err(of_versions)? {
        // The built-in plugins have no file.
        let bytes = file_of(&digest)
            .map_err(|source| CopyError::PluginFile { digest: digest.clone(), source: source.into() })?;
        if let Some(bytes) = bytes {
            database.keep_file(&digest, &bytes).await.map_err(of_versions)?;
            plugin_files += 1;
        }
    }
    database.finish(order_id).await?;
    Ok(Copied { tables, plugin_files })
}

/// Copies the shop of the database, from which no host serves, into a folder without a store. `keep` writes a plugin's file under
/// its digest.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy_to_sqlite<E: Into<Unusable>>(
    settings: &PostgresSettings,
    folder: &Path,
    keep: impl Fn(&str, &[u8]) -> Result<(), E>,
) -> Result<Copied, CopyError> {
    let (database, order_id) = postgres::CopyEnd::source(settings).await?;
    let file = sqlite::CopyEnd::target(folder)?;
    let tables = copy_tables(End::Database(&database), End::File(&file)).await?;
    let of_versions = |source| CopyError::Table { table: "plugin_versions", source };
    let mut plugin_files = 0;
    for digest in file.digests().map_err(of_versions)? {
        if let Some(bytes) = database.file(&digest).await.map_err(of_versions)? {
            keep(&digest, &bytes)
                .map_err(|source| CopyError::PluginFile { digest: digest.clone(), source: source.into() })?;
            plugin_files += 1;
        }
    }
    file.finish(order_id)?;
    Ok(Copied { tables, plugin_files })
}

async fn copy_tables(source: End<'_>, target: End<'_>) -> Result<Vec<(&'static str, u64)>, CopyError> {
    let mut copied = Vec::new();
    for table in TABLES {
        let (mut sent, mut pages) = (Tally::default(), Pages::of(source, table));
        while let Some(rows) = pages.next().await? {
            target.add(table, &rows).await?;
            sent.add_all(table, &rows);
        }
        let (mut arrived, mut pages) = (Tally::default(), Pages::of(target, table));
        while let Some(rows) = pages.next().await? {
            arrived.add_all(table, &rows);
        }
        if sent != arrived {
            return Err(CopyError::Differs { table: table.name, sent, arrived });
        }
        copied.push((table.name, sent.rows));
    }
    Ok(copied)
}

/// The rows of a table, some at a time.
struct Pages<'a> {
    end: End<'a>,
    table: &'a Table,
    /// The key of the last row so far.
    after: Option<Value>,
}

impl<'a> Pages<'a> {
    const fn of(end: End<'a>, table: &'a Table) -> Self {
        Self { end, table, after: None }
    }

    /// Returns the next rows, `None` after the last ones.
    async fn next(&mut self) -> Result<Option<Vec<Cells>>, CopyError> {
        let rows = self.end.page(self.table, self.after.as_ref()).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = last.first().cloned();
        Ok(Some(rows))
    }
}
