//! Writes a command's output file as a whole or not at all, so that no failure destroys the previous file.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::Context;

/// The permissions of a new file, before the process's mask.
const NEW_FILE_MODE: u32 = 0o666;

/// Calls `write` with a temporary file beside `path`, and renames it once it is complete and on the disk. A pipe or a
/// terminal is written to directly.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let context = || format!("write {}", path.display());
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file() && !before.is_dir()) {
        let mut stream = OpenOptions::new().write(true).open(path).with_context(context)?;
        return write(&mut stream);
    }
    // The link's target is replaced, so that the link stays a link.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = before.map_or(Permissions::from_mode(NEW_FILE_MODE), |before| before.permissions());
    let beside = tempfile::Builder::new().prefix(".till-").suffix(".part").permissions(permissions).tempfile_in(folder);
    let mut beside = BufWriter::new(beside.with_context(context)?);
    write(&mut beside)?;
    let beside = beside.into_inner().map_err(|error| error.into_error()).with_context(context)?;
    beside.as_file().sync_all().with_context(context)?;
    beside.persist(&place).map(drop).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.csv");
        let put = |text: &'static str| write_whole(&path, |out| Ok(out.write_all(text.as_bytes())?));
        put("first").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        put("second").expect("written");
        // sqly #753 and others lost the last good file to an export that fails halfway.
        let failed = write_whole(&link, |out| {
            out.write_all(&[b'x'; 100_000])?;
            anyhow::bail!("the host went away")
        });
        assert_eq!(failed.expect_err("fails").to_string(), "the host went away");
        assert_eq!(fs::read(&path).expect("read"), b"second");
        write_whole(&link, |out| Ok(out.write_all(b"third")?)).expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"third");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2, "nothing is left beside it");
        let missing = write_whole(&folder.path().join("no/such"), |_| Ok(())).expect_err("refused");
        assert!(format!("{missing:#}").starts_with("write "), "{missing:#}");
    }
}
