//! A cache of compiled code for plugin authors' commands, so that the same bytes are compiled only once, however often
//! they are checked, run and tested.
//!
//! ```text
//! $XDG_CACHE_HOME/till, or ~/.cache/till
//! └─ <sha256 of the component>/     the code, as a host keeps its own (`runtime/compiled.rs`)
//!    └─ lock                        held by a command while it compiles; its time says when the code was used last
//! ```
//!
//! The code is loaded into this process, so the folder has to be the user's own and writable by nobody else. If it
//! isn't, or there is none, a temporary folder is used, and every command compiles.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::{
    runtime::{CodeCache, digest_of},
    units::MIB,
};

/// The write permissions that a folder may not have: its group's and everybody's.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A locked folder for the code of one component. Other commands for the same component wait until this is dropped.
pub(super) struct Code {
    kept: CodeCache,
    _lock: File,
    _temporary: Option<TempDir>,
}

impl Code {
    /// Opens the folder for a component with these bytes; all folders together may take `mib_max` MiB.
    ///
    /// # Errors
    /// If not even a temporary folder can be made.
    pub(super) fn of(component: &[u8], mib_max: usize) -> anyhow::Result<Self> {
        Self::within(users_own(), component, mib_max)
    }

    fn within(folder: Option<PathBuf>, component: &[u8], mib_max: usize) -> anyhow::Result<Self> {
        let digest = digest_of(component);
        if let Some(folder) = folder.filter(|folder| is_private(folder)) {
            let own = folder.join(&digest);
            // A full disk or a read-only folder doesn't stop the compiling.
            if let Ok((kept, lock)) = open(&own) {
                make_room(&folder, &digest, (mib_max * MIB) as u64);
                return Ok(Self { kept, _lock: lock, _temporary: None });
            }
        }
        let temporary = tempfile::tempdir().context("make a folder for the code")?;
        let (kept, lock) = open(temporary.path())?;
        Ok(Self { kept, _lock: lock, _temporary: Some(temporary) })
    }

    pub(super) fn kept(&self) -> CodeCache {
        self.kept.clone()
    }
}

fn open(folder: &Path) -> anyhow::Result<(CodeCache, File)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    lock.lock()?;
    lock.set_modified(SystemTime::now())?;
    Ok((CodeCache::open(folder)?, lock))
}

/// Returns the user's folder of compiled code, which is made if it is missing.
fn users_own() -> Option<PathBuf> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
    let folder = caches.join("till");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder)
}

/// Returns whether the folder and its parent are the user's own and writable by nobody else.
fn is_private(folder: &Path) -> bool {
    let user = geteuid().as_raw();
    let is_own = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|metadata| {
            metadata.is_dir() && metadata.uid() == user && metadata.mode() & WRITABLE_BY_OTHERS == 0
        })
    };
    is_own(folder) && folder.parent().is_some_and(is_own)
}

/// Deletes the least recently used folders until the rest fits. Ignores errors.
fn make_room(folder: &Path, kept_digest: &str, bytes_max: u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut used: Vec<(SystemTime, PathBuf)> = entries
        .filter(|path| path.file_name().is_some_and(|name| name != kept_digest))
        .filter_map(|path| Some((fs::metadata(path.join("lock")).and_then(|lock| lock.modified()).ok()?, path)))
        .collect();
    used.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
    let mut bytes = size(&folder.join(kept_digest));
    for (_, path) in used {
        bytes = bytes.saturating_add(size(&path));
        if bytes > bytes_max {
            _ = fs::remove_dir_all(path);
        }
    }
}

fn size(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0_u64, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, time::Duration};

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("till");
        DirBuilder::new().mode(0o700).create(&folder).expect("made");
        (home, folder)
    }

    #[test]
    fn what_others_could_write_is_never_loaded() {
        let (home, folder) = folder();
        let opened = |component: &[u8]| Code::within(Some(folder.clone()), component, 1).expect("a folder");
        assert!(opened(b"own")._temporary.is_none());
        for (path, mode) in [(&folder, 0o720), (&folder, 0o702), (&home.path().to_owned(), 0o777)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
            assert!(opened(b"others")._temporary.is_some(), "{} {mode:o}", path.display());
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("set");
        }
        let linked = home.path().join("linked");
        std::os::unix::fs::symlink(&folder, &linked).expect("a link");
        assert!(Code::within(Some(linked), b"own", 1).expect("a folder")._temporary.is_some());
        assert!(Code::within(None, b"own", 1).expect("a folder")._temporary.is_some());
    }

    #[test]
    fn the_code_used_longest_ago_makes_room() {
        let (_home, folder) = folder();
        let path = |component: &[u8]| folder.join(digest_of(component));
        for (component, hours) in [(b"old", 3), (b"new", 1)] {
            drop(Code::within(Some(folder.clone()), component, 100).expect("a folder"));
            fs::write(path(component).join("code/x"), vec![0; 600 * 1024]).expect("written");
            let lock = File::options().write(true).open(path(component).join("lock")).expect("a lock");
            lock.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).expect("set");
        }
        drop(Code::within(Some(folder.clone()), b"third", 1).expect("a folder"));
        assert!(!path(b"old").exists() && path(b"new").exists() && path(b"third").exists());
    }
}
