//! Who may read what a till writes: nobody but its own user, whatever the mask of the process that started it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::support::{Host, host::run};

/// Returns what others than the owner have a right to, in and below the path.
fn open_to_others(path: &Path) -> Vec<(PathBuf, u32)> {
    let metadata = fs::symlink_metadata(path).expect("it is there");
    let mode = metadata.permissions().mode() & 0o777;
    let inner = if metadata.is_dir() { fs::read_dir(path).expect("a folder").collect() } else { Vec::new() };
    let below = inner.into_iter().flat_map(|entry| open_to_others(&entry.expect("an entry").path()));
    (mode & 0o077 != 0).then(|| (path.to_owned(), mode)).into_iter().chain(below).collect()
}

#[test]
fn nobody_else_reads_the_orders() {
    let host = Host::plan().with_nothing_given().start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    let data = host.folder.path().join("data");
    let (backup, export) = (host.folder.path().join("backup.db"), host.folder.path().join("orders.csv"));
    let written = |path: &Path| path.to_string_lossy().into_owned();
    let done = run(&["backup", "--data", &written(&data), &written(&backup)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let admin = format!("http://{}", host.admin.address);
    let done = run(&["orders", "export", "--admin", &admin, "--output", &written(&export)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let restored = host.folder.path().join("restored");
    let done = run(&["restore", "--data", &written(&restored), &written(&backup)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for path in [data, backup, export, restored] {
        assert_eq!(open_to_others(&path), [], "{}", path.display());
    }
    host.stop();
}
