//! `till plugin verify`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    super::{print, print_json},
    origin::{Origin, origin},
    shop::Shop,
};
use crate::{
    config::Required,
    trust::{self, Entry, Trust},
    versions::examine_vetted,
};

/// Judges the file as a host with that trust file does where it demands signatures, before it parses anything. A host
/// also refuses a version that was signed before one that it has accepted; only the host knows that.
#[derive(Debug, Args)]
pub(in super::super) struct Verify {
    /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry.
    #[arg(value_parser = origin())]
    file: Origin,
    /// The trust file [default: trust.keys_file of the settings].
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    shop: Shop,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = self.shop.settings()?;
        let file = self.trust.or(settings.trust.keys_file.clone());
        let file = file.context("say whose signatures count: --trust FILE, or trust.keys_file in till.toml")?;
        let trust = Trust::of_file(Required::Signature, &file)?;
        let candidate = self.file.candidate(&settings)?;
        let named = candidate.source.clone();
        let judged = trust.vet(&candidate.bytes, Entry::New).map_err(anyhow::Error::from).and_then(|vetted| {
            let digest = trust::component_digest(&candidate.bytes)?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let identity = runtime.block_on(examine_vetted(candidate, &settings.limits, vetted.clone()))?.identity;
            Ok((vetted.signer.context("nobody has signed it")?, identity, digest))
        });
        let (signer, identity, digest) = match judged {
            Ok(judged) => judged,
            Err(error) => {
                if self.json {
                    print_json(&json!({ "file": named, "trusted": false, "reason": format!("{error:#}") }))?;
                }
                anyhow::bail!("{named}: {error:#}");
            }
        };
        let (kind, name, version) = (identity.at.kind, identity.name, identity.version);
        if self.json {
            return print_json(&json!({
                "file": named,
                "trusted": true,
                "kind": kind.as_str(),
                "name": name,
                "version": version,
                "component_digest": digest,
                "signed_by": signer.by,
                "identity": signer.identity,
                "signed_at_ms": signer.at_ms,
            }));
        }
        let identity = signer.identity.map(|identity| format!(", {identity}")).unwrap_or_default();
        let at =
            signer.at_ms.map_or_else(|| "at an unknown time".to_owned(), |at_ms| format!("on {}", trust::day(at_ms)));
        print(&format!(
            "{named} is trusted: the {kind} plugin {name}@{version}, signed by {}{identity} {at}\n  component  sha256 {digest}",
            signer.by
        ))
    }
}
