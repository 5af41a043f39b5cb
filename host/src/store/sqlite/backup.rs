//! Makes copies of the store, while a till serves or not, and restores them.
//!
//! A file appears under its name only once it is whole, checked and durable. Nothing is ever overwritten or deleted.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use uuid::Uuid;

use super::{
    OpenError,
    counters::Numbers,
    doctor::{Finding, examine_file},
    folder::{self, REPLACED, sync_folder, sync_names},
    now_ms,
    open::{self, RESTORING, bytes},
    schema,
};

/// The folder into which a store's files are moved while another store replaces it.
const REPLACING: &str = "till.db.replacing";

/// A backup as it was written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    pub orders: u64,
    pub bytes: u64,
}

/// A store that was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub orders: u64,
    pub bytes: u64,
    /// The file of the store that was replaced, in a folder of its own with its log.
    pub replaced: Option<PathBuf>,
    /// The number of the next order.
    pub next_order: u64,
    /// The stores whose numbers aren't given out again.
    pub goes_on_past: GoesOnPast,
}

/// Which stores' numbers of orders, plugin versions and rollouts the restored store continues after, so that no number
/// is given out twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoesOnPast {
    /// The numbers of the backup and of all stores in the folder.
    AllThere,
    /// Only the backup's own, because there is no other store in the folder.
    TheBackups,
    /// Those of the backup and of the readable stores. The listed stores can't be read.
    AllBut(Vec<PathBuf>),
}

/// Why there is no backup, or no restored store. Nothing was changed, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} exists: a backup overwrites nothing, choose another name", .file.display())]
    Exists { file: PathBuf },
    #[error("there is no order store in {}: name its folder with --data", .folder.display())]
    NoStore { folder: PathBuf },
    #[error("there is no folder {} for {}: make it, or choose another place", .folder.display(), .file.display())]
    NoFolder { folder: PathBuf, file: PathBuf },
    #[error("{} can't be written", .file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("the order store {} can't be copied; `till doctor` says whether it is damaged", .file.display())]
    Copy { file: PathBuf, source: rusqlite::Error },
    #[error("{} is not a sound order store: {what}; {advice}", .file.display())]
    Unsound { file: PathBuf, what: String, advice: &'static str },
    #[error(
        "{} has a write-ahead log beside it, which a copy of one file would lose: make the backup with `till backup`",
        .file.display()
    )]
    HasLog { file: PathBuf },
    #[error("{} has an order store already: with --replace it is moved aside first", .folder.display())]
    Occupied { folder: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Writes the store's last commit to a file of its own. A till may serve meanwhile, because a reader of a snapshot
/// blocks no writer; the write-ahead log can't be reused until the backup is done.
///
/// # Errors
/// See [`BackupError`]; a partly written file is removed.
pub fn backup(folder: &Path, file: &Path) -> Result<BackedUp, BackupError> {
    let store = folder.join("till.db");
    if !store.exists() {
        return Err(BackupError::NoStore { folder: folder.into() });
    }
    refuse_existing(file)?;
    let above = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = above.filter(|folder| !folder.is_dir()) {
        return Err(BackupError::NoFolder { folder: folder.into(), file: file.into() });
    }
    let partial = Partial::beside(file);
    // Unlike SQLite's page-by-page copy, this one reads every row, leaves free pages out and needs no log beside it.
    let copied = open::for_reading(&store, false, open::PATIENCE).and_then(|connection| {
        let into = partial.0.to_string_lossy();
        connection.execute("VACUUM INTO ?1", [into]).map(|_none| ())
    });
    copied.map_err(|source| BackupError::Copy { file: store, source })?;
    let backed_up = sound(&partial.0)?;
    let unwritable = |source| BackupError::Write { file: file.into(), source };
    File::open(&partial.0).and_then(|file| file.sync_all()).map_err(unwritable)?;
    place(&partial.0, file)?;
    drop(partial);
    file.parent().map_or(Ok(()), sync_names).map_err(unwritable)?;
    Ok(backed_up)
}

/// Gives a complete file its name. If another file has the name meanwhile, that one stays.
fn place(partial: &Path, file: &Path) -> Result<(), BackupError> {
    // Some disks have no hard links. They support the other call, which network file systems often don't.
    let placed = fs::hard_link(partial, file).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Err(error),
        _no_links => Ok(renameat_with(CWD, partial, CWD, file, RenameFlags::NOREPLACE)?),
    });
    placed.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { file: file.into() },
        _other => BackupError::Write { file: file.into(), source },
    })
}

/// Replaces the folder's store with a backup. The old store is moved aside, never deleted.
///
/// # Errors
/// See [`BackupError`]. If a restore is interrupted, the next start refuses to make an empty store instead: run the
/// restore again.
pub fn restore(file: &Path, folder: &Path, replace: bool) -> Result<Restored, BackupError> {
    if !file.exists() {
        return Err(BackupError::Write { file: file.into(), source: io::ErrorKind::NotFound.into() });
    }
    if bytes(&PathBuf::from(format!("{}-wal", file.display()))) > 0 {
        return Err(BackupError::HasLog { file: file.into() });
    }
    sound(file)?;
    let _guard = folder::guard(folder)?;
    let old = Old { folder, gathered: folder.join(REPLACING) };
    if old.is_there() && !replace && !old.is_cut_short() {
        return Err(BackupError::Occupied { folder: folder.into() });
    }
    let restoring = folder.join(RESTORING);
    let unwritable = |source| BackupError::Write { file: restoring.clone(), source };
    copy(file, &restoring).map_err(unwritable)?;
    let (next_order, goes_on_past) = go_on(&restoring, &old)?;
    // From here on the copy is used, not the backup.
    let BackedUp { orders, bytes } = sound(&restoring)?;
    sync_folder(folder)?;
    let replaced = old.move_aside().map_err(unwritable)?;
    fs::rename(&restoring, folder.join("till.db")).map_err(unwritable)?;
    sync_folder(folder)?;
    Ok(Restored { orders, bytes, replaced, next_order, goes_on_past })
}

/// Makes the restored store continue after the numbers that the other stores in its folder gave out. Returns the number
/// of its next order.
fn go_on(restoring: &Path, old: &Old<'_>) -> Result<(u64, GoesOnPast), BackupError> {
    let of_sqlite = |source| OpenError::of_sqlite(restoring, source);
    let mut connection = Connection::open(restoring).map_err(of_sqlite)?;
    schema::migrate(&mut connection, restoring)?;
    let mut numbers = Numbers::of(&connection).map_err(of_sqlite)?;
    let (mut others, mut unreadable) = (0, Vec::new());
    for store in old.stores() {
        others += 1;
        match open::for_reading(&store, false, open::PATIENCE).and_then(|connection| Numbers::of_any(&connection)) {
            Ok(given_out) => numbers = numbers.or_higher(given_out),
            Err(_) => unreadable.push(store),
        }
    }
    numbers.raise(&connection).map_err(of_sqlite)?;
    connection.close().map_err(|(_, source)| of_sqlite(source))?;
    let goes_on_past = match (others, unreadable.is_empty()) {
        (0, _) => GoesOnPast::TheBackups,
        (_, true) => GoesOnPast::AllThere,
        (_, false) => GoesOnPast::AllBut(unreadable),
    };
    Ok((numbers.order_id.unsigned_abs() + 1, goes_on_past))
}

/// Copies a file's bytes, not its permissions: a backup may be read-only, the store can't be.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // An interrupted restore leaves a journal, with which SQLite would roll this copy back.
    match fs::remove_file(format!("{}-journal", to.display())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _gone => {}
    }
    let mut copy = File::create(to)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// A store that a restored one replaces.
///
/// Its files can't be moved all at once, and a log without its till.db is useless. So the files are moved into a folder
/// with a fixed name, and an interrupted restore continues in the same folder. The folder gets its final name when
/// nothing is left to move.
struct Old<'a> {
    folder: &'a Path,
    gathered: PathBuf,
}

impl Old<'_> {
    /// The database comes first: once it is gone a start refuses, while a start with the database but no log would lose
    /// the log's commits.
    const FILES: [&'static str; 3] = ["till.db", "till.db-wal", "till.db-shm"];

    /// Returns the files of all stores in the folder: the current one, one whose move was interrupted, and those that
    /// earlier restores moved aside.
    fn stores(&self) -> impl Iterator<Item = PathBuf> {
        let folders = fs::read_dir(self.folder).into_iter().flatten().flatten();
        let aside = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(REPLACED));
        let folders =
            [self.folder.to_owned(), self.gathered.clone()].into_iter().chain(aside.map(|entry| entry.path()));
        folders.map(|folder| folder.join("till.db")).filter(|file| bytes(file) > 0)
    }

    fn is_there(&self) -> bool {
        Self::FILES.iter().any(|name| self.folder.join(name).exists())
    }

    /// Returns whether an interrupted restore has moved the store's database but maybe not its other files.
    fn is_cut_short(&self) -> bool {
        self.gathered.join("till.db").exists() && !self.folder.join("till.db").exists()
    }

    /// Moves the store aside and returns its database's new path; `None` if there was no store.
    fn move_aside(&self) -> io::Result<Option<PathBuf>> {
        if self.gathered.join("till.db").exists() && !self.is_cut_short() {
            // Somebody has put a till.db back since. The gathered files keep a folder of their own, so that nothing is
            // overwritten.
            self.name_gathered()?;
        }
        let files = Self::FILES.into_iter().filter(|name| self.folder.join(name).exists());
        for name in files {
            fs::create_dir_all(&self.gathered)?;
            fs::rename(self.folder.join(name), self.gathered.join(name))?;
            // Each move is synced before the next, or a power cut could leave the database in place and its log moved.
            sync_names(&self.gathered)?;
            sync_names(self.folder)?;
        }
        if self.gathered.exists() { self.name_gathered().map(Some) } else { Ok(None) }
    }

    fn name_gathered(&self) -> io::Result<PathBuf> {
        // The next free name, in case of another restore within the same millisecond.
        let mut names = (now_ms()..).map(|ms| self.folder.join(format!("{REPLACED}{ms}")));
        let replaced = names.find(|name| !name.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(&self.gathered, &replaced)?;
        sync_names(self.folder)?;
        Ok(replaced.join("till.db"))
    }
}

/// Returns the file's size and number of orders, if the file is complete and all its rows are valid.
fn sound(file: &Path) -> Result<BackedUp, BackupError> {
    let examined = examine_file(file)?;
    if let Some(Finding { what, .. }) = examined.faults().next() {
        let advice = "use another backup";
        return Err(BackupError::Unsound { file: file.into(), what: what.clone(), advice });
    }
    Ok(BackedUp { orders: examined.orders, bytes: bytes(file) })
}

fn refuse_existing(file: &Path) -> Result<(), BackupError> {
    if file.symlink_metadata().is_ok() { Err(BackupError::Exists { file: file.into() }) } else { Ok(()) }
}

/// An unfinished file with a unique name, deleted when it is dropped.
struct Partial(PathBuf);

impl Partial {
    fn beside(file: &Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // The process's id isn't unique: two containers, or two machines on a shared disk, may have the same one.
        Self(file.with_file_name(format!("{name}.partial-{}", Uuid::now_v7())))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
        drop(fs::remove_file(format!("{}-journal", self.0.display())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_backups_to_one_file_are_written_apart_and_the_second_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("backup.db");
        let [first, second] = ["first", "second"].map(|bytes| {
            let partial = Partial::beside(&file);
            fs::write(&partial.0, bytes).expect("writes");
            partial
        });
        place(&first.0, &file).expect("there is no such file yet");
        let refused = place(&second.0, &file);
        assert!(matches!(refused, Err(BackupError::Exists { .. })), "{refused:?}");
        drop((first, second));
        assert_eq!(fs::read(&file).expect("reads"), b"first");
        assert_eq!(fs::read_dir(folder.path()).expect("reads").count(), 1, "no part is left");
    }

    #[test]
    fn what_cannot_be_linked_gets_its_name_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let (partial, file) = (folder.path().join("partial"), folder.path().join("backup.db"));
        // A folder can't be hard-linked, so this takes the path of disks without links.
        fs::create_dir(&partial).expect("a folder");
        place(&partial, &file).expect("it has a new name");
        assert!(file.is_dir() && !partial.exists());
    }
}
