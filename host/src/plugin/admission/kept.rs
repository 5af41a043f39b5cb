//! Compiled code that is kept, so that a plugin is compiled once and not at every start.
//!
//! It is wasmtime's own cache, in a folder beside the order store. Loading from it is no deserialising of foreign code:
//! what is there was compiled by this program from a component that it had in hand, and is found under a hash of that
//! component, of wasmtime's version, of the engine's settings and of the processor. Nobody names a file of it, and the
//! folder is open to the host's user only, who could as well change the host. An entry that a crash cut short doesn't
//! unpack, and is compiled anew.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use wasmtime::{Cache, CacheConfig};

/// What isn't finished by then never will be: its writer was killed.
const UNFINISHED_AFTER: Duration = Duration::from_secs(3600);
const MIB: u64 = 1024 * 1024;

/// A folder of compiled code.
#[derive(Debug, Clone)]
pub struct Kept {
    cache: Cache,
}

impl Kept {
    /// Opens the folder, which is made if it isn't there.
    ///
    /// # Errors
    /// Names the folder that can't be used.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let used = || format!("use {} for compiled code", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(used)?;
        let mut config = CacheConfig::new();
        config.with_directory(fs::canonicalize(folder).with_context(used)?);
        // Packing harder what is used often would take seconds of CPU; and room is made by `make_room`, since a child
        // is gone before wasmtime's own cleaning gets to it.
        config.with_optimized_compression_level(config.baseline_compression_level());
        Ok(Self { cache: Cache::new(config).map_err(anyhow::Error::from).with_context(used)? })
    }

    pub(in crate::plugin) const fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(super) fn folder(&self) -> &Path {
        self.cache.directory()
    }

    /// Returns how often something was found there.
    #[must_use]
    pub fn loads(&self) -> usize {
        self.cache.cache_hits()
    }

    /// Deletes what was used longest ago until the rest fits, and what was never finished. Blocks on the disk. Best
    /// effort: what can't be deleted stays.
    pub(super) fn make_room(&self, mib: u64) {
        let mut entries = entries(self.folder());
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        let mut bytes = 0_u64;
        for Entry { path, used, size } in entries {
            bytes = bytes.saturating_add(size);
            let is_old = used.elapsed().is_ok_and(|age| age > UNFINISHED_AFTER);
            if bytes > mib.saturating_mul(MIB) || (is_unfinished(&path) && is_old) {
                _ = fs::remove_file(statistics(&path));
                _ = fs::remove_file(path);
            }
        }
    }
}

struct Entry {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

/// Returns what is kept, of any release of wasmtime: `modules/<release>/<hash>`, with `<hash>.stats` beside it, which
/// is written at each use.
fn entries(folder: &Path) -> Vec<Entry> {
    let listed = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = listed(folder.join("modules")).flat_map(listed);
    let entry = |path: PathBuf| {
        let metadata = fs::metadata(&path).ok()?;
        let used = fs::metadata(statistics(&path)).and_then(|used| used.modified());
        let used = used.or_else(|_| metadata.modified()).ok()?;
        Some(Entry { path, used, size: metadata.len() })
    };
    files.filter(|path| path.extension().is_none_or(|ending| ending != "stats")).filter_map(entry).collect()
}

fn statistics(path: &Path) -> PathBuf {
    path.with_extension("stats")
}

/// wasmtime writes under another name first.
fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_what_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = Kept::open(&folder.path().join("compiled")).expect("usable");
        let release = kept.folder().join("modules").join("wasmtime-1");
        fs::create_dir_all(&release).expect("a folder");
        let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(3600 * hours);
        let write = |name: &str, bytes: usize, hours: u64| {
            let path = release.join(name);
            fs::write(&path, vec![0; bytes]).expect("a file");
            fs::File::options().write(true).open(path).and_then(|file| file.set_modified(hours_ago(hours)))
        };
        for (name, bytes, hours) in [
            ("used", 600_000, 50),
            ("used.stats", 10, 1),
            ("forgotten", 600_000, 40),
            ("forgotten.stats", 10, 30),
            ("fresh", 300_000, 0),
            ("cut-short.wip-atomic-write-mod", 10, 2),
            ("being-written.wip-atomic-write-mod", 10, 0),
        ] {
            write(name, bytes, hours).expect("a time");
        }
        kept.make_room(1);
        let mut left: Vec<_> =
            fs::read_dir(&release).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["being-written.wip-atomic-write-mod", "fresh", "used", "used.stats"]);
    }
}
