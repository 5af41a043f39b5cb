//! What a store counts beside its rows: for how long tills have been running on it, and which numbers other stores have
//! given out.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::units::{i64_of, millis};

/// The time for which tills have been running on the store. It says how old an answer is.
///
/// A wall clock may jump by a day and back, and what was forgotten in between is bought twice. This time goes forward only,
/// by the monotonic clock of whoever has the store open, and it stands still while nobody has. What it was is written down
/// now and then: a crash sets it back by a minute, by which answers are kept for longer.
#[derive(Debug)]
pub(super) struct RunningTime {
    before_ms: i64,
    since: Instant,
}

impl RunningTime {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { before_ms: counter(connection, "running_ms")?, since: Instant::now() })
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.before_ms.saturating_add(i64_of(millis(self.since.elapsed())))
    }

    /// Returns what the time was so long ago.
    pub(super) fn before(&self, ago: Duration) -> i64 {
        self.now_ms().saturating_sub(i64_of(millis(ago)))
    }

    /// Writes down what it is.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE counters SET value = max(value, ?1) WHERE name = 'running_ms'")?
            .execute([self.now_ms()])?;
        Ok(())
    }
}

/// The highest numbers that were given out, each 0 if none was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers {
    pub(super) order_id: i64,
    version_id: i64,
    rollout_id: i64,
}

impl Numbers {
    /// Returns those of a store of this schema.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let counted = Self {
            order_id: counter(connection, "order_id")?,
            version_id: counter(connection, "plugin_version_id")?,
            rollout_id: counter(connection, "plugin_rollout_id")?,
        };
        Ok(counted.or_higher(Self::of_rows(connection)?))
    }

    /// Returns those of a store of any schema. A table that it hasn't got yet gave out nothing.
    pub(super) fn of_any(connection: &Connection) -> rusqlite::Result<Self> {
        if connection.table_exists(None, "counters")? { Self::of(connection) } else { Self::of_rows(connection) }
    }

    fn of_rows(connection: &Connection) -> rusqlite::Result<Self> {
        let highest = |table: &str| {
            if !connection.table_exists(None, table)? {
                return Ok(0);
            }
            connection.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |row| row.get(0))
        };
        Ok(Self {
            order_id: highest("orders")?,
            version_id: highest("plugin_versions")?,
            rollout_id: highest("plugin_rollouts")?,
        })
    }

    pub(super) fn or_higher(self, other: Self) -> Self {
        Self {
            order_id: self.order_id.max(other.order_id),
            version_id: self.version_id.max(other.version_id),
            rollout_id: self.rollout_id.max(other.rollout_id),
        }
    }

    /// Has the store go on past these.
    pub(super) fn raise(self, connection: &Connection) -> rusqlite::Result<()> {
        let counters = [
            ("order_id", self.order_id),
            ("plugin_version_id", self.version_id),
            ("plugin_rollout_id", self.rollout_id),
        ];
        for (name, value) in counters {
            connection.execute("UPDATE counters SET value = max(value, ?2) WHERE name = ?1", params![name, value])?;
        }
        Ok(())
    }
}

fn counter(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT value FROM counters WHERE name = ?1")?.query_row([name], |row| row.get(0))
}
