//! Transactions as a few flights of statements: those of a flight are sent together, and their answers awaited together.
//!
//! A COMMIT of a transaction in which a statement failed is no error to PostgreSQL: it rolls back and says so in a word that the
//! client doesn't show. So every statement's own answer is looked at, and a transaction counts only if all of them were right.

use std::{future::Future, io, time::Duration};

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    DatabaseError,
    link::{Failed, Session},
};

/// A statement's parameters, with their types.
pub(super) type Parameters<'a> = [(&'a (dyn ToSql + Sync), Type)];

/// How long a flight may take. A COMMIT that waits for a standby that is gone waits for ever: it is never cancelled, for a
/// cancelled one may count, but its connection is given up.
pub(super) const FLIGHT_WITHIN: Duration = Duration::from_secs(5);

/// Begins a transaction whose COMMIT returns before its log is on the disk: the next synchronous one takes it along.
pub(super) const BEGIN_STEP: &str =
    "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '3s'; SET LOCAL enable_seqscan = off";
/// Begins a transaction that is durable once it is committed. It gives up a lock after a while, so that a COMMIT that hangs
/// elsewhere keeps no second connection.
///
/// All that it looks for has an index. A plan that was made while a new shop's tables were empty would read them whole, and a
/// prepared statement keeps its plan. So tables aren't read row by row, and two kinds of conditions stand in no lane's statement:
/// `EXISTS (...)` in an expression, which the planner may answer from a hash of the whole table, and a predicate of one of the
/// partial indexes (`state = 'held'`), which are read whole because they look empty. A scalar subquery is looked up each time, and
/// a held reservation is one that is neither final nor released. What statements of a batch return is compared by `IN (SELECT ...)`, for two
/// of them that are joined may be compared row by row. `tests/reads.rs` counts the rows that are read.
pub(super) const BEGIN_DURABLE: &str = "BEGIN; SET LOCAL lock_timeout = '3s'; SET LOCAL enable_seqscan = off";

/// Begins.
pub(super) async fn begin(client: &Session, begin: &str) -> Result<(), Failed> {
    Ok(client.batch_execute(begin).await?)
}

/// Carries out a statement of a transaction, and returns its rows.
pub(super) async fn rows(client: &Session, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, Failed> {
    Ok(client.query(sql, parameters).await?)
}

/// Carries out a statement of a transaction, and returns how many rows it changed.
pub(super) async fn change(client: &Session, sql: &str, parameters: &Parameters<'_>) -> Result<u64, Failed> {
    Ok(client.execute(sql, parameters).await?)
}

/// Carries out one statement whose change needn't outlive the database's machine: it waits neither for the disk nor for a standby, and
/// gives up a lock after a while. So it is answered while commits wait.
pub(super) async fn step(client: &Session, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, Failed> {
    let (_begun, found, _committed) =
        tokio::try_join!(biased; begin(client, BEGIN_STEP), rows(client, sql, parameters), commit(client))?;
    Ok(found)
}

/// Commits. Nothing else may be under way on the connection.
pub(super) async fn commit(client: &Session) -> Result<(), Failed> {
    client.batch_execute("COMMIT").await.map_err(|error| Failed::from(error).of_commit())
}

/// Ends a transaction that changes nothing.
pub(super) async fn rollback(client: &Session) -> Result<(), Failed> {
    Ok(client.batch_execute("ROLLBACK").await?)
}

/// Waits for a transaction, or for its last flight, for so long as one may take.
pub(super) async fn in_time<T>(flights: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    within(FLIGHT_WITHIN, flights).await
}

/// As [`in_time`], for flights that may take another time.
pub(super) async fn within<T>(time: Duration, flights: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let late = |_elapsed| Failed::Unknown(DatabaseError::new(io::Error::from(io::ErrorKind::TimedOut), false));
    tokio::time::timeout(time, flights).await.map_err(late)?
}
