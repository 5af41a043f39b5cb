//! What is preloaded into a process under test: a file of `tests/shim`, compiled when it is first wanted.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A library of that name.
#[derive(Debug)]
pub(crate) struct Shim {
    name: &'static str,
    built: OnceLock<PathBuf>,
}

impl Shim {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, built: OnceLock::new() }
    }

    /// Returns the compiled library.
    pub(crate) fn library(&self) -> &Path {
        self.built.get_or_init(|| {
            let name = self.name;
            let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.so", std::process::id()));
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shim/{name}.c"));
            let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
            cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
            cc.args(["-ldl", "-pthread"]);
            assert!(cc.status().expect("there is a C compiler").success(), "{} doesn't compile", source.display());
            library
        })
    }
}
