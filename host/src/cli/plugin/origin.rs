//! Where a command's plugin comes from: a file, or a registry.

use std::{ffi::OsString, fmt, path::PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

use super::read;
use crate::{
    config::{Settings, Unusable},
    oci::{Client, Reference, SCHEME},
    versions::Candidate,
};

/// What stands for a plugin on the command line.
#[derive(Debug, Clone)]
pub(in super::super) enum Origin {
    File(PathBuf),
    Registry(Reference),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "{}", path.display()),
            Self::Registry(reference) => write!(out, "{reference}"),
        }
    }
}

/// Parses an argument: a reference begins with `oci://`, and whatever else is a file, of any name.
pub(super) fn origin() -> impl TypedValueParser<Value = Origin> {
    OsStringValueParser::new().try_map(|text: OsString| match text.to_str().filter(|text| text.starts_with(SCHEME)) {
        Some(text) => Reference::parse(text).map(Origin::Registry),
        None => Ok(Origin::File(text.into())),
    })
}

impl Origin {
    /// Reads the plugin for a host, which has limits of its own. The settings count only for a registry.
    ///
    /// # Errors
    /// If it can't be read or pulled, or the settings can't be used.
    pub(super) fn read(&self, settings: impl FnOnce() -> Result<Settings, Unusable>) -> anyhow::Result<Candidate> {
        match self {
            Self::File(path) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                Ok(Candidate { source: path.display().to_string(), stem, bytes: read(path)?.into() })
            }
            Self::Registry(reference) => pulled(reference, &settings()?),
        }
    }

    /// Reads the plugin for this machine, with these settings.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if it is larger than a component may be.
    pub(super) fn candidate(&self, settings: &Settings) -> anyhow::Result<Candidate> {
        match self {
            Self::File(path) => Candidate::read(path, &settings.limits),
            Self::Registry(reference) => pulled(reference, settings),
        }
    }
}

/// Pulls a plugin. Its source has the digest of what was pulled.
pub(super) fn pulled(reference: &Reference, settings: &Settings) -> anyhow::Result<Candidate> {
    let client = Client::new(settings.oci.rules(&settings.limits))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(client.pull(reference))?.into())
}
