//! `till plugin sign`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{
    super::{print, whole::write_whole},
    live::cases_of,
    read,
    shop::Shop,
};
use crate::{
    clock::now_ms,
    config::Limits,
    trust::{self, PrivateKey, Signed, Statement},
    units::MIB,
    versions::{Candidate, examine},
};

/// A signature says: this component is this hook's plugin of this name and version, and that was said at this time. A
/// host whose trust file has the key takes the file, however it comes in. Signing again with the same key replaces the
/// signature; other keys' signatures stay.
#[derive(Debug, Args)]
#[command(after_help = "Next: till plugin verify FILE --trust TRUST_FILE says what a host would say.")]
pub(in super::super) struct Sign {
    /// The plugin's component.
    file: PathBuf,
    /// The private key, as till plugin key new makes it.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["bundle", "replace"])]
    key: Option<PathBuf>,
    /// A Sigstore bundle about the file, as `cosign sign-blob --bundle` writes it, which is attached as a signature.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The registry's manifest that the bundle is about, if it isn't about the file.
    #[arg(long, value_name = "FILE", requires = "bundle")]
    manifest: Option<PathBuf>,
    /// A folder of cases (*.json, as for `till plugin test`), which become a part of the signed file: a deploy can't add them later.
    #[arg(long, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    /// Takes off the signatures that the file has.
    #[arg(long)]
    replace: bool,
    /// Where the signed file goes [default: in the place of FILE].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    shop: Shop,
}

impl Sign {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { file, key, bundle, manifest, cases, replace, out, shop } = self;
        let limits = shop.settings()?.limits;
        let mut bytes = Candidate::read(&file, &limits)?.bytes.to_vec();
        let named = || file.display().to_string();
        if replace || cases.is_some() {
            let signed = Signed::of(&bytes).with_context(named)?;
            anyhow::ensure!(
                replace || signed.signatures.is_empty(),
                "{} is signed, and cases change what was signed: sign it anew with --replace --cases",
                named()
            );
            bytes = signed.component.to_vec();
        }
        if let Some(folder) = cases {
            bytes = cases_of(&folder)?.embed(&bytes)?;
        }
        if let Some(bundle) = bundle {
            let text = String::from_utf8(read(&bundle)?).with_context(|| format!("read {}", bundle.display()))?;
            let manifest = manifest.as_deref().map(read).transpose()?;
            bytes = trust::attach_bundle(&bytes, &text, manifest.as_deref()).with_context(named)?;
        }
        let mut told = String::new();
        if let Some(key) = key {
            let key = PrivateKey::read(&key)?;
            let (signed, statement) = signed(&file, &bytes, &key, &limits)?;
            bytes = signed;
            let Statement { sha256, hook, name, version, at_ms } = statement;
            let (id, at) = (&key.public().id, trust::day(at_ms));
            told =
                format!("; the {hook} plugin {name}@{version} (sha256 {sha256}) was signed with the key {id} on {at}");
        }
        anyhow::ensure!(
            bytes.len() <= limits.component_mib * MIB,
            "{} has {} bytes with its signature, more than a plugin may have (limits.component_mib)",
            named(),
            bytes.len()
        );
        let signatures = Signed::of(&bytes)?.signatures.len();
        let out = out.as_deref().unwrap_or(&file);
        write_whole(out, |file| Ok(file.write_all(&bytes)?))?;
        print(&format!("{} has {}{told}", out.display(), counted(signatures)))
    }
}

/// Returns the file's bytes signed with the key, and what that says.
///
/// # Errors
/// When the file is no plugin, or can't have one more signature.
pub(super) fn signed(
    file: &Path,
    bytes: &[u8],
    key: &PrivateKey,
    limits: &Limits,
) -> anyhow::Result<(Vec<u8>, Statement)> {
    let source = file.display().to_string();
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let candidate = Candidate { source: source.clone(), stem, bytes: bytes.to_vec().into() };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let identity = runtime.block_on(examine(candidate, limits))?.identity;
    let statement = Statement {
        sha256: trust::component_digest(bytes)?,
        hook: identity.at.kind,
        name: identity.name,
        version: identity.version,
        at_ms: now_ms(),
    };
    Ok((trust::sign(bytes, key, &statement).context(source)?, statement))
}

fn counted(signatures: usize) -> String {
    match signatures {
        1 => "1 signature".into(),
        count => format!("{count} signatures"),
    }
}

/// Refuses cases for a candidate that is signed: they would change what was signed.
pub(super) fn check_cases(candidate: &Candidate) -> anyhow::Result<()> {
    let is_signed = Signed::of(&candidate.bytes).is_ok_and(|signed| !signed.signatures.is_empty());
    anyhow::ensure!(
        !is_signed,
        "{} is signed, and --cases would change what was signed; put them in before: till plugin sign FILE --cases FOLDER --replace --key KEY",
        candidate.source
    );
    Ok(())
}
