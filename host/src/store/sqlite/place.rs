//! Checks whether the store's files are where they were opened.
//!
//! After a file is deleted or its folder is moved away, writes to it still succeed but are lost. So the writer checks the log
//! before each batch, to which the batch goes, and the other files as well every [`ALL_EVERY`]; the host checks all now and then.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::OpenError;

/// How often the writer checks all files. A small commit costs some ten microseconds, and each file one or two.
const ALL_EVERY: Duration = Duration::from_millis(100);

/// The paths of a store's files, and the identities of the opened files.
#[derive(Debug)]
pub(super) struct Place {
    /// The lock, the database and its log.
    files: [(PathBuf, Identity); 3],
    is_told: AtomicBool,
    log_bytes: AtomicU64,
    /// When the writer checked all files last.
    all_checked_at: Mutex<Instant>,
}

/// A file's identity, independent of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), number: file.ino() }
    }
}

/// The file that is no longer at its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is gone, or another file is in its place", .0.display())]
pub struct Lost(Arc<Path>);

impl Place {
    /// Records the files of an open store: the lock, the database and its log, which exists while the database is open.
    ///
    /// # Errors
    /// If the metadata of one of them can't be read.
    pub(super) fn of(folder: &Path, lock: &File) -> Result<Arc<Self>, OpenError> {
        let of_path = |name: &str| -> io::Result<_> {
            let path = folder.join(name);
            let identity = Identity::of(&fs::metadata(&path)?);
            Ok((path, identity))
        };
        let files = || -> io::Result<_> {
            let lock = (folder.join("till.lock"), Identity::of(&lock.metadata()?));
            Ok([lock, of_path("till.db")?, of_path("till.db-wal")?])
        };
        let files = files().map_err(|source| OpenError::Folder { folder: folder.into(), source })?;
        let (is_told, log_bytes) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Arc::new(Self { files, is_told, log_bytes, all_checked_at: Mutex::new(Instant::now()) }))
    }

    /// Checks the log's path, and at times each file's: always while one is missing.
    ///
    /// # Errors
    /// As [`Place::check`].
    pub(super) fn check_log(&self) -> Result<(), Lost> {
        let all_are_due = self.is_told.load(Relaxed) || self.all_checked_at.lock().elapsed() >= ALL_EVERY;
        if self.log_is_there() && !all_are_due {
            return Ok(());
        }
        *self.all_checked_at.lock() = Instant::now();
        self.check()
    }

    /// Returns the write-ahead log's size at the last check, bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_bytes.load(Relaxed)
    }

    fn log_is_there(&self) -> bool {
        let [_, _, (path, identity)] = &self.files;
        let found = fs::metadata(path);
        self.log_bytes.store(found.as_ref().map_or(0, Metadata::len), Relaxed);
        found.is_ok_and(|found| Identity::of(&found) == *identity)
    }

    /// Checks each file's path, and logs a missing file once, until all are there again.
    ///
    /// # Errors
    /// The first missing file. A path that can't be checked at the moment isn't counted as missing.
    pub(super) fn check(&self) -> Result<(), Lost> {
        let is_lost = |(path, identity): &&(PathBuf, Identity)| match fs::metadata(path) {
            Ok(found) => Identity::of(&found) != *identity,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        let Some((path, _)) = self.files.iter().find(is_lost) else {
            self.is_told.store(false, Relaxed);
            return Ok(());
        };
        let lost = Lost(path.as_path().into());
        if !self.is_told.swap(true, Relaxed) {
            tracing::error!(
                file = %path.display(),
                "{lost}: no order is taken until the files that this till opened are back. If they were moved, move them back; \
                 else stop till, put a backup in their place with `till restore`, and start it again"
            );
        }
        Err(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_isnt_at_its_path_is_missed_until_it_is_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("data");
        fs::create_dir(&folder).expect("a folder");
        let files = ["till.lock", "till.db", "till.db-wal"];
        for name in files {
            fs::write(folder.join(name), "").expect("a file");
        }
        let lock = File::open(folder.join("till.lock")).expect("a lock");
        let place = Place::of(&folder, &lock).expect("files");
        assert_eq!((place.check(), place.check_log()), (Ok(()), Ok(())));
        let aside = folder.with_extension("aside");
        for name in files {
            let path = folder.join(name);
            let lost = Err(Lost(path.as_path().into()));
            let is_log = name == "till.db-wal";
            *place.all_checked_at.lock() = Instant::now() + Duration::from_secs(3_600);
            fs::rename(&path, &aside).expect("moves");
            assert_eq!(place.check_log().is_err(), is_log, "{name} gone");
            assert_eq!(place.check(), lost, "gone");
            assert_eq!(place.check_log(), lost, "known to be gone");
            fs::copy(&aside, &path).expect("copies");
            assert_eq!(place.check(), lost, "a copy");
            fs::rename(&aside, &path).expect("moves back");
            assert_eq!(place.check_log(), Ok(()), "back");
        }
        fs::remove_file(folder.join("till.lock")).expect("goes");
        *place.all_checked_at.lock() = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(place.check_log(), Ok(()), "only the log is due");
        *place.all_checked_at.lock() = Instant::now() - ALL_EVERY;
        assert!(place.check_log().is_err(), "all are due");
        fs::rename(&folder, &aside).expect("moves");
        assert_eq!(place.check(), Err(Lost(folder.join("till.lock").as_path().into())), "the whole folder");
        fs::write(&folder, "").expect("a file");
        assert!(place.check().is_err(), "a file in place of the folder");
    }
}
