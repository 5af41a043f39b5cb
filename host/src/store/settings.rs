//! What a store is opened with.

use std::{path::PathBuf, time::Duration};

/// Where the store is, and its limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of `till.db`; made if it is missing. No other till may use it meanwhile.
    pub folder: PathBuf,
    /// Commands that may wait for the writer. The same number of extra places is reserved for commands that end an
    /// order.
    pub queue_commands_max: usize,
    /// Commands that share one commit.
    pub batch_commands_max: usize,
    /// How long steps that nobody waits for may stay uncommitted.
    pub linger: Duration,
    /// Read-only connections. The same number of extra connections looks up keys.
    pub readers: usize,
    /// How long to wait for a lock or a reader before it counts as failed.
    pub busy_timeout: Duration,
    /// How long the file's structure is checked when it is opened.
    pub look_within: Duration,
    /// The size of the write-ahead log that causes a warning, bytes.
    pub log_bytes_warn: u64,
}

/// Where a store is that several hosts share, and its limits.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `postgres://user@host,host/database?…`, as PostgreSQL's own clients take it.
    pub url: String,
    pub password_file: Option<PathBuf>,
    /// Certificates that the server's is checked against, PEM; the system's if there is none.
    pub ca_file: Option<PathBuf>,
    /// Whether a database without a synchronous standby is refused.
    pub require_synchronous: bool,
    /// The folder that this host serves from; made if it is missing. No other till may use it meanwhile.
    pub folder: PathBuf,
    /// What this host is called among the others.
    pub host_name: String,
    /// As [`Settings::queue_commands_max`].
    pub queue_commands_max: usize,
    /// As [`Settings::batch_commands_max`].
    pub batch_commands_max: usize,
    /// As [`Settings::linger`].
    pub linger: Duration,
    /// Connections that read.
    pub readers: usize,
    /// How long to wait for a reader or for an order's number.
    pub wait_max: Duration,
    /// How long a host may drive an order. One that is older was forgotten, and is settled.
    pub order_age_max: Duration,
}
