//! Checks whether the store's files are where they were opened.
//!
//! After a file is deleted or its folder is moved away, writes to it still succeed but are lost. So the writer checks
//! before each commit, and the host now and then.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::OpenError;

/// The paths of a store's files, and the identities of the opened files.
#[derive(Debug)]
pub(super) struct Place {
    files: Vec<(PathBuf, Identity)>,
    is_told: AtomicBool,
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
            Ok(vec![lock, of_path("till.db")?, of_path("till.db-wal")?])
        };
        let files = files().map_err(|source| OpenError::Folder { folder: folder.into(), source })?;
        Ok(Arc::new(Self { files, is_told: AtomicBool::new(false) }))
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
        assert_eq!(place.check(), Ok(()));
        let aside = folder.with_extension("aside");
        for name in files {
            let path = folder.join(name);
            let lost = Err(Lost(path.as_path().into()));
            fs::rename(&path, &aside).expect("moves");
            assert_eq!(place.check(), lost, "gone");
            fs::copy(&aside, &path).expect("copies");
            assert_eq!(place.check(), lost, "a copy");
            fs::rename(&aside, &path).expect("moves back");
            assert_eq!(place.check(), Ok(()), "back");
        }
        fs::rename(&folder, &aside).expect("moves");
        assert_eq!(place.check(), Err(Lost(folder.join("till.lock").as_path().into())), "the whole folder");
        fs::write(&folder, "").expect("a file");
        assert!(place.check().is_err(), "a file in place of the folder");
    }
}
