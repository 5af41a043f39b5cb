//! The data folder: one till at a time uses it, and only its owner reads what is in it.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use super::OpenError;

/// The prefix of the folders into which a restore moves replaced stores.
pub(super) const REPLACED: &str = "replaced-";

/// Returns the lock that keeps a second till off the folder, which is made if it is missing.
///
/// # Errors
/// `InUse` while another till holds the lock. The operating system releases a lock when its process ends, however it
/// ends.
pub(super) fn guard(folder: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.into(), source };
    make_folder(folder).map_err(unusable)?;
    let guard = File::options().create(true).truncate(false).write(true).open(folder.join("till.lock"));
    let guard = lock(folder, guard.map_err(unusable)?)?;
    keep_private(folder).map_err(unusable)?;
    Ok(guard)
}

/// Removes the permissions of others than owner and group from files that an older till made readable. The folder's own
/// permissions stay, because it may be used for more than the store.
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

/// Returns the lock of an existing folder without making anything in it; `None` if no till ever used the folder.
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

/// Makes the folder and those above it where they are missing, so that a power cut doesn't take them away again.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_names)
}

/// Makes the names of the files in the folder durable; SQLite does that for their contents.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    sync_names(folder).map_err(|source| OpenError::Folder { folder: folder.into(), source })
}

/// Makes the names in the folder durable; an empty path is the working folder.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    // Windows can't open a folder as a file, and doesn't need to.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
