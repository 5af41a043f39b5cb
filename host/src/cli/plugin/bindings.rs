//! `till plugin bindings`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{super::whole::write_whole, Kind};
use crate::author::bindings::{Language, generate};

#[derive(Debug, Args)]
pub(in super::super) struct Bindings {
    #[arg(long)]
    lang: LanguageName,
    #[arg(long)]
    kind: Kind,
    /// The output folder; files of the same name are replaced.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LanguageName {
    C,
    Cpp,
    Go,
}

impl From<LanguageName> for Language {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::C => Self::C,
            LanguageName::Cpp => Self::Cpp,
            LanguageName::Go => Self::Go,
        }
    }
}

impl Bindings {
    pub(super) fn run(self) -> anyhow::Result<()> {
        for (name, text) in generate(self.lang.into(), self.kind)? {
            let path = self.out.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
            }
            write_whole(&path, |file| Ok(file.write_all(&text)?))?;
        }
        Ok(())
    }
}
