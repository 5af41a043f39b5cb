//! The plugin interface as it was written: the files of `wit/v0.1`, carried in the binary.
//!
//! What the binary tells, generates or lays down about the interface comes from here, so that an author needs no copy of
//! Till's sources. It is the text that the host's own bindings are made of.

use std::{io, path::Path};

/// A file of the interface.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The file's name without its ending: that of the interface in it, `worlds` for the two worlds.
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        File { name: $name, text: include_str!(concat!("../../../wit/v0.1/", $name, ".wit")) }
    };
}

/// The files of the current release. The worlds come first: their comments are the contract of a call.
pub const FILES: [File; 7] = [
    file!("worlds"),
    file!("types"),
    file!("checkout"),
    file!("inventory"),
    file!("stock"),
    file!("telemetry"),
    file!("host"),
];

/// Writes the files into a folder, which has to exist.
///
/// # Errors
/// What the system says.
pub fn write(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|file| std::fs::write(folder.join(file.name).with_extension("wit"), file.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1");
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).expect("a folder");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        let written = tempfile::tempdir().expect("a folder");
        write(written.path()).expect("the files are written");
        assert_eq!(names(written.path()), names(&folder));
    }
}
