//! The database that a shop is copied from or to (`store/copy.rs`): one transaction of one connection.

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    DatabaseError, PostgresSettings, host,
    link::{Failed, Link, Session},
    migrated, plugins,
    transaction::{change, commit, rows},
};
use crate::store::copy::{Cells, Column, CopyError, Of, TABLES, Table, Value};

/// Rows that are in memory at a time.
const ROWS: i64 = 200;

pub(in crate::store) struct CopyEnd {
    session: Session,
    /// The database's time by which answers' ages are told, a literal.
    now: String,
}

impl CopyEnd {
    /// Opens a shop from which no host serves. Returns the highest number that was given out for an order, too.
    ///
    /// # Errors
    /// `Serves` while a host does.
    pub(in crate::store) async fn source(settings: &PostgresSettings) -> Result<(Self, i64), CopyError> {
        let end = Self::begin(settings, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let order_id = end.number("SELECT value FROM counters WHERE name = 'order_id'").await?;
        Ok((end, order_id))
    }

    /// Opens a database with till's tables and without rows.
    ///
    /// # Errors
    /// `NotEmpty` when there is a shop, `Serves` while a host serves one.
    pub(in crate::store) async fn target(settings: &PostgresSettings) -> Result<Self, CopyError> {
        let end = Self::begin(settings, "BEGIN").await?;
        // Keeps a host that starts meanwhile from its first number.
        end.number("SELECT value FROM counters WHERE name = 'order_id' FOR UPDATE").await?;
        for table in TABLES {
            let found = format!("SELECT 1 FROM {} LIMIT 1", table.name);
            if !end.rows(&found).await?.is_empty() {
                return Err(CopyError::NotEmpty { table: table.name });
            }
        }
        Ok(end)
    }

    async fn begin(settings: &PostgresSettings, begin: &str) -> Result<Self, CopyError> {
        let session = migrated(&Link::new(settings)?).await?;
        session.batch_execute(begin).await.map_err(|source| of_table("hosts", Failed::from(source)))?;
        let mut end = Self { session, now: String::new() };
        end.refuse_served().await?;
        let now = end.rows("SELECT 'timestamptz ' || quote_literal(clock_timestamp()::text)").await?;
        end.now = now.first().map_or_else(String::new, |row| row.get(0));
        Ok(end)
    }

    async fn refuse_served(&self) -> Result<(), CopyError> {
        let hosts = host::list(&self.session).await.map_err(|source| of_table("hosts", source))?;
        let hosts: Vec<_> = hosts.into_iter().filter(|host| host.serves).map(|host| host.name).collect();
        if hosts.is_empty() { Ok(()) } else { Err(CopyError::Serves { hosts: hosts.join(", ") }) }
    }

    /// Returns the rows after the key.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) async fn page(
        &self,
        table: &Table,
        after: Option<&Value>,
    ) -> Result<Vec<Cells>, DatabaseError> {
        let columns: Vec<_> = table.columns.iter().map(|column| self.read(column)).collect();
        let Some(key) = table.columns.first() else { return Ok(Vec::new()) };
        let (columns, name, key) = (columns.join(", "), table.name, key.name);
        let from = |condition: &str| format!("SELECT {columns} FROM {name} {condition} ORDER BY {key} LIMIT {ROWS}");
        let later = || from(&format!("WHERE {key} > $1"));
        let found = match after {
            Some(Value::Integer(number)) => rows(&self.session, &later(), &[(number, Type::INT8)]).await,
            Some(Value::Text(text)) => rows(&self.session, &later(), &[(text, Type::TEXT)]).await,
            Some(Value::Null | Value::Bytes(_)) | None => rows(&self.session, &from(""), &[]).await,
        };
        let found = found.map_err(|failed| failed.cause())?;
        Ok(found.iter().map(|row| cells(row, table)).collect::<Result<_, _>>()?)
    }

    /// Adds rows.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) async fn add(&self, table: &Table, of_rows: &[Cells]) -> Result<(), DatabaseError> {
        let columns = table.copied_columns();
        let names: Vec<_> = columns.iter().map(name).collect();
        let places: Vec<_> = std::iter::zip(1.., columns).map(|(place, _)| format!("${place}")).collect();
        let cells: Vec<_> = names.iter().map(|name| format!("new_{name}")).collect();
        let values: Vec<_> = std::iter::zip(columns, &cells).map(|(column, cell)| self.write(column, cell)).collect();
        let (host, nobody) = if table.has_host { (", host", ", 0") } else { ("", "") };
        let sql = format!(
            "INSERT INTO {} ({}{host}) SELECT {}{nobody} FROM unnest({}) AS new({})",
            table.name,
            names.join(", "),
            values.join(", "),
            places.join(", "),
            cells.join(", ")
        );
        let arrays: Vec<Array<'_>> = std::iter::zip(0.., columns)
            .map(|(place, column)| Array::of(column.of, of_rows.iter().filter_map(|row| table.copied(row).get(place))))
            .collect();
        let parameters: Vec<_> = arrays.iter().map(Array::parameter).collect();
        change(&self.session, &sql, &parameters).await.map(drop).map_err(|failed| failed.cause())
    }

    /// Keeps a plugin's file.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) async fn keep_file(&self, digest: &str, bytes: &[u8]) -> Result<(), DatabaseError> {
        plugins::keep_file(&self.session, digest, bytes).await.map_err(|failed| failed.cause())
    }

    /// Returns a plugin's file.
    ///
    /// # Errors
    /// What the database said.
    pub(in crate::store) async fn file(&self, digest: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
        plugins::file(&self.session, digest).await.map_err(|failed| failed.cause())
    }

    /// Commits the copy; the next order has a number above `order_id`.
    ///
    /// # Errors
    /// `Serves` when a host has begun to serve meanwhile; `OutcomeUnknown` when the connection was lost during the commit.
    pub(in crate::store) async fn finish(self, order_id: i64) -> Result<(), CopyError> {
        self.refuse_served().await?;
        let sql = "UPDATE counters SET value = CASE name WHEN 'order_id' THEN greatest(value, $1) ELSE value + 1 END
                   WHERE name IN ('order_id', 'items_epoch', 'plugins_epoch', 'catalogue_epoch')";
        let of_counters = |failed| of_table("counters", failed);
        change(&self.session, sql, &[(&order_id, Type::INT8)]).await.map_err(of_counters)?;
        commit(&self.session).await.map_err(|failed| match failed {
            Failed::Unknown(source) => CopyError::OutcomeUnknown(source),
            failed => of_counters(failed),
        })
    }

    async fn number(&self, sql: &str) -> Result<i64, CopyError> {
        Ok(self.rows(sql).await?.first().map_or(0, |row| row.get(0)))
    }

    async fn rows(&self, sql: &str) -> Result<Vec<Row>, CopyError> {
        rows(&self.session, sql, &[]).await.map_err(|failed| of_table("counters", failed))
    }

    /// Returns the column as it is read: a number, a text or bytes.
    fn read(&self, column: &Column) -> String {
        let name = name(column);
        match column.of {
            Of::Integer | Of::Text | Of::Bytes => name.to_owned(),
            Of::Small => format!("{name}::bigint"),
            Of::Flag => format!("{name}::int::bigint"),
            Of::Age => format!("(extract(epoch FROM {} - {name}) * 1000)::bigint", self.now),
        }
    }

    /// Returns what is written of a cell that was read.
    fn write(&self, column: &Column, cell: &str) -> String {
        match column.of {
            Of::Integer | Of::Text | Of::Bytes => cell.to_owned(),
            Of::Small => format!("{cell}::smallint"),
            Of::Flag => format!("{cell} <> 0"),
            Of::Age => format!("{} - {cell} * interval '1 millisecond'", self.now),
        }
    }
}

/// Returns what PostgreSQL calls the column.
const fn name(column: &Column) -> &'static str {
    match column.of {
        Of::Age => "at",
        _ => column.name,
    }
}

fn cells(row: &Row, table: &Table) -> Result<Cells, tokio_postgres::Error> {
    let cell = |(column, of): (usize, &Column)| {
        Ok(match of.of {
            Of::Text => row.try_get::<_, Option<String>>(column)?.map(Value::Text),
            Of::Bytes => row.try_get::<_, Option<Vec<u8>>>(column)?.map(Value::Bytes),
            Of::Integer | Of::Small | Of::Flag | Of::Age => row.try_get::<_, Option<i64>>(column)?.map(Value::Integer),
        }
        .unwrap_or(Value::Null))
    };
    std::iter::zip(0.., table.columns).map(cell).collect()
}

/// The cells of a column.
enum Array<'a> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl<'a> Array<'a> {
    fn of(column: Of, cells: impl Iterator<Item = &'a Value>) -> Self {
        match column {
            Of::Text => {
                Self::Texts(cells.map(|cell| if let Value::Text(text) = cell { Some(&**text) } else { None }).collect())
            }
            Of::Bytes => Self::Bytes(
                cells.map(|cell| if let Value::Bytes(bytes) = cell { Some(&**bytes) } else { None }).collect(),
            ),
            Of::Integer | Of::Small | Of::Flag | Of::Age => Self::Integers(
                cells.map(|cell| if let Value::Integer(number) = cell { Some(*number) } else { None }).collect(),
            ),
        }
    }

    fn parameter(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Integers(numbers) => (numbers, Type::INT8_ARRAY),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
            Self::Bytes(bytes) => (bytes, Type::BYTEA_ARRAY),
        }
    }
}

fn of_table(table: &'static str, failed: Failed) -> CopyError {
    CopyError::Table { table, source: failed.cause() }
}
