//! `till manual`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::{Cli, print};

/// Use the `man1` of a folder in man's search path, such as ~/.local/share/man/man1; `man till-plugin-deploy` then
/// shows a page.
#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The folder, which is made if it is missing; pages of an earlier release are overwritten.
    folder: PathBuf,
}

impl Manual {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = self.folder.display().to_string();
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make the folder {folder}"))?;
        clap_mangen::generate_to(Cli::command(), &self.folder)
            .with_context(|| format!("write the pages to {folder}"))?;
        print(&format!("{folder}: the manual's pages; `man -l {folder}/till.1` shows the first"))
    }
}
