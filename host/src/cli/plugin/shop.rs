//! The shop for which a plugin is checked and tested: the settings of `till serve`, read in the same way.
//!
//! The demo's settings aren't used: without a `till.toml` the defaults apply.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Settings, Sources, Unusable};

/// The file with the shop's settings.
#[derive(Debug, Clone, Args)]
pub(in super::super) struct ShopFile {
    /// The settings file with the currency and the limits [default: till.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The file, and the settings that override it.
#[derive(Debug, Clone, Args)]
pub(super) struct Shop {
    #[command(flatten)]
    file: ShopFile,
    /// Overrides one of the host's settings, e.g. --set shop.currency=EUR.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Shop {
    pub(super) const fn new(config: Option<PathBuf>, set: Vec<String>) -> Self {
        Self { file: ShopFile { config }, set }
    }

    pub(super) const fn file(&self) -> &ShopFile {
        &self.file
    }

    /// Returns what is set over the file, as far as it is `SECTION.KEY=VALUE`.
    pub(super) fn set(&self) -> Vec<(String, String)> {
        let pairs = self.set.iter().filter_map(|set| set.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// # Errors
    /// Names the setting that can't be used.
    pub(super) fn settings(&self) -> Result<Settings, Unusable> {
        let mut sources = self.file.sources()?;
        sources.add_flags(self.set.iter().map(String::as_str))?;
        Settings::load(&sources)
    }
}

impl ShopFile {
    /// # Errors
    /// As [`Shop::settings`].
    pub(super) fn settings<'a>(&self, set: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Settings, Unusable> {
        let mut sources = self.sources()?;
        for (key, value) in set {
            sources.add_flag(key, value, &format!("--set {key}"))?;
        }
        Settings::load(&sources)
    }

    fn sources(&self) -> Result<Sources, Unusable> {
        let mut sources = Sources::defaults();
        sources.add_file_if_any(self.config.as_deref())?;
        sources.add_environment(std::env::vars_os())?;
        Ok(sources)
    }
}
