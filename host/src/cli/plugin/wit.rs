//! `till plugin wit`.

use clap::Args;

use super::{super::print, Kind};
use crate::hooks::{Track, info, wit};

/// Prints one file that every tool for WIT accepts. Save it and generate your language's bindings from it: till plugin
/// wit > wit/till.wit
#[derive(Debug, Args)]
pub(in super::super) struct Wit {
    /// Only what a plugin of that kind needs.
    #[arg(long)]
    kind: Option<Kind>,
    /// The whole of a track, 0.1 or 0.2; the kind's without.
    #[arg(long, value_parser = track, default_value = "0.1", conflicts_with = "kind", hide_default_value = true)]
    track: &'static Track,
}

impl Wit {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let of = self.kind.map_or(self.track, |kind| info(kind).track);
        print(wit::text(of, self.kind).trim_end())
    }
}

fn track(name: &str) -> Result<&'static Track, String> {
    let found = Track::ALL.into_iter().find(|track| track.name == name);
    found.ok_or_else(|| {
        format!("there is no track {name:?}; there are {}", Track::ALL.map(|track| track.name).join(", "))
    })
}
