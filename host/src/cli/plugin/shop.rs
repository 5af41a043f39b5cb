//! The shop that a plugin is checked and tried for: the settings of `till serve`, read as it does.
//!
//! The demo's aren't among them: without a `till.toml` there are the defaults.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Settings, Sources, Unusable};

/// The file that has the shop's settings.
#[derive(Debug, Clone, Args)]
pub(super) struct ShopFile {
    /// The settings file whose currency and limits count [default: till.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The file, and what is set over it.
#[derive(Debug, Clone, Args)]
pub(super) struct Shop {
    #[command(flatten)]
    file: ShopFile,
    /// Overrides one of the host's settings, e.g. --set shop.currency=EUR.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Shop {
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
