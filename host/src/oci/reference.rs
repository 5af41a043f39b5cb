//! A plugin's place in a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:HEX]`.
//!
//! Tools of containers read a name without a host as one of Docker Hub's. Here the host has to be written, because a shop that
//! forgets it must not get a stranger's plugin.

use std::{fmt, net::Ipv6Addr};

use sha2::{Digest as _, Sha256};

use crate::units::hex;

/// What a reference begins with.
pub const SCHEME: &str = "oci://";
/// The longest host with its repository, bytes: what registries take.
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// The SHA-256 of a content, as registries write it: `sha256:` and 64 digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Returns the digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))))
    }

    /// Returns the digest that a text has, `None` if it has none, or one of another algorithm.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (hex.len() == 64 && hex.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A plugin's place in a registry, with a tag, a digest or both. With both, the digest says what is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no plugin in a registry: {why}")]
pub struct BadReference {
    text: String,
    why: String,
}

const FORM: &str = "write oci://HOST/REPOSITORY:TAG, with @sha256:DIGEST behind it to get exactly one file";

impl Reference {
    /// Parses a reference.
    ///
    /// # Errors
    /// Says what is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        // A password that was written in front of the host isn't repeated.
        let shown =
            text.rsplit_once('@').filter(|(before, _)| before.matches('/').count() < 3).map_or(text, |(_, rest)| rest);
        let bad = |why: String| BadReference { text: shown.to_owned(), why };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| bad(format!("it doesn't begin with {SCHEME}; {FORM}")))?;
        if let Some(odd) =
            rest.chars().find(|letter| letter.is_whitespace() || letter.is_control() || "?#%\\".contains(*letter))
        {
            return Err(bad(format!("it has {odd:?} in it; {FORM}")));
        }
        let (registry, rest) =
            rest.split_once('/').ok_or_else(|| bad(format!("it has no registry or no repository; {FORM}")))?;
        let registry = registry_of(registry).map_err(&bad)?;
        let (name, digest) = match rest.split_once('@') {
            None => (rest, None),
            Some((name, digest)) => (name, Some(digest_of(digest).map_err(&bad)?)),
        };
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name.get(last..).and_then(|last| last.find(':')).map(|colon| last + colon) {
            None => (name, None),
            Some(colon) => {
                let (repository, tag) = name.split_at(colon);
                (repository, Some(tag_of(tag.strip_prefix(':').unwrap_or(tag)).map_err(&bad)?))
            }
        };
        check_repository(repository).map_err(&bad)?;
        if registry.len() + repository.len() >= NAME_BYTES_MAX {
            return Err(bad(format!("a registry and a repository have {NAME_BYTES_MAX} bytes at most")));
        }
        if tag.is_none() && digest.is_none() {
            return Err(bad(format!(
                "it says no version: add a tag, such as {text}:1.0.0, or a digest, {text}@sha256:DIGEST"
            )));
        }
        Ok(Self { registry, repository: repository.to_owned(), tag, digest })
    }

    /// Returns the registry's host, with its port if it has one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns the repository's last part, which names a plugin that has no name of its own.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// Returns the same place with the digest of what it has.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(out, ":{tag}")?;
        }
        self.digest.iter().try_for_each(|digest| write!(out, "@{digest}"))
    }
}

/// Checks a registry's `HOST[:PORT]`.
pub(super) fn registry_of(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("it has a user in it; log in with docker login HOST, and leave the user out".to_owned());
    }
    let (host, port) = match text.rfind(']') {
        Some(end) => (text.get(..=end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default()),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_port =
        |port: &str| port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    if !is_host || !(port.is_empty() || is_port(port)) {
        return Err(format!("{text:?} is no registry's host; {FORM}"));
    }
    // A bare word is more often a user of Docker Hub than a machine of the local network.
    if port.is_empty() && !host.contains(['.', '[']) && host != "localhost" {
        return Err(format!(
            "{text:?} is no registry's host: one has a dot or a port. Write {SCHEME}{text}:443/… for a registry of that name in your \
             network, {SCHEME}docker.io/{text}/… for Docker Hub"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(is_inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn digest_of(text: &str) -> Result<Digest, String> {
    if text.split_once(':').is_some_and(|(algorithm, _)| algorithm != "sha256") {
        return Err("only sha256 digests are taken".to_owned());
    }
    let wanted = "a digest is sha256: and 64 digits from 0 to f; till plugin push prints it";
    Digest::parse(&text.to_ascii_lowercase()).ok_or_else(|| wanted.to_owned())
}

fn tag_of(text: &str) -> Result<String, String> {
    let is_first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_sound = text.len() <= TAG_BYTES_MAX
        && text.bytes().next().is_some_and(is_first)
        && text.bytes().all(|byte| is_first(byte) || byte == b'.' || byte == b'-');
    let wanted = format!(
        "{text:?} is no tag: one has up to {TAG_BYTES_MAX} letters, digits, `_`, `.` and `-`, and begins with a letter, a digit or `_`"
    );
    is_sound.then(|| text.to_owned()).ok_or(wanted)
}

/// Checks that a repository is as the distribution specification wants it: parts of lower-case letters and digits, with single
/// dots, one or two underscores or any number of hyphens between them.
fn check_repository(text: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("a repository has no capitals: write {}", text.to_ascii_lowercase()));
    }
    if text.is_empty() {
        return Err(format!("it has no repository; {FORM}"));
    }
    if text.split('/').all(is_part) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no repository: one has lower-case letters and digits, with `.`, `_`, `-` and `/` between them"
    ))
}

fn is_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let between =
        part.split(|letter: char| u8::try_from(letter).is_ok_and(is_word)).filter(|between| !between.is_empty());
    let is_separator = |between: &str| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-');
    part.bytes().next().is_some_and(is_word)
        && part.bytes().last().is_some_and(is_word)
        && between.into_iter().all(is_separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_as_it_was_written() {
        let digest = Digest::of(b"").to_string();
        let check = |text: &str, registry: &str, repository: &str, tag: Option<&str>, pinned: bool| {
            let reference = Reference::parse(text).expect("a reference");
            assert_eq!(reference.to_string(), text);
            assert_eq!((reference.registry(), reference.repository(), reference.tag()), (registry, repository, tag));
            assert_eq!(reference.digest().map(Digest::as_str), pinned.then_some(&*digest));
        };
        check("oci://ghcr.io/shop/discounts:1.4.0", "ghcr.io", "shop/discounts", Some("1.4.0"), false);
        check("oci://localhost/a:b", "localhost", "a", Some("b"), false);
        check("oci://localhost:5000/a:b", "localhost:5000", "a", Some("b"), false);
        check("oci://registry:443/a:b", "registry:443", "a", Some("b"), false);
        check("oci://[::1]:5000/a:b", "[::1]:5000", "a", Some("b"), false);
        check(
            "oci://127.0.0.1:5000/a/b-c/d__e.f--g:_1-2.3",
            "127.0.0.1:5000",
            "a/b-c/d__e.f--g",
            Some("_1-2.3"),
            false,
        );
        check(&format!("oci://ghcr.io/shop/a@{digest}"), "ghcr.io", "shop/a", None, true);
        check(&format!("oci://ghcr.io/shop/a:1@{digest}"), "ghcr.io", "shop/a", Some("1"), true);
        assert_eq!(Reference::parse("oci://GHCR.io/a:b").expect("a reference").to_string(), "oci://ghcr.io/a:b");
        assert_eq!(Reference::parse("oci://ghcr.io/shop/spring:b").expect("a reference").stem(), "spring");
    }

    #[test]
    fn whatever_could_be_misread_is_refused_with_advice() {
        let long = format!("oci://ghcr.io/{}:1", "a".repeat(250));
        let check = |text: &str, why: &str| {
            let refusal = Reference::parse(text).expect_err(text).to_string();
            assert!(refusal.contains(why), "{text}: {refusal}");
        };
        check("ghcr.io/shop/a:1", "it doesn't begin with oci://");
        check("https://ghcr.io/shop/a:1", "write oci://HOST/REPOSITORY:TAG");
        check("oci://checkout:1.0", "it has no registry or no repository");
        check("oci:///shop/a:1", "is no registry's host");
        check("oci://shop/checkout:1", "oci://docker.io/shop/…");
        check("oci://ghcr.io/:1", "it has no repository");
        check("oci://ghcr.io/a", "such as oci://ghcr.io/a:1.0.0");
        check("oci://ghcr.io/Shop/Checkout:1", "no capitals: write shop/checkout");
        check("oci://ghcr.io/a//b:1", "is no repository");
        check("oci://ghcr.io/a../b:1", "is no repository");
        check("oci://ghcr.io/a___b:1", "is no repository");
        check("oci://ghcr.io/-a:1", "is no repository");
        check("oci://ghcr.io/a:", "is no tag");
        check("oci://ghcr.io/a:.1", "is no tag");
        check("oci://ghcr.io/a:1:2", "is no tag");
        check("oci://ghcr.io/a@sha512:00", "only sha256 digests");
        check("oci://ghcr.io/a@sha256:12", "64 digits");
        check("oci://ghcr.io/a@latest", "64 digits");
        check("oci://ghcr.io/a b:1", "' ' in it");
        check("oci://ghcr.io/a:1?x=1", "'?' in it");
        check("oci://ana:secret@ghcr.io/a:1", "docker login");
        check("oci://ghcr.io:x/a:1", "is no registry's host");
        check("oci://ghcr.io:70000/a:1", "is no registry's host");
        check("oci://[::g]:1/a:1", "is no registry's host");
        check("oci://gh..io/a:1", "is no registry's host");
        check(&long, "255 bytes at most");
    }
}
