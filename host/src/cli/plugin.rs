//! `till plugin`.

mod bindings;
mod live;
mod new;
mod pack;
mod rollout;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{own_program, print, print_json};
use crate::{
    config::{Settings, Sources},
    plugin::{Candidate, Compiler, Engine, Identity, Kind, admit, embedded_bytes, examine},
};

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Says whether a file would be taken as a plugin, and if not, what to change.
    Check {
        file: PathBuf,
        /// Prints JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Writes a built-in plugin to a file.
    Export { kind: KindName, file: PathBuf },
    /// Begins a plugin: a folder that builds, in the language of your choice.
    New(new::New),
    /// Makes a plugin of what a compiler leaves, with a name and a version.
    Pack(pack::Pack),
    /// Generates the interface's types and functions for a plugin in C or Go.
    Bindings(bindings::Bindings),
    #[command(flatten)]
    Live(live::Live),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum KindName {
    Checkout,
    Inventory,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Checkout => Self::Checkout,
            KindName::Inventory => Self::Inventory,
        }
    }
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check { file, json } => check(&file, json),
            Self::Export { kind, file } => {
                std::fs::write(&file, embedded_bytes(kind.into())).with_context(|| format!("write {}", file.display()))
            }
            Self::New(new) => new.run(),
            Self::Pack(pack) => pack.run(),
            Self::Bindings(bindings) => bindings.run(),
            Self::Live(live) => live.run(),
        }
    }
}

fn check(file: &std::path::Path, as_json: bool) -> anyhow::Result<()> {
    let mut sources = Sources::defaults();
    sources.add_environment(std::env::vars())?;
    let settings = Settings::load(&sources)?;
    let limits = &settings.limits;
    let candidate = Candidate::read(file, limits)?;
    let engine = Arc::new(Engine::with(limits, Compiler::with_child(own_program()))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (source, bytes) = (candidate.source.clone(), candidate.bytes.len());
    let admitted = runtime.block_on(async {
        let examined = examine(candidate, limits).await?;
        admit(&engine, examined, &settings, &BTreeMap::new()).await
    });
    if as_json && let Err(refused) = &admitted {
        print_json(&json!({ "file": source, "accepted": false, "reason": refused.to_string() }))?;
    }
    let plugin = admitted?;
    let identity = plugin.identity();
    if as_json {
        return print_json(&json!({
            "file": source,
            "accepted": true,
            "kind": identity.kind.as_str(),
            "name": identity.name,
            "version": identity.version,
            "language": identity.language,
            "digest": identity.digest,
            "bytes": bytes,
        }));
    }
    let Identity { kind, name, version, language, digest, .. } = identity;
    print(&format!(
        "{source} would be taken\n  kind     {kind}\n  name     {name}\n  version  {version}\n  language {language}\n  \
         digest   {digest}\n  size     {bytes} bytes"
    ))
}
