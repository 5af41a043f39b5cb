//! The trust file: whose signatures count, and for which hooks.
//!
//! ```toml
//! [[key]]                        # till plugin key new prints it
//! name = "release-2026"
//! public_key = "-----BEGIN PUBLIC KEY-----…"
//! hooks = ["discounts"]          # all without
//! expires = 2027-06-30T00:00:00Z # never without
//!
//! [[sigstore]]
//! name = "our-ci"
//! identity = "https://github.com/acme/plugins/.github/workflows/release.yml@refs/heads/main"
//! issuer = "https://token.actions.githubusercontent.com"
//! trusted_root = "trusted_root.json"
//!
//! [[digest]]                     # for trust.require = digest
//! name = "the audited build"
//! sha256 = "…"
//! ```

use std::path::Path;

use anyhow::Context;
use chrono::DateTime;
use serde::Deserialize;

use super::{
    key::PublicKey,
    sigstore::{self, Signer},
};
use crate::{config::did_you_mean, hooks::Kind};

/// The most entries of a trust file.
const ENTRIES_MAX: usize = 256;

/// Whose signatures count.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) keys: Vec<Key>,
    pub(super) sigstore: Vec<SigstoreRule>,
    pub(super) digests: Vec<Listed>,
    /// What was read, to notice a change.
    text: String,
}

/// The same text has the same rules.
impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The hooks that an entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hooks(Option<Vec<Kind>>);

impl Hooks {
    pub(super) fn contain(&self, kind: Kind) -> bool {
        self.0.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) key: PublicKey,
    pub(super) hooks: Hooks,
    /// Unix time, milliseconds.
    pub(super) expires_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct SigstoreRule {
    pub(super) name: String,
    pub(super) rule: sigstore::Rule,
    pub(super) hooks: Hooks,
}

/// A component that is trusted for what it is.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) hooks: Hooks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    key: Vec<WrittenKey>,
    #[serde(default)]
    sigstore: Vec<WrittenSigstore>,
    #[serde(default)]
    digest: Vec<WrittenDigest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    name: String,
    public_key: Option<String>,
    public_key_file: Option<String>,
    hooks: Option<Vec<String>>,
    expires: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSigstore {
    name: String,
    identity: Option<String>,
    issuer: Option<String>,
    public_key: Option<String>,
    public_key_file: Option<String>,
    trusted_root: Option<String>,
    #[serde(default = "yes")]
    transparency_log: bool,
    hooks: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDigest {
    #[serde(default)]
    name: String,
    sha256: String,
    hooks: Option<Vec<String>>,
}

const fn yes() -> bool {
    true
}

impl Rules {
    /// Reads a trust file, and the files that it names, beside it. Blocks.
    ///
    /// # Errors
    /// Names the entry that can't be used.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let mut text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let Written { key, sigstore, digest } = toml::from_str(&text)?;
        let entries = key.len() + sigstore.len() + digest.len();
        anyhow::ensure!(entries <= ENTRIES_MAX, "it has {entries} entries, it may have {ENTRIES_MAX}");
        let mut beside = |name: &str| {
            let path = file.parent().unwrap_or(Path::new("")).join(name);
            let content = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            // A change of a named file is a change of the rules.
            text.push_str(&content);
            anyhow::Ok(content)
        };
        let mut rules = Self::default();
        for written in key {
            let name = written.name.clone();
            rules.keys.push(written.key(&mut beside).with_context(|| format!("[[key]] {name}"))?);
        }
        for written in sigstore {
            let name = written.name.clone();
            rules.sigstore.push(written.rule(&mut beside).with_context(|| format!("[[sigstore]] {name}"))?);
        }
        for written in digest {
            let sha256 = written.sha256.clone();
            rules.digests.push(written.listed().with_context(|| format!("[[digest]] {sha256}"))?);
        }
        rules.check_names()?;
        Ok(Self { text, ..rules })
    }

    /// Checks that a signer's name in the history means one entry.
    fn check_names(&self) -> anyhow::Result<()> {
        let keys = self.keys.iter().map(|key| &key.name);
        let mut names: Vec<_> = keys.chain(self.sigstore.iter().map(|rule| &rule.name)).collect();
        names.sort_unstable();
        anyhow::ensure!(names.iter().all(|name| !name.trim().is_empty()), "an entry's name is empty");
        let twice = names.windows(2).find(|pair| pair.first() == pair.last());
        anyhow::ensure!(twice.is_none(), "two entries have the name {:?}", twice.and_then(|pair| pair.first()));
        Ok(())
    }
}

impl WrittenKey {
    fn key(self, beside: &mut dyn FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<Key> {
        let pem = pem_of(self.public_key, self.public_key_file, beside)?;
        anyhow::ensure!(!pem.contains("PRIVATE KEY"), "it is a private key; a host needs the public one only");
        let wanted =
            "it is no PUBLIC KEY of Ed25519 in PEM; a key of another kind, such as cosign's, stands under [[sigstore]]";
        Ok(Key {
            name: self.name,
            key: PublicKey::of_pem(&pem).context(wanted)?,
            hooks: hooks_of(self.hooks)?,
            expires_ms: self.expires.map(|expires| moment(&expires)).transpose()?,
        })
    }
}

impl WrittenSigstore {
    fn rule(self, beside: &mut dyn FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<SigstoreRule> {
        let signer = match (self.identity, self.issuer) {
            (Some(identity), Some(issuer)) => {
                let has_key = self.public_key.is_some() || self.public_key_file.is_some();
                anyhow::ensure!(!has_key, "it has an identity and a key; make two entries of it");
                Signer::Identity { identity, issuer }
            }
            (None, None) => {
                let pem = pem_of(self.public_key, self.public_key_file, beside)?;
                Signer::Key(sigstore::public_key(&pem).context("it has no PUBLIC KEY in PEM, nor identity and issuer")?)
            }
            _ => anyhow::bail!("identity and issuer belong together: anybody may call themselves so elsewhere"),
        };
        let needs_root = self.transparency_log || matches!(signer, Signer::Identity { .. });
        let (named, root) = match self.trusted_root {
            Some(file) => (file.clone(), beside(&file)?),
            None => {
                anyhow::ensure!(
                    !needs_root,
                    "it needs a trusted_root, whose authorities and logs vouch for the bundle; only a key with transparency_log = false does without"
                );
                ("no trusted_root".to_owned(), sigstore::NO_ROOT.to_owned())
            }
        };
        let rule = sigstore::Rule::new(&root, signer, self.transparency_log);
        let rule = rule.map_err(|error| anyhow::anyhow!("{named}: {error}"))?;
        Ok(SigstoreRule { name: self.name, rule, hooks: hooks_of(self.hooks)? })
    }
}

impl WrittenDigest {
    fn listed(self) -> anyhow::Result<Listed> {
        let sha256 = self.sha256.strip_prefix("sha256:").unwrap_or(&self.sha256).to_ascii_lowercase();
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(is_digest, "a SHA-256 has 64 hexadecimal digits");
        Ok(Listed { name: self.name, sha256, hooks: hooks_of(self.hooks)? })
    }
}

fn pem_of(
    text: Option<String>,
    file: Option<String>,
    beside: &mut dyn FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    match (text, file) {
        (Some(text), None) => Ok(text),
        (None, Some(file)) => beside(&file),
        _ => anyhow::bail!("it needs either public_key, a text in PEM, or public_key_file"),
    }
}

fn hooks_of(names: Option<Vec<String>>) -> anyhow::Result<Hooks> {
    let kind = |name: String| {
        let hint = did_you_mean(&name, Kind::ALL.map(Kind::as_str));
        Kind::parse(&name).with_context(|| format!("there is no hook {name:?}{hint}; there are {}", Kind::names(", ")))
    };
    let kinds = names.map(|names| names.into_iter().map(kind).collect::<anyhow::Result<Vec<_>>>());
    Ok(Hooks(kinds.transpose()?))
}

/// Returns a moment with an offset, or the beginning of a day in UTC: Unix time, milliseconds.
fn moment(written: &toml::value::Datetime) -> anyhow::Result<u64> {
    let text = match (written.date, written.time, written.offset) {
        (Some(date), None, None) => format!("{date}T00:00:00Z"),
        _ => written.to_string(),
    };
    let wanted = || {
        format!("expires = {written} is no moment: wanted a day, or a time with an offset such as 2027-06-30T12:00:00Z")
    };
    let at = DateTime::parse_from_rfc3339(&text).ok().with_context(wanted)?;
    u64::try_from(at.timestamp_millis()).ok().with_context(wanted)
}
