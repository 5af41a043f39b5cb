//! A token's three parts: a JSON Web Signature in its compact form (RFC 7515, 7.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{BadToken, claims::Claims, signature::Algorithm};

/// The longest token, bytes: a login's has some 1 KiB.
const BYTES_MAX: usize = 4 * 1024;

/// A token whose signature wasn't checked yet, so that nobody can read its claims.
pub(super) struct Token {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    message: Vec<u8>,
    signature: Vec<u8>,
    claims: Vec<u8>,
}

/// The header. Any other field may change what the token means, so a token that has one isn't taken; `x5t` is another name of the key,
/// which some logins add.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(rename = "x5t")]
    _x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    _x5t_s256: Option<String>,
}

impl Token {
    /// # Errors
    /// `TooLong`, `Unreadable`, `Algorithm` or `Header`.
    pub(super) fn parse(text: &str) -> Result<Self, BadToken> {
        if text.len() > BYTES_MAX {
            return Err(BadToken::TooLong);
        }
        let mut parts = text.split('.');
        let [Some(header), Some(claims), Some(signature), None] = std::array::from_fn(|_| parts.next()) else {
            return Err(BadToken::Unreadable);
        };
        let message = format!("{header}.{claims}").into_bytes();
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::Unreadable);
        let Header { alg, typ, kid, .. } = header_of(&bytes(header)?)?;
        let algorithm = serde_json::from_value(alg.into()).map_err(|_| BadToken::Algorithm)?;
        let is_token = |typ: &String| ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known));
        if !typ.as_ref().is_none_or(is_token) {
            return Err(BadToken::Header);
        }
        Ok(Self { kid, algorithm, message, signature: bytes(signature)?, claims: bytes(claims)? })
    }

    /// Returns the claims, if `has_signed` says so of the message and the signature.
    ///
    /// # Errors
    /// `Signature` or `Unclear`.
    pub(super) fn claims(&self, has_signed: impl FnOnce(&[u8], &[u8]) -> bool) -> Result<Claims, BadToken> {
        if !has_signed(&self.message, &self.signature) {
            return Err(BadToken::Signature);
        }
        serde_json::from_slice(&self.claims).map_err(|_| BadToken::Unclear)
    }
}

/// Reads the header. An object with other fields is told from what is no header at all.
fn header_of(json: &[u8]) -> Result<Header, BadToken> {
    let refused = |_| {
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(json).is_ok();
        if is_object { BadToken::Header } else { BadToken::Unreadable }
    };
    serde_json::from_slice(json).map_err(refused)
}
