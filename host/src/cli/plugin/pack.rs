//! `till plugin pack`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{
    super::{print, whole::write_whole},
    Kind, read,
};
use crate::author::pack::{Label, pack};

#[derive(Debug, Args)]
pub(in super::super) struct Pack {
    /// The compiler's output: a core module, with or without WASI, or a component.
    file: PathBuf,
    #[arg(long)]
    kind: Kind,
    /// The plugin's name: letters, digits and `-_.+`.
    #[arg(long, value_parser = sound)]
    name: Option<String>,
    /// The plugin's version, of the same characters.
    #[arg(long, value_parser = sound)]
    version: Option<String>,
    /// The language, if its compiler doesn't record it.
    #[arg(long, value_parser = sound)]
    lang: Option<String>,
    /// The component's file.
    #[arg(long)]
    out: PathBuf,
}

impl Pack {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { file, kind, name, version, lang: language, out } = self;
        let bytes = read(&file)?;
        let label = Label { name, version, language };
        let packed = pack(&bytes, kind, &label).with_context(|| format!("pack {}", file.display()))?;
        write_whole(&out, |file| Ok(file.write_all(&packed)?))?;
        print(&format!("{}: {} bytes", out.display(), packed.len()))
    }
}

fn sound(text: &str) -> Result<String, String> {
    crate::versions::sound_label(text).ok_or_else(|| "wanted 1 to 64 letters, digits or `-_.+`".to_owned())
}
