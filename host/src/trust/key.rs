//! Keys of Ed25519: the private one that signs, in PKCS#8, and the public one that the trust file has, as SubjectPublicKeyInfo.

use std::path::Path;

use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use sha2::{Digest, Sha256};

use crate::units::hex;

/// What comes before the 32 bytes of a seed in PKCS#8, version 1 (RFC 8410, 7). Version 2, which has the public key as
/// well, isn't read by OpenSSL 3.0.
const PRIVATE: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What comes before the 32 bytes of a public key (RFC 8410, 4).
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const KEY_BYTES: usize = 32;

/// A public key, with the digest that signatures name it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; KEY_BYTES],
    /// The SHA-256 of the SubjectPublicKeyInfo, lower-case hex.
    pub id: String,
}

impl PublicKey {
    fn of(bytes: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::digest([&PUBLIC[..], &bytes].concat());
        Self { bytes, id: hex(&digest) }
    }

    /// Reads a key in PEM; `None` if it is none of Ed25519.
    #[must_use]
    pub fn of_pem(pem: &str) -> Option<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        let bytes = der.strip_prefix(&PUBLIC[..])?.try_into().ok()?;
        Some(Self::of(bytes))
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&PUBLIC[..], &self.bytes].concat())
    }

    /// Returns whether the key has signed the message.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok()
    }
}

/// A private key.
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PrivateKey").field("public", &self.public.id).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Returns a fresh key in PEM.
    #[must_use]
    pub fn fresh_pem() -> String {
        let seed: [u8; KEY_BYTES] = rand::random();
        pem("PRIVATE KEY", &[&PRIVATE[..], &seed].concat())
    }

    /// Reads a key in PEM, as `till plugin key new` and `openssl genpkey -algorithm ed25519` write it.
    ///
    /// # Errors
    /// When it is none of Ed25519.
    pub fn of_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let wanted = "wanted a PRIVATE KEY of Ed25519 in PEM; make one with: till plugin key new";
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok().context(wanted)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok().context(wanted)?;
        let public = PublicKey::of(pair.public_key().as_ref().try_into().context(wanted)?);
        Ok(Self { pair, public })
    }

    /// # Errors
    /// When the file can't be read or has no such key.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        Self::of_pem(&pem).with_context(|| format!("{} has no key to sign with", file.display()))
    }

    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    // Both kinds of keys fit in a line of PEM, which has at most 64 characters.
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair of RFC 8410, 10.1 and 10.3.
    const OF_RFC: (&str, &str) = (
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
    );

    #[test]
    fn keys_are_read_and_written_as_the_rfc_has_them() {
        let private = PrivateKey::of_pem(OF_RFC.0.as_bytes()).expect("a key");
        assert_eq!(private.public().to_pem(), OF_RFC.1);
        assert_eq!(PublicKey::of_pem(OF_RFC.1).as_ref(), Some(private.public()));
        let fresh = PrivateKey::fresh_pem();
        assert_eq!((fresh.len(), fresh == PrivateKey::fresh_pem()), (OF_RFC.0.len(), false));
        let fresh = PrivateKey::of_pem(fresh.as_bytes()).expect("a key");
        let signature = fresh.sign(b"a message");
        assert!(fresh.public().has_signed(b"a message", &signature));
        assert!(!fresh.public().has_signed(b"another", &signature));
        assert!(!private.public().has_signed(b"a message", &signature));
    }

    #[test]
    fn another_file_is_no_key() {
        for pem in ["", OF_RFC.1, "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n"] {
            assert!(PrivateKey::of_pem(pem.as_bytes()).is_err(), "{pem}");
        }
        for pem in ["", OF_RFC.0, "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2Vw\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(PublicKey::of_pem(pem), None, "{pem}");
        }
    }
}
