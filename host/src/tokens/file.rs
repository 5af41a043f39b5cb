//! The file of named tokens, in TOML:
//!
//! ```toml
//! [[token]]
//! name = "ci"
//! scope = "deploy"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! expires = 2027-01-31T00:00:00Z
//! ```

use std::fmt;

use chrono::DateTime;
use serde::Deserialize;
use toml::{Spanned, value::Datetime};

use super::{ADMIN, Scope, TokenDigest};
use crate::nearest::did_you_mean;

/// The longest name, bytes.
const NAME_BYTES_MAX: usize = 32;
/// The names by which the host itself changes plugins.
const RESERVED: [&str; 4] = ["till", "gates", "breaker", "folder"];

/// What a token's name has to be.
pub const NAME_RULE: &str =
    "a name has 1 to 32 letters, digits, dots, hyphens and underscores, and isn't till, gates, breaker or folder";

/// Why the file can't be used. The messages follow the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTokens {
    #[error("line {line}: {message}; a token has name, scope, sha256, and perhaps expires")]
    Toml { line: usize, message: String },
    #[error("line {line}: {name:?} is no token's name: {NAME_RULE}")]
    Name { line: usize, name: String },
    #[error("line {line}: there is no scope {scope:?}{hint}; there are read, deploy, stock and all")]
    Scope { line: usize, scope: String, hint: String },
    #[error(
        "line {line}: sha256 has to be the token's SHA-256, 64 hexadecimal digits: printf %s TOKEN | sha256sum; till token new makes \
         a token with its row"
    )]
    Digest { line: usize },
    #[error("line {line}: expires has to be a moment with its offset, such as 2027-01-31T00:00:00Z")]
    Expires { line: usize },
    #[error("two tokens are named {name}; each needs a name of its own, because the history knows them by it")]
    SameName { name: String },
    #[error("the tokens {one} and {other} are the same token (sha256); make another one with: till token new")]
    SameToken { one: String, other: String },
    #[error("a token is named {ADMIN}, which is the name of the token in server.admin_token_file; name it otherwise")]
    Admin,
    #[error(
        "the token {name} is the one in server.admin_token_file, too, which may do everything; make another one with: till token new"
    )]
    SameAsAdmin { name: String },
}

/// The end of a token's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    ms: i64,
    text: String,
}

impl Expiry {
    fn of(written: Datetime) -> Option<Self> {
        let text = written.to_string();
        let ms = DateTime::parse_from_rfc3339(&text).ok()?.timestamp_millis();
        Some(Self { ms, text })
    }

    #[must_use]
    pub fn is_past(&self, now_ms: u64) -> bool {
        i64::try_from(now_ms).unwrap_or(i64::MAX) >= self.ms
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// A row of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedToken {
    pub name: String,
    pub scope: Scope,
    pub digest: TokenDigest,
    /// `None` if the token doesn't expire.
    pub expires: Option<Expiry>,
}

/// The named tokens of a file, each with a name and a digest of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensFile(Vec<NamedToken>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    token: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Spanned<String>,
    scope: Spanned<String>,
    sha256: Spanned<String>,
    expires: Option<Spanned<Datetime>>,
}

impl TokensFile {
    /// # Errors
    /// Says what is wrong, in which line, and what to write there.
    pub fn parse(text: &str) -> Result<Self, BadTokens> {
        let written: Written = toml::from_str(text).map_err(|error| BadTokens::Toml {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let mut tokens: Vec<NamedToken> = Vec::new();
        for row in written.token {
            let token = row.token(text)?;
            for other in &tokens {
                if other.name == token.name {
                    return Err(BadTokens::SameName { name: token.name });
                }
                if other.digest == token.digest {
                    return Err(BadTokens::SameToken { one: other.name.clone(), other: token.name });
                }
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    pub fn iter(&self) -> impl Iterator<Item = &NamedToken> {
        self.0.iter()
    }

    /// Checks that none of them is the token of `server.admin_token_file`, nor has its name.
    pub(super) fn check_beside(&self, single: &TokenDigest) -> Result<(), BadTokens> {
        if self.iter().any(|token| token.name == ADMIN) {
            return Err(BadTokens::Admin);
        }
        let same = self.iter().find(|token| token.digest == *single);
        same.map_or(Ok(()), |same| Err(BadTokens::SameAsAdmin { name: same.name.clone() }))
    }
}

impl Row {
    fn token(self, text: &str) -> Result<NamedToken, BadTokens> {
        let line = |start| line_of(text, start);
        let (at, name) = (line(self.name.span().start), self.name.into_inner());
        if !is_name(&name) {
            return Err(BadTokens::Name { line: at, name });
        }
        let (at, written) = (line(self.scope.span().start), self.scope.into_inner());
        let scope = Scope::parse(&written).ok_or_else(|| {
            let hint = did_you_mean(&written, Scope::EACH.map(Scope::as_str));
            BadTokens::Scope { line: at, scope: written.clone(), hint }
        })?;
        let at = line(self.sha256.span().start);
        let digest = TokenDigest::parse(self.sha256.get_ref()).ok_or(BadTokens::Digest { line: at })?;
        let expires = self.expires.map(|expires| {
            let at = line(expires.span().start);
            Expiry::of(expires.into_inner()).ok_or(BadTokens::Expires { line: at })
        });
        Ok(NamedToken { name, scope, digest, expires: expires.transpose()? })
    }
}

/// Returns whether a token may have the name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of_name) && !RESERVED.contains(&name)
}

fn line_of(text: &str, start: usize) -> usize {
    text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_right_or_says_what_to_write() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let row = |name: &str, scope: &str, digest: &str| {
            format!("[[token]]\nname = \"{name}\"\nscope = \"{scope}\"\nsha256 = \"{digest}\"\n")
        };
        let check = |text: &str, expected: Result<usize, &str>| match (TokensFile::parse(text), expected) {
            (Ok(tokens), Ok(count)) => assert_eq!(tokens.iter().count(), count, "{text}"),
            (Err(bad), Err(said)) => assert!(bad.to_string().starts_with(said), "{bad} isn't {said} of {text}"),
            (parsed, _) => panic!("{parsed:?} of {text}"),
        };
        check("", Ok(0));
        check("# none left\n", Ok(0));
        check(&row("ci", "deploy", &one), Ok(1));
        check(&row("A.b_c-9", "all", &"Ab".repeat(32)), Ok(1));
        check(&(row("ci", "deploy", &one) + "expires = 2027-01-31T00:00:00+01:00\n" + &row("b", "read", &two)), Ok(2));
        check(&(row("ci", "deploy", &one) + &row("ci", "read", &two)), Err("two tokens are named ci; "));
        check(&(row("ci", "deploy", &one) + &row("b", "read", &one)), Err("the tokens ci and b are the same token"));
        check(&(row("ci", "deploy", &one) + &row("b", "read", &one.to_uppercase())), Err("the tokens ci and b are"));
        check(
            &row("ci", "deplyo", &one),
            Err("line 3: there is no scope \"deplyo\"; did you mean deploy?; there are read,"),
        );
        check(&row("ci", "", &one), Err("line 3: there is no scope \"\"; there are read,"));
        for digest in ["", "a", &one[1..], &format!("{one}a"), &"g".repeat(64), &"é".repeat(32)] {
            check(
                &row("ci", "read", digest),
                Err("line 4: sha256 has to be the token's SHA-256, 64 hexadecimal digits"),
            );
        }
        for name in ["", "a b", "a(b", "é", "till", "gates", "breaker", "folder", &"a".repeat(33)] {
            check(&row(name, "read", &one), Err(&format!("line 2: {name:?} is no token's name: a name has 1 to 32 ")));
        }
        for expires in ["2027-01-31", "2027-01-31T00:00:00", "00:00:00"] {
            let text = row("ci", "read", &one) + "expires = " + expires + "\n";
            check(&text, Err("line 5: expires has to be a moment with its offset"));
        }
        check(&(row("ci", "read", &one) + "expires = \"soon\"\n"), Err("line 5: "));
        check(&(row("ci", "read", &one) + "expire = 2027-01-31T00:00:00Z\n"), Err("line 5: unknown field `expire`"));
        check("[[tokens]]\n", Err("line 1: unknown field `tokens`"));
        check("[[token]]\nname = \"ci\"\n", Err("line 1: missing field `scope`"));
        check("token = 3\n", Err("line 1: "));
        check("[[token]\n", Err("line 1: "));
    }

    #[test]
    fn the_single_token_is_none_of_them() {
        let tokens = |name: &str| {
            let digest = TokenDigest::of("0123456789abcdef").hex();
            TokensFile::parse(&format!("[[token]]\nname = \"{name}\"\nscope = \"read\"\nsha256 = \"{digest}\"\n"))
                .expect("one")
        };
        let (same, other) = (TokenDigest::of("0123456789abcdef"), TokenDigest::of("fedcba9876543210"));
        assert_eq!(tokens("ci").check_beside(&other), Ok(()));
        assert_eq!(tokens("ci").check_beside(&same), Err(BadTokens::SameAsAdmin { name: "ci".into() }));
        assert_eq!(tokens("admin").check_beside(&other), Err(BadTokens::Admin));
    }
}
