//! The database's schema: its version, and the migrations to this build's version.
//!
//! A migration is a list of statements, each of which is carried out and noted by itself: some engines don't take back the
//! change of a table. A released migration is never edited: the next change is the next number.

use tokio_postgres::{error::SqlState, types::Type};

use super::{
    OpenError,
    link::{self, Link, Session},
};

/// The migrations, in order.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_shop.sql"),
    include_str!("migrations/0002_tallies.sql"),
    include_str!("migrations/0003_installations.sql"),
    include_str!("migrations/0004_catalogue.sql"),
    include_str!("migrations/0005_console.sql"),
    include_str!("migrations/0006_origins.sql"),
    include_str!("migrations/0007_approvals.sql"),
];

/// What ends a statement in a migration's file.
const END: &str = "\n;;\n";

/// Returns the statements of all migrations. How many of them were carried out is the schema's version.
fn statements() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.iter().flat_map(|migration| migration.split(END))
}

/// Returns the version of this build.
fn known() -> i64 {
    i64::try_from(statements().count()).unwrap_or(i64::MAX)
}

/// Checks that the database has this build's schema.
///
/// # Errors
/// Says what to do: migrate, or run the newer till.
pub(super) async fn check(client: &Session) -> Result<(), OpenError> {
    let (found, known) = (version(client).await.map_err(failed)?, known());
    match found {
        None => Err(OpenError::NoSchema),
        Some(found) if found < known => Err(OpenError::OlderSchema { found, known }),
        Some(found) if found > known => Err(OpenError::NewerDatabase { found, known }),
        Some(_) => Ok(()),
    }
}

/// Brings the database to this build's schema, and returns how many statements that took. May be carried out again, by
/// several at a time.
///
/// # Errors
/// `NewerDatabase` when a later till migrated it; nothing is changed then.
pub(super) async fn migrate(link: &Link) -> Result<usize, OpenError> {
    let client = link.reach().await?;
    let known = known();
    for statement in [
        "CREATE TABLE IF NOT EXISTS till_schema (id smallint PRIMARY KEY CHECK (id = 1), version bigint NOT NULL)",
        "INSERT INTO till_schema (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
    ] {
        once(&client, statement).await.map_err(failed)?;
    }
    let mut carried_out = 0;
    loop {
        let found = version(&client).await.map_err(failed)?.unwrap_or(0);
        if found > known {
            return Err(OpenError::NewerDatabase { found, known });
        }
        let Some(statement) = usize::try_from(found).ok().and_then(|found| statements().nth(found)) else {
            return Ok(carried_out);
        };
        once(&client, statement).await.map_err(failed)?;
        client
            .execute(
                "UPDATE till_schema SET version = $1 WHERE version = $2",
                &[(&(found + 1), Type::INT8), (&found, Type::INT8)],
            )
            .await
            .map_err(failed)?;
        carried_out += 1;
    }
}

/// Carries out a statement that somebody else may be carrying out, too: `IF NOT EXISTS` looks before it makes, so that one of
/// two may find the name taken in the catalogue. It exists then.
async fn once(client: &Session, statement: &str) -> Result<(), tokio_postgres::Error> {
    match client.batch_execute(statement).await {
        Err(error) if link::code(&error) == Some(&SqlState::UNIQUE_VIOLATION) => client.batch_execute(statement).await,
        outcome => outcome,
    }
}

/// Returns how many statements the database has had; `None` if no till made its tables.
async fn version(client: &Session) -> Result<Option<i64>, tokio_postgres::Error> {
    match client.query("SELECT version FROM till_schema", &[]).await {
        Ok(rows) => rows.first().map(|row| row.try_get(0)).transpose(),
        Err(error) if link::code(&error) == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(error: tokio_postgres::Error) -> OpenError {
    OpenError::Postgres(error.into())
}
