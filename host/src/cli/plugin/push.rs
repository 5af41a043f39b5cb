//! `till plugin push`: puts a plugin into a registry.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    super::{WrongUsage, print, print_json},
    shop::Shop,
};
use crate::{
    oci::{About, Client, Pushed, Reference},
    versions::{Candidate, examine, interfaces},
};

/// The layout is the one that other tools of WebAssembly read. A tag may be moved later. Pushing the same again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Log in with docker login HOST. Next: till plugin deploy REFERENCE makes it live.")]
pub(in super::super) struct Push {
    /// The plugin's component.
    file: PathBuf,
    /// Where to: `oci://HOST/REPOSITORY:TAG`.
    #[arg(value_name = "oci://HOST/REPOSITORY:TAG", value_parser = Reference::parse)]
    to: Reference,
    #[command(flatten)]
    shop: Shop,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Push {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.to.tag().is_none() || self.to.digest().is_some() {
            return Err(
                WrongUsage(format!("{} has no tag alone: a push is to a tag, and prints the digest", self.to)).into()
            );
        }
        let settings = self.shop.settings()?;
        let candidate = Candidate::read(&self.file, &settings.limits)?;
        let (source, bytes) = (candidate.source.clone(), candidate.bytes.clone());
        let client = Client::new(settings.oci.rules(&settings.limits))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (pushed, about) = runtime.block_on(async {
            let identity = examine(candidate, &settings.limits).await?.identity;
            let interfaces = interfaces(&bytes).map_err(|reason| anyhow::anyhow!("{source} is refused: {reason}"))?;
            let about = About {
                name: identity.name,
                version: identity.version,
                imports: interfaces.imports,
                exports: interfaces.exports,
            };
            anyhow::Ok((client.push(&self.to, &bytes, &about).await?, about))
        })?;
        if self.json { print_json(&json_of(&pushed, &about)) } else { print(&text_of(&pushed, &about)) }
    }
}

fn json_of(pushed: &Pushed, About { name, version, .. }: &About) -> serde_json::Value {
    json!({
        "result": if pushed.is_unchanged() { "unchanged" } else { "pushed" },
        "reference": pushed.reference.to_string(),
        "digest": pushed.reference.digest().map(ToString::to_string),
        "replaced": pushed.replaced.as_ref().filter(|_| !pushed.is_unchanged()).map(ToString::to_string),
        "name": name,
        "version": version,
        "bytes": pushed.bytes,
    })
}

fn text_of(pushed: &Pushed, About { name, version, .. }: &About) -> String {
    let Pushed { reference, replaced, bytes } = pushed;
    if pushed.is_unchanged() {
        return format!("{name}@{version} is there already\n{reference}");
    }
    let moved = replaced.as_ref().map(|digest| format!("; the tag led to {digest} before")).unwrap_or_default();
    format!("{name}@{version}, {bytes} bytes, is there{moved}\n{reference}")
}
