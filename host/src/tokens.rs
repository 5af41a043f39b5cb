//! Bearer tokens: who calls the admin listener, and what the caller may do.
//!
//! Named tokens stand in the file of `server.admin_tokens_file` as digests. The file of `server.admin_token_file` holds one token itself:
//! beside named ones it is the token `admin`, which may do everything.
//!
//! Invariants: no token is kept in memory, only its digest. A file that can't be used leaves the tokens from before.

pub mod edit;
mod file;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use hyper::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now_ms,
    config::{self, read_token},
    reread::{Reread, Words},
    units::hex,
};
pub use file::{BadTokens, Expiry, NAME_RULE, NamedToken, TokensFile, is_name};

/// The shortest token that is accepted, bytes.
const TOKEN_BYTES_MIN: usize = 16;
/// The name of the token in `server.admin_token_file`, and of whoever calls a host without named tokens.
pub const ADMIN: &str = "admin";

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything that changes nothing.
    Read,
    /// Besides, changes of plugins and their rollouts, and repeating recorded calls.
    Deploy,
    /// Besides reading, changes of the stock and the catalogue, and an operator's own checkouts.
    Stock,
    All,
}

impl Scope {
    /// All scopes, the narrowest first.
    pub const EACH: [Self; 4] = [Self::Read, Self::Deploy, Self::Stock, Self::All];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Stock => "stock",
            Self::All => "all",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Returns whether a token of this scope may do what needs the scope `needed`.
    #[must_use]
    pub fn allows(self, needed: Self) -> bool {
        needed == Self::Read || self == Self::All || self == needed
    }
}

/// The SHA-256 of a token. Tokens are compared by it, because comparing digests doesn't reveal how much of a guess was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Returns the digest that the text is in hexadecimal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let is_whole = text.len() == digest.len() * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        is_whole.then_some(Self(digest))
    }

    /// Returns the digest in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads the token in a file, without the white space around it.
    ///
    /// # Errors
    /// If the file can't be read or the token has less than 16 bytes.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let token = read_token(file)?;
        anyhow::ensure!(
            token.len() >= TOKEN_BYTES_MIN,
            "the token in {} is too short; make one with: openssl rand -hex 32",
            file.display()
        );
        Ok(Self::of(&token))
    }

    /// Returns the digest of the bearer token that a request has.
    #[must_use]
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let sent = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        Some(Self::of(sent.trim()))
    }
}

/// Who sent a request to the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's name; `None` on a host without named tokens.
    name: Option<Arc<str>>,
    scope: Scope,
}

impl Caller {
    /// Returns a caller who may do everything and has no name.
    #[must_use]
    pub const fn unnamed() -> Self {
        Self { name: None, scope: Scope::All }
    }

    #[must_use]
    pub fn named(name: &str, scope: Scope) -> Self {
        Self { name: Some(name.into()), scope }
    }

    /// Returns the token's name; `None` on a host without named tokens.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Returns the name for the history. What the request says of itself counts on a host without named tokens only; elsewhere it stands
    /// in brackets behind the token's name: `ci (anna)`.
    #[must_use]
    pub fn signs(&self, by: Option<String>) -> String {
        match (&self.name, by) {
            (None, by) => by.unwrap_or_else(|| ADMIN.to_owned()),
            (Some(name), Some(by)) if by != **name => format!("{name} ({by})"),
            (Some(name), _) => name.to_string(),
        }
    }
}

/// Returns the token's name in a name of the history.
#[must_use]
pub fn name_in(signed: &str) -> &str {
    signed.split_once(" (").map_or(signed, |(name, _)| name)
}

/// Why a request isn't answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCaller {
    #[error("this route wants `authorization: Bearer <token>`")]
    Unknown,
    #[error("the token {name} has expired at {at}; its owner makes a new one: till token new --name {name} --scope {}", .scope.as_str())]
    Expired { name: String, at: String, scope: Scope },
}

/// The tokens that the admin listener takes.
#[derive(Debug)]
pub struct AdminTokens {
    /// The token of `server.admin_token_file`.
    single: Option<TokenDigest>,
    /// `None` on a host without named tokens.
    named: Option<Reread<TokensFile>>,
}

impl AdminTokens {
    /// Reads the tokens; `None` if no file is set.
    ///
    /// # Errors
    /// If a file can't be used, with what to do.
    pub fn new(settings: &config::Server) -> anyhow::Result<Option<Arc<Self>>> {
        let single = settings.admin_token_file.as_deref().map(TokenDigest::read).transpose()?;
        let named = settings.admin_tokens_file.clone().map(|file| {
            let words = Words { setting: "server.admin_tokens_file", things: "tokens" };
            let tokens = Reread::new(file, words, move |file| read(file, single.as_ref()))?;
            anyhow::ensure!(
                single.is_some() || tokens.now().iter().next().is_some(),
                "{0} (server.admin_tokens_file) can't be used: it has no token, so that nobody could call the admin listener; make \
                 one with: till token new --name NAME --scope all --file {0}",
                tokens.file().display()
            );
            Ok(tokens)
        });
        let named = named.transpose()?;
        Ok((single.is_some() || named.is_some()).then(|| Arc::new(Self { single, named })))
    }

    /// Returns who sent a request with these headers.
    ///
    /// # Errors
    /// If it has no token that is known and hasn't expired.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, NoCaller> {
        self.caller_at(TokenDigest::sent(headers), now_ms())
    }

    fn caller_at(&self, sent: Option<TokenDigest>, now_ms: u64) -> Result<Caller, NoCaller> {
        let sent = sent.ok_or(NoCaller::Unknown)?;
        if self.single == Some(sent) {
            return Ok(if self.named.is_some() { Caller::named(ADMIN, Scope::All) } else { Caller::unnamed() });
        }
        let tokens = self.named.as_ref().ok_or(NoCaller::Unknown)?.now();
        let token = tokens.iter().find(|token| token.digest == sent).ok_or(NoCaller::Unknown)?;
        match &token.expires {
            Some(expires) if expires.is_past(now_ms) => {
                Err(NoCaller::Expired { name: token.name.clone(), at: expires.to_string(), scope: token.scope })
            }
            _ => Ok(Caller::named(&token.name, token.scope)),
        }
    }

    /// Reads the named tokens again whenever their file changes.
    pub async fn watch(self: Arc<Self>, stopping: CancellationToken) {
        let told = |tokens: &TokensFile| {
            let tokens = tokens.iter().count();
            tracing::info!(tokens, "the tokens of the admin listener have changed: {tokens} now");
        };
        Reread::watch(self.named.as_ref(), stopping, told).await;
    }
}

fn read(file: &Path, single: Option<&TokenDigest>) -> anyhow::Result<TokensFile> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let tokens = TokensFile::parse(&text)?;
    if let Some(single) = single {
        tokens.check_beside(single)?;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_scope_allows_reading_and_its_own() {
        use Scope::{All, Deploy, Read, Stock};
        for (scope, allowed) in [
            (Read, [true, false, false, false]),
            (Deploy, [true, true, false, false]),
            (Stock, [true, false, true, false]),
            (All, [true, true, true, true]),
        ] {
            assert_eq!(Scope::EACH.map(|needed| scope.allows(needed)), allowed, "{scope:?}");
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("Read"), None);
    }

    #[test]
    fn the_history_names_the_token_before_what_a_request_says() {
        let (unnamed, ci) = (Caller::unnamed(), Caller::named("ci", Scope::Deploy));
        for (caller, by, signed) in [
            (&unnamed, None, "admin"),
            (&unnamed, Some("anna"), "anna"),
            (&ci, None, "ci"),
            (&ci, Some("ci"), "ci"),
            (&ci, Some("anna"), "ci (anna)"),
            (&ci, Some("root (x)"), "ci (root (x))"),
        ] {
            let name = caller.signs(by.map(str::to_owned));
            assert_eq!(name, signed);
            if caller.name().is_some() {
                assert_eq!(name_in(&name), "ci");
            }
        }
    }

    #[test]
    fn a_token_is_known_until_it_expires() {
        let (ci, old, single) = ("till_ci", "till_old", "0123456789abcdef");
        let digest = |token| TokenDigest::of(token).hex();
        let text = format!(
            "[[token]]\nname = \"ci\"\nscope = \"deploy\"\nsha256 = \"{}\"\n[[token]]\nname = \"old\"\nscope = \"stock\"\nsha256 = \
             \"{}\"\nexpires = 1970-01-01T00:00:01Z\n",
            digest(ci),
            digest(old)
        );
        let tokens = TokensFile::parse(&text).expect("tokens");
        let words = Words { setting: "", things: "tokens" };
        let named = Reread::new(PathBuf::new(), words, move |_| Ok(tokens.clone())).expect("tokens");
        let mut tokens = AdminTokens { single: Some(TokenDigest::of(single)), named: Some(named) };
        let at =
            |tokens: &AdminTokens, token: Option<&str>, now_ms| tokens.caller_at(token.map(TokenDigest::of), now_ms);
        assert_eq!(at(&tokens, Some(ci), u64::MAX), Ok(Caller::named("ci", Scope::Deploy)));
        assert_eq!(at(&tokens, Some(single), 0), Ok(Caller::named("admin", Scope::All)));
        assert_eq!(at(&tokens, Some(old), 999), Ok(Caller::named("old", Scope::Stock)));
        let expired = at(&tokens, Some(old), 1_000).expect_err("expired").to_string();
        assert!(expired.starts_with("the token old has expired at 1970-01-01T00:00:01Z; "), "{expired}");
        for unknown in [Some("till_other"), Some(""), None] {
            assert_eq!(at(&tokens, unknown, 0), Err(NoCaller::Unknown), "{unknown:?}");
        }
        tokens.named = None;
        assert_eq!(at(&tokens, Some(single), 0), Ok(Caller::unnamed()), "without named tokens nobody has a name");
        assert_eq!(at(&tokens, Some(ci), 0), Err(NoCaller::Unknown));
    }
}
