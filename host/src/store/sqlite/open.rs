//! Opens the store's file: locks the folder, and checks and migrates the file.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{DatabaseError, OpenError, Outage, StoreError, schema};

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

/// The prefix of the folders into which a restore moves replaced stores.
pub(super) const REPLACED: &str = "replaced-";
/// The name of a store that is being restored, until it is complete.
pub(super) const RESTORING: &str = "till.db.restoring";
/// How long a command waits for a lock of a till that is just starting or stopping.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the lock that keeps a second till off the folder, which is made if it is missing.
///
/// # Errors
/// `InUse` while another till holds the lock. The operating system releases a lock when its process ends, however it
/// ends.
pub(in crate::store) fn guard(folder: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.into(), source };
    make_folder(folder).map_err(unusable)?;
    let guard = File::options().create(true).truncate(false).write(true).open(folder.join("till.lock"));
    let guard = lock(folder, guard.map_err(unusable)?)?;
    keep_private(folder).map_err(unusable)?;
    Ok(guard)
}

/// Removes the permissions of others than owner and group from files that an older till made readable. The folder's own
/// permissions stay, because it may be used for more than the store.
fn keep_private(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        let metadata = fs::symlink_metadata(&entry)?;
        let mode = metadata.permissions().mode();
        if (name.starts_with("till.") || name.starts_with(REPLACED)) && !metadata.is_symlink() && mode & 0o007 != 0 {
            fs::set_permissions(&entry, Permissions::from_mode(mode & !0o007))?;
        }
    }
    Ok(())
}

/// Returns the lock of an existing folder without making anything in it; `None` if no till ever used the folder.
pub(super) fn guard_existing(folder: &Path) -> Result<Option<File>, OpenError> {
    match File::open(folder.join("till.lock")) {
        Ok(guard) => lock(folder, guard).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::Folder { folder: folder.into(), source }),
    }
}

fn lock(folder: &Path, guard: File) -> Result<File, OpenError> {
    match guard.try_lock() {
        Ok(()) => Ok(guard),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.into() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Folder { folder: folder.into(), source }),
    }
}

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

/// Makes the folder and those above it where they are missing, so that a power cut doesn't take them away again.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_names)
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

/// Makes the names of the files in the folder durable; SQLite does that for their contents.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    sync_names(folder).map_err(|source| OpenError::Folder { folder: folder.into(), source })
}

/// Makes the names in the folder durable; an empty path is the working folder.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    // Windows can't open a folder as a file, and doesn't need to.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
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
