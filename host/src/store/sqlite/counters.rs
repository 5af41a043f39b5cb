//! The store's counters: how long tills have been running on it, and the highest numbers given out.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::units::{i64_of, millis};

/// The time for which tills have been running on the store, by which answers age.
///
/// If a wall clock jumps forward by a day and back, answers are deleted too early and orders may be placed twice. This
/// time only goes forward, by the monotonic clock of the till that has the store open, and stands still while no till
/// has. It is saved now and then: a crash sets it back by a minute, so answers are kept that much longer.
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

    /// Returns the running time `ago` before now, ms.
    pub(super) fn before(&self, ago: Duration) -> i64 {
        self.now_ms().saturating_sub(i64_of(millis(ago)))
    }

    /// Saves the running time.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE counters SET value = max(value, ?1) WHERE name = 'running_ms'")?
            .execute([self.now_ms()])?;
        Ok(())
    }
}

/// The highest numbers given out; 0 if none was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers {
    pub(super) order_id: i64,
    version_id: i64,
    rollout_id: i64,
}

impl Numbers {
    /// Returns the numbers of a store with this build's schema.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let counted = Self {
            order_id: counter(connection, "order_id")?,
            version_id: counter(connection, "plugin_version_id")?,
            rollout_id: counter(connection, "plugin_rollout_id")?,
        };
        Ok(counted.or_higher(Self::of_rows(connection)?))
    }

    /// Returns the numbers of a store from which only orders' numbers were given out.
    pub(super) fn of_orders(order_id: i64) -> Self {
        Self { order_id, ..Self::default() }
    }

    /// Returns the numbers of a store with any schema; 0 for a missing table.
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

    /// Raises the store's counters to these numbers.
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
