//! `till plugin replay`: repeats recorded calls of a running host with any version of their plugin.

mod all;
mod one;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;

pub(super) use all::{compare, repeating};
pub(super) use one::{case, found};

use super::{
    super::{WrongUsage, client::Admin},
    live::installation,
    origin::pulled,
    shop::Shop,
};
use crate::{
    admin::VersionJson,
    config::{Limits, Settings},
    hooks::{Installation, Kind},
    oci::{Reference, SCHEME},
    versions::{Candidate, built_in_bytes},
};

/// A call is answered what the recorded one was answered: the same settings, stock, facts, answers of others, time and random
/// numbers. Nothing that it does has an effect.
///
/// Exit codes: 0, every compared call decides as recorded; 1, one doesn't, or none is found.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Replay {
    /// The call: a trace id, an order's reference, or a recording's number [with --since: the plugin].
    #[arg(value_name = "CALL")]
    call: String,
    /// The plugin to repeat it with: a file, an `oci://` reference, or a version's number [default: the version that made the call].
    #[arg(value_name = "FILE|NUMBER", conflicts_with = "since")]
    plugin: Option<String>,
    /// Repeats all calls that were recorded in so much time, of the plugin's kind, and says which decide otherwise.
    #[arg(long, value_name = "TIME", value_parser = age)]
    since: Option<Duration>,
    /// Only calls of this hook or installation, such as `checkout` or `discounts/spring`.
    #[arg(long, value_name = "KIND[/NAME]", value_parser = installation)]
    kind: Option<Installation>,
    /// Writes the call as a case that `till plugin test` takes.
    #[arg(long, value_name = "FILE", conflicts_with = "since")]
    save: Option<PathBuf>,
    #[command(flatten)]
    shop: Shop,
    #[command(flatten)]
    admin: Admin,
}

const EXAMPLES: &str = "Examples:
  till plugin replay 4bf92f3577b34da6a3ce929d0e0e4736                   the calls of a trace, with the versions that made them
  till plugin replay 4bf92f3577b34da6a3ce929d0e0e4736 plugin.wasm       the call of that plugin's kind, with the file
  till plugin replay REFERENCE 9 --kind discounts/spring --save a.json  an order's call with version 9, kept as a test
  till plugin replay --since 7d plugin.wasm                             a week's calls: which decide otherwise, and for how much";

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = self.shop.settings()?;
        match self.since {
            Some(since) => {
                let plugin = Chosen::of(&self.call, &self.admin, &settings)?;
                let compared = compare(plugin, self.kind, since, settings, &self.admin)?;
                compared.tell(&self.admin)?;
                compared.as_outcome()
            }
            None => one::replay(&self, settings),
        }
    }
}

/// A plugin that calls are repeated with.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) candidate: Candidate,
    /// Where the version is or was installed; `None` of a file.
    pub(super) at: Option<Installation>,
}

impl Chosen {
    /// Returns the plugin of that file, that a registry has under that reference, or the host's version of that number.
    pub(super) fn of(text: &str, admin: &Admin, settings: &Settings) -> anyhow::Result<Self> {
        if text.starts_with(SCHEME) {
            let reference = Reference::parse(text).map_err(|error| WrongUsage(error.to_string()))?;
            return Ok(Self { candidate: pulled(&reference, settings)?, at: None });
        }
        let limits = &settings.limits;
        let path = PathBuf::from(text);
        let number = text.trim_start_matches('#').parse().ok().filter(|_| !path.exists());
        let Some(number) = number else { return Self::file(path, limits) };
        Self::version(number, admin)
    }

    /// # Errors
    /// If the file can't be read.
    pub(super) fn file(path: PathBuf, limits: &Limits) -> anyhow::Result<Self> {
        if !path.exists() {
            let text = format!("{} is no file, and no number of a version", path.display());
            return Err(WrongUsage(text).into());
        }
        Ok(Self { candidate: Candidate::read(&path, limits)?, at: None })
    }

    fn version(number: u64, admin: &Admin) -> anyhow::Result<Self> {
        let version: VersionJson = admin.get(&format!("/plugins/versions/{number}"))?;
        let VersionJson { kind, installation, name, .. } = version;
        let bytes = admin.file(&format!("/plugins/versions/{number}/file"))?;
        let place = installation.map_or_else(|| kind.clone(), |name| format!("{kind}/{name}"));
        let at = Installation::parse(&place);
        Ok(Self { candidate: Candidate { source: format!("version {number}"), stem: name, bytes }, at })
    }

    /// Returns the version that made a call: by its number, or a built-in plugin by its digest.
    /// # Errors
    /// If the host doesn't have the version.
    pub(super) fn recorded(number: Option<u64>, digest: &str, admin: &Admin) -> anyhow::Result<Self> {
        if let Some(number) = number {
            return Self::version(number, admin);
        }
        let kind = Kind::ALL.into_iter().find(|kind| crate::runtime::digest_of(built_in_bytes(*kind)) == digest);
        let kind =
            kind.with_context(|| format!("the host has no number for the version {digest:.12}; give its file"))?;
        let bytes = built_in_bytes(kind).into();
        Ok(Self {
            candidate: Candidate { source: format!("the built-in {kind}"), stem: kind.to_string(), bytes },
            at: None,
        })
    }
}

/// Returns the settings for a plugin that only its cases set.
fn plain(settings: Settings) -> Settings {
    Settings { of_plugins: crate::hooks::PerKind::default(), ..settings }
}

/// Parses a time to look back.
pub(in super::super) fn age(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit_s = match text.get(number.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 60 * 60,
        Some("d") => 24 * 60 * 60,
        _ => 0,
    };
    let seconds = number.parse::<u32>().ok().map(|number| u64::from(number) * unit_s);
    let age = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    age.ok_or_else(|| "a time such as 90s, 15m, 24h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_look_back_has_a_unit() {
        for (text, seconds) in
            [("90s", Some(90)), ("15m", Some(900)), ("7d", Some(604_800)), ("7", None), ("0d", None), ("1w", None)]
        {
            assert_eq!(age(text).ok().map(|age| age.as_secs()), seconds, "{text}");
        }
    }
}
