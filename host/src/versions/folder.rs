//! Reads the plugin folder: lists its files, and reads one of them. Every function blocks.
//!
//! Other processes may write to the folder at any time, so no function assumes that a file stays the same. A file is
//! opened without waiting for a writer, its metadata is read from the open file, no more is read than a plugin may
//! have, and its metadata is compared with the first reading.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use rustix::fs::OFlags;

mod watch;

pub use watch::Watcher;

/// The most `*.wasm` of a folder that are read. A shop needs two.
pub(super) const FILES_MAX: usize = 1_000;
const NO_FILE: &str = "is no regular file";

/// What distinguishes one content of a file from the next: writing changes the times, replacing the file the inode.
///
/// Within a tick of the file system's clock (4 ms on ext4, 2 s on FAT) a file may change and keep its stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// When the content was last written, in seconds and nanoseconds. A writer may set this to anything.
    modified: (i64, i64),
    /// When the file was last changed, in seconds and nanoseconds. Nobody can set this. Renaming counts on most file
    /// systems.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns a stamp that differs from the stamps with other numbers.
    #[cfg(test)]
    pub(super) const fn numbered(number: u64) -> Self {
        Self { device: 1, inode: number, bytes: 0, modified: (0, 0), changed: (0, 0) }
    }

    /// Returns when the file last changed, for putting files in order.
    pub(super) const fn changed(&self) -> (i64, i64) {
        self.changed
    }
}

/// What a file's metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileState {
    File(Stamp),
    /// No regular file, or its metadata can't be read. The text says which, as in "… is no regular file".
    Unusable(String),
}

/// What is in the folder.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Every `*.wasm` by its name, links followed; if there are more than [`FILES_MAX`], the first by name.
    pub(super) files: BTreeMap<OsString, FileState>,
    /// How many more `*.wasm` there are.
    pub(super) left_out: usize,
}

/// Lists the `*.wasm` of the folder.
///
/// # Errors
/// When the folder can't be read. A file that can't be is [`FileState::Unusable`].
pub(super) fn list(folder: &Path) -> io::Result<Listed> {
    let mut listed = Listed::default();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !is_wasm(&name) {
            continue;
        }
        // No more than FILES_MAX names are held: a folder with a million files costs no more memory than one with a
        // thousand.
        listed.files.insert(name, FileState::Unusable(String::new()));
        if listed.files.len() > FILES_MAX {
            listed.files.pop_last();
            listed.left_out += 1;
        }
    }
    listed.files.retain(|name, state| {
        let path = folder.join(name);
        *state = look(&path);
        // A folder with such a name isn't meant as a plugin.
        matches!(state, FileState::File(_)) || !path.is_dir()
    });
    Ok(listed)
}

/// Returns whether a file of that name counts as a plugin. A hidden file doesn't: macOS and archives leave `._x.wasm`
/// beside `x.wasm`, and some tools hide a file while they write it.
pub(super) fn is_wasm(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && Path::new(name).extension().is_some_and(|ending| ending == "wasm")
}

/// Returns what a file's metadata says; follows a link.
pub(super) fn look(path: &Path) -> FileState {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => FileState::File(Stamp::of(&metadata)),
        Ok(_) => FileState::Unusable(NO_FILE.into()),
        Err(error) => FileState::Unusable(format!("can't be read: {error}")),
    }
}

/// Why a file has no content that could be used, as in "… changed while it was read".
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    #[error("changed while it was read")]
    Changed,
    #[error("{0}")]
    Unusable(String),
}

/// Returns what is in the file, all of it at one moment as far as its stamp can tell, and that stamp.
///
/// # Errors
/// When it changed meanwhile, is no regular file, can't be read, or is larger than `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<(Stamp, Vec<u8>), ReadError> {
    let unusable = |error: io::Error| ReadError::Unusable(format!("can't be read: {error}"));
    let mut file = open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    if !metadata.is_file() {
        return Err(ReadError::Unusable(NO_FILE.into()));
    }
    let (stamp, size) = (Stamp::of(&metadata), metadata.size());
    if size > bytes_max {
        let too_large = format!("has {size} bytes, a plugin may have {bytes_max} (limits.component_mib)");
        return Err(ReadError::Unusable(too_large));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // One byte more than the size: if the file has grown, its length tells.
    Read::by_ref(&mut file).take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(unusable)?;
    let is_same = Stamp::of(&file.metadata().map_err(unusable)?) == stamp;
    if !is_same || u64::try_from(bytes.len()) != Ok(size) {
        return Err(ReadError::Changed);
    }
    Ok((stamp, bytes))
}

/// Opens without waiting: a FIFO that nobody writes to would keep its reader for ever.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn what_is_no_file_is_seen_and_never_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.wasm"), "a").expect("written");
        fs::write(at("a.txt"), "a").expect("written");
        fs::write(at("._a.wasm"), "what macOS leaves").expect("written");
        fs::create_dir(at("folder.wasm")).expect("a folder");
        symlink("a.wasm", at("link.wasm")).expect("linked");
        symlink("nowhere", at("dangling.wasm")).expect("linked");
        assert!(Command::new("mkfifo").arg(at("fifo.wasm")).status().expect("mkfifo runs").success());
        let listed = list(folder.path()).expect("listed");
        let is_file = |name: &str| {
            listed.files.get(OsString::from(name).as_os_str()).map(|state| matches!(state, FileState::File(_)))
        };
        let names = ["a.wasm", "link.wasm", "dangling.wasm", "fifo.wasm"];
        assert_eq!(names.map(is_file), [Some(true), Some(true), Some(false), Some(false)]);
        // None of these is a plugin, so none may keep a host from starting.
        assert_eq!(["folder.wasm", "._a.wasm", "a.txt"].map(is_file), [None; 3]);
        for name in ["folder.wasm", "dangling.wasm", "fifo.wasm"] {
            assert!(matches!(read(&at(name), 10), Err(ReadError::Unusable(_))), "{name}");
        }
        assert_eq!(read(&at("link.wasm"), 10).map(|(_, bytes)| bytes), Ok(b"a".to_vec()));
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.wasm");
        let mut file = File::create(&path).expect("a file");
        file.write_all(&[1; 11]).expect("written");
        let (stamp, bytes) = read(&path, 11).expect("read");
        assert_eq!((bytes, look(&path)), (vec![1; 11], FileState::File(stamp)));
        file.write_all(&[2]).expect("written");
        assert_ne!(look(&path), FileState::File(stamp));
        let too_large = "has 12 bytes, a plugin may have 11 (limits.component_mib)";
        assert_eq!(read(&path, 11).map_err(|error| error.to_string()).expect_err("too large"), too_large);
    }

    #[test]
    fn of_a_crowded_folder_the_first_are_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..FILES_MAX + 5 {
            File::create(folder.path().join(format!("{number:05}.wasm"))).expect("a file");
        }
        let listed = list(folder.path()).expect("listed");
        assert_eq!((listed.files.len(), listed.left_out), (FILES_MAX, 5));
        assert_eq!(listed.files.keys().next_back(), Some(&format!("{:05}.wasm", FILES_MAX - 1).into()));
    }
}
