//! A public key in PEM: a SubjectPublicKeyInfo (RFC 5280, 4.1) of RSA, P-256 or Ed25519.

use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

use super::signature::Material;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The contents of AlgorithmIdentifier: rsaEncryption with NULL, ecPublicKey with prime256v1, and Ed25519.
pub(super) const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
pub(super) const P256: &[u8] =
    &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(super) const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Returns the key of a PEM file; `None` if there is none of these.
pub(super) fn key(pem: &[u8]) -> Option<Material> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let (info, []) = contents(&der, SEQUENCE)? else { return None };
    let (algorithm, rest) = contents(info, SEQUENCE)?;
    let (bits, []) = contents(rest, BIT_STRING)? else { return None };
    let [0, key @ ..] = bits else { return None };
    match algorithm {
        RSA => Some(Material::Rsa(key.to_vec())),
        P256 => Some(Material::P256(key.to_vec())),
        ED25519 => Material::of_ed25519(key),
        _ => None,
    }
}

/// Returns the contents of the value at the beginning, which has that tag, and what follows the value.
fn contents(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der {
        [found, length @ 0..=0x7f, rest @ ..] if *found == tag => (usize::from(*length), rest),
        [found, 0x81, length, rest @ ..] if *found == tag => (usize::from(*length), rest),
        [found, 0x82, high, low, rest @ ..] if *found == tag => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
