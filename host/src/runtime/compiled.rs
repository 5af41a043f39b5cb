//! Compiled code that is kept, so that a plugin is compiled once and not at every start.
//!
//! It is wasmtime's own cache, in a folder beside the order store. Loading from it runs no foreign code: this program
//! compiled each entry from a component, and finds it by a hash of that component, of wasmtime's version, of the
//! engine's settings and of the processor. Nobody names a file of the cache, and only the host's user can open the
//! folder, who could change the host as well. wasmtime doesn't sync what it writes, so a power cut may damage an entry.
//! Therefore each entry's sha256 is stored once the entry was used, and the next start deletes every entry that doesn't
//! match before anything is loaded.
//!
//! ```text
//! code/modules/<release>/<hash>    wasmtime's, with <hash>.stats, which is written at each use
//! sums/<release>-<hash>            the sha256
//! ```

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use wasmtime::{Cache, CacheConfig};

use crate::units::MIB;

/// An entry that isn't finished after this time never will be: its writer was killed.
const UNFINISHED_AFTER: Duration = Duration::from_secs(3600);

/// A folder of compiled code.
#[derive(Debug, Clone)]
pub struct CodeCache {
    folder: PathBuf,
    cache: Cache,
}

impl CodeCache {
    /// Opens the folder, which is made if it isn't there, and deletes what is damaged. Reads all that is there.
    ///
    /// # Errors
    /// Names the folder that can't be used.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let kept = Self::beside_host(folder)?;
        for entry in entries(kept.code()) {
            if sum(&entry.path).is_none_or(|sum| fs::read_to_string(kept.sum_of(&entry.path)).ok() != Some(sum)) {
                kept.delete(&entry.path);
            }
        }
        Ok(kept)
    }

    /// Opens the folder while a host may have it open; deletes nothing.
    ///
    /// # Errors
    /// As [`CodeCache::open`].
    pub(crate) fn beside_host(folder: &Path) -> anyhow::Result<Self> {
        let used = || format!("use {} for compiled code", folder.display());
        let (code, sums) = (folder.join("code"), folder.join("sums"));
        for folder in [folder, &code, &sums] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(used)?;
        }
        let mut config = CacheConfig::new();
        config.with_directory(fs::canonicalize(code).with_context(used)?);
        // Compressing often used entries harder would take seconds of CPU. And `make_room` deletes entries instead of
        // wasmtime, since a child ends before wasmtime's own cleanup runs.
        config.with_optimized_compression_level(config.baseline_compression_level());
        let cache = Cache::new(config).map_err(anyhow::Error::from).with_context(used)?;
        Ok(Self { folder: folder.to_owned(), cache })
    }

    pub(crate) const fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn code(&self) -> &Path {
        self.cache.directory()
    }

    fn sum_of(&self, entry: &Path) -> PathBuf {
        let release = entry.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let hash = entry.file_name().unwrap_or_default().to_string_lossy();
        self.folder.join("sums").join(format!("{release}-{hash}"))
    }

    /// Stores the sha256 of new entries. Best effort: an entry without one is compiled anew after the next start.
    pub(crate) fn seal(&self) {
        for Entry { path, .. } in entries(self.code()) {
            let into = self.sum_of(&path);
            if !is_unfinished(&path) && !into.exists() {
                _ = sum(&path).map(|sum| fs::write(into, sum));
            }
        }
    }

    fn delete(&self, entry: &Path) {
        // The sum first: if the rest fails, the next start deletes an entry without a sum.
        _ = fs::remove_file(self.sum_of(entry));
        _ = fs::remove_file(statistics(entry));
        _ = fs::remove_file(entry);
    }

    /// Returns how often code was found in the cache.
    #[must_use]
    pub fn loads(&self) -> usize {
        self.cache.cache_hits()
    }

    /// Deletes the entries used longest ago until the rest fits, and those never finished. Blocks on the disk. Best
    /// effort: what can't be deleted stays.
    pub(crate) fn make_room(&self, mib: usize) {
        let mut entries = entries(self.code());
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        let mut bytes = 0_u64;
        for Entry { path, used, size } in entries {
            bytes = bytes.saturating_add(size);
            let is_old = used.elapsed().is_ok_and(|age| age > UNFINISHED_AFTER);
            if bytes > (mib * MIB) as u64 || (is_unfinished(&path) && is_old) {
                self.delete(&path);
            }
        }
    }
}

struct Entry {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

fn sum(entry: &Path) -> Option<String> {
    fs::read(entry).ok().map(|bytes| super::digest_of(&bytes))
}

/// Returns the entries, of any release of wasmtime.
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

/// Returns whether wasmtime hasn't finished the file: it first writes under a name with an extension.
fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_what_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = CodeCache::open(&folder.path().join("compiled")).expect("usable");
        let release = kept.code().join("modules").join("wasmtime-1");
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
