//! `till plugin new`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{super::print, Kind};
use crate::author::template::{Language, Template};

#[derive(Debug, Args)]
pub(in super::super) struct New {
    /// The new folder; its last part is the plugin's name.
    folder: PathBuf,
    #[arg(long)]
    kind: Kind,
    #[arg(long)]
    lang: LanguageName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LanguageName {
    Rust,
    C,
    Cpp,
    Zig,
    Go,
    Js,
    Ts,
    Python,
}

impl From<LanguageName> for Language {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::Rust => Self::Rust,
            LanguageName::C => Self::C,
            LanguageName::Cpp => Self::Cpp,
            LanguageName::Zig => Self::Zig,
            LanguageName::Go => Self::Go,
            LanguageName::Js => Self::JavaScript,
            LanguageName::Ts => Self::TypeScript,
            LanguageName::Python => Self::Python,
        }
    }
}

impl New {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { folder, kind, lang } = self;
        let name = folder.file_name().and_then(|name| name.to_str()).context("wanted the name of a new folder")?;
        Template { name, kind, language: lang.into() }.write(&folder)?;
        let folder = folder.display();
        let component = format!("{folder}/build/{name}.wasm");
        print(&format!(
            "{folder} is a plugin now. To build it:\n\n  make -C {folder}\n\nand then:\n\n  till plugin check {component}\n  \
             till plugin test {component} {folder}/cases\n  till plugin deploy {component}\n\nor all of it, at every \
             change:\n\n  till plugin dev {folder}\n"
        ))
    }
}
