//! The keys of the shop's login: a set of JSON Web Keys (RFC 7517), or one public key in PEM.
//!
//! Each key is for one algorithm, which follows from the key alone. Keys of a set that are for something else are passed over.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    signature::{Algorithm, Material},
    spki,
};

/// Why a file has no keys. The messages follow the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadKeys {
    #[error("it is neither a JWKS, an object with keys, nor a PEM file with a PUBLIC KEY of RSA, P-256 or Ed25519")]
    Neither,
    #[error("it is no JWKS: {0}")]
    NotJwks(String),
    #[error("it has a private key; the host needs the public one only, and nobody but the login has the private one")]
    Private,
    #[error("it has no key for ES256 (P-256), RS256, EdDSA (Ed25519) or HS256")]
    Empty,
    #[error(
        "key {0} of the set isn't as it has to be: P-256 has two coordinates of 32 bytes, Ed25519 one, RSA 2048 to 8192 bits, a \
         secret 32 bytes or more, all in base64url"
    )]
    Key(usize),
    #[error("two keys have one kid; each key needs its own")]
    SameKid,
    #[error("it has several keys, and one has no kid; a token names its key by it")]
    NoKid,
}

/// The keys by which tokens are checked.
pub(super) struct Keys {
    keys: Vec<Key>,
    /// The digest of the file that they are from.
    digest: [u8; 32],
}

/// A key with the name that tokens know it by.
pub(super) struct Key {
    kid: Option<String>,
    pub(super) material: Material,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keys").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// A JSON Web Key, as far as it matters here.
#[derive(Deserialize)]
struct WrittenKey {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    its_use: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    /// What makes a key a private one.
    d: Option<serde::de::IgnoredAny>,
}

impl Keys {
    /// # Errors
    /// Says why the file has no keys that can be used.
    pub(super) fn parse(file: &[u8]) -> Result<Self, BadKeys> {
        let is_json = file.trim_ascii_start().starts_with(b"{");
        let keys = if is_json { of_set(file)? } else { vec![of_pem(file)?] };
        if keys.is_empty() {
            return Err(BadKeys::Empty);
        }
        if keys.len() > 1 {
            let mut kids =
                keys.iter().map(|key| key.kid.as_deref()).collect::<Option<Vec<_>>>().ok_or(BadKeys::NoKid)?;
            kids.sort_unstable();
            if kids.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
                return Err(BadKeys::SameKid);
            }
        }
        Ok(Self { keys, digest: Sha256::digest(file).into() })
    }

    /// Returns the key that a token names. A single key needs no name, and one without a name has any.
    pub(super) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match (self.keys.as_slice(), kid) {
            ([only], kid) if kid.is_none() || only.kid.is_none() => Some(only),
            (keys, Some(kid)) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (_, None) => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }
}

/// The same file has the same keys.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

fn of_pem(file: &[u8]) -> Result<Key, BadKeys> {
    if String::from_utf8_lossy(file).contains("PRIVATE KEY") {
        return Err(BadKeys::Private);
    }
    let material = spki::key(file).ok_or(BadKeys::Neither)?;
    Ok(Key { kid: None, material })
}

fn of_set(file: &[u8]) -> Result<Vec<Key>, BadKeys> {
    let not_jwks = |error: serde_json::Error| BadKeys::NotJwks(error.to_string());
    let set: Set<'_> = serde_json::from_slice(file).map_err(not_jwks)?;
    let mut keys = Vec::new();
    for (number, json) in std::iter::zip(1.., set.keys) {
        let written: WrittenKey = serde_json::from_str(json.get()).map_err(not_jwks)?;
        if written.d.is_some() {
            return Err(BadKeys::Private);
        }
        if let Some(algorithm) = written.algorithm() {
            let material = written.material(algorithm).ok_or(BadKeys::Key(number))?;
            keys.push(Key { kid: written.kid, material });
        }
    }
    Ok(keys)
}

impl WrittenKey {
    /// Returns the algorithm of a key that signatures are checked with; `None` if the key is for something else.
    fn algorithm(&self) -> Option<Algorithm> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("RSA", _) => Algorithm::Rs256,
            ("oct", _) => Algorithm::Hs256,
            _ => return None,
        };
        let is_same = |name: &String| {
            serde_json::from_value(name.as_str().into()).is_ok_and(|named: Algorithm| named == algorithm)
        };
        let is_named = self.alg.as_ref().is_none_or(is_same);
        let is_for_signatures = self.its_use.as_ref().is_none_or(|its_use| its_use == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        (is_named && is_for_signatures && verifies).then_some(algorithm)
    }

    /// Returns the key; `None` if a part is missing, isn't base64url or has another size.
    fn material(&self, algorithm: Algorithm) -> Option<Material> {
        let bytes = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        match algorithm {
            Algorithm::Es256 => Material::of_coordinates(&bytes(&self.x)?, &bytes(&self.y)?),
            Algorithm::EdDsa => Material::of_ed25519(&bytes(&self.x)?),
            Algorithm::Rs256 => Material::of_rsa(bytes(&self.n)?, bytes(&self.e)?),
            Algorithm::Hs256 => Material::of_secret(&bytes(&self.k)?),
        }
    }
}
