//! `till plugin wit`.

use clap::Args;

use super::{super::print, Kind};
use crate::hooks::wit;

/// Prints one file that every tool for WIT accepts. Save it and generate your language's bindings from it: till plugin
/// wit > wit/till.wit
#[derive(Debug, Args)]
pub(in super::super) struct Wit {
    /// Only what a plugin of that kind needs.
    #[arg(long)]
    kind: Option<Kind>,
}

impl Wit {
    pub(super) fn run(self) -> anyhow::Result<()> {
        print(wit::text(self.kind).trim_end())
    }
}
