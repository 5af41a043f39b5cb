//! What a power cut leaves of a folder, worked out from the record of what was written to it.
//!
//! Synced data is there. Of unsynced data nothing, all or any sectors may be there, and a name that was made or removed
//! may be as before until its folder is synced. File systems promise this and no more.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rand::{RngExt, rngs::StdRng};

/// The unit that a disk writes as a whole or not at all, bytes.
const SECTOR: usize = 512;

/// An operation on the folder, in the order in which they happened.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The last moment before it happened, on the machine's monotonic clock: the end of a sync, the beginning of any
    /// other operation.
    pub(crate) at_ns: u64,
    pub(crate) name: String,
    pub(crate) operation: Operation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Opened for writing; made, if it wasn't there.
    Opened {
        emptied: bool,
    },
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        size: usize,
    },
    /// Of a file: everything written to it by then is durable.
    Sync,
    Unlink,
    Rename {
        to: String,
    },
    /// Of a folder: every name in it is durable.
    SyncFolder,
    MakeFolder,
    /// Of a file: an error. The system may have dropped what it couldn't write, and call it clean from then on.
    SyncFailed,
}

/// All entries, and the folder as it was before the first.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) entries: Vec<Entry>,
}

/// Which part of what wasn't synced survives a cut.
#[derive(Debug)]
pub(crate) enum Unsynced<'a> {
    Nothing,
    All,
    /// Some sectors of it.
    Some(&'a mut StdRng),
}

impl Record {
    /// Adds the entries of a host that is gone, and checks that they explain the folder as it is now.
    pub(crate) fn add(&mut self, mut raw: &[u8], folder: &Path) {
        while let Some((entry, rest)) = parse(raw) {
            self.entries.push(entry);
            raw = rest;
        }
        // A kill may have come after an entry was recorded and before it happened, or in the middle of it.
        let explains = |record: &Self| record.disk(record.entries.len()).is(folder);
        if explains(self) {
            return;
        }
        let mut last = self.entries.pop().expect("an empty record explains an untouched folder");
        if !explains(self) {
            if let Operation::Write { offset, bytes } = &mut last.operation {
                let now = fs::read(folder.join(&last.name)).expect("it was written to");
                bytes.truncate(now.len().saturating_sub(*offset));
                let same = bytes.iter().zip(now.iter().skip(*offset)).take_while(|(a, b)| a == b).count();
                bytes.truncate(same);
            }
            self.entries.push(last);
            assert!(explains(self), "the record doesn't explain what is in the folder");
        }
    }

    /// Returns the disk at the cut: the entries before it have happened.
    pub(crate) fn disk(&self, cut: usize) -> Disk {
        let mut disk = Disk::default();
        self.entries.iter().take(cut).for_each(|entry| disk.apply(entry));
        disk
    }

    /// Returns the record as it would be with `synchronous=NORMAL`, which doesn't sync the log at a commit: only when
    /// the log is begun anew, and before it is moved into the file.
    pub(crate) fn with_synchronous_normal(&self) -> Self {
        let is_kept = |index: usize, entry: &Entry| {
            let writes_to = |at: Option<&Entry>, name: &str| {
                at.is_some_and(|at| at.name.ends_with(name) && matches!(at.operation, Operation::Write { .. }))
            };
            let header = self.entries.get(index.wrapping_sub(1)).is_some_and(|before| {
                matches!(before.operation, Operation::Write { offset: 0, .. }) && before.name == entry.name
            });
            !(entry.name.ends_with("-wal") && entry.operation == Operation::Sync)
                || header
                || writes_to(self.entries.get(index + 1), "till.db")
        };
        let kept = self.entries.iter().enumerate().filter(|(index, entry)| is_kept(*index, entry));
        Self { entries: kept.map(|(_index, entry)| entry.clone()).collect() }
    }
}

/// Returns the first entry, `None` when there is no whole one: the host was killed in the middle of it.
fn parse(raw: &[u8]) -> Option<(Entry, &[u8])> {
    let number = |at: usize| Some(u64::from_ne_bytes(raw.get(at * 8..at * 8 + 8)?.try_into().ok()?));
    let size = |at: usize| usize::try_from(number(at)?).ok();
    let (at_ns, kind, offset) = (number(0)?, number(1)?, size(2)?);
    let (name, rest) = raw.get(40..)?.split_at_checked(size(3)?)?;
    let (bytes, rest) = rest.split_at_checked(size(4)?)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a UTF-8 name");
    let operation = match kind {
        1 => Operation::Opened { emptied: offset == 1 },
        2 => Operation::Write { offset, bytes: bytes.to_vec() },
        3 => Operation::Truncate { size: offset },
        4 => Operation::Sync,
        5 => Operation::Unlink,
        6 => Operation::Rename { to: text(bytes) },
        7 => Operation::SyncFolder,
        8 => Operation::MakeFolder,
        9 => Operation::SyncFailed,
        other => panic!("no operation {other}"),
    };
    Some((Entry { at_ns, name: text(name), operation }, rest))
}

/// A folder on a disk with a cache: what is durable, and what only the running system sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// What the running system sees: the file of each name, by its index; a folder is `None`.
    names: BTreeMap<String, Option<usize>>,
    /// What is durable of the names.
    durable: BTreeMap<String, Option<usize>>,
    /// Changes of names since their folder was synced.
    renamings: Vec<Naming>,
}

#[derive(Debug, Clone)]
struct Naming {
    /// Names of one folder, and what each names from then on: `None` for nothing. They change together or not at all.
    names: Vec<(String, Option<Option<usize>>)>,
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What the running system sees.
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What may yet become durable.
    unsynced: Vec<Operation>,
}

/// What a folder holds, by name.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

impl Disk {
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.operation {
            Operation::Opened { emptied } => {
                if !self.names.contains_key(&entry.name) {
                    self.files.push(File::default());
                    self.name(vec![(entry.name.clone(), Some(Some(self.files.len() - 1)))]);
                } else if *emptied {
                    self.file(&entry.name).change(&Operation::Truncate { size: 0 });
                }
            }
            Operation::Write { .. } | Operation::Truncate { .. } => self.file(&entry.name).change(&entry.operation),
            Operation::SyncFailed => self.file(&entry.name).unsynced.clear(),
            Operation::Sync => self.file(&entry.name).sync(),
            Operation::Unlink => self.name(vec![(entry.name.clone(), None)]),
            Operation::Rename { to } => {
                // A folder takes what is in it along. Its own name stands before those.
                let of_entry = |name: &str| Some(name.strip_prefix(&entry.name)?.to_owned());
                let moved = self.names.iter().filter_map(|(name, file)| Some((of_entry(name)?, *file)));
                let moved = moved.filter(|(rest, _file)| rest.is_empty() || rest.starts_with('/'));
                let named = moved.flat_map(|(rest, file)| {
                    [(format!("{}{rest}", entry.name), None), (format!("{to}{rest}"), Some(file))]
                });
                self.name(named.collect());
            }
            Operation::SyncFolder => {
                let (synced, rest) =
                    std::mem::take(&mut self.renamings).into_iter().partition(|naming| naming.folder() == entry.name);
                self.renamings = rest;
                let synced: Vec<Naming> = synced;
                synced.iter().for_each(|naming| naming.apply(&mut self.durable));
            }
            Operation::MakeFolder => self.name(vec![(entry.name.clone(), Some(None))]),
        }
    }

    /// Returns what a start would find after a cut now.
    pub(crate) fn image(&self, mut unsynced: Unsynced<'_>) -> Image {
        let mut names = self.durable.clone();
        for naming in &self.renamings {
            // A journaling file system keeps the order of names: after the first that is lost all are.
            let survives = match &mut unsynced {
                Unsynced::Nothing => false,
                Unsynced::All => true,
                Unsynced::Some(dice) => dice.random_bool(0.8),
            };
            if !survives {
                break;
            }
            naming.apply(&mut names);
        }
        let mut image = Image::new();
        for (name, file) in &names {
            let is_reachable = parent(name).is_empty() || names.contains_key(parent(name));
            if let Some(file) = file.and_then(|file| self.files.get(file)).filter(|_| is_reachable) {
                image.insert(name.clone(), file.after_cut(&mut unsynced));
            }
        }
        image
    }

    /// Returns whether that is what the running system sees in the folder.
    fn is(&self, folder: &Path) -> bool {
        let files = self.names.iter().filter_map(|(name, file)| Some((name, self.files.get((*file)?)?)));
        let mut seen: Image = files.map(|(name, file)| (name.clone(), file.seen.clone())).collect();
        let there = read_folder(folder, &folder.to_path_buf());
        // A file that was only just made may be on one side alone.
        seen.retain(|name, bytes| !bytes.is_empty() || there.contains_key(name));
        there.iter().all(|(name, bytes)| bytes.is_empty() || seen.get(name) == Some(bytes))
            && seen.keys().all(|name| there.contains_key(name))
    }

    fn file(&mut self, name: &str) -> &mut File {
        let file = self.names.get(name).copied().flatten().unwrap_or_else(|| panic!("no file {name}"));
        &mut self.files[file]
    }

    fn name(&mut self, names: Vec<(String, Option<Option<usize>>)>) {
        let naming = Naming { names };
        naming.apply(&mut self.names);
        self.renamings.push(naming);
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, Option<usize>>) {
        for (name, file) in &self.names {
            match file {
                Some(file) => _ = names.insert(name.clone(), *file),
                None => _ = names.remove(name),
            }
        }
    }

    fn folder(&self) -> &str {
        self.names.first().map_or("", |(name, _file)| parent(name))
    }
}

impl File {
    fn change(&mut self, operation: &Operation) {
        carry_out(&mut self.seen, operation);
        self.unsynced.push(operation.clone());
    }

    fn sync(&mut self) {
        for operation in std::mem::take(&mut self.unsynced) {
            carry_out(&mut self.durable, &operation);
        }
    }

    fn after_cut(&self, unsynced: &mut Unsynced<'_>) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for operation in &self.unsynced {
            match (&mut *unsynced, operation) {
                (Unsynced::Nothing, _) => {}
                (Unsynced::All, _) => carry_out(&mut bytes, operation),
                (Unsynced::Some(dice), Operation::Write { offset, bytes: written }) => {
                    for (offset, sector) in sectors(*offset, written) {
                        if dice.random_bool(0.5) {
                            carry_out(&mut bytes, &Operation::Write { offset, bytes: sector.to_vec() });
                        }
                    }
                }
                (Unsynced::Some(dice), _) => {
                    if dice.random_bool(0.5) {
                        carry_out(&mut bytes, operation);
                    }
                }
            }
        }
        bytes
    }
}

/// Returns the parts of a write that a disk may keep or lose one by one.
fn sectors(offset: usize, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let first = (SECTOR - offset % SECTOR).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let rest = rest.chunks(SECTOR).enumerate().map(|(index, sector)| (offset + first + index * SECTOR, sector));
    std::iter::once((offset, head)).chain(rest).collect()
}

fn carry_out(file: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { offset, bytes } => {
            let end = offset + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*offset..end].copy_from_slice(bytes);
        }
        Operation::Truncate { size } => file.resize(*size, 0),
        _ => {}
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn read_folder(root: &Path, folder: &PathBuf) -> Image {
    let mut image = Image::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            image.extend(read_folder(root, &path));
        } else if !path.to_string_lossy().ends_with("-shm") {
            let name = path.strip_prefix(root).expect("within").to_string_lossy().into_owned();
            image.insert(name, fs::read(&path).expect("a file"));
        }
    }
    image
}

/// Writes what a cut has left to a folder, for a start to find.
pub(crate) fn write(image: &Image, folder: &Path) {
    for (name, bytes) in image {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("within the folder")).expect("a folder");
        fs::write(file, bytes).expect("a file");
    }
}
