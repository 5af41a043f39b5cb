//! Who buys, by a signed token (a JWT) of the shop's login: the host has the login's public keys and asks nobody.
//!
//! Invariants: the key decides about the algorithm, never the token. A claim counts only after the signature. No message has anything of
//! the token in it.

mod claims;
mod keys;
mod signature;
mod spki;
mod token;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::Customer;
use crate::{
    config,
    reread::{Reread, Words},
};
use keys::Keys;
use token::Token;

/// How far a login's clock may be from the host's.
const LEEWAY_S: f64 = 60.0;

/// Why a token isn't taken. The messages follow the field's name in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("isn't taken here: the shop's login has no keys here (customers.keys_file)")]
    NoKeys,
    #[error("has more than 4 KiB")]
    TooLong,
    #[error("is no signed token (a JWT: three parts with dots between them)")]
    Unreadable,
    #[error("has a header other than alg, typ, kid and x5t, which may change what the token means")]
    Header,
    #[error("names no key of the shop's login (kid)")]
    UnknownKey,
    #[error(
        "is signed in another way than its key is for (alg), or in one that isn't taken: ES256, RS256, EdDSA and HS256 are"
    )]
    Algorithm,
    #[error("wasn't signed with that key of the shop's login")]
    Signature,
    #[error("has no {0}, or one of another type")]
    Missing(&'static str),
    #[error("has expired; sign in again")]
    Expired,
    #[error("isn't valid yet (nbf or iat)")]
    NotYet,
    #[error("is valid for longer than customers.lifetime_max_s")]
    Lifetime,
    #[error("is for somebody else (aud): customers.audience says whom the shop's tokens are for")]
    Audience,
    #[error("is of another login (iss) than customers.issuer")]
    Issuer,
    #[error("has claims that can't be read: sub and exp, and perhaps email, tags, orders, company and fields")]
    Unclear,
    #[error("has a {0} that is empty, too long, has control characters, or is too many")]
    Claim(&'static str),
}

/// Reads customers' tokens.
#[derive(Debug)]
pub struct Customers {
    /// `None` if the shop takes no tokens.
    keys: Option<Reread<Keys>>,
    audience: Option<String>,
    issuer: Option<String>,
    lifetime_max_s: u32,
}

impl Customers {
    /// Reads the keys.
    ///
    /// # Errors
    /// If there is a file that can't be used.
    pub fn new(settings: &config::Customers) -> anyhow::Result<Self> {
        let config::Customers { keys_file, audience, issuer, lifetime_max_s } = settings.clone();
        let words = Words { setting: "customers.keys_file", things: "keys" };
        let keys = keys_file.map(|file| Reread::new(file, words, read));
        Ok(Self { keys: keys.transpose()?, audience, issuer, lifetime_max_s })
    }

    /// Returns the customer that a token names.
    ///
    /// # Errors
    /// Why the token isn't taken, with nothing of it.
    pub fn read(&self, token: &str) -> Result<Customer, BadToken> {
        self.read_at(token, crate::clock::now_ms())
    }

    fn read_at(&self, token: &str, now_ms: u64) -> Result<Customer, BadToken> {
        let keys = self.keys.as_ref().ok_or(BadToken::NoKeys)?.now();
        let token = Token::parse(token)?;
        let key = keys.find(token.kid.as_deref()).ok_or(BadToken::UnknownKey)?;
        if token.algorithm != key.material.algorithm() {
            return Err(BadToken::Algorithm);
        }
        let claims = token.claims(|message, signature| key.material.has_signed(message, signature))?;
        claims.check_parties(self.audience.as_deref(), self.issuer.as_deref())?;
        claims.check_times(now_ms / 1_000, self.lifetime_max_s)?;
        claims.into_customer()
    }

    /// Reads the keys again whenever their file changes. Keys that can't be used leave those from before.
    pub async fn watch(self: Arc<Self>, stopping: CancellationToken) {
        let told = |keys: &Keys| {
            tracing::info!(keys = keys.count(), "the keys of the shop's login have changed: {} now", keys.count());
        };
        Reread::watch(self.keys.as_ref(), stopping, told).await;
    }
}

fn read(file: &Path) -> anyhow::Result<Keys> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    Ok(Keys::parse(&bytes)?)
}

#[cfg(test)]
mod tests;
