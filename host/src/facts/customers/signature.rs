//! The keys' algorithms, by ring, which checks the shop's TLS as well.

use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use serde::Deserialize;

/// The shortest secret that is shared with the login, bytes: as long as what it signs with (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The sizes of an RSA modulus that are verified, bytes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
const COORDINATE_BYTES: usize = 32;

/// How a token is signed (RFC 7518, 3.1 and RFC 8037). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
    /// By its name from before and after RFC 9864.
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    #[serde(rename = "HS256")]
    Hs256,
}

/// A key, for one algorithm.
pub(super) enum Material {
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
    /// An RSAPublicKey (RFC 8017, A.1.1).
    Rsa(Vec<u8>),
    RsaComponents {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Secret(hmac::Key),
}

impl Material {
    /// Returns the key with these coordinates; `None` if they have another size.
    pub(super) fn of_coordinates(x: &[u8], y: &[u8]) -> Option<Self> {
        let fits = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
        fits.then(|| Self::P256([&[4], x, y].concat()))
    }

    pub(super) fn of_ed25519(key: &[u8]) -> Option<Self> {
        (key.len() == COORDINATE_BYTES).then(|| Self::Ed25519(key.to_vec()))
    }

    pub(super) fn of_rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Self> {
        RSA_BYTES.contains(&n.len()).then_some(Self::RsaComponents { n, e })
    }

    pub(super) fn of_secret(secret: &[u8]) -> Option<Self> {
        (secret.len() >= SECRET_BYTES_MIN).then(|| Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Rsa(_) | Self::RsaComponents { .. } => Algorithm::Rs256,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// Returns whether the message was signed with this key.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked = match self {
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::Rsa(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature),
            Self::RsaComponents { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::Secret(key) => hmac::verify(key, message, signature),
        };
        checked.is_ok()
    }
}
