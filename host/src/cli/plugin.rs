//! `till plugin`.

mod approval;
mod author;
mod bindings;
mod check;
mod code;
mod dev;
mod install;
mod key;
mod live;
mod new;
mod origin;
mod pack;
mod played;
mod profile;
mod push;
mod rehearse;
mod replay;
mod rollout;
mod shop;
mod sign;
mod verify;
mod wit;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum, builder::PossibleValue};

use super::whole::write_whole;
use crate::hooks::Kind;
use crate::versions::built_in_bytes;
pub(super) use live::place;
pub(super) use replay::age;

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Makes a new plugin's folder that builds, in a language of your choice.
    New(new::New),
    /// Says whether a host would accept a file as a plugin, and if not, what to change.
    Check(check::Check),
    /// Calls a plugin once, in its real sandbox and in a temporary shop, and shows the complete result.
    Run(rehearse::Run),
    /// Calls a plugin for each case of a folder, and shows each result that isn't as expected.
    Test(rehearse::Test),
    /// Repeats recorded calls of a running host with any version: one call in full, or all of a time with their differences.
    Replay(replay::Replay),
    /// Says in which functions of its plugin a recorded call's time goes.
    Profile(profile::ProfileCall),
    /// Builds a plugin's folder, tests the plugin and deploys it to a running host, again at every change.
    Dev(dev::Dev),
    /// Prints the interface that plugins are written against, as WIT.
    Wit(wit::Wit),
    /// Writes a built-in plugin to a file.
    Export { kind: Kind, file: PathBuf },
    /// Makes a plugin from a compiler's output, with a name and a version.
    Pack(pack::Pack),
    /// Signs a plugin's file: what it is, and when that was said. The signature becomes a part of the file.
    Sign(sign::Sign),
    /// Says whether a host with a trust file would take a file, and who signed it.
    Verify(verify::Verify),
    /// Makes keys to sign plugins with.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Puts a plugin into a registry, and prints the reference with the digest, which always leads to these very bytes.
    Push(push::Push),
    /// Generates the interface's types and functions for a plugin in C, C++ or Go.
    Bindings(bindings::Bindings),
    #[command(flatten)]
    Installing(install::Installing),
    #[command(flatten)]
    Approval(approval::Approval),
    #[command(flatten)]
    Live(live::Live),
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check(check) => check.run(),
            Self::Export { kind, file } => write_whole(&file, |out| Ok(out.write_all(built_in_bytes(kind))?)),
            Self::New(new) => new.run(),
            Self::Run(run) => run.run(),
            Self::Test(test) => test.run(),
            Self::Replay(replay) => replay.run(),
            Self::Profile(profile) => profile.run(),
            Self::Dev(dev) => dev.run(),
            Self::Wit(wit) => wit.run(),
            Self::Pack(pack) => pack.run(),
            Self::Sign(sign) => sign.run(),
            Self::Verify(verify) => verify.run(),
            Self::Key(key) => key.run(),
            Self::Push(push) => push.run(),
            Self::Bindings(bindings) => bindings.run(),
            Self::Installing(installing) => installing.run(),
            Self::Approval(approval) => approval.run(),
            Self::Live(live) => live.run(),
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("read {}", file.display()))
}
