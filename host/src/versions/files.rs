//! The plugin files in the data folder: each is named by its sha256, written once and never changed.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{runtime::digest_of, store::StoreError, units::KIB};

/// How much is written to a file before each flush.
const FLUSH_BYTES: usize = 512 * KIB;

/// The folder of the files.
#[derive(Debug, Clone)]
pub struct PluginFiles {
    folder: PathBuf,
}

/// Why a kept file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{} can't be used: {source}", .file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{} isn't what it was: its sha256 is another", .file.display())]
    Changed { file: PathBuf },
    #[error("the database that keeps it for all hosts can't be asked: {0}")]
    Shared(#[source] StoreError),
    #[error("the host is stopping")]
    CutOff,
}

impl PluginFiles {
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("plugins") }
    }

    /// Writes the bytes to their file, durably. Blocks on the disk.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn keep(&self, digest: &str, bytes: &[u8]) -> Result<(), FileError> {
        if self.read(digest).is_ok() {
            return Ok(());
        }
        let file = self.file(digest);
        self.write(&file, bytes).map_err(|source| FileError::Io { file, source })
    }

    /// Returns the file's bytes, with their digest checked. Blocks on the disk.
    ///
    /// # Errors
    /// When the file can't be read, or its content has changed.
    pub(super) fn read(&self, digest: &str) -> Result<Vec<u8>, FileError> {
        let file = self.file(digest);
        match fs::read(&file) {
            Ok(bytes) if digest_of(&bytes) == digest => Ok(bytes),
            Ok(_) => Err(FileError::Changed { file }),
            Err(source) => Err(FileError::Io { file, source }),
        }
    }

    /// Returns the file's bytes, with their digest checked; `None` if there is no such file. Blocks on the disk.
    ///
    /// # Errors
    /// When the file can't be read, or its content has changed.
    pub fn read_if_any(&self, digest: &str) -> Result<Option<Vec<u8>>, FileError> {
        match self.read(digest) {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let part = self.folder.join(format!("{:016x}.part", rand::random::<u64>()));
        let written = write_durably(&part, bytes).and_then(|()| fs::rename(&part, file));
        if written.is_err() {
            // A part of a file would only take up space.
            _ = fs::remove_file(&part);
        }
        written?;
        File::open(&self.folder)?.sync_all()
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    // In pieces: the order store's flushes to the same disk wait for everything that is to be written there.
    for piece in bytes.chunks(FLUSH_BYTES) {
        file.write_all(piece)?;
        file.sync_data()?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_only_if_it_is_what_was_kept() {
        let data = tempfile::tempdir().expect("a folder");
        let files = PluginFiles::new(data.path());
        let digest = digest_of(b"a plugin");
        assert!(matches!(files.read(&digest), Err(FileError::Io { .. })));
        files.keep(&digest, b"a plugin").expect("kept");
        assert_eq!(files.read(&digest).expect("read"), b"a plugin");

        fs::write(files.file(&digest), b"a plugim").expect("changed");
        assert!(matches!(files.read(&digest), Err(FileError::Changed { .. })));
        files.keep(&digest, b"a plugin").expect("kept anew");
        assert_eq!(files.read(&digest).expect("read"), b"a plugin");
        let left: Vec<_> = fs::read_dir(data.path().join("plugins")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
