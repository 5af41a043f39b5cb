//! Sigstore's bundles, as cosign 3, GitHub's attestations and sigstore's clients write them, checked without a network:
//! with the certificates and logs of a trusted root file, or with a public key.
//!
//! A bundle is about the plugin's file (`cosign sign-blob`), or about the manifest that a registry has for it (`cosign
//! sign`). The manifest then stands beside the bundle, and names the file by its digest.

mod crypto;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sigstore_verify::{
    PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier,
    crypto::VerificationKey,
    trust_root::TrustedRoot,
    types::{Bundle, DerPublicKey, Sha256Hash, SignatureContent, Statement},
};

use super::dsse::IN_TOTO;
use crate::units::hex;

/// The predicates that say a file is meant to be used: cosign's signature, and a build's provenance. A test report or a
/// list of weaknesses that the same identity has signed says nothing of that.
const PREDICATES: [&str; 3] =
    ["https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"];

/// A trusted root with nobody in it, for a key that no log has to vouch for.
pub(super) const NO_ROOT: &str = r#"{
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [], "certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": []
}"#;

/// What is attached to a file: a bundle, and the manifest that it is about, if it isn't about the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written<'a> {
    #[serde(borrow)]
    bundle: &'a RawValue,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: String,
}

#[derive(Deserialize)]
struct Predicate {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

/// Who has to have signed.
#[derive(Debug)]
pub(super) enum Signer {
    /// The identity in a certificate, and who vouched for it.
    Identity {
        identity: String,
        issuer: String,
    },
    Key(DerPublicKey),
}

/// A rule that accepts bundles.
pub(super) struct Rule {
    verifier: Verifier,
    signer: Signer,
    /// Whether the bundle has to prove that a transparency log has it.
    is_logged: bool,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rule")
            .field("signer", &self.signer)
            .field("is_logged", &self.is_logged)
            .finish_non_exhaustive()
    }
}

/// What a bundle that is accepted says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The identity in the certificate, if there is one.
    pub(super) identity: Option<String>,
    /// The earliest time that a log or a timestamp authority vouches for: Unix time, milliseconds.
    pub(super) at_ms: Option<u64>,
}

impl Rule {
    /// # Errors
    /// When the trusted root can't be read or used.
    pub(super) fn new(trusted_root: &str, signer: Signer, is_logged: bool) -> Result<Self, String> {
        crypto::install();
        let root = TrustedRoot::from_json(trusted_root).map_err(|error| error.to_string())?;
        Ok(Self { verifier: Verifier::new(&root).map_err(|error| error.to_string())?, signer, is_logged })
    }

    /// Checks a bundle about `file`.
    ///
    /// # Errors
    /// Says why it isn't accepted.
    pub(super) fn accept(&self, written: &Written<'_>, file: &[u8]) -> Result<Accepted, String> {
        let bundle = Bundle::from_json(written.bundle.get()).map_err(|error| error.to_string())?;
        check_predicate(&bundle)?;
        let manifest = written.manifest.as_ref().map(|manifest| of_manifest(manifest, file)).transpose()?;
        let artifact = manifest.as_deref().unwrap_or(file);
        let material = &bundle.verification_material;
        let is_vouched_for =
            !material.tlog_entries.is_empty() || !material.timestamp_verification_data.rfc3161_timestamps.is_empty();
        if let Signer::Key(key) = &self.signer
            && !self.is_logged
            && !is_vouched_for
        {
            return has_signed(key, &bundle, artifact).map(|()| Accepted { identity: None, at_ms: None });
        }
        let verified = match &self.signer {
            Signer::Identity { identity, issuer } => {
                let policy = VerificationPolicy::new(identity, issuer);
                let policy = if self.is_logged { policy } else { policy.skip_tlog_unsafe() };
                self.verifier.verify(artifact, &bundle, &policy)
            }
            Signer::Key(key) => {
                let policy = PublicKeyVerificationPolicy::new(key.clone());
                let policy = if self.is_logged { policy } else { policy.skip_tlog_unsafe() };
                self.verifier.verify(artifact, &bundle, &policy)
            }
        };
        verified.map(|verified| Accepted::of(&verified)).map_err(|error| error.to_string())
    }
}

impl Accepted {
    fn of(verified: &VerificationResult) -> Self {
        let earliest = verified.verified_timestamps().iter().min();
        Self {
            identity: verified.identity().map(ToString::to_string),
            at_ms: earliest.and_then(|at| u64::try_from(at.as_millisecond()).ok()),
        }
    }
}

impl<'a> Written<'a> {
    /// Returns what is to be attached for a bundle.
    ///
    /// # Errors
    /// When the bundle isn't JSON.
    pub(super) fn new(bundle: &'a str, manifest: Option<&[u8]>) -> serde_json::Result<Self> {
        Ok(Self { bundle: serde_json::from_str(bundle)?, manifest: manifest.map(|manifest| STANDARD.encode(manifest)) })
    }
}

/// Checks a signature by its key alone. The library wants a log's entry or a timestamp in every bundle, which cosign leaves
/// out if its signing configuration has neither.
fn has_signed(key: &DerPublicKey, bundle: &Bundle, artifact: &[u8]) -> Result<(), String> {
    let wrong = |error: sigstore_verify::crypto::Error| error.to_string();
    let key = VerificationKey::from_spki(key).map_err(wrong)?;
    match &bundle.content {
        SignatureContent::MessageSignature(message) => key.verify(artifact, &message.signature).map_err(wrong),
        SignatureContent::DsseEnvelope(envelope) => {
            key.verify(envelope.pae(), &envelope.signature.sig).map_err(wrong)?;
            let statement: Statement =
                serde_json::from_slice(envelope.payload.as_bytes()).map_err(|error| error.to_string())?;
            let digest = Sha256Hash::from_hex(&hex(&Sha256::digest(artifact))).map_err(|error| error.to_string())?;
            if statement.matches_sha256(&digest) { Ok(()) } else { Err("it is about another file".into()) }
        }
        _ => Err("it has a signature of an unknown form".into()),
    }
}

/// Reads the key of a PEM file; `None` if it has none.
pub(super) fn public_key(pem: &str) -> Option<DerPublicKey> {
    DerPublicKey::from_pem(pem).ok()
}

fn check_predicate(bundle: &Bundle) -> Result<(), String> {
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else { return Ok(()) };
    let about = serde_json::from_slice::<Predicate>(envelope.payload.as_bytes());
    match about {
        Ok(about) if envelope.payload_type == IN_TOTO && PREDICATES.contains(&&*about.predicate_type) => Ok(()),
        Ok(about) => Err(format!(
            "it states {:?}, which doesn't say that the file is to be used; {} do",
            about.predicate_type,
            PREDICATES.join(", ")
        )),
        Err(error) => Err(format!("it isn't a statement: {error}")),
    }
}

/// Returns the manifest, if it is about the file.
fn of_manifest(manifest: &str, file: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = STANDARD.decode(manifest).map_err(|error| format!("its manifest isn't base64: {error}"))?;
    let Manifest { layers } = serde_json::from_slice(&bytes).map_err(|error| format!("its manifest: {error}"))?;
    let digest = format!("sha256:{}", hex(&Sha256::digest(file)));
    match layers.as_slice() {
        [layer] if layer.digest == digest => Ok(bytes),
        _ => Err("it is about a manifest of another file".into()),
    }
}
