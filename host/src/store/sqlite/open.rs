//! Opens the store's file: checks and migrates it.

use std::{
    fs,
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{DatabaseError, OpenError, Outage, StoreError, folder::REPLACED, schema};

/// The first SQLite without the WAL-reset bug, which corrupts or loses commits where several connections are open.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Pages of 4 KiB after which a commit moves the log into the file: 16 MiB, so that thousands of orders share this rare
/// slow commit, and the log that a crash leaves is read quickly.
const CHECKPOINT_PAGES: i64 = 4_096;
/// The size to which a log file that has grown larger is truncated, bytes.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// The writer's page cache, KiB: holds the ends of the indexes of some million orders.
const CACHE_KIB: i64 = 32 << 10;
/// More than the writer's distinct statements, so that each is compiled once.
const STATEMENTS_MAX: usize = 64;

/// The name of a store that is being restored, until it is complete.
pub(super) const RESTORING: &str = "till.db.restoring";
/// How long a command waits for a lock of a till that is just starting or stopping.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Refuses a folder in which part of a store is missing. An empty store in its place would hide or lose orders, because
/// SQLite deletes the log of an empty file.
pub(super) fn refuse_half(folder: &Path) -> Result<(), OpenError> {
    if bytes(&folder.join("till.db")) > 0 {
        return Ok(());
    }
    if folder.join(RESTORING).exists() {
        return Err(OpenError::HalfRestored { folder: folder.into() });
    }
    if bytes(&folder.join("till.db-wal")) > 0 {
        return Err(OpenError::LogAlone { folder: folder.into() });
    }
    if was_used(folder) { Err(OpenError::Lost { folder: folder.into() }) } else { Ok(()) }
}

/// Returns whether a till has served from the folder. Plugins' files and stores that were moved aside exist only where
/// there was a store.
fn was_used(folder: &Path) -> bool {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let is_kept_plugin = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let digest = name.to_str().and_then(|name| name.strip_suffix(".wasm"));
        digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    entries(&folder.join("plugins")).any(is_kept_plugin)
        || entries(folder).any(|entry| entry.file_name().to_string_lossy().starts_with(REPLACED))
}

/// Returns the write connection to the file, which is made or migrated where necessary.
///
/// # Errors
/// Names the file and what is wrong with it, as far as [`look`] has come.
pub(super) fn connection(file: &Path, busy_timeout: Duration, look_within: Duration) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let mut connection = configured(file, busy_timeout).map_err(|source| OpenError::of_sqlite(file, source))?;
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    let mode = mode.map_err(|source| OpenError::of_sqlite(file, source))?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog { file: file.into(), mode });
    }
    look(&connection, file, look_within)?;
    schema::migrate(&mut connection, file)?;
    Ok(connection)
}

/// Checks the file's structure, so that a customer isn't the first to meet damage. Stops after `within`, because a
/// store of many million orders has more pages than a start can wait for.
fn look(connection: &Connection, file: &Path, within: Duration) -> Result<(), OpenError> {
    let interrupt = connection.get_interrupt_handle();
    let (done, waiting) = channel::<()>();
    let timer = thread::Builder::new().name("till-store-look".into()).spawn(move || {
        if waiting.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let timer = timer.map_err(OpenError::Thread)?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    // The timer must end before the next statement, which mustn't be interrupted.
    _ = timer.join();
    match found {
        Ok(what) if what == "ok" => Ok(()),
        Ok(what) => Err(OpenError::Unsound { file: file.into(), what: what.replace('\n', "; ") }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(OpenError::of_sqlite(file, error)),
    }
}

/// Opens a file read-only; an immutable one without locks, log or index.
pub(super) fn for_reading(file: &Path, immutable: bool, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        // The path becomes a URI, in which these three characters have a meaning.
        let path = file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        Connection::open_with_flags(format!("file:{path}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(file, flags)?
    };
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Returns the file's size, 0 if there is none. Never opens the file: closing it again would drop SQLite's locks in this
/// process.
pub(super) fn bytes(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

fn configured(file: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Else SQLite looks at what is bound, and plans some statements anew at each execution.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(connection)
}

/// Returns the free space for the file, MiB; 0 if the system doesn't say.
fn free_mib(file: &Path) -> u64 {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

impl OpenError {
    pub(super) fn of_sqlite(file: &Path, source: rusqlite::Error) -> Self {
        let is_disk = matches!(source.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
        let (file, source) = (file.to_path_buf(), DatabaseError::from(source));
        match source.is_damage {
            _ if is_disk => Self::Disk { free_mib: free_mib(&file), file, source },
            true => Self::Damaged { file, source },
            false => Self::Sqlite { file, source },
        }
    }

    /// Returns the error for items that couldn't be read.
    pub(super) fn of_store(file: &Path, source: StoreError) -> Self {
        match source {
            StoreError::Unavailable(Outage::Database(source)) if source.is_damage => {
                Self::Damaged { file: file.into(), source }
            }
            source => Self::Unreadable { file: file.into(), source },
        }
    }
}
