//! Whose plugins a host takes: signatures of components, and the digests that are trusted for what they are.
//!
//! A file is judged by its bytes alone, before anything of it is parsed: a file from nobody costs its hash. What a
//! signature says of the component's hook, name and version is compared once these are known, before it is compiled.
//!
//! `attached` finds the signatures at a file's end. Two kinds count: a statement (`statement`, in an envelope of
//! `dsse`) signed with an Ed25519 key, and a Sigstore bundle (`sigstore`). `file` reads the trust file, which says
//! whose count.

mod attached;
mod dsse;
mod file;
mod key;
mod sigstore;
mod statement;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub use attached::{BadAttachment, Signed};
use dsse::Envelope;
use file::Rules;
pub use key::{PrivateKey, PublicKey};
pub use statement::Statement;

use crate::{
    clock::now_ms,
    config::{self, Required},
    hooks::{Installation, Kind},
    reread::{Reread, Words},
    store::Signer,
    units::hex,
};

/// How far a signer's clock may be ahead of the host's.
const LEEWAY_MS: u64 = 300_000;

/// Why a file isn't trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error(
        "it isn't signed, and this host takes signed plugins only (trust.require). Sign it with a key that {trust_file} has: till plugin sign FILE --key KEY. A tool that changed the file after it was signed has taken the signature off"
    )]
    Unsigned { trust_file: String },
    #[error(
        "it has no signature that counts here: {reasons}. {trust_file} (trust.keys_file) says whose do; till plugin verify FILE --trust {trust_file} tries it"
    )]
    NoneCounts { reasons: String, trust_file: String },
    #[error(
        "it isn't among the digests that this host takes (trust.require = digest), nor signed by one of its keys. To take it, put this into {trust_file}: [[digest]] sha256 = \"{sha256}\""
    )]
    NotListed { sha256: String, trust_file: String },
    #[error(transparent)]
    Attachment(#[from] BadAttachment),
    #[error(
        "it was signed as the {signed}, but is the {found}. If that is what it should be, sign it anew: till plugin sign FILE --key KEY"
    )]
    OtherPlugin { signed: String, found: String },
    #[error("it was signed as a {signed} plugin, and is to be live at {wanted}")]
    OtherPlace { signed: Kind, wanted: Installation },
    #[error("it isn't judged any more: the host is stopping")]
    CutOff,
    #[error("it is a {found} plugin, for which {by} doesn't count here: its entry in the trust file has other hooks")]
    OtherHook { by: String, found: Kind },
    #[error(
        "it was signed on {signed}, before a version of {name} that was accepted here (signed on {accepted}), and an old version mustn't come back unasked. To go back: till plugin rollback KIND --to NUMBER; to deploy it as a new version, sign it anew: till plugin sign FILE --key KEY"
    )]
    Older { name: String, signed: String, accepted: String },
}

/// A file that may be parsed.
#[derive(Debug, Clone)]
pub struct Vetted {
    /// `None` where the host takes unsigned files, or the file is listed by its digest.
    pub signer: Option<Signer>,
    /// What the signer says of the component; a Sigstore bundle says nothing of it.
    pub statement: Option<Statement>,
    /// Whose word it is, and the hooks that this entry of the trust file is for.
    entry: Option<(String, file::Hooks)>,
}

impl Vetted {
    /// Returns a file that nobody has to have signed.
    #[must_use]
    pub const fn unsigned() -> Self {
        Self { signer: None, statement: None, entry: None }
    }

    /// Checks that the component is what was signed.
    ///
    /// # Errors
    /// When it is another hook's, or has another name or version.
    pub fn check(&self, kind: Kind, name: &str, version: &str) -> Result<(), Untrusted> {
        if let Some(Statement { hook, name: signed, version: of, .. }) = &self.statement
            && (*hook, signed.as_str(), of.as_str()) != (kind, name, version)
        {
            let told = |kind: Kind, name: &str, version: &str| format!("{kind} plugin {name}@{version}");
            return Err(Untrusted::OtherPlugin { signed: told(*hook, signed, of), found: told(kind, name, version) });
        }
        match &self.entry {
            Some((by, hooks)) if !hooks.contain(kind) => Err(Untrusted::OtherHook { by: by.clone(), found: kind }),
            _ => Ok(()),
        }
    }
}

/// Whether a file comes anew or was accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The key that signed it has to be in force.
    New,
    /// A key that has expired since doesn't take away what it signed while it was in force.
    Kept,
}

/// The host's rules about whose plugins it takes.
#[derive(Debug)]
pub struct Trust {
    require: Required,
    /// `None` without a trust file.
    rules: Option<Reread<Rules>>,
}

impl Trust {
    /// Returns rules that take everything.
    #[must_use]
    pub fn everybody() -> Self {
        Self { require: Required::None, rules: None }
    }

    /// Reads the trust file.
    ///
    /// # Errors
    /// If it can't be used, or is needed and not set.
    pub fn of(settings: &config::Trust) -> anyhow::Result<Self> {
        let config::Trust { require, keys_file } = settings.clone();
        anyhow::ensure!(
            require == Required::None || keys_file.is_some(),
            "trust.require = {} needs trust.keys_file, which says whose plugins are taken; the first entry of it comes from: till plugin key new",
            require.as_str()
        );
        let words = Words { setting: "trust.keys_file", things: "rules" };
        let rules = keys_file.map(|file| Reread::new(file, words, Rules::read));
        Ok(Self { require, rules: rules.transpose()? })
    }

    /// Returns rules that take what this file says.
    ///
    /// # Errors
    /// If the file can't be used.
    pub fn of_file(require: Required, file: &Path) -> anyhow::Result<Self> {
        Self::of(&config::Trust { require, keys_file: Some(file.to_owned()) })
    }

    /// Returns whether files are looked at: there is a trust file, if only to say who signed.
    #[must_use]
    pub const fn judges(&self) -> bool {
        self.rules.is_some()
    }

    /// Returns whether no file needs anything.
    #[must_use]
    pub fn takes_everything(&self) -> bool {
        self.require == Required::None
    }

    /// Returns whether an older version than an accepted one is refused.
    #[must_use]
    pub fn refuses_older(&self) -> bool {
        self.require == Required::Signature
    }

    /// Judges a file by its bytes. It hashes them, which takes milliseconds for the largest.
    ///
    /// # Errors
    /// Why it isn't trusted.
    pub fn vet(&self, bytes: &[u8], entry: Entry) -> Result<Vetted, Untrusted> {
        self.vet_at(bytes, entry, now_ms())
    }

    fn vet_at(&self, bytes: &[u8], entry: Entry, now_ms: u64) -> Result<Vetted, Untrusted> {
        let Some(file) = &self.rules else { return Ok(Vetted::unsigned()) };
        let rules = file.now();
        let signed = match Signed::of(bytes) {
            Ok(signed) => signed,
            Err(_) if self.require == Required::None => return Ok(Vetted::unsigned()),
            Err(damaged) => return Err(damaged.into()),
        };
        let mut reasons = Vec::new();
        for (number, signature) in std::iter::zip(1.., &signed.signatures) {
            let prefix = bytes.get(..signature.begins).unwrap_or_default();
            match rules.judge(signature.text, signed.component, prefix, (entry, now_ms)) {
                Ok(vetted) => return Ok(vetted),
                Err(reason) => reasons.push(format!("signature {number} {reason}")),
            }
        }
        let trust_file = || file.file().display().to_string();
        match self.require {
            Required::None => Ok(Vetted::unsigned()),
            Required::Digest => {
                let (file, component) = (hex_digest(bytes), hex_digest(signed.component));
                let listed = rules.digests.iter().find(|listed| listed.sha256 == file || listed.sha256 == component);
                let entry = listed.map(|listed| (format!("the digest {:?}", listed.name), listed.hooks.clone()));
                entry.map_or_else(
                    || Err(Untrusted::NotListed { sha256: component, trust_file: trust_file() }),
                    |entry| Ok(Vetted { entry: Some(entry), ..Vetted::unsigned() }),
                )
            }
            Required::Signature if reasons.is_empty() => Err(Untrusted::Unsigned { trust_file: trust_file() }),
            Required::Signature => Err(Untrusted::NoneCounts { reasons: reasons.join("; "), trust_file: trust_file() }),
        }
    }

    /// Reads the trust file again whenever it changes. Rules that can't be used leave those from before.
    pub async fn watch(self: Arc<Self>, stopping: CancellationToken) {
        let told = |rules: &Rules| {
            let (keys, others) = (rules.keys.len(), rules.sigstore.len() + rules.digests.len());
            let what = "the rules about whose plugins are taken have changed";
            tracing::info!(keys, others, "{what}: {keys} keys and {others} others now");
        };
        Reread::watch(self.rules.as_ref(), stopping, told).await;
    }
}

impl Rules {
    /// Judges one signature of a component. `prefix` is the file up to the signature, other signatures included.
    fn judge(&self, text: &str, component: &[u8], prefix: &[u8], when: (Entry, u64)) -> Result<Vetted, String> {
        if let Ok(envelope) = serde_json::from_str::<Envelope>(text) {
            return self.judge_statement(&envelope, component, when);
        }
        match serde_json::from_str::<sigstore::Written<'_>>(text) {
            Ok(bundle) => self.judge_bundle(&bundle, component, prefix),
            Err(_) => Err("is neither a statement of till's nor a Sigstore bundle".into()),
        }
    }

    fn judge_statement(
        &self,
        envelope: &Envelope,
        component: &[u8],
        (entry, now_ms): (Entry, u64),
    ) -> Result<Vetted, String> {
        let payload = envelope.payload().filter(|_| envelope.payload_type == dsse::IN_TOTO);
        let payload = payload.ok_or("isn't about a plugin")?;
        let message = envelope.signed_bytes(&payload);
        let has_signed = |key: &&file::Key| {
            let signatures =
                envelope.signatures.iter().filter_map(|signature| Some((&signature.keyid, signature.bytes()?)));
            let mut meant = signatures.filter(|(keyid, _)| keyid.is_empty() || **keyid == key.key.id);
            meant.any(|(_, signature)| key.key.has_signed(&message, &signature))
        };
        let Some(key) = self.keys.iter().find(has_signed) else {
            let named =
                envelope.signatures.iter().find(|signature| self.keys.iter().any(|key| key.key.id == signature.keyid));
            return Err(match (named, envelope.signatures.first()) {
                (Some(_), _) => "wasn't made with the key that it names, or its statement was changed".into(),
                (None, Some(unknown)) => {
                    format!("is by a key that isn't there ({}…)", unknown.keyid.get(..16).unwrap_or_default())
                }
                (None, None) => "has nobody's signature in it".into(),
            });
        };
        // Only now does what it says mean anything.
        let statement =
            Statement::of_json(&payload).map_err(|other| format!("by {} counts for nothing: {other}", key.name))?;
        let name = &key.name;
        if statement.sha256 != hex_digest(component) {
            return Err(format!("by {name} is for other bytes: the file was changed after it was signed"));
        }
        if statement.at_ms > now_ms.saturating_add(LEEWAY_MS) {
            return Err(format!(
                "by {name} is of the future ({}): the signer's clock or this host's is wrong",
                day(statement.at_ms)
            ));
        }
        if let Some(expires_ms) = key.expires_ms
            && (statement.at_ms > expires_ms || entry == Entry::New && now_ms > expires_ms)
        {
            return Err(format!(
                "is by {name}, which expired on {}: sign it with a key that is in force",
                day(expires_ms)
            ));
        }
        if !key.hooks.contain(statement.hook) {
            return Err(format!("by {name} is for {}, for which that key doesn't count", statement.hook));
        }
        let signer = Signer { by: name.clone(), identity: None, at_ms: Some(statement.at_ms) };
        Ok(Vetted { signer: Some(signer), statement: Some(statement), entry: Some((name.clone(), key.hooks.clone())) })
    }

    fn judge_bundle(&self, bundle: &sigstore::Written<'_>, component: &[u8], prefix: &[u8]) -> Result<Vetted, String> {
        let mut reasons = Vec::new();
        for rule in &self.sigstore {
            // Most bundles are about the component; a registry's manifest is about the file that was pushed, which may
            // have been signed before.
            let accepted = rule.rule.accept(bundle, component).or_else(|reason| {
                if prefix.len() == component.len() { Err(reason) } else { rule.rule.accept(bundle, prefix) }
            });
            match accepted {
                Ok(sigstore::Accepted { identity, at_ms }) => {
                    let signer = Signer { by: rule.name.clone(), identity, at_ms };
                    return Ok(Vetted {
                        signer: Some(signer),
                        statement: None,
                        entry: Some((rule.name.clone(), rule.hooks.clone())),
                    });
                }
                Err(reason) => reasons.push(format!("by {}'s rule, {reason}", rule.name)),
            }
        }
        let none = || "there is no [[sigstore]] entry".to_owned();
        let reasons = if reasons.is_empty() { none() } else { reasons.join(", ") };
        Err(format!("is a Sigstore bundle that isn't accepted: {reasons}"))
    }
}

/// Signs a component: returns the file with one more signature. Those by the same key go.
///
/// # Errors
/// When the file has too many signatures, or a damaged end.
pub fn sign(file: &[u8], key: &PrivateKey, statement: &Statement) -> Result<Vec<u8>, BadAttachment> {
    let signed = Signed::of(file)?;
    let mut bytes = signed.component.to_vec();
    let is_own = |text: &str| {
        let envelope = serde_json::from_str::<Envelope>(text);
        envelope.is_ok_and(|envelope| envelope.signatures.iter().any(|signature| signature.keyid == key.public().id))
    };
    for other in signed.signatures.iter().filter(|other| !is_own(other.text)) {
        bytes = attached::attach(&bytes, other.text)?;
    }
    let envelope = Envelope::sealed(&statement.to_json(), key.public().id.clone(), |message| key.sign(message));
    // Texts and structures of texts are always written.
    attached::attach(&bytes, &serde_json::to_string(&envelope).unwrap_or_default())
}

/// Attaches a Sigstore bundle to a file; with the manifest that it is about, if it isn't about the file.
///
/// # Errors
/// When the bundle isn't JSON, or the file has too many signatures.
pub fn attach_bundle(file: &[u8], bundle: &str, manifest: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let written = sigstore::Written::new(bundle, manifest).context("a Sigstore bundle is JSON")?;
    Ok(attached::attach(file, &serde_json::to_string(&written)?)?)
}

/// Returns the SHA-256 of the component without its signatures, hex.
///
/// # Errors
/// When the file's end is damaged.
pub fn component_digest(file: &[u8]) -> Result<String, BadAttachment> {
    Ok(hex_digest(Signed::of(file)?.component))
}

fn hex_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns the moment for people, to the minute.
#[must_use]
pub fn day(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
