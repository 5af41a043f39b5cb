//! Opening the file: nobody else has it, and it is what it should be.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{OpenError, Outage, StoreError, alarm::is_damage, schema};

/// The first SQLite without the WAL-reset bug, which corrupts or loses commits where several connections are open.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Pages of 4 KiB after which a commit moves the log into the file: 16 MiB, so that this rare slow commit is shared
/// by thousands of orders, and so that the log that a crash leaves is read in no time.
const CHECKPOINT_PAGES: i64 = 4_096;
/// What the log file is cut to after it grew beyond, bytes.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// The writer's page cache, KiB: holds the ends of the indexes of some million orders.
const CACHE_KIB: i64 = 32 << 10;
/// More than the writer's distinct statements, so that each is compiled once.
const STATEMENTS_MAX: usize = 64;

/// What the names of folders with stores begin with that a restore moved aside.
pub(super) const REPLACED: &str = "replaced-";
/// A store that is being restored, until it is whole.
pub(super) const RESTORING: &str = "till.db.restoring";
/// How long a command waits for a lock of a till that is just starting or stopping.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the lock that keeps a second till off the folder, which is made if it is missing.
///
/// # Errors
/// `InUse` while another holds it. The operating system lets go of it when its process ends, however that ends.
pub(super) fn guard(folder: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.into(), source };
    make_folder(folder).map_err(unusable)?;
    let guard = File::options().create(true).truncate(false).write(true).open(folder.join("till.lock"));
    let guard = lock(folder, guard.map_err(unusable)?)?;
    keep_private(folder).map_err(unusable)?;
    Ok(guard)
}

/// Takes from everybody but the owner and the group what an older till let them read. The folder itself stays as it is:
/// somebody may have made it for more than the store.
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

/// Returns the same lock of a folder in which nothing is made for it; `None` if no till was ever there.
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

/// Refuses a folder in which part of a store is missing: an empty one in its place would hide or lose its orders, for
/// SQLite deletes a log whose file is empty.
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

/// Returns whether a till has served from the folder: it keeps plugins' files only when it has a store, and a restore moves
/// a store aside only where there was one.
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

/// Looks through the file's structure, so that a customer isn't the first to meet damage. Ends when it has seen all or when
/// its time is up: a store of many million orders has more pages than a start can wait for.
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
    // Before the next statement, which mustn't be interrupted.
    _ = timer.join();
    match found {
        Ok(what) if what == "ok" => Ok(()),
        Ok(what) => Err(OpenError::Unsound { file: file.into(), what: what.replace('\n', "; ") }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(OpenError::of_sqlite(file, error)),
    }
}

/// Opens a file for nothing but reading; an immutable one without locks, log or index.
pub(super) fn for_reading(file: &Path, immutable: bool, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        // As a URI, in which these three mean something.
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
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(connection)
}

/// Makes the names of the files in the folder survive a power cut; SQLite does that for what is in them.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    sync_names(folder).map_err(|source| OpenError::Folder { folder: folder.into(), source })
}

/// Makes the names in the folder durable; an empty path is the working folder.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    // Windows can't open a folder as a file, and needs no such thing.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Returns how much room there is for the file, 0 where the system doesn't tell.
fn free_mib(file: &Path) -> u64 {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

impl OpenError {
    pub(super) fn of_sqlite(file: &Path, source: rusqlite::Error) -> Self {
        if matches!(source.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)) {
            return Self::Disk { free_mib: free_mib(file), file: file.into(), source };
        }
        let file = file.into();
        if is_damage(&source) { Self::Damaged { file, source: source.into() } } else { Self::Sqlite { file, source } }
    }

    /// Returns why the items couldn't be read.
    pub(super) fn of_store(file: &Path, source: StoreError) -> Self {
        match source {
            StoreError::Unavailable(Outage::Sqlite(source)) if is_damage(&source) => {
                Self::Damaged { file: file.into(), source }
            }
            source => Self::Unreadable { file: file.into(), source },
        }
    }
}
