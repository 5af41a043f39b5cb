//! Files of what is expected, in `tests/it/golden` and among the pages of `docs`.

use std::path::Path;

/// Compares the text with a golden file. With `TILL_BLESS=1` it is written instead: look at the difference before
/// you commit it.
pub(crate) fn check(name: &str, text: &str) {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name), text);
}

/// Compares the text with a page of `docs`, as [`check`] does.
pub(crate) fn check_page(name: &str, text: &str) {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name), text);
}

fn compare(path: &Path, text: &str) {
    let text = format!("{}\n", text.trim_end());
    if std::env::var_os("TILL_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(path, &text).expect("the golden file is written");
        return;
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        golden == text,
        "not as in {}; if it should be so, run with TILL_BLESS=1\n--- golden\n{golden}--- now\n{text}",
        path.display()
    );
}
